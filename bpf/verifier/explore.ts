/**
 * The exploration: one path at a time, instruction by instruction, until all are done.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Insn } from '../isa/insn.ts';
import { checkAlu } from './alu.ts';
import { checkAtomic } from './atomic.ts';
import { argumentsMatch, prepareArguments } from './btf-args.ts';
import { insnMark, reject, type Checker } from './checker.ts';
import { checkReturn } from './exit.ts';
import { callSubprog, leave, newFrame } from './func-call.ts';
import { callHelper } from './helper-call.ts';
import { helperByProto } from '../helpers/table.ts';
import { checkJump } from './jump.ts';
import { callKfunc } from './kfunc.ts';
import { checkLoadImm, checkLoadPacket } from './ld.ts';
import { destReg, sourceReg } from './live.ts';
import { checkAccess } from './mem.ts';
import { classOf, cls, isRegSource, jmp, mode, modeOf, opOf, pseudo, sizeOf } from './opcode.ts';
import { notePointer } from './pointer-facts.ts';
import { markAllScratched, printInsnState, printSourceLine, stateText } from './print.ts';
import { isCovered } from './prune.ts';
import { checkLeaks } from './refs.ts';
import {
  isPlain,
  pointerReg,
  sameType,
  typeText,
  withScalar,
  type RegKind,
  type RegType,
} from './reg.ts';
import { MAIN_CALLSITE, type AnyState, type State } from './state.ts';
import { signExtended } from './sign-extend.ts';
import { uapi } from '../uapi.ts';

const SPIN_UNLOCK = helperByProto('spin_unlock').id;

/** All paths of the main program, or of a global function for any arguments. */
export function explore(c: Checker, subprog: number): void {
  c.prevLine = undefined;
  c.insn = c.subprogs[subprog]!.start;
  const frame = newFrame(c, MAIN_CALLSITE, 0, subprog);
  c.state = {
    frames: [frame],
    parent: undefined,
    branches: 1,
    insn: 0,
    activeLock: 0,
    speculative: false,
    firstInsn: c.insn,
    lastInsn: -1,
    jumps: [],
    allPrecise: false,
  };
  c.explored = [];
  c.pending = [];
  if (subprog > 0 || c.given.type === 'ext') {
    prepareArguments(c, subprog, frame);
  } else {
    frame.regs[1]!.reg = pointerReg('ctx');
    // A main program whose BTF does not fit is accepted for compatibility.
    argumentsMatch(c, 0, false);
  }
  c.recorder?.begin(c, subprog);
  run(c);
  if (!c.log.all) c.log.cut(0);
}

function run(c: Checker): void {
  let prevInsn = -1;
  let printState = false;
  for (;;) {
    c.prevInsn = prevInsn;
    if (c.recorder) c.recorder.at(c);
    if (c.insn >= c.insns.length) {
      const line = `invalid insn idx ${c.insn} insn_cnt ${c.insns.length}`;
      reject(c, errno.EFAULT, 'verifier-bug', line);
    }
    if (++c.processed > uapi.BPF_COMPLEXITY_LIMIT_INSNS) {
      const line = `BPF program is too large. Processed ${c.processed} insn`;
      reject(c, errno.E2BIG, 'too-complex', line);
    }
    let ended = isCovered(c);
    if (ended) {
      printSafe(c, printState);
    } else {
      if (c.log.states) printInsn(c, printState);
      if (c.log.all) printState = false;
      markSeen(c);
      prevInsn = c.insn;
      const step = checkInsn(c, c.current);
      if (step === 'left') printState = true;
      ended = step === 'ended';
    }
    if (!ended) continue;
    const next = popPath(c);
    if (next === undefined) return;
    prevInsn = next;
    printState = true;
  }
}

const speculationText = (state: State): string =>
  state.speculative ? ' (speculative execution)' : '';

function printSafe(c: Checker, jumped: boolean): void {
  if (!c.log.states) return;
  c.log.write(
    jumped
      ? `\nfrom ${c.prevInsn} to ${c.insn}${speculationText(c.state)}: safe\n`
      : `${c.insn}: safe\n`,
  );
}

