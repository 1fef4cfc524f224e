/**
 * The verified program as engines get it: dead code gone, context accesses on the kernel's structs,
 * loads through BTF pointers that cannot fault, immediates final; with facts, lines and subprograms
 * moved along.
 *
 * Every slot of the program becomes a piece (no, one or several instructions); then the pieces are
 * laid out and jumps and calls between slots are set right.
 *
 * differs: division by zero, packet loads, helper calls and unprivileged pointer masks are not
 * expanded, as skep's engines do these as RFC 9669 has it; so xlated dumps show them as loaded.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Insn } from '../isa/insn.ts';
import type { FuncInfo, InsnFact, LineInfo, SubprogInfo, VerifiedProgram } from '../program.ts';
import { subprogEnd } from './cfg.ts';
import { reject, type Checker } from './checker.ts';
import { convertAccess } from './convert-ctx.ts';
import { factOf } from './facts.ts';
import {
  CALL,
  GOTO,
  GOTO_LONG,
  classOf,
  cls,
  isFuncLoad,
  isJumpClass,
  isKfuncCall,
  isLdImm64,
  isSubprogCall,
  jmp,
  jumpTarget,
  opOf,
  pseudo,
} from './opcode.ts';

/** What one slot of the program becomes: mostly what it is. Its first may jump or call elsewhere. */
type Piece = Insn | readonly Insn[];

const NOP: Insn = { code: GOTO, dst: 0, src: 0, off: 0, imm: 0 };
/** Never reached; if it were, it would get nowhere. */
const TRAP: Insn = { ...NOP, off: -1 };

export function rewrite(c: Checker): VerifiedProgram {
  const pieces: Piece[] = c.insns.slice();
  if (c.bpfCapable) removeDeadCode(c, pieces);
  else trapDeadCode(c, pieces);
  const prologue = c.env.checkOnly ? [] : (c.ops.prologue?.(c.seenDirectWrite, c.context) ?? []);
  const stackBytes = c.subprogs.map((subprog) => Math.ceil(subprog.stackBytes / 8) * 8);
  pieces.forEach((piece, slot) => {
    pieces[slot] = fixedUp(c, piece, slot, stackBytes);
  });
  return layOut(c, pieces, prologue, stackBytes);
}

const isList = (piece: Piece): piece is readonly Insn[] => Array.isArray(piece);
const lengthOf = (piece: Piece): number => (isList(piece) ? piece.length : 1);
const firstOf = (piece: Piece): Insn | undefined => (isList(piece) ? piece[0] : piece);
const NONE: Piece = [];

function jumpsElsewhere(insn: Insn): boolean {
  if (isSubprogCall(insn) || isFuncLoad(insn)) return true;
  if (!isJumpClass(insn.code) || insn === TRAP) return false;
  const op = opOf(insn.code);
  return op !== jmp.CALL && op !== jmp.EXIT;
}

const isConditional = ({ code }: Insn): boolean => {
  const op = opOf(code);
  return isJumpClass(code) && op !== jmp.JA && op !== jmp.EXIT && op !== jmp.CALL;
};

function trapDeadCode(c: Checker, pieces: Piece[]): void {
  pieces.forEach((_, slot) => {
    if (!c.isSeen(slot)) pieces[slot] = TRAP;
  });
}

/** What no path reached goes, and with it the branches that never go there. */
function removeDeadCode(c: Checker, pieces: Piece[]): void {
  pieces.forEach((_, slot) => {
    const insn = c.insns[slot]!;
    if (!isConditional(insn) || !c.isSeen(slot)) return;
    if (!c.isSeen(slot + 1)) pieces[slot] = { ...NOP, off: insn.off };
    else if (!c.isSeen(slot + 1 + insn.off)) pieces[slot] = NOP;
  });
  pieces.forEach((_, slot) => {
    if (!c.isSeen(slot)) pieces[slot] = NONE;
  });
  // Jumps over nothing. One pass, as in Linux: what a later removal makes of an earlier jump stays.
  const alive = nextAlive(pieces);
  pieces.forEach((piece, slot) => {
    const insn = firstOf(piece);
    if (!insn || insn.code !== GOTO || insn.dst !== 0 || insn.src !== 0 || insn.imm !== 0) return;
    const target = slot + 1 + insn.off;
    if (target <= slot || alive[slot + 1]! < target) return;
    pieces[slot] = NONE;
  });
}

/** For each slot the first at or behind it of which something is left. */
function nextAlive(pieces: readonly Piece[]): Int32Array {
  const next = new Int32Array(pieces.length + 1);
  next[pieces.length] = pieces.length;
  for (let slot = pieces.length - 1; slot >= 0; slot--) {
    next[slot] = lengthOf(pieces[slot]!) > 0 ? slot : next[slot + 1]!;
  }
  return next;
}

function fixedUp(c: Checker, piece: Piece, slot: number, stackBytes: number[]): Piece {
  const insn = firstOf(piece);
  if (!insn || !c.isSeen(slot)) return piece;
  if (isKfuncCall(insn) && insn.imm === 0) {
    const line = 'invalid kernel function call not eliminated in verifier pass';
    reject(c, errno.EINVAL, 'kfunc-unknown', line, { insn: slot });
  }
  if (isLdImm64(insn)) {
    return insn.src === pseudo.FUNC || insn.src === 0 ? piece : { ...insn, src: 0 };
  }
  const isAccess = classOf(insn.code) === cls.LDX || classOf(insn.code) === cls.STX;
  if (!isAccess) return piece;
  const subprog = subprogOf(c, slot);
  const scratchOff = -(c.subprogs[subprog]!.stackBytes + 8);
  const { insns, usesScratch } = convertAccess(c, insn, slot, scratchOff);
  if (usesScratch) stackBytes[subprog] = Math.max(stackBytes[subprog]!, -scratchOff);
  return insns.length === 1 ? insns[0]! : insns;
}

