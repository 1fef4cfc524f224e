/**
 * What can be iterated over (bpf_iter_reg_target): how a target is attached to, and a cursor over
 * its objects. Their arguments stand in args.ts.
 */
import { errno } from '../../kernel/types/errno.ts';
import { BpfLinkStruct, BpfProgAuxStruct, BpfProgStruct } from '../../kernel/types/bpf-prog.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { VerifiedProgram } from '../program.ts';
import type { BpfRuntime, BpfTask } from '../runtime.ts';
import type { BpfCaller } from '../syscall/caller.ts';
import { mapOfFd } from '../syscall/lookup.ts';
import type { IdTable, LinkInfo, LinkObject, MapObject, ProgObject } from '../syscall/objects.ts';
import type { BpfSubsystem } from '../syscall/subsystem.ts';
import { ATTACH_TYPES, LINK_TYPES, PROG_TYPES } from '../uapi.ts';
import type { IterTargetName } from './args.ts';
import type { IterCursor } from './iterator.ts';
import { mapElementCursor, mapElementBytes } from './map-elements.ts';
import { taskFileCursor, taskVmaCursor, type NextTask } from './task-objects.ts';

/** A target that a link is attached to. */
export interface IterSource {
  cursor(): IterCursor;
  readonly info: LinkInfo['fields'];
  /** The link goes. */
  release(): void;
}

type Attach = (
  bpf: BpfSubsystem,
  program: VerifiedProgram,
  info: DataView,
  caller: BpfCaller,
) => IterSource | number;

const simple =
  (cursor: (bpf: BpfSubsystem) => IterCursor): Attach =>
  (bpf) => ({ cursor: () => cursor(bpf), info: {}, release: () => {} });

export const iterTargets: Readonly<Record<IterTargetName, Attach>> = {
  bpf_map: simple((bpf) =>
    idCursor(bpf.maps, ({ map }) => bpf.host.runtime.ram.kernelAddress(map.offset)),
  ),
  bpf_map_elem: attachMapElements,
  bpf_prog: simple((bpf) => {
    const made = new MadeUp(bpf);
    return idCursor(bpf.progs, (prog) => made.prog(prog), made);
  }),
  bpf_link: simple((bpf) => {
    const made = new MadeUp(bpf);
    return idCursor(bpf.links, (link) => made.link(link), made);
  }),
  task: attachTasks(taskCursor),
  task_file: attachTasks(taskFileCursor, 'own'),
  task_vma: attachTasks(taskVmaCursor, 'own'),
};

/** Objects by id, from the smallest on. */
function idCursor<T>(
  table: IdTable<T>,
  addressOf: (object: T) => bigint,
  made?: MadeUp,
): IterCursor {
  let after = 0;
  return {
    current() {
      const id = table.after(after);
      return id === undefined ? undefined : [addressOf(table.byId(id)!)];
    },
    advance() {
      after = table.after(after) ?? after;
    },
    done: () => made?.free(),
    free: () => made?.free(),
  };
}

/**
 * differs: programs and links have no struct in RAM of their own; while an iterator looks at one it
 * gets one with the members that tools read.
 */
class MadeUp {
  readonly #bpf: BpfSubsystem;
  readonly #blocks: RamOffset[] = [];

  constructor(bpf: BpfSubsystem) {
    this.#bpf = bpf;
  }

  prog({ id, prog, maps, loadedAtNs, attachType }: ProgObject): bigint {
    const { ram } = this.#bpf.host.runtime;
    const { verified } = prog;
    const struct = BpfProgStruct.alloc(ram);
    const aux = BpfProgAuxStruct.alloc(ram);
    this.#blocks.push(struct.offset, aux.offset);
    struct.pages = 1;
    struct.type = PROG_TYPES.indexOf(verified.spec.type);
    struct.expected_attach_type = ATTACH_TYPES.indexOf(attachType);
    struct.len = verified.insns.length;
    struct.jited_len = prog.executable.imageBytes;
    const tag = prog.tag.match(/../g)!.map((pair) => parseInt(pair, 16));
    ram.u8.set(tag, struct.tag);
    struct.aux = aux.offset;
    aux.refcnt = 1n;
    aux.used_map_cnt = maps.length;
    aux.id = id;
    aux.attach_btf_id = verified.spec.attachBtfId ?? 0;
    aux.prog = struct.offset;
    aux.load_time = BigInt(loadedAtNs);
    aux.verified_insns = verified.verifiedInsns;
    aux.name = verified.spec.name;
    return ram.kernelAddress(struct.offset);
  }