function printInsn(c: Checker, jumped: boolean): void {
  const { log } = c;
  if (log.tellsAll && jumped) {
    const from = `\nfrom ${c.prevInsn} to ${c.insn}${speculationText(c.state)}:`;
    log.write(`${from}${stateText(c, c.frame, true)}\n`);
  }
  if (c.scratchedRegs !== 0 || c.scratchedSlots !== 0n) printInsnState(c);
  printSourceLine(c, c.insn, '; ');
  const start = log.length;
  if (!log.full) log.write(`${c.insn}: ${c.disasm(c.insn)}\n`);
  c.prevInsnPrintLength = log.length - start;
  c.prevLogLength = log.length;
}

/** Code that only speculation reaches stays dead. */
function markSeen(c: Checker): void {
  if (!c.state.speculative) c.marks[c.insn]! |= insnMark.SEEN;
}

/** The path ends: its ancestors have a branch less to wait for. Continues with the last put off. */
function popPath(c: Checker): number | undefined {
  c.recorder?.ended(c);
  markAllScratched(c);
  for (let state: AnyState | undefined = c.state; state; state = state.parent) {
    if (--state.branches > 0) break;
  }
  const next = c.pending.pop();
  if (!next) return undefined;
  c.state = next.state;
  if (!c.log.all) c.log.cut(next.logLength);
  c.insn = next.insn;
  c.recorder?.resumed(c);
  return next.prevInsn;
}

/** `next`: go on; `left`: a subprogram returned; `ended`: the path is done. */
type Step = 'next' | 'left' | 'ended';

function checkInsn(c: Checker, insn: Insn): Step {
  switch (classOf(insn.code)) {
    case cls.ALU:
    case cls.ALU64:
      checkAlu(c, insn);
      break;
    case cls.LDX:
      checkLoad(c, insn);
      break;
    case cls.STX:
      checkStore(c, insn);
      break;
    case cls.ST:
      checkStoreImm(c, insn);
      break;
    case cls.LD:
      checkLd(c, insn);
      break;
    default:
      return checkControl(c, insn);
  }
  c.insn++;
  return 'next';
}

const reserved = (c: Checker, name: string): never =>
  reject(c, errno.EINVAL, 'reserved-field', `${name} uses reserved fields`);

function checkLoad(c: Checker, insn: Insn): void {
  sourceReg(c, insn.src);
  destReg(c, insn.dst);
  const { reg } = c.regs[insn.src]!;
  checkAccess(c, insn.src, insn.off, sizeOf(insn.code), { write: false, value: insn.dst });
  if (modeOf(insn.code) === mode.MEMSX) signExtendLoaded(c, insn);
  oneKind(c, reg);
  notePointer(c, reg);
}

/** v4's sign-extending loads. */
function signExtendLoaded(c: Checker, insn: Insn): void {
  const slot = c.regs[insn.dst]!;
  const bits = (sizeOf(insn.code) * 8) as 8 | 16 | 32;
  if (!isPlain(slot.reg, 'scalar')) {
    reject(c, errno.EACCES, 'pointer-leak', `R${insn.dst} sign-extending load of a pointer`, {
      reg: insn.dst,
    });
  }
  slot.reg = withScalar(slot.reg, signExtended(slot.reg.scalar, bits), 0);
}

function checkStore(c: Checker, insn: Insn): void {
  if (modeOf(insn.code) === mode.ATOMIC) {
    checkAtomic(c, insn);
    return;
  }
  if (modeOf(insn.code) !== mode.MEM || insn.imm !== 0) reserved(c, 'BPF_STX');
  sourceReg(c, insn.src);
  sourceReg(c, insn.dst);
  const { reg } = c.regs[insn.dst]!;
  checkAccess(c, insn.dst, insn.off, sizeOf(insn.code), { write: true, value: insn.src });
  oneKind(c, reg);
  notePointer(c, reg);
}

