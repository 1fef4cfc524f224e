/**
 * The program's shape, before any state is explored: where subprograms begin, that every jump stays
 * in its own, that every instruction is reachable, and (without CAP_BPF) that nothing loops. Marks
 * where states are compared and jumps recorded.
 */
import { errno } from '../../kernel/types/errno.ts';
import { helperByProto } from '../helpers/table.ts';
import { unsupportedPrototype } from './func-proto.ts';
import { insnMark, newSubprog, reject, type Checker } from './checker.ts';
import {
  EXIT,
  GOTO,
  GOTO_LONG,
  classOf,
  cls,
  isFuncLoad,
  isJumpClass,
  isKfuncCall,
  isLdImm64,
  isRegSource,
  isSubprogCall,
  jmp,
  jumpTarget,
  mode,
  modeOf,
  opOf,
} from './opcode.ts';
import { printSourceLine } from './print.ts';

const MAX_SUBPROGS = 256;
const TAIL_CALL = helperByProto('tail_call').id;
const TIMER_SET_CALLBACK = helperByProto('timer_set_callback').id;

/** Entry points: slot 0, targets of calls and functions whose address is taken. */
export function findSubprogs(c: Checker): void {
  const starts = new Set([0]);
  c.subprogs = [newSubprog(0)];
  c.insns.forEach((insn, slot) => {
    if (!isSubprogCall(insn) && !isFuncLoad(insn) && !isKfuncCall(insn)) return;
    if (!c.bpfCapable) {
      const line =
        'loading/calling other bpf or kernel functions are allowed for CAP_BPF and CAP_SYS_ADMIN';
      reject(c, errno.EPERM, 'subprograms-need-cap-bpf', line, { insn: slot });
    }
    if (isKfuncCall(insn)) {
      checkKfunc(c, insn.imm, insn.off);
      return;
    }
    const target = slot + insn.imm + 1;
    if (target >= c.insns.length || target < 0) {
      reject(c, errno.EINVAL, 'invalid-call-target', 'call to invalid destination', {
        insn: slot,
        to: target,
      });
    }
    if (!starts.has(target) && starts.size >= MAX_SUBPROGS) {
      reject(c, errno.E2BIG, 'too-many-subprograms', 'too many subprograms', { insn: slot });
    }
    if (starts.has(target)) return;
    starts.add(target);
    c.subprogs = [...starts].sort((a, b) => a - b).map(newSubprog);
  });
  if (c.log.all) c.subprogs.forEach(({ start }, i) => c.log.write(`func#${i} @${start}\n`));
}

/** A kernel function must at least exist; whether it may be called is checked where it is. */
function checkKfunc(c: Checker, id: number, offset: number): void {
  const { kernelBtf } = c.env;
  if (!kernelBtf) {
    const line = 'calling kernel function is not supported without CONFIG_DEBUG_INFO_BTF';
    reject(c, errno.ENOTSUPP, 'kfunc-unsupported', line);
  }
  if (!c.gplCompatible) {
    const line = 'cannot call kernel function from non-GPL compatible program';
    reject(c, errno.EINVAL, 'gpl-only', line);
  }
  if (id === 0 && offset === 0) return;
  if (offset !== 0) {
    c.log.write(
      offset < 0
        ? 'negative offset disallowed for kernel module function call\n'
        : 'kfunc offset > 0 without fd_array is invalid\n',
    );
    const line = 'failed to find BTF for kernel function';
    reject(c, offset < 0 ? errno.EINVAL : errno.EPROTO, 'kfunc-unknown', line);
  }
  const func = kernelBtf.typeAs(id, 'func');
  if (func === undefined) {
    const line = `kernel btf_id ${id >>> 0} is not a function`;
    reject(c, errno.EINVAL, 'kfunc-unknown', line);
  }
  const unsupported = unsupportedPrototype(kernelBtf, kernelBtf.prototypeOf(func), func.name);
  if (unsupported !== undefined) reject(c, errno.EINVAL, 'kfunc-unknown', unsupported);
}

export const subprogEnd = (c: Checker, index: number): number =>
  c.subprogs[index + 1]?.start ?? c.insns.length;

/** Jumps stay within their subprogram, which ends in a jump or exit. */
export function checkSubprogs(c: Checker): void {
  c.subprogs.forEach((subprog, index) => {
    const end = subprogEnd(c, index);
    for (let slot = subprog.start; slot < end; slot++) {
      const insn = c.insns[slot]!;
      const { code } = insn;
      if (isHelperCallTo(insn, TAIL_CALL)) subprog.hasTailCall = true;
      if (classOf(code) === cls.LD && [mode.ABS, mode.IND].includes(modeOf(code) as 0x20)) {
        subprog.hasLdPacket = true;
      }
      const isJump = isJumpClass(code) && opOf(code) !== jmp.EXIT && opOf(code) !== jmp.CALL;
      if (isJump) {
        const target = jumpTarget(insn, slot);
        if (target < subprog.start || target >= end) {
          const line = `jump out of range from insn ${slot} to ${target}`;
          reject(c, errno.EINVAL, 'jump-out-of-range', line, { insn: slot, to: target });
        }
      }
      if (slot === end - 1 && code !== EXIT && code !== GOTO && code !== GOTO_LONG) {
        reject(c, errno.EINVAL, 'falls-through', 'last insn is not an exit or jmp', { insn: slot });
      }
    }
  });
}