export function subprogOf(c: Checker, slot: number): number {
  let index = c.subprogs.length - 1;
  while (index > 0 && c.subprogs[index]!.start > slot) index--;
  return index;
}

function layOut(
  c: Checker,
  pieces: readonly Piece[],
  prologue: readonly Insn[],
  stackBytes: readonly number[],
): VerifiedProgram {
  // New slot of each old one; one more for the end.
  const starts: number[] = [];
  let next = prologue.length;
  for (const piece of pieces) {
    starts.push(next);
    next += lengthOf(piece);
  }
  starts.push(next);
  const subprogs = subprogTable(c, starts, stackBytes);
  const insns: Insn[] = [...prologue];
  const facts: InsnFact[] = prologue.map(() => ({ original: 0 }));
  const place = (insn: Insn, slot: number): void => {
    insns.push(insn);
    const wasFunc = subprogs.infos.length === 1 && isFuncLoad(c.insns[slot]!);
    facts.push(wasFunc ? { original: slot } : factOf(c, slot, subprogs.indexOf));
  };
  pieces.forEach((piece, slot) => {
    const first = firstOf(piece);
    if (!first) return;
    // The jumps of a list stay within it (a queue number that is too large is not stored).
    const jumps = !isList(piece) && jumpsElsewhere(first);
    place(jumps ? retarget(c, first, slot, insns.length, starts, subprogs) : first, slot);
    if (isList(piece)) for (let i = 1; i < piece.length; i++) place(piece[i]!, slot);
  });
  return {
    spec: c.given,
    insns,
    facts,
    subprogs: subprogs.infos,
    usedMaps: c.usedMaps,
    gplCompatible: c.gplCompatible,
    verifiedInsns: c.processed,
    lines: movedLines(c, pieces, starts),
    funcs: movedFuncs(c, subprogs),
    ...(c.enforceAttachType ? { enforcesAttachType: true } : {}),
    bufferUse: { ...c.bufferUse },
  };
}

interface SubprogTable {
  readonly infos: readonly SubprogInfo[];
  /** New index of an old subprogram. */
  readonly indexOf: (old: number) => number;
}

/** Subprograms of which nothing is left are gone. */
function subprogTable(
  c: Checker,
  starts: readonly number[],
  stackBytes: readonly number[],
): SubprogTable {
  const infos: SubprogInfo[] = [];
  const indices: number[] = [];
  c.subprogs.forEach((subprog, old) => {
    const start = old === 0 ? 0 : starts[subprog.start]!;
    const end = starts[subprogEnd(c, old)]!;
    indices.push(infos.length);
    if (start === end && old > 0) return;
    const func = subprog.btfFunc === undefined ? undefined : c.btf?.type(subprog.btfFunc);
    infos.push({
      name: func?.name ?? (old === 0 ? c.spec.name : 'F'),
      start,
      end,
      stackBytes: stackBytes[old]!,
      isCallback: subprog.isCallback,
      hasTailCall: subprog.hasTailCall,
    });
  });
  return { infos, indexOf: (old) => indices[old]! };
}

function retarget(
  c: Checker,
  insn: Insn,
  slot: number,
  at: number,
  starts: readonly number[],
  subprogs: SubprogTable,
): Insn {
  if (isFuncLoad(insn)) {
    const target = slot + insn.imm + 1;
    // With no function left but the program itself, 6.1 looks for none: the distance stays.
    if (subprogs.infos.length === 1) return { ...insn, src: 0, imm: starts[target]! - at - 1 };
    // One that nothing calls is gone; as in 6.1 the address is then that of what follows.
    const subprog = subprogs.indexOf(c.subprogAt(target));
    if (subprog === subprogs.infos.length)
      reject(c, errno.EFAULT, 'verifier-bug', undefined, { insn: slot });
    return { ...insn, imm: subprog };
  }
  if (insn.code === CALL) {
    return { ...insn, imm: starts[slot + insn.imm + 1]! - at - 1 };
  }
  const distance = starts[jumpTarget(insn, slot)]! - at - 1;
  if (insn.code === GOTO_LONG) return { ...insn, imm: distance };
  if (distance !== (distance << 16) >> 16)
    reject(c, errno.ERANGE, 'jump-out-of-range', undefined, { insn: slot });
  return { ...insn, off: distance };
}

/** A row goes to the first instruction left of those that it stands for. */
function movedLines(
  c: Checker,
  pieces: readonly Piece[],
  starts: readonly number[],
): readonly LineInfo[] {
  const lines: LineInfo[] = [];
  c.lines.forEach((line, row) => {
    const end = c.lines[row + 1]?.insn ?? pieces.length;
    for (let slot = line.insn; slot < end; slot++) {
      if (lengthOf(pieces[slot]!) === 0) continue;
      lines.push({ ...line, insn: slot === 0 ? 0 : starts[slot]! });
      break;
    }
  });
  return lines;
}

function movedFuncs(c: Checker, { infos, indexOf }: SubprogTable): readonly FuncInfo[] {
  const funcs: FuncInfo[] = [];
  c.subprogs.forEach((subprog, old) => {
    if (subprog.btfFunc === undefined) return;
    const info = infos[indexOf(old)];
    if (!info || funcs.some((func) => func.insn === info.start)) return;
    funcs.push({
      insn: info.start,
      typeId: subprog.btfFunc,
      ...(subprog.unreliable && { unreliable: true }),
    });
  });
  return funcs;
}
