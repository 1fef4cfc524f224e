/**
 * One subprogram while its machine code is written: frame, prologue, epilogue, jumps, constants.
 *
 * The frame, as in Linux 6.1 (build_prologue, arch/arm64/net/bpf_jit_comp.c):
 *
 *   x29 + 8    return address
 *   x29        the caller's x29
 *   below      x19, x20; x21, x22; x25, x26; x27, x28
 *   x25        BPF's r10 points here
 *   below      the BPF stack, rounded up to 16 bytes; sp
 *
 * x26 counts tail calls. x27 is the lowest place on the stack that a fixed offset names: from there
 * offsets are not negative, which loads and stores of one instruction want.
 */
import type { SubprogInfo } from '../../bpf/program.ts';
import type { ExceptionEntry } from '../cpu/jit/architecture.ts';
import type { Lowered } from '../cpu/jit/lowered.ts';
import { Assembler, INSN_BYTES, type ConditionCode, type Width } from './assembler.ts';
import { SP, STACK_BOTTOM, TAIL_CALLS, TMP1, X0, X25, X26, X27, X28, X29, X30, X7, X9 } from './registers.ts'; // prettier-ignore

/** How the kernel is configured, and what its processors can. */
export interface ArmOptions {
  /** CONFIG_ARM64_PTR_AUTH_KERNEL: return addresses are signed. True by default, as in Debian. */
  readonly pac?: boolean;
  /** CONFIG_ARM64_BTI_KERNEL: landing pads. False by default: gcc's kernels cannot have it. */
  readonly bti?: boolean;
  /** ARM64_HAS_LSE_ATOMICS: true by default (Neoverse); a Cortex-A53 has none. */
  readonly lse?: boolean;
}

export interface FunctionShape {
  readonly info: SubprogInfo;
  readonly items: readonly Lowered[];
  readonly isEntry: boolean;
  readonly options: Required<ArmOptions>;
  /** See x27 above; 0 where it is not used. */
  readonly bottomOffset: number;
}

/** Where the items stand, in bytes from the function's start. */
export interface Layout {
  readonly starts: readonly number[];
  readonly epilogueAt: number;
}

/** Bytes in front of where a tail call enters (PROLOGUE_OFFSET). */
export const tailCallOffset = ({ pac, bti }: Required<ArmOptions>): number =>
  INSN_BYTES * ((bti ? 1 : 0) + 2 + (pac ? 1 : 0) + 8);

/** Register pairs that the prologue pushes behind x29 and x30. */
export const SAVED_PAIRS: readonly (readonly [number, number])[] = [
  [19, 20],
  [21, 22],
  [X25, X26],
  [X27, X28],
];

const needsTwo = (bytes: number): boolean => bytes > 0xfff && (bytes & 0xfff) !== 0;

export class FunctionCode extends Assembler {
  readonly shape: FunctionShape;
  readonly stackBytes: number;
  readonly exceptions: ExceptionEntry[] = [];
  readonly starts: number[] = [];
  epilogueAt = 0;
  /** Undefined while sizes are found out: distances do not count yet. */
  readonly #layout: Layout | undefined;

  constructor(shape: FunctionShape, layout: Layout | undefined) {
    super();
    this.shape = shape;
    this.stackBytes = 16 * Math.ceil(shape.info.stackBytes / 16);
    this.#layout = layout;
  }

  prologue(): void {
    const { isEntry, options, bottomOffset } = this.shape;
    if (options.bti) this.hint('bti c');
    this.mov(64, X9, X30);
    this.hint('nop');
    if (options.pac) this.hint('paciasp');
    this.push(X29, X30);
    this.mov(64, X29, SP);
    for (const [a, b] of SAVED_PAIRS) this.push(a, b);
    this.mov(64, X25, SP);
    if (isEntry) {
      this.moveWide('movz', 64, TAIL_CALLS, 0, 0);
      if (options.bti) this.hint('bti j');
    }
    this.moveBy('sub', STACK_BOTTOM, X25, bottomOffset);
    this.moveBy('sub', SP, SP, this.stackBytes);
  }

