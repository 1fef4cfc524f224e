/**
 * Constant keys of map helpers, found in the straight code before the call:
 *
 *   *(u32 *)(r10 -4) = 7        or through a register that was set to 7
 *   r2 = r10
 *   r2 += -4
 *   call bpf_map_lookup_elem
 *
 * Looks at instructions only, back to the next jump target: what it finds holds on every path,
 * which what exploration saw need not (a path may end at a state that covers it).
 */
import type { Insn } from '../isa/insn.ts';
import type { BpfMap } from '../maps/map.ts';
import { insnMark, type Checker } from './checker.ts';
import {
  classOf,
  cls,
  isAluClass,
  isJumpClass,
  isLdImm64,
  mode,
  modeOf,
  sizeOf,
} from './opcode.ts';

const MOV64_REG = 0xbf;
const ADD64_IMM = 0x07;
const KEY_REGNO = 2;
const FP = 10;

export function constKeyOf(c: Checker, call: number, map: BpfMap): bigint | undefined {
  const { keyBytes } = map.spec;
  if (keyBytes < 1 || keyBytes > 8) return undefined;
  const start = blockStart(c, call);
  const off = stackOffset(c, start, call, KEY_REGNO);
  if (off === undefined) return undefined;
  let key = 0n;
  for (let byte = keyBytes - 1; byte >= 0; byte--) {
    const value = storedByte(c, start, call, off + byte);
    if (value === undefined) return undefined;
    key = (key << 8n) | value;
  }
  return key;
}

/** First slot of the straight code that ends in `slot`. */
function blockStart(c: Checker, slot: number): number {
  let start = slot;
  while (start > 0 && (c.marks[start]! & insnMark.JUMP_POINT) === 0 && !isEntry(c, start)) {
    const { code } = c.insns[start - 1]!;
    if (isJumpClass(code)) break;
    start--;
  }
  return start;
}

const isEntry = (c: Checker, slot: number): boolean =>
  c.subprogs.some((subprog) => subprog.start === slot);

const writes = (insn: Insn, regno: number): boolean => {
  if (isAluClass(insn.code) || classOf(insn.code) === cls.LDX) return insn.dst === regno;
  if (classOf(insn.code) === cls.LD) return insn.dst === regno || !isLdImm64(insn);
  return classOf(insn.code) === cls.STX && modeOf(insn.code) === mode.ATOMIC;
};

/** Distance from r10 that the register has at `end`, if this code sets it. */
function stackOffset(c: Checker, start: number, end: number, regno: number): number | undefined {
  let off = 0;
  for (let slot = end - 1; slot >= start; slot--) {
    const insn = c.insns[slot]!;
    if (insn.code === 0 || !writes(insn, regno)) continue;
    if (insn.code === ADD64_IMM) off += insn.imm;
    else if (insn.code === MOV64_REG && insn.src === FP) return off;
    else return undefined;
  }
  return undefined;
}

/** The last store to the byte at r10 + off before `end`, if it is of a constant. */
function storedByte(c: Checker, start: number, end: number, off: number): bigint | undefined {
  for (let slot = end - 1; slot >= start; slot--) {
    const insn = c.insns[slot]!;
    const kind = classOf(insn.code);
    if (insn.code === 0 || (kind !== cls.ST && kind !== cls.STX)) continue;
    if (modeOf(insn.code) !== mode.MEM) return undefined;
    if (insn.dst !== FP) {
      // A store through another register may be to the stack as well.
      if (c.learned(slot).pointer !== undefined && !mayBeStack(c, slot)) continue;
      return undefined;
    }
    const bytes = sizeOf(insn.code);
    if (off < insn.off || off >= insn.off + bytes) continue;
    const value = kind === cls.ST ? BigInt(insn.imm) : constantIn(c, start, slot, insn.src);
    if (value === undefined) return undefined;
    return BigInt.asUintN(8, value >> BigInt(8 * (off - insn.off)));
  }
  return undefined;
}

const mayBeStack = (c: Checker, slot: number): boolean => {
  const kind = c.learned(slot).pointer;
  return kind === 'stack' || kind === 'mixed';
};

/** The constant that the register was last set to. */
function constantIn(c: Checker, start: number, end: number, regno: number): bigint | undefined {
  for (let slot = end - 1; slot >= start; slot--) {
    const insn = c.insns[slot]!;
    if (insn.code === 0 || !writes(insn, regno)) continue;
    if (insn.code === 0xb7) return BigInt.asUintN(64, BigInt(insn.imm));
    if (insn.code === 0xb4) return BigInt.asUintN(32, BigInt(insn.imm));
    return undefined;
  }
  return undefined;
}
