/**
 * bpftool gen: objects linked into one (`bpf/linker`).
 * differs: skeletons, subskeletons and smaller BTF are not made.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { ObjectError } from '../../bpf/elf/error.ts';
import { linkObjects, type LinkInput } from '../../bpf/linker/link-objects.ts';
import { close, O_CREAT, O_TRUNC, O_WRONLY, open, readFile, writeAll } from '../libc/files.ts';
import { strerror } from '../libc/strerror.ts';
import { type Bpftool, type Command } from './tool.ts';
import { help, usage } from './usage.ts';

function* object(t: Bpftool): UserFlow<number> {
  if (!(yield* t.needs(2))) return yield* usage(t, 'gen');
  const { words } = t;
  const path = words.next();
  const fd = yield* open(t.p, path, O_WRONLY | O_CREAT | O_TRUNC, 0o644);
  if (fd < 0) {
    yield* t.info(`libbpf: failed to create '${path}': ${fd}`);
    return yield* t.fail('failed to create BPF linker instance');
  }
  const status = yield* linkInto(t, fd, path);
  yield* close(fd);
  return status;
}

function* linkInto(t: Bpftool, fd: number, path: string): UserFlow<number> {
  const { words } = t;
  const inputs: LinkInput[] = [];
  while (words.left > 0) {
    const file = words.next();
    const bytes = yield* readFile(t.p, file);
    if (typeof bytes === 'number') {
      yield* t.info(`libbpf: failed to open file '${file}': ${bytes}`);
      return yield* t.fail(`failed to link '${file}': ${strerror(bytes)} (${-bytes})`, bytes);
    }
    inputs.push({ file, bytes });
  }
  let linked: Uint8Array;
  try {
    linked = linkObjects(inputs);
  } catch (error) {
    if (!(error instanceof ObjectError)) throw error;
    yield* t.info(`libbpf: ${error.message}`);
    const last = inputs.at(-1)!.file;
    return yield* t.fail(
      `failed to link '${last}': ${strerror(-errno.EINVAL)} (${errno.EINVAL})`,
      -errno.EINVAL,
    );
  }
  const failed = yield* writeAll(t.p, fd, linked);
  if (failed >= 0) return 0;
  return yield* t.fail(`failed to write '${path}': ${strerror(failed)} (${-failed})`, failed);
}

function unmade(name: string, wanted: number): Command {
  return function* (t) {
    if (!(yield* t.needs(wanted))) return yield* usage(t, 'gen');
    return yield* t.fail(`gen ${name} is not there`);
  };
}

export const genCommands: Readonly<Record<string, Command>> = {
  object,
  skeleton: unmade('skeleton', 1),
  subskeleton: unmade('subskeleton', 1),
  min_core_btf: unmade('min_core_btf', 3),
  help: (t) => help(t, 'gen'),
};