  link({ id, attachment, program }: LinkObject): bigint {
    const { ram } = this.#bpf.host.runtime;
    const struct = BpfLinkStruct.alloc(ram);
    this.#blocks.push(struct.offset);
    struct.refcnt = 1n;
    struct.id = id;
    struct.type = LINK_TYPES.indexOf(attachment.type);
    struct.prog = ram.offsetOf(this.prog(program))!;
    return ram.kernelAddress(struct.offset);
  }

  free(): void {
    for (const block of this.#blocks.splice(0)) this.#bpf.host.runtime.ram.kfree(block);
  }
}

/** bpf_iter_attach_map: the program must not use more of key and value than there is. */
function attachMapElements(
  bpf: BpfSubsystem,
  program: VerifiedProgram,
  info: DataView,
  caller: BpfCaller,
): IterSource | number {
  const fd = info.getUint32(0, true);
  if (fd === 0) return -errno.EBADF;
  const object = mapOfFd(caller, fd);
  if (typeof object === 'number') return object;
  const bytes = mapElementBytes(object.map);
  if (!bytes) return -errno.EINVAL;
  const { rdonly = 0, rdwr = 0 } = program.bufferUse ?? {};
  if (rdonly > bytes.key || rdwr > bytes.value) return -errno.EACCES;
  const held: MapObject = object.getUser();
  return {
    cursor: () => mapElementCursor(bpf.host.runtime, held.map),
    info: { iter_map_id: held.map.id },
    release: () => held.putUser(),
  };
}

/**
 * bpf_iter_attach_task: all threads, or those of a process, or one. `own`: what threads share with
 * their process is shown once.
 */
function attachTasks(
  cursor: (runtime: BpfRuntime, next: NextTask) => IterCursor,
  which: 'all' | 'own' = 'all',
): Attach {
  return (bpf, _program, info) => attachToTasks(bpf, info, cursor, which);
}

function attachToTasks(
  bpf: BpfSubsystem,
  info: DataView,
  cursor: (runtime: BpfRuntime, next: NextTask) => IterCursor,
  which: 'all' | 'own',
): IterSource | number {
  const [tid, pid, pidFd] = [0, 4, 8].map((at) => info.getUint32(at, true)) as [
    number,
    number,
    number,
  ];
  if ([tid, pid, pidFd].filter((value) => value !== 0).length > 1) return -errno.EINVAL;
  // differs: there are no descriptors of processes.
  if (pidFd !== 0) return -errno.EBADF;
  const wanted = (task: BpfTask) =>
    (tid === 0 || task.pid === tid) &&
    (pid === 0 || task.tgid === pid) &&
    (tid !== 0 || which === 'all' || task.pid === task.tgid);
  const { runtime } = bpf.host;
  const { kernel } = runtime;
  const next = (after: number) => {
    let task = kernel.taskAfter?.(after);
    while (task && !wanted(task)) task = kernel.taskAfter?.(task.pid);
    return task;
  };
  return {
    cursor: () => cursor(runtime, next),
    info: { iter_tid: tid, iter_pid: pid },
    release() {},
  };
}

function taskCursor({ ram }: BpfRuntime, next: NextTask): IterCursor {
  let after = 0;
  return {
    current() {
      const task = next(after);
      return task && [ram.kernelAddress(task.offset)];
    },
    advance() {
      after = next(after)?.pid ?? after;
    },
    free() {},
  };
}
