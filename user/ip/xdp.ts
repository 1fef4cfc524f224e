/** `ip link set dev D xdp … obj F [sec S | program P] | pinned P | off`: a descriptor to attach. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { ObjectProgram } from '../../bpf/elf/object-spec.ts';
import { objGet } from '../../bpf/loader/commands.ts';
import type { ProgramKind } from '../../bpf/loader/programs.ts';
import { close } from '../libc/files.ts';
import { strerror } from '../libc/strerror.ts';
import { isFailure, loadSpec, openObject } from '../bpf/object-file.ts';
import { bpfUser } from '../bpf/user.ts';
import { XDP_FLAGS_DRV_MODE, XDP_FLAGS_HW_MODE, XDP_FLAGS_SKB_MODE } from '../net/links.ts';
import { interfaceIndex } from '../bpftool/device.ts';
import { type Ip, matches } from './context.ts';

export const XDP_WORDS: Readonly<Record<string, number>> = {
  xdp: 0,
  xdpgeneric: XDP_FLAGS_SKB_MODE,
  xdpdrv: XDP_FLAGS_DRV_MODE,
  xdpoffload: XDP_FLAGS_HW_MODE,
};

export interface XdpChange {
  /** -1 takes the program off. */
  readonly fd: number;
  readonly flags: number;
}

/** Section that is taken where none is named. */
const DEFAULT_SECTION = 'prog';

export function* parseXdp(ip: Ip, mode: number, device: string | undefined): UserFlow<XdpChange> {
  let word = yield* ip.need();
  // -force is an option of ip itself; without it an attached program is replaced all the same.
  const flags = mode;
  if (word === 'off' || word === 'none') return { fd: -1, flags };
  if (matches(word, 'pinned')) return { fd: yield* pinned(ip), flags };
  if (!matches(word, 'object')) {
    return yield* ip.stop(`What mode is "${word}"?`, 255);
  }
  const file = yield* ip.need();
  let section: string | undefined;
  let program: string | undefined;
  let verbose = false;
  while (ip.left > 0) {
    word = ip.peek();
    if (matches(word, 'section')) {
      ip.take();
      section = yield* ip.need();
    } else if (matches(word, 'program')) {
      ip.take();
      program = yield* ip.need();
    } else if (matches(word, 'verbose')) {
      ip.take();
      verbose = true;
    } else break;
  }
  const ifindex =
    mode === XDP_FLAGS_HW_MODE && device !== undefined ? yield* interfaceIndex(ip.p, device) : 0;
  const wanted = (candidate: ObjectProgram): boolean => {
    if (program !== undefined) return candidate.name === program;
    return candidate.section === (section ?? DEFAULT_SECTION);
  };
  return { fd: yield* load(ip, file, { wanted, verbose, ifindex, section, program }), flags };
}

function* pinned(ip: Ip): UserFlow<number> {
  const path = yield* ip.need();
  const user = bpfUser(ip.p);
  const fd = yield* objGet(user, path);
  yield* user.release();
  if (fd >= 0) return fd;
  return yield* ip.stop(`Couldn't retrieve pinned program '${path}': ${strerror(fd)}`, 255);
}

interface Load {
  readonly wanted: (program: ObjectProgram) => boolean;
  readonly verbose: boolean;
  readonly ifindex: number;
  readonly section: string | undefined;
  readonly program: string | undefined;
}

/** The program's descriptor; maps and other programs of the object are let go. */
function* load(ip: Ip, file: string, request: Load): UserFlow<number> {
  const spec = yield* openObject(ip.p, file);
  if (isFailure(spec)) {
    return yield* ip.stop(`${spec.message}\nERROR: opening BPF object file failed`, 255);
  }
  const programs = spec.programs.filter(request.wanted);
  const [chosen] = programs;
  if (!chosen) {
    const what =
      request.program !== undefined
        ? `prog ${request.program}`
        : `sec ${request.section ?? DEFAULT_SECTION}`;
    return yield* ip.stop(`object file doesn't contain ${what}`, 255);
  }
  const kind: ProgramKind = { type: 'xdp', attachType: 'xdp' };
  const user = bpfUser(ip.p);
  const outcome = yield* loadSpec(ip.p, user, spec, {
    wanted: (program) => program === chosen,
    kindOf: () => kind,
    ifindex: request.ifindex,
    logLevel: request.verbose ? 1 : 0,
  });
  for (const message of outcome.messages) yield* ip.p.stderr.write(`${message}\n`);
  if (outcome.kind === 'failed') {
    return yield* ip.stop('Failed to load object file', 255);
  }
  const { fd, log } = outcome.programs[0]!;
  if (request.verbose && log !== '') yield* ip.p.stderr.write(log);
  for (const map of outcome.maps) yield* close(map.fd);
  return fd;
}
