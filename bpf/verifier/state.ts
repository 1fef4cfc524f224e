/**
 * The state that the verifier explores: call frames with registers and stack, references held, and
 * the tree of states that liveness and precision marks travel up.
 *
 * A `Slot` is a place (a register or 8 bytes of stack): its content is an immutable `Reg`, and
 * beside it stand the marks that belong to the place: whether it was read or written since the
 * last checkpoint, whether its exact value matters, and the same place in the parent state.
 */
import { Bug } from '../../kernel/types/units.ts';
import { isScalar, type Reg } from './reg.ts';
import type { HeldRefs } from './held-refs.ts';
import { copyHead, keepFrames, pathFrame, type KeptFrame } from './kept-frame.ts';
import { copyPathSlot, PathSlot } from './kept-stack.ts';
import type { Tnum } from './tnum.ts';

/** Liveness marks. READ_ABOVE: of a checkpoint's place that was read, as were all above it. */
export const live = {
  NONE: 0,
  READ32: 1,
  READ64: 2,
  READ: 3,
  WRITTEN: 4,
  DONE: 8,
  READ_ABOVE: 32,
} as const;
/** Where the marks of a place are one byte: beside those of liveness, that its value matters. */
export const PRECISE = 16;

export interface Slot {
  reg: Reg;
  live: number;
  /** The exact value matters to what follows: pruning must compare it. */
  precise: boolean;
  /** The same place in the parent state. */
  parent: Slot | undefined;
}

/** What each byte of a stack slot holds; `bytes` packs eight of these, byte 0 lowest. */
export const byteKind = { INVALID: 0, SPILL: 1, MISC: 2, ZERO: 3, DYNPTR: 4 } as const;
const BYTE_CHARS = ['?', 'r', 'm', '0', 'd'];
const BITS = 3;

export interface StackSlot extends Slot {
  bytes: number;
}

/** The stack of a frame, of the current path (an array) or of a checkpoint. */
export interface Stack {
  readonly length: number;
  at(index: number): StackSlot | undefined;
}

export const byteAt = (bytes: number, index: number): number => (bytes >> (index * BITS)) & 7;
export const withByte = (bytes: number, index: number, kind: number): number =>
  (bytes & ~(7 << (index * BITS))) | (kind << (index * BITS));
export const allBytes = (kind: number): number => {
  let bytes = 0;
  for (let i = 0; i < 8; i++) bytes = withByte(bytes, i, kind);
  return bytes;
};
export const bytesText = (bytes: number): string => {
  let text = '';
  for (let i = 0; i < 8; i++) text += BYTE_CHARS[byteAt(bytes, i)];
  return text;
};
/** Byte 7 is the first that a spill fills. */
export const isSpill = (slot: StackSlot): boolean => byteAt(slot.bytes, 7) === byteKind.SPILL;
/** A whole 8-byte spill: byte 0 is the last that a spill fills. */
export const isFullSpill = (slot: StackSlot): boolean => byteAt(slot.bytes, 0) === byteKind.SPILL;
/** Bytes that belonged to a spill become plain data. */
export function scrubbed(bytes: number, index: number): number {
  return byteAt(bytes, index) === byteKind.INVALID ? bytes : withByte(bytes, index, byteKind.MISC);
}
export function scrubbedAll(bytes: number): number {
  for (let i = 0; i < 8; i++) bytes = scrubbed(bytes, i);
  return bytes;
}

/** Slot of the byte at `off` (negative, from the frame pointer), and the byte in it. */
export const slotOf = (off: number): number => Math.floor((-off - 1) / 8);
export const byteOf = (off: number): number => (-off - 1) % 8;

export interface Reference {
  readonly id: number;
  /** Instruction that acquired it. */
  readonly insn: number;
  /** Frame of the callback that acquired it; 0 outside callbacks. */
  readonly callbackFrame: number;
}

export const MAIN_CALLSITE = -1;
export const FP = 10;
/** r6 to r10 are the caller's again after a call. */
export const FIRST_SAVED = 6;
export const MAX_FRAMES = 8;
/** Bytes of stack of one frame (include/linux/filter.h). */
export const MAX_STACK = 512;

/** The registers of a frame, of the current path or of a checkpoint. */
export interface Regs {
  readonly length: number;
  at(regno: number): Slot | undefined;
}

/** What is known of a frame besides its registers and stack. */
export interface FrameHead {
  /** Instruction that called this frame; MAIN_CALLSITE in the outermost. */
  readonly callsite: number;
  readonly frameno: number;
  readonly subprog: number;
  /** How often an asynchronous callback was entered on the way here. */
  readonly asyncEntries: number;
  readonly inCallback: boolean;
  readonly inAsyncCallback: boolean;
  readonly callbackRange: Tnum | undefined;
  /** A callback's frame: all frames below it as they were before its first run. */
  readonly callerAtEntry: readonly Frame[] | undefined;
  readonly refs: HeldRefs;
}

