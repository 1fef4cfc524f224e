/**
 * Frames of a checkpoint, and of a path that waits: what they hold is shared with the checkpoint
 * above where it is the same, which it mostly is, for callers above all.
 */
import type { HeldRefs } from './held-refs.ts';
import { KeptRegs } from './kept-regs.ts';
import { KeptStack, PathSlot } from './kept-stack.ts';
import { copySlot, type AnyFrame, type Frame, type FrameHead, type Regs } from './state.ts';
import type { Tnum } from './tnum.ts';

export class KeptFrame implements AnyFrame {
  readonly head: FrameHead;
  readonly regs: Regs;
  readonly stack: KeptStack;

  constructor(head: FrameHead, regs: Regs, stack: KeptStack) {
    this.head = head;
    this.regs = regs;
    this.stack = stack;
  }

  get callsite(): number {
    return this.head.callsite;
  }
  get frameno(): number {
    return this.head.frameno;
  }
  get subprog(): number {
    return this.head.subprog;
  }
  get asyncEntries(): number {
    return this.head.asyncEntries;
  }
  get inCallback(): boolean {
    return this.head.inCallback;
  }
  get inAsyncCallback(): boolean {
    return this.head.inAsyncCallback;
  }
  get callbackRange(): Tnum | undefined {
    return this.head.callbackRange;
  }
  get callerAtEntry(): readonly Frame[] | undefined {
    return this.head.callerAtEntry;
  }
  get refs(): HeldRefs {
    return this.head.refs;
  }
}

/** @param above frames of the checkpoint that the path has come from, the outermost first */
export function keepFrames(
  frames: readonly Frame[],
  above: readonly KeptFrame[] | undefined,
): KeptFrame[] {
  const top = frames.length - 1;
  const sizes = frames.map(({ regs, stack }, i) => stack.length + (i < top ? regs.length : 0));
  const marks = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
  let next = 0;
  return frames.map((frame, index) => {
    const before = above?.[index];
    const first = next;
    next += sizes[index]!;
    const stack = new KeptStack(frame.stack, marks, first);
    const regs =
      index < top
        ? new KeptRegs(frame.regs, before?.regs, marks, first + frame.stack.length)
        : frame.regs.map(copySlot);
    return new KeptFrame(headOf(frame, before?.head), regs, stack);
  });
}

function headOf(frame: Frame, before: FrameHead | undefined): FrameHead {
  const isSame =
    before !== undefined &&
    before.callsite === frame.callsite &&
    before.frameno === frame.frameno &&
    before.subprog === frame.subprog &&
    before.asyncEntries === frame.asyncEntries &&
    before.inCallback === frame.inCallback &&
    before.inAsyncCallback === frame.inAsyncCallback &&
    before.callbackRange === frame.callbackRange &&
    before.callerAtEntry === frame.callerAtEntry &&
    before.refs === frame.refs;
  return isSame ? before : copyHead(frame);
}

export const copyHead = (frame: FrameHead): FrameHead => ({
  callsite: frame.callsite,
  frameno: frame.frameno,
  subprog: frame.subprog,
  asyncEntries: frame.asyncEntries,
  inCallback: frame.inCallback,
  inAsyncCallback: frame.inAsyncCallback,
  callbackRange: frame.callbackRange,
  callerAtEntry: frame.callerAtEntry,
  refs: frame.refs,
});

/** A frame for a path to go on with. */
export const pathFrame = ({ head, regs, stack }: KeptFrame): Frame => ({
  regs: Array.from({ length: regs.length }, (_, regno) => copySlot(regs.at(regno)!)),
  stack: Array.from({ length: stack.length }, (_, index) => {
    const slot = new PathSlot(index);
    const kept = stack.at(index)!;
    slot.reg = kept.reg;
    slot.live = kept.live;
    slot.precise = kept.precise;
    slot.bytes = kept.bytes;
    slot.kept = index < (stack.parent?.length ?? 0) ? stack.parent : undefined;
    return slot;
  }),
  ...copyHead(head),
});
