/**
 * Attaching to functions of BPF programs: fentry and fexit programs, and those that replace
 * (bpf_tracing_prog_attach of 6.1). A program is attached to what it was loaded for, once; one that
 * replaces may also be given another function like that, each time it is attached.
 */
import { errno } from '../../kernel/types/errno.ts';
import { engineState } from '../engine-state.ts';
import { Trampoline, type TrampolineUser } from '../trampoline.ts';
import { ATTACH_TYPES, type AttachType } from '../uapi.ts';
import { attachError } from '../verifier/attach-prog.ts';
import type { BpfCaller } from './caller.ts';
import { progOfFd } from './lookup.ts';
import type { Attachment, ProgFunction, ProgObject } from './objects.ts';
import type { BpfSubsystem } from './subsystem.ts';

export interface TracingTarget {
  readonly fd: number;
  readonly btfId: number;
  readonly cookie: bigint;
}

/** As raw_tracepoint_open asks, which knows of no target. */
export const AS_LOADED: TracingTarget = { fd: 0, btfId: 0, cookie: 0n };

const TRACING: ReadonlySet<AttachType> = new Set(['trace_fentry', 'trace_fexit', 'modify_return']);

/** The program's kind is attached to functions, of programs or of the kernel. */
export function isTrampolined({ prog }: ProgObject): boolean {
  const { type, expectedAttachType } = prog.verified.spec;
  return type === 'ext' || (type === 'tracing' && TRACING.has(expectedAttachType));
}

/** Undefined: the kernel's to attach. */
export function attachToFunction(
  bpf: BpfSubsystem,
  program: ProgObject,
  target: TracingTarget,
  caller: BpfCaller,
): Attachment | number | undefined {
  const { spec } = program.prog.verified;
  if ((target.fd === 0) !== (target.btfId === 0)) return -errno.EINVAL;
  const given = targetOf(program, target, caller);
  if (typeof given === 'number') return given;
  const { loadedFor } = program;
  if (!given && !loadedFor) return spec.attachProg ? -errno.EINVAL : undefined;
  const at = given ?? loadedFor!;
  const isAsLoaded = loadedFor?.program === at.program && loadedFor.btfId === at.btfId;
  if (!isAsLoaded) {
    const error = attachError(spec, at.program.prog.verified, at.btfId);
    if (error !== 0) return -error;
  }
  const trampoline = trampolineOf(bpf, at);
  const user: TrampolineUser = {
    prog: program.prog,
    cookie: target.cookie,
    how:
      spec.type === 'ext'
        ? 'replace'
        : spec.expectedAttachType === 'trace_fentry'
          ? 'fentry'
          : 'fexit',
  };
  const replaces = user.how === 'replace';
  const linked = replaces && at.program.slotsHeld > 0 ? -errno.EBUSY : trampoline.link(user);
  if (linked < 0) {
    dropIfIdle(at, trampoline);
    return linked;
  }
  at.program.get();
  if (replaces) at.program.isExtended = true;
  program.loadedFor = undefined;
  loadedFor?.program.put();
  return {
    type: 'tracing',
    detachable: false,
    detach() {
      trampoline.unlink(user);
      if (replaces) at.program.isExtended = false;
      dropIfIdle(at, trampoline);
      at.program.put();
    },
    info: () => ({
      fields: {
        tracing_attach_type: ATTACH_TYPES.indexOf(spec.expectedAttachType),
        tracing_target_obj_id: at.program.id,
        tracing_target_btf_id: at.btfId,
      },
    }),
  };
}

function targetOf(
  { prog }: ProgObject,
  { fd, btfId }: TracingTarget,
  caller: BpfCaller,
): ProgFunction | number | undefined {
  if (fd === 0) return undefined;
  if (prog.verified.spec.type !== 'ext') return -errno.EINVAL;
  const program = progOfFd(caller, fd);
  return typeof program === 'number' ? program : { program, btfId };
}

function trampolineOf(bpf: BpfSubsystem, { program, btfId }: ProgFunction): Trampoline {
  const { verified } = program.prog;
  const { runtime } = bpf.host;
  let trampoline = program.trampolines.get(btfId);
  if (!trampoline) {
    const row = verified.funcs.find(({ typeId }) => typeId === btfId)!;
    const subprog = verified.subprogs.findIndex(({ start }) => start === row.insn);
    const address = engineState(runtime).funcAddress(verified, subprog);
    const argBytes = row.unreliable ? [8, 8, 8, 8, 8] : argumentBytes(program, btfId);
    trampoline = new Trampoline(runtime.ram, program.prog, { subprog, address, argBytes });
    program.trampolines.set(btfId, trampoline);
  }
  return trampoline;
}

function argumentBytes({ prog }: ProgObject, btfId: number): readonly number[] {
  const btf = prog.verified.spec.btf!;
  return btf.prototypeOf(btf.typeAs(btfId, 'func')!).params.map(({ type }) => {
    const id = btf.resolve(type);
    return btf.type(id)!.kind === 'ptr' ? 8 : (btf.sizeOf(id) ?? 8);
  });
}

function dropIfIdle({ program, btfId }: ProgFunction, trampoline: Trampoline): void {
  if (trampoline.isIdle) program.trampolines.delete(btfId);
}