/** Linux looks at the opcode and not at src here: a kernel function of that id counts, too. */
const isHelperCallTo = (insn: { code: number; src: number; imm: number }, id: number): boolean =>
  insn.code === 0x85 && insn.imm === id && insn.src !== 1;

const DISCOVERED = 0x10;
const EXPLORED = 0x20;
type Edge = 1 | 2;
const FALL_THROUGH: Edge = 1;
const BRANCH: Edge = 2;

/** Depth-first over all edges, without recursion. */
export function checkCfg(c: Checker): void {
  const marks = new Uint8Array(c.insns.length);
  const path = [0];
  marks[0] = DISCOVERED;

  /** True where `to` is new and has to be visited first. */
  const follow = (from: number, to: number, edge: Edge, loopAllowed: boolean): boolean => {
    if (marks[from]! >= (DISCOVERED | edge)) return false;
    if (to < 0 || to >= c.insns.length) {
      printSourceLine(c, from, `${from}: `);
      const line = `jump out of range from insn ${from} to ${to}`;
      reject(c, errno.EINVAL, 'jump-out-of-range', line, { insn: from, to });
    }
    if (edge === BRANCH) {
      c.marks[to]! |= insnMark.PRUNE_POINT | insnMark.JUMP_POINT;
    }
    const mark = marks[to]!;
    if (mark === 0) {
      marks[from] = DISCOVERED | edge;
      marks[to] = DISCOVERED;
      path.push(to);
      return true;
    }
    if ((mark & 0xf0) === DISCOVERED) {
      if (loopAllowed && c.bpfCapable) return false;
      printSourceLine(c, from, `${from}: `);
      printSourceLine(c, to, `${to}: `);
      const line = `back-edge from insn ${from} to ${to}`;
      reject(c, errno.EINVAL, 'infinite-loop', line, { insn: from, to });
    }
    marks[from] = DISCOVERED | edge;
    return false;
  };

  while (path.length > 0) {
    const at = path[path.length - 1]!;
    if (visit(c, at, follow)) continue;
    marks[at] = EXPLORED;
    path.pop();
  }
  for (let slot = 0; slot < c.insns.length; slot++) {
    if (marks[slot] !== EXPLORED) {
      reject(c, errno.EINVAL, 'unreachable-insn', `unreachable insn ${slot}`, { insn: slot });
    }
    if (!isLdImm64(c.insns[slot]!)) continue;
    if (marks[slot + 1] !== 0) {
      const line = `jump into the middle of ldimm64 insn ${slot}`;
      reject(c, errno.EINVAL, 'jump-into-ldimm64', line, { insn: slot });
    }
    slot++;
  }
}

type Follow = (from: number, to: number, edge: Edge, loopAllowed: boolean) => boolean;

function visit(c: Checker, slot: number, follow: Follow): boolean {
  const insn = c.insns[slot]!;
  const { code } = insn;
  if (isFuncLoad(insn)) return visitCall(c, slot, 2, true, follow);
  if (!isJumpClass(code)) {
    return follow(slot, slot + (isLdImm64(insn) ? 2 : 1), FALL_THROUGH, false);
  }
  switch (opOf(code)) {
    case jmp.EXIT:
      return false;
    case jmp.CALL:
      // The state before the call is compared, or recursion through timers would not be found.
      if (insn.imm === TIMER_SET_CALLBACK) c.marks[slot]! |= insnMark.PRUNE_POINT;
      return visitCall(c, slot, 1, insn.src === 1, follow);
    case jmp.JA: {
      if (isRegSource(code)) {
        reject(c, errno.EINVAL, 'reserved-field', undefined, { insn: slot });
      }
      const target = jumpTarget(insn, slot);
      if (follow(slot, target, FALL_THROUGH, true)) return true;
      c.marks[target]! |= insnMark.PRUNE_POINT | insnMark.JUMP_POINT;
      return false;
    }
    default:
      c.marks[slot]! |= insnMark.PRUNE_POINT;
      return (
        follow(slot, slot + 1, FALL_THROUGH, true) ||
        follow(slot, slot + insn.off + 1, BRANCH, true)
      );
  }
}

function visitCall(
  c: Checker,
  slot: number,
  slots: number,
  callee: boolean,
  follow: Follow,
): boolean {
  if (follow(slot, slot + slots, FALL_THROUGH, false)) return true;
  c.marks[slot + slots]! |= insnMark.PRUNE_POINT | insnMark.JUMP_POINT;
  if (!callee) return false;
  c.marks[slot]! |= insnMark.PRUNE_POINT;
  const insn = c.insns[slot]!;
  // Taking a function's address may close a loop in the graph; calls are checked when they happen.
  return follow(slot, slot + insn.imm + 1, BRANCH, isFuncLoad(insn));
}
