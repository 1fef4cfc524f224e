/**
 * Calls between the program's own functions, and their returns. A static function is explored with
 * what its caller passes; a global one is verified once for all arguments of its BTF prototype, and
 * calls of it only have to fit that.
 */
import { errno } from '../../kernel/types/errno.ts';
import { helpers } from '../helpers/table.ts';
import type { Insn } from '../isa/insn.ts';
import { argumentsMatch } from './btf-args.ts';
import { HeldRefs } from './held-refs.ts';
import { leaveCallback } from './callback.ts';
import { subprogEnd } from './cfg.ts';
import { reject, type Checker } from './checker.ts';
import { clobberCallerSaved } from './live.ts';
import { isFuncLoad, isHelperCall, isSubprogCall } from './opcode.ts';
import { forgetPacketPointers } from './packet.ts';
import { markAllScratched, printState } from './print.ts';
import { UNINIT_REG, isPlain, pointerReg } from './reg.ts';
import { copySlot, FP, MAX_FRAMES, newSlot, topFrame, type Frame, type Slot } from './state.ts';

export function newFrame(c: Checker, callsite: number, frameno: number, subprog: number): Frame {
  const regs: Slot[] = [];
  for (let regno = 0; regno < FP; regno++) {
    const slot = newSlot(UNINIT_REG);
    slot.precise = !c.bpfCapable;
    regs.push(slot);
  }
  regs.push(newSlot(pointerReg('fp', { frame: frameno })));
  regs[FP]!.precise = !c.bpfCapable;
  markAllScratched(c);
  return {
    regs,
    stack: [],
    callsite,
    frameno,
    subprog,
    asyncEntries: 0,
    inCallback: false,
    inAsyncCallback: false,
    callbackRange: undefined,
    callerAtEntry: undefined,
    refs: HeldRefs.NONE,
  };
}

export function callSubprog(c: Checker, insn: Insn): void {
  const target = c.insn + insn.imm + 1;
  const subprog = c.subprogAt(target);
  if (subprog < 0) {
    const line = `verifier bug. No program starts at insn ${target}`;
    reject(c, errno.EFAULT, 'verifier-bug', line);
  }
  if (callsGlobal(c, subprog)) return;
  enter(c, subprog, (caller, callee) => {
    for (let regno = 1; regno <= 5; regno++) callee.regs[regno] = copySlot(caller.regs[regno]!);
  });
}

/** A global function's call needs no exploring: r0 is some number afterwards. */
export function callsGlobal(c: Checker, subprog: number): boolean {
  if (c.state.frames.length >= MAX_FRAMES) {
    const line = `the call stack of ${c.state.frames.length + 1} frames is too deep`;
    reject(c, errno.E2BIG, 'call-depth', line);
  }
  const fit = argumentsMatch(c, subprog, true);
  if (!c.subprogs[subprog]!.isGlobal) return false;
  if (fit !== 'fits') {
    reject(c, fit, 'argument-type', `Caller passes invalid args into func#${subprog}`);
  }
  if (c.log.states) c.log.write(`Func#${subprog} is global and valid. Skipping.\n`);
  clobberCallerSaved(c, c.regs);
  c.forget(c.regs[0]!);
  // differs: 6.1 keeps them (fixed in 6.13).
  if (movesPacket(c, subprog)) {
    if (c.asLinux) c.erred = true;
    else forgetPacketPointers(c);
  }
  return true;
}

/** Some instruction of it, or of what it calls, may move the packet. */
function movesPacket(c: Checker, subprog: number): boolean {
  c.packetMovers ??= packetMovers(c);
  return c.packetMovers.has(subprog);
}

/** All of them at once: a program may be one long list of calls. */
function packetMovers(c: Checker): ReadonlySet<number> {
  const callers = c.subprogs.map(() => new Set<number>());
  const movers: number[] = [];
  c.subprogs.forEach(({ start }, subprog) => {
    let moves = false;
    for (let slot = start; slot < subprogEnd(c, subprog); slot++) {
      const insn = c.insns[slot]!;
      if (isSubprogCall(insn) || isFuncLoad(insn)) {
        callers[c.subprogAt(slot + insn.imm + 1)]!.add(subprog);
      } else if (isHelperCall(insn) && MOVERS.has(insn.imm)) {
        moves = true;
      }
    }
    if (moves) movers.push(subprog);
  });
  const found = new Set(movers);
  for (let mover = movers.pop(); mover !== undefined; mover = movers.pop()) {
    for (const caller of callers[mover]!) {
      if (!found.has(caller)) movers.push(caller);
      found.add(caller);
    }
  }
  return found;
}

/** A tail call runs a program that may do anything to it. */
const MOVERS = new Set(
  helpers.filter((row) => row.changesPacket || row.name === 'tail_call').map(({ id }) => id),
);

/** Goes on in the callee; `setArguments` gives it its registers. */
export function enter(
  c: Checker,
  subprog: number,
  setArguments: (caller: Frame, callee: Frame) => void,
): void {
  const { state } = c;
  const caller = topFrame(state);
  const callee = newFrame(c, c.insn, state.frames.length, subprog);
  callee.refs = caller.refs;
  setArguments(caller, callee);
  clobberCallerSaved(c, caller.regs);
  state.frames.push(callee);
  if (c.log.states) {
    c.log.write('caller:\n');
    printState(c, caller, true);
    c.log.write('callee:\n');
    printState(c, callee, true);
  }
  c.insn = c.subprogs[subprog]!.start - 1;
}

/** Back to the caller, behind its call. */
export function leave(c: Checker): void {
  const { state } = c;
  const callee = topFrame(state);
  const result = callee.regs[0]!;
  if (isPlain(result.reg, 'fp')) {
    const line = 'cannot return stack pointer to the caller';
    reject(c, errno.EINVAL, 'stack-pointer-escape', line, { reg: 0 });
  }
  const caller = state.frames[state.frames.length - 2]!;
  if (callee.inCallback) {
    leaveCallback(c, callee);
  } else {
    caller.regs[0] = copySlot(result);
    caller.refs = callee.refs;
  }
  c.insn = callee.callsite + 1;
  if (c.log.states) {
    c.log.write('returning from callee:\n');
    printState(c, callee, true);
    c.log.write(`to caller at ${c.insn}:\n`);
    printState(c, caller, true);
  }
  state.frames.pop();
}