  epilogue(): void {
    this.epilogueAt = this.length;
    this.dropStack();
    for (const [a, b] of SAVED_PAIRS.toReversed()) this.pop(a, b);
    this.pop(X29, X30);
    this.mov(64, X0, X7);
    if (this.shape.options.pac) this.hint('autiasp');
    this.ret();
  }

  /**
   * What a trampoline of bpf_arch_text_poke would go through, behind the function; nothing leads
   * there. The address to go to follows, at a multiple of 8.
   */
  plt(): void {
    if ((this.length / INSN_BYTES) % 2 !== 0) this.hint('nop');
    this.loadLiteral(TMP1, 2 * INSN_BYTES);
    this.br(TMP1);
  }

  get dropStackWords(): number {
    return needsTwo(this.stackBytes) ? 2 : 1;
  }

  dropStack(): void {
    this.moveBy('add', SP, SP, this.stackBytes);
  }

  /** A stack of 4096 bytes or more needs the shifted immediate too. */
  moveBy(op: 'add' | 'sub', rd: number, rn: number, bytes: number): void {
    if (needsTwo(bytes)) {
      this.addSubImm(op, 64, rd, rn, bytes & ~0xfff);
      this.addSubImm(op, 64, rd, rd, bytes & 0xfff);
    } else {
      this.addSubImm(op, 64, rd, rn, bytes);
    }
  }

  /** The last instruction falls through to the epilogue. */
  exit(): void {
    if (this.starts.length === this.shape.items.length) return;
    this.b(this.#to(this.#layout?.epilogueAt));
  }

  jumpToItem(index: number, condition?: ConditionCode): void {
    const distance = this.#to(this.#layout?.starts[index]);
    if (condition === undefined) this.b(distance);
    else this.bCond(condition, distance);
  }

  #to(target: number | undefined): number {
    return target === undefined ? 0 : target - this.length;
  }

  /** rd = a signed number of 32 bits, in one or two instructions. */
  movImm(width: Width, rd: number, value: number): void {
    const [low, high] = [value & 0xffff, (value >>> 16) & 0xffff];
    if (high === 0xffff) return this.moveWide('movn', width, rd, ~low, 0);
    if ((high & 0x8000) !== 0) {
      this.moveWide('movn', width, rd, ~high, 16);
      if (low !== 0xffff) this.moveWide('movk', width, rd, low, 0);
      return;
    }
    this.moveWide('movz', width, rd, low, 0);
    if (high !== 0) this.moveWide('movk', width, rd, high, 16);
  }

  /** rd = 64 bits, from the highest 16 that matter, as zeros or ones need fewer instructions. */
  movImm64(rd: number, value: bigint): void {
    const bits = BigInt.asUintN(64, value);
    if (bits >> 32n === 0n) return this.movImm(32, rd, Number(BigInt.asIntN(32, bits)));
    const block = (shift: number): number => Number((bits >> BigInt(shift)) & 0xffffn);
    const shifts = [48, 32, 16, 0];
    const differing = (from: number): number[] => shifts.filter((shift) => block(shift) !== from);
    const inverse = differing(0xffff).length < differing(0).length;
    const fill = inverse ? 0xffff : 0;
    const [first = 0, ...rest] = differing(fill);
    if (inverse) this.moveWide('movn', 64, rd, ~block(first), first);
    else this.moveWide('movz', 64, rd, block(first), first);
    for (const shift of rest) this.moveWide('movk', 64, rd, block(shift), shift);
  }

  /** A kernel address, whose upper 16 bits are ones: three instructions, whatever it is. */
  movAddress(rd: number, address: bigint): void {
    const block = (shift: bigint): number => Number((address >> shift) & 0xffffn);
    this.moveWide('movn', 64, rd, ~block(0n), 0);
    this.moveWide('movk', 64, rd, block(16n), 16);
    this.moveWide('movk', 64, rd, block(32n), 32);
  }
}
