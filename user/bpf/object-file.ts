/**
 * Loading an object file as libbpf's users do: read it, find out about the kernel what it needs,
 * and hand both to the loader.
 *
 *   const opened = yield* openObject(p, path)             the spec, or libbpf's message
 *   const outcome = yield* loadSpec(p, user, spec, more)  descriptors, or messages and errno
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { parseBtf, type Btf } from '../../bpf/btf/btf.ts';
import { BtfError } from '../../bpf/btf/types.ts';
import { ObjectError } from '../../bpf/elf/error.ts';
import type { ObjectSpec } from '../../bpf/elf/object-spec.ts';
import { readObject } from '../../bpf/elf/object.ts';
import type { LoadFailure } from '../../bpf/loader/failure.ts';
import { kernelConfigOf, type KernelConfig } from '../../bpf/loader/kconfig.ts';
import type { LoadedObject, LoadOptions } from '../../bpf/loader/load.ts';
import { loadObject } from '../../bpf/loader/load.ts';
import type { KernelKnowledge } from '../../bpf/loader/resolve.ts';
import { readFile, readTextFile } from '../libc/files.ts';
import { gunzip } from '../libc/gzip.ts';
import type { Process } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { uname } from '../libc/system.ts';
import { kallsyms } from './kallsyms.ts';
import type { ProcessBpf } from './user.ts';

export interface OpenFailure {
  readonly kind: 'unreadable';
  readonly message: string;
}

export function* openObject(p: Process, path: string): UserFlow<ObjectSpec | OpenFailure> {
  const bytes = yield* readFile(p, path);
  if (typeof bytes === 'number') {
    const message = `libbpf: elf: failed to open ${path}: ${strerror(bytes)}`;
    return { kind: 'unreadable', message };
  }
  try {
    return readObject(bytes, path);
  } catch (caught) {
    if (!(caught instanceof ObjectError)) throw caught;
    return { kind: 'unreadable', message: `libbpf: ${caught.message}` };
  }
}

export function isFailure(result: ObjectSpec | OpenFailure): result is OpenFailure {
  return 'kind' in result;
}

export function* loadSpec(
  p: Process,
  user: ProcessBpf,
  spec: ObjectSpec,
  options: LoadOptions = {},
): UserFlow<LoadedObject | LoadFailure> {
  const kernel = yield* kernelKnowledge(p, spec);
  const cpuCount = yield* possibleCpus(p);
  return yield* loadObject(user, spec, { kernel, strerror, cpuCount, ...options });
}

/** Only what the object asks for: types and symbols of a kernel are many. */
function* kernelKnowledge(p: Process, spec: ObjectSpec): UserFlow<KernelKnowledge> {
  const needsBtf =
    spec.programs.some(
      (program) => program.coreRelos.length > 0 || program.def?.btfPrefix !== undefined,
    ) || spec.externs.some((extern) => extern.kind !== 'kconfig');
  const btf = needsBtf ? yield* kernelBtf(p) : undefined;
  const wantsSymbols = spec.externs.some((extern) => extern.kind === 'ksym');
  const symbols = wantsSymbols ? yield* kallsyms(p) : undefined;
  const wantsConfig = spec.externs.some((extern) => extern.kind === 'kconfig');
  const config = wantsConfig ? yield* kernelConfig(p) : undefined;
  return {
    ...(btf ? { btf } : {}),
    ...(config ? { config } : {}),
    ...(symbols ? { symbol: (name: string) => symbols.byName(name) } : {}),
  };
}

export function* kernelBtf(p: Process): UserFlow<Btf | undefined> {
  const bytes = yield* readFile(p, '/sys/kernel/btf/vmlinux');
  if (typeof bytes === 'number') return undefined;
  try {
    return parseBtf(bytes);
  } catch (caught) {
    if (caught instanceof BtfError) return undefined;
    throw caught;
  }
}

/** /boot/config-RELEASE or else /proc/config.gz, in libbpf's order. */
function* kernelConfig(p: Process): UserFlow<KernelConfig> {
  const { release } = yield* uname(p);
  for (const path of [`/boot/config-${release}`, '/proc/config.gz']) {
    const bytes = yield* readFile(p, path);
    // What is not compressed is read as it is.
    if (typeof bytes !== 'number') return kernelConfigOf(utf8(gunzip(bytes) ?? bytes), release);
  }
  return kernelConfigOf(undefined, release);
}

const utf8 = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** /sys/devices/system/cpu/possible: '0-3' or '0'. */
export function* possibleCpus(p: Process): UserFlow<number> {
  const text = yield* readTextFile(p, '/sys/devices/system/cpu/possible');
  if (typeof text === 'number') return 1;
  const last = text.trim().split(/[,-]/).at(-1);
  return Number(last) + 1;
}
