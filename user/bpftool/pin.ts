/** Pinning: `prog pin`, `map pin`, `link pin`, and what load does with its PATH. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { objPin } from '../../bpf/loader/commands.ts';
import { close, mount, statfs } from '../libc/files.ts';
import { dirname, type Process } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { type Bpftool, FAILED } from './tool.ts';

/** UAPI linux/magic.h */
const BPF_FS_MAGIC = 0xcafe4a11;

export function* isBpffs(p: Process, directory: string): UserFlow<boolean> {
  const info = yield* statfs(p, directory);
  return typeof info !== 'number' && info.type === BPF_FS_MAGIC;
}

/** A bpf file system at the directory of `path`, mounted there if it is none. */
export function* mountForPin(t: Bpftool, path: string): UserFlow<number> {
  const directory = dirname(path);
  if (yield* isBpffs(t.p, directory)) return 0;
  if (t.options.noMount) {
    return yield* t.fail('no BPF file system found, not mounting it due to --nomount option');
  }
  const failed = yield* mount(t.p, 'bpf', directory, 'bpf', 0, 'mode=0700');
  if (failed >= 0) return 0;
  const why = `mount -t bpf bpf ${directory} failed: ${strerror(failed)}`;
  return yield* t.fail(`can't mount BPF file system to pin the object (${path}): ${why}`);
}

/** @param refused what to say instead of why */
export function* pinFd(t: Bpftool, fd: number, path: string, refused?: string): UserFlow<number> {
  const mounted = yield* mountForPin(t, path);
  if (mounted < 0) return mounted;
  const failed = yield* objPin(t.user, fd, path);
  yield* t.user.release();
  if (failed < 0) {
    return yield* t.fail(refused ?? `can't pin the object (${path}): ${strerror(failed)}`, failed);
  }
  return 0;
}

export function* pinCommand(
  t: Bpftool,
  parse: (t: Bpftool) => UserFlow<number | undefined>,
): UserFlow<number> {
  if (!(yield* t.needs(3))) return FAILED;
  const fd = yield* parse(t);
  if (fd === undefined) return FAILED;
  const status = yield* pinFd(t, fd, t.words.next());
  yield* close(fd);
  return status < 0 ? status : yield* t.done();
}
