/**
 * Loads of 64-bit immediates (numbers, maps, map values, kernel variables, functions) and the
 * packet loads kept from classic BPF.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Insn } from '../isa/insn.ts';
import { imm64At } from '../isa/codec.ts';
import { reject, type Checker } from './checker.ts';
import { leave } from './func-call.ts';
import { clobberCallerSaved, destUnknown, scratchReg, sourceReg } from './live.ts';
import { hasSpinLock } from './map-fields.ts';
import { mode, modeOf, pseudo, sizeOf } from './opcode.ts';
import type { ReasonCode } from './reasons.ts';
import { checkLeaks } from './refs.ts';
import { isPlain, pointerReg, scalarReg } from './reg.ts';
import { checkUnmodified } from './region.ts';
import { ZERO_SCALAR, constScalar } from './scalar.ts';

export function checkLoadImm(c: Checker, insn: Insn): void {
  if (sizeOf(insn.code) !== 8) {
    reject(c, errno.EINVAL, 'unknown-opcode', 'invalid BPF_LD_IMM insn');
  }
  if (insn.off !== 0) {
    reject(c, errno.EINVAL, 'reserved-field', 'BPF_LD_IMM64 uses reserved fields');
  }
  const slot = destUnknown(c, insn.dst);
  const aux = c.learned(c.insn);
  switch (insn.src) {
    case 0:
      slot.reg = scalarReg(constScalar(imm64At(c.insns, c.insn)));
      return;
    case pseudo.BTF_ID:
      slot.reg = aux.symbol!.reg;
      return;
    case pseudo.FUNC:
      slot.reg = pointerReg('func', { subprog: functionAt(c, insn) });
      return;
    case pseudo.MAP_VALUE:
    case pseudo.MAP_IDX_VALUE: {
      const map = aux.map!;
      const id = hasSpinLock(map) ? c.newId() : 0;
      slot.reg = pointerReg('map_value', { map, off: aux.mapOffset, id });
      return;
    }
    case pseudo.MAP_FD:
    case pseudo.MAP_IDX:
      slot.reg = pointerReg('map_ptr', { map: aux.map! });
      return;
    default:
      reject(c, errno.EINVAL, 'verifier-bug', 'bpf verifier is misconfigured');
  }
}

function functionAt(c: Checker, insn: Insn): number {
  const subprog = c.subprogAt(c.insn + insn.imm + 1);
  const refuse = (line: string) => reject(c, errno.EINVAL, 'callback', line);
  if (c.subprogs[0]!.btfFunc === undefined) refuse('missing btf func_info');
  const func = c.btf?.typeAs(c.subprogs[subprog]!.btfFunc!, 'func');
  if (func?.linkage !== 'static') refuse('callback function not static');
  if (subprog === 0) refuse('callback function cannot be the main program');
  return subprog;
}

/** r0 = packet data at imm (+ src); the context is in r6, r1 to r5 are lost. */
export function checkLoadPacket(c: Checker, insn: Insn): void {
  const refuse = (reason: ReasonCode, line: string) => reject(c, errno.EINVAL, reason, line);
  if (!c.ops.ldPacket) {
    refuse('ld-packet', 'BPF_LD_[ABS|IND] instructions not allowed for this program type');
  }
  const isAbs = modeOf(insn.code) === mode.ABS;
  if (insn.dst !== 0 || insn.off !== 0 || sizeOf(insn.code) === 8 || (isAbs && insn.src !== 0)) {
    refuse('reserved-field', 'BPF_LD_[ABS|IND] uses reserved fields');
  }
  const ctx = sourceReg(c, 6);
  // It ends the program where the packet is too short: nothing may be held then.
  checkLeaks(c, 'BPF_LD_[ABS|IND] cannot be mixed with socket references');
  if (c.state.activeLock !== 0) {
    refuse('lock-held', 'BPF_LD_[ABS|IND] cannot be used inside bpf_spin_lock-ed region');
  }
  if (!isPlain(ctx.reg, 'ctx')) {
    refuse('ld-packet', 'at the time of BPF_LD_ABS|IND R6 != pointer to skb');
  }
  if (!isAbs) sourceReg(c, insn.src);
  checkUnmodified(c, ctx.reg, 6, false);
  const { regs } = c;
  clobberCallerSaved(c, regs);
  c.forget(regs[0]!);
  if (c.state.frames.length === 1) return;
  // In a subprogram that end is a return of 0 to the caller: explore it as well.
  scratchReg(c, 0);
  c.pushPath(c.insn + 1, c.insn, false);
  regs[0]!.reg = scalarReg(ZERO_SCALAR);
  leave(c);
  c.insn--;
}
