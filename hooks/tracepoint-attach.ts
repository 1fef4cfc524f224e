/**
 * BPF programs on tracepoints: what a perf event with a program does, and raw tracepoints.
 *
 *   attachTracepoint(tracepoint, program, cookie)      program type tracepoint: it sees the record
 *   attachRawTracepoint(registry, program, name, btf)   raw_tracepoint, or tracing with BTF types
 *
 * Both give an Attachment, of which bpf(2) makes a link; the program's reference is the holder's.
 */
import type { Btf } from '../bpf/btf/btf.ts';
import type { HookContext } from '../bpf/runtime.ts';
import type { Attachment, ProgObject } from '../bpf/syscall/objects.ts';
import { errno } from '../kernel/types/errno.ts';
import type { RamOffset } from '../kernel/types/units.ts';
import type { TracepointRegistry } from './registry.ts';
import type { AnyTracepoint, HookProgram } from './tracepoint.ts';

/** A program that can be swapped while it is attached. */
class AttachedProgram implements HookProgram {
  program: ProgObject;
  readonly #hook: HookContext;

  constructor(program: ProgObject, cookie: bigint) {
    this.program = program;
    this.#hook = { cookie };
  }

  run(ctx: RamOffset): number {
    return this.program.prog.runAt(this.#hook, ctx);
  }
}

/** Detaches; undefined where the program is of another type (-EINVAL). */
export function attachTracepoint(
  tracepoint: AnyTracepoint,
  program: ProgObject,
  cookie = 0n,
): (() => void) | undefined {
  if (program.prog.verified.spec.type !== 'tracepoint') return undefined;
  return tracepoint.attach(new AttachedProgram(program, cookie));
}

export function attachRawTracepoint(
  registry: TracepointRegistry,
  program: ProgObject,
  name: string | undefined,
  kernelBtf: Btf | undefined,
  cookie = 0n,
): Attachment | number {
  const { spec } = program.prog.verified;
  const isBtf = spec.type === 'tracing' && spec.expectedAttachType === 'trace_raw_tp';
  const isRaw = spec.type === 'raw_tracepoint' || spec.type === 'raw_tracepoint_writable';
  if (!isBtf && !isRaw) return -errno.EINVAL;
  const typedef = isBtf ? kernelBtf?.type(spec.attachBtfId ?? 0)?.name : undefined;
  const wanted = isBtf ? typedef?.replace(/^btf_trace_/, '') : name;
  const tracepoint = wanted === undefined ? undefined : registry.findByName(wanted);
  if (!tracepoint) return -errno.ENOENT;
  const isThere = tracepoint.rawPrograms.some(
    (other) => other instanceof AttachedProgram && other.program === program,
  );
  if (isThere) return -errno.EEXIST;
  const detach = tracepoint.attachRaw(new AttachedProgram(program, cookie));
  return {
    type: 'raw_tracepoint',
    detachable: false,
    detach,
    info: () => ({ fields: {}, name: wanted! }),
  };
}
