/**
 * BPF programs on tracepoints: what a perf event with a program does, and raw tracepoints.
 *
 *   attachTracepoint(tracepoint, program)      program type tracepoint: it sees the record
 *   attachRawTracepoint(registry, program, name)   program type raw_tracepoint: the arguments
 *
 * Both give an Attachment, of which bpf(2) makes a link; the program's reference is the holder's.
 */
import type { Attachment, ProgObject } from '../bpf/syscall/objects.ts';
import { errno } from '../kernel/types/errno.ts';
import type { RamOffset } from '../kernel/types/units.ts';
import type { TracepointRegistry } from './registry.ts';
import type { AnyTracepoint, HookProgram } from './tracepoint.ts';

/** A program that can be swapped while it is attached. */
class AttachedProgram implements HookProgram {
  program: ProgObject;

  constructor(program: ProgObject) {
    this.program = program;
  }

  run(ctx: RamOffset): number {
    return this.program.prog.run(ctx);
  }
}

/** Detaches; undefined where the program is of another type (-EINVAL). */
export function attachTracepoint(
  tracepoint: AnyTracepoint,
  program: ProgObject,
): (() => void) | undefined {
  if (program.prog.verified.spec.type !== 'tracepoint') return undefined;
  return tracepoint.attach(new AttachedProgram(program));
}

export function attachRawTracepoint(
  registry: TracepointRegistry,
  program: ProgObject,
  name: string | undefined,
): Attachment | number {
  const { type } = program.prog.verified.spec;
  if (type !== 'raw_tracepoint' && type !== 'raw_tracepoint_writable') return -errno.EINVAL;
  if (name === undefined) return -errno.EINVAL;
  const tracepoint = registry.findByName(name);
  if (!tracepoint) return -errno.ENOENT;
  const attached = new AttachedProgram(program);
  const detach = tracepoint.attachRaw(attached);
  return {
    type: 'raw_tracepoint',
    detachable: false,
    detach,
    info: () => ({ fields: {}, name }),
  };
}