/** A frame of the current path (`Frame`), or of a checkpoint (`KeptFrame`). */
export interface AnyFrame extends FrameHead {
  readonly regs: Regs;
  /** stack.at(i) is the 8 bytes at fp - 8 * (i + 1). */
  readonly stack: Stack;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

export interface Frame extends Writable<FrameHead> {
  readonly regs: Slot[];
  readonly stack: PathSlot[];
}

/** The state of a path (`State`), or a checkpoint. */
export interface AnyState {
  readonly frames: readonly AnyFrame[];
  parent: KeptState | undefined;
  /** Paths below this state that are not explored to the end. */
  branches: number;
  /** Where a checkpoint was taken. */
  insn: number;
  activeLock: number;
  speculative: boolean;
  firstInsn: number;
  lastInsn: number;
  /** Jumps since the last checkpoint, from and to in turn; backtracking walks them. */
  jumps: number[];
  /** A checkpoint, and all of its scalars and of those above it are marked as precise. */
  allPrecise: boolean;
}

export interface State extends AnyState {
  readonly frames: Frame[];
}

export interface KeptState extends AnyState {
  readonly frames: readonly KeptFrame[];
}

/** A state kept for pruning, and how useful it proved. */
export interface Checkpoint {
  readonly state: KeptState;
  misses: number;
  hits: number;
}

export const topFrame = <F>(state: { readonly frames: readonly F[] }): F =>
  state.frames[state.frames.length - 1]!;

export const newSlot = (reg: Reg): Slot => ({
  reg,
  live: live.NONE,
  precise: false,
  parent: undefined,
});

export function growStack(frame: Frame, bytes: number): void {
  while (frame.stack.length * 8 < bytes) frame.stack.push(new PathSlot(frame.stack.length));
}

/** The marks of its place come along. */
export const copySlot = (slot: Slot): Slot => ({
  reg: slot.reg,
  live: slot.live,
  precise: slot.precise,
  parent: slot.parent,
});

const copyFrame = (frame: Frame): Frame => ({
  regs: frame.regs.map(copySlot),
  stack: frame.stack.map(copyPathSlot),
  ...copyHead(frame),
});

/** A copy with slots of its own; contents are shared, being immutable. */
export const copyState = (state: State): State => withFrames(state, state.frames.map(copyFrame));

/** The state as a checkpoint, or as one that waits. */
export const keptCopy = (state: State): KeptState =>
  withFrames(state, keepFrames(state.frames, state.parent?.frames));

/** A state that waited, to go on with. */
export const pathCopy = (state: KeptState): State => withFrames(state, state.frames.map(pathFrame));

function withFrames<F extends AnyFrame>(state: AnyState, frames: F[]): AnyState & { frames: F[] } {
  return {
    frames,
    parent: state.parent,
    branches: state.branches,
    insn: state.insn,
    activeLock: state.activeLock,
    speculative: state.speculative,
    firstInsn: state.firstInsn,
    lastInsn: state.lastInsn,
    jumps: state.jumps.slice(),
    allPrecise: false,
  };
}

/** Every register and every fully spilled register of every frame. */
export function forEachReg(state: AnyState, visit: (slot: Slot, frame: AnyFrame) => void): void {
  for (const frame of state.frames) {
    for (let regno = 0; regno <= FP; regno++) visit(frame.regs.at(regno)!, frame);
    for (let at = 0; at < frame.stack.length; at++) {
      const slot = frame.stack.at(at)!;
      if (isFullSpill(slot)) visit(slot, frame);
    }
  }
}

/** Every scalar in registers and spills (even partial ones); the frame pointer is none. */
export function forEachScalar(state: AnyState, visit: (slot: Slot) => void): void {
  for (const frame of state.frames) {
    for (let regno = 0; regno < FP; regno++) {
      const slot = frame.regs.at(regno)!;
      if (isScalar(slot.reg)) visit(slot);
    }
    for (let at = 0; at < frame.stack.length; at++) {
      const slot = frame.stack.at(at)!;
      if (isSpill(slot) && isScalar(slot.reg)) visit(slot);
    }
  }
}

/** `to` gets the content of `from`; its place's marks stay. */
export function copyContent(to: Slot, from: Slot): void {
  to.reg = from.reg;
  to.precise = from.precise;
}

export function regAt(frame: Frame, regno: number): Slot {
  const slot = frame.regs[regno];
  if (!slot) throw new Bug(`no register R${regno}`);
  return slot;
}