function checkStoreImm(c: Checker, insn: Insn): void {
  if (modeOf(insn.code) !== mode.MEM || insn.src !== 0) reserved(c, 'BPF_ST');
  const { reg } = sourceReg(c, insn.dst);
  if (isPlain(reg, 'ctx')) {
    const line = `BPF_ST stores into R${insn.dst} ${typeText(reg)} is not allowed`;
    reject(c, errno.EACCES, 'context-store', line, { reg: insn.dst });
  }
  checkAccess(c, insn.dst, insn.off, sizeOf(insn.code), { write: true, value: undefined });
  notePointer(c, reg);
}

/** Kinds whose accesses are rewritten: an instruction must not access others as well. */
const REWRITTEN = new Set<RegKind>(['ctx', 'sock', 'sock_common', 'tcp_sock', 'xdp_sock', 'ptr_']);

function oneKind(c: Checker, type: RegType): void {
  const aux = c.aux(c.insn);
  const before = aux.pointerType;
  if (!before) {
    aux.pointerType = c.typeOnly(type);
  } else if (!sameType(before, type) && (REWRITTEN.has(before.kind) || REWRITTEN.has(type.kind))) {
    const line = 'same insn cannot be used with different pointers';
    reject(c, errno.EINVAL, 'different-pointers', line, {
      what: typeText(type),
      wanted: typeText(before),
    });
  }
}

function checkLd(c: Checker, insn: Insn): void {
  switch (modeOf(insn.code)) {
    case mode.ABS:
    case mode.IND:
      checkLoadPacket(c, insn);
      break;
    case mode.IMM:
      checkLoadImm(c, insn);
      c.insn++;
      markSeen(c);
      break;
    default:
      reject(c, errno.EINVAL, 'unknown-opcode', 'invalid BPF_LD mode');
  }
}

function checkControl(c: Checker, insn: Insn): Step {
  c.jumps++;
  switch (opOf(insn.code)) {
    case jmp.CALL:
      checkCall(c, insn);
      break;
    case jmp.JA:
      checkGoto(c, insn);
      return 'next';
    case jmp.EXIT:
      return checkExit(c, insn);
    default:
      checkJump(c, insn);
  }
  c.insn++;
  return 'next';
}

function checkCall(c: Checker, insn: Insn): void {
  const target = insn.src;
  const known = target === 0 || target === pseudo.CALL || target === pseudo.KFUNC_CALL;
  const isJmp32 = classOf(insn.code) === cls.JMP32;
  if (
    isRegSource(insn.code) ||
    (target !== pseudo.KFUNC_CALL && insn.off !== 0) ||
    !known ||
    insn.dst !== 0 ||
    isJmp32
  ) {
    reserved(c, 'BPF_CALL');
  }
  if (c.state.activeLock !== 0 && (target === pseudo.CALL || insn.imm !== SPIN_UNLOCK)) {
    const line = 'function calls are not allowed while holding a lock';
    reject(c, errno.EINVAL, 'lock-held', line);
  }
  if (target === pseudo.CALL) callSubprog(c, insn);
  else if (target === pseudo.KFUNC_CALL) callKfunc(c, insn);
  else callHelper(c, insn);
}

function checkGoto(c: Checker, insn: Insn): void {
  const isLong = classOf(insn.code) === cls.JMP32;
  if (
    isRegSource(insn.code) ||
    insn.src !== 0 ||
    insn.dst !== 0 ||
    (isLong ? insn.off !== 0 : insn.imm !== 0)
  ) {
    reserved(c, 'BPF_JA');
  }
  c.insn += (isLong ? insn.imm : insn.off) + 1;
}

function checkExit(c: Checker, insn: Insn): Step {
  const isJmp32 = classOf(insn.code) === cls.JMP32;
  if (isRegSource(insn.code) || insn.imm !== 0 || insn.src !== 0 || insn.dst !== 0 || isJmp32) {
    reserved(c, 'BPF_EXIT');
  }
  if (c.state.activeLock !== 0) {
    reject(c, errno.EINVAL, 'lock-held', 'bpf_spin_unlock is missing');
  }
  checkLeaks(c);
  if (c.state.frames.length > 1) {
    leave(c);
    return 'left';
  }
  checkReturn(c);
  return 'ended';
}
