/** Registers and stack: what was not set, and what is out of place. */
import { EXIT, isJumpClass } from '../opcode.ts';
import { isPointer } from '../reg.ts';
import { MAX_STACK, byteAt, byteKind, byteOf, slotOf } from '../state.ts';
import { isConst } from '../tnum.ts';
import { calledFunction } from './calls.ts';
import { kindOfChange } from './changes.ts';
import { describe, functionName, plural, rangeText } from './describe.ts';
import { capital, type Scene, type Teller, type Told } from './scene.ts';
import type { Event } from './story.ts';
import { branchEvents, merge, pointerRegno } from './tell-memory.ts';
import { regPlace, slotPlace } from './trace.ts';
import { wordsOf } from './words.ts';

export const uninitialisedRegister: Teller = (scene) => {
  const { story, c } = scene;
  const regno = scene.about.reg ?? 0;
  const found = story.lastChange(regPlace(scene.frame, regno), scene.at);
  const isReturn = scene.insn.code === EXIT && regno === 0;
  const branches = branchEvents(scene);
  if (found && found.change.after?.reg.kind === '?') {
    const step = story.steps[found.at]!;
    const kind = kindOfChange(c, step, found.change.place);
    const says = wordsOf(story, kind, found.at, found.change) ?? 'it is lost here';
    const events: Event[] = [{ at: found.at, role: 'lost', place: found.change.place, says }];
    if (kind === 'clobber') {
      const insn = story.insnAt(found.at);
      const called = isJumpClass(insn.code)
        ? calledFunction(c, insn, step.insn)
        : 'the packet load';
      return {
        headline: isReturn
          ? `R0 is not set when the program returns: ${called} returns nothing.`
          : `R${regno} is read after ${isJumpClass(insn.code) ? 'the call of ' : ''}${called}, which does not keep R1 to R5.`,
        here: `reads R${regno}`,
        events,
        fix: isReturn
          ? 'Set r0 before exit.'
          : `Keep the value in R6 to R9 or on the stack across the call.`,
      };
    }
    const before = found.change.before?.reg;
    if (kind === 'lost' && before && before.refId !== 0) {
      const called = calledFunction(c, story.insnAt(found.at), step.insn);
      return {
        headline: `R${regno} is read after ${called} released what it points at.`,
        here: `reads R${regno}`,
        events,
        fix: 'Do not read the pointer after it was released.',
      };
    }
    if (kind === 'call') {
      const called = calledFunction(c, story.insnAt(found.at), step.insn);
      return {
        headline: `R0 is read after the call of ${called}, which does not set it.`,
        here: 'reads R0',
        events,
        fix: `Let ${called} return a value.`,
      };
    }
    if (kind !== 'entry' && kind !== 'argument' && kind !== 'callback-argument') {
      return {
        headline: `R${regno} is read after it was lost.`,
        here: `reads R${regno}`,
        events,
      };
    }
  }
  return unset(scene, regno, isReturn, branches);
};

function unset(scene: Scene, regno: number, isReturn: boolean, branches: readonly Event[]): Told {
  const { subprog = 0 } = scene.step ?? {};
  const name = functionName(scene.c, subprog);
  const elsewhere = branches.length > 0 ? ' on this path' : '';
  if (isReturn) {
    return {
      headline: `${subprog === 0 ? 'The program' : `Function ${name}`} returns without a value in R0${elsewhere}.`,
      here: 'reads R0',
      events: branches,
      fix: 'Set r0 before exit: in C, return a value on every path.',
    };
  }
  const isArgument = regno >= 1 && regno <= 5 && branches.length === 0;
  return {
    headline: `R${regno} is read, but nothing has set it${elsewhere}.`,
    here: `reads R${regno}`,
    events: branches,
    fix: isArgument
      ? subprog === 0
        ? 'A program has one argument, the context in R1. Set the register first.'
        : `The caller of ${name} does not set R${regno}: pass it, or do not read it.`
      : `Set R${regno} before it is read, on every path.`,
  };
}

export const uninitialisedStack: Teller = (scene) => {
  const { about, story } = scene;
  const frame = about.frame ?? scene.reg(pointerRegno(scene)).frame;
  const byte = about.stackByte ?? -1;
  const start = about.off ?? byte;
  const bytes = about.bytes ?? 1;
  const events: Event[] = [];
  const missing: number[] = [];
  for (let at = start; at < start + bytes; at++) {
    const content = story.contentAt(slotPlace(frame, slotOf(at)), scene.at);
    const kind = content ? byteAt(content.bytes, byteOf(at)) : byteKind.INVALID;
    if (kind === byteKind.INVALID) missing.push(at);
  }
  const pointer = missing.length > 0 ? undefined : spilledPointer(scene, frame, byte);
  if (pointer) return pointer;
  const slots = new Set<number>();
  for (let at = start; at < start + bytes; at++) slots.add(slotOf(at));
  for (const slot of slots) {
    const place = slotPlace(frame, slot);
    const found = story.lastChange(place, scene.at);
    if (!found) continue;
    const kind = kindOfChange(scene.c, story.steps[found.at]!, place);
    const says = wordsOf(story, kind, found.at, found.change);
    if (says !== undefined) events.push({ at: found.at, role: 'value', place, says });
  }
  const by = scene.isCall ? ` by ${scene.callee}` : '';
  const some = missing.length < bytes;
  const where = `fp${start}`;
  const headline = some
    ? `${plural(bytes, 'byte')} of the stack at ${where} are read${by}, of which ${rangeOf(missing)} ${missing.length === 1 ? 'was' : 'were'} not written.`
    : `${plural(bytes, 'byte')} of the stack at ${where} ${bytes === 1 ? 'is' : 'are'} read${by}, but not written before.`;
  return {
    headline,
    here: `${scene.accessText} at ${where}`,
    events: merge(events),
    fix: some
      ? 'Initialise the whole object, padding included: struct key k = {}; or memset it before it is filled.'
      : `Write the ${plural(bytes, 'byte')} first: initialise the variable.`,
  };
};

/** All was written, but a pointer lies there, which the helper would see as a number. */
function spilledPointer(scene: Scene, frame: number, byte: number): Told | undefined {
  const place = slotPlace(frame, slotOf(byte));
  const content = scene.story.contentAt(place, scene.at);
  if (!content || !isPointer(content.reg)) return undefined;
  return {
    headline: `A pointer lies on the stack at fp${byte}, where ${scene.isCall ? scene.callee : 'the program'} would read it as a number.`,
    here: scene.accessText,
    events: scene.story.follow(place, scene.at, 'pointer').events,
    fix: 'Keep pointers out of what is passed on, or load the program with CAP_PERFMON.',
  };
}

/** `fp-12 to fp-9`. */
function rangeOf(bytes: readonly number[]): string {
  const first = bytes[0];
  if (first === undefined) return 'some';
  let last = first;
  for (const byte of bytes) if (byte === last + 1) last = byte;
  return first === last ? `the byte at fp${first}` : `the bytes at fp${first} to fp${last}`;
}

export const stackOutOfBounds: Teller = (scene) => {
  const regno = pointerRegno(scene);
  const reg = scene.reg(regno);
  const { off = 0, bytes = 1, write } = scene.about;
  const verb = scene.isCall ? `used by ${scene.callee}` : write ? 'written' : 'read';
  const fixed = isConst(reg.scalar.bits);
  const at = off + Number(BigInt.asIntN(32, reg.scalar.bits.value));
  const number = fixed ? [] : scene.follow(regno, 'number').events;
  const events = merge(scene.follow(regno, 'pointer').events, number);
  const are = bytes === 1 ? 'is' : 'are';
  if (!fixed) {
    return {
      headline: `${plural(bytes, 'byte')} of the stack ${are} ${verb} at an offset that may leave the frame (${rangeText(reg.scalar)}${off === 0 ? '' : `, from fp${off}`}).`,
      here: `${scene.accessText} through R${regno}`,
      events,
      fix: `Bound the offset, so that all of fp-${MAX_STACK} to fp-1 holds it.`,
    };
  }
  const above = at + bytes > 0;
  const where = `fp${at >= 0 ? '+' : ''}${at}`;
  return {
    headline:
      at < 0 && above
        ? `${plural(bytes, 'byte')} ${are} ${verb} at ${where}, and reach past the end of the stack frame (fp-1).`
        : `${plural(bytes, 'byte')} ${are} ${verb} at ${where}, outside of the stack frame (fp-${MAX_STACK} to fp-1).`,
    here: `${scene.accessText} through R${regno}`,
    events,
    fix: above
      ? 'The stack grows down from r10: use negative offsets, and no more bytes than lie above.'
      : `The frame has ${MAX_STACK} bytes: move large objects to a per-CPU array map.`,
  };
};

export const variableStackOffset: Teller = (scene) => {
  const regno = pointerRegno(scene);
  const reg = scene.reg(regno);
  return {
    headline: `The stack is accessed at an offset that varies (${rangeText(reg.scalar)}), which needs CAP_PERFMON or is not done here.`,
    here: `${scene.accessText} through R${regno}`,
    events: merge(scene.follow(regno, 'pointer').events, scene.follow(regno, 'number').events),
  };
};

/** Accesses of a part of a pointer on the stack; `ofNumber`: what to say where it is none. */
export const partialPointer =
  (ofPointer: string, ofNumber = ofPointer): Teller =>
  (scene) => {
    const { stackByte } = scene.about;
    const base = scene.reg(pointerRegno(scene));
    const frame = scene.about.frame ?? base.frame;
    const off =
      stackByte ?? base.off + scene.insn.off + Number(BigInt.asIntN(32, base.scalar.bits.value));
    const place = slotPlace(frame, slotOf(off));
    const events = off < 0 ? scene.story.follow(place, scene.at, 'pointer').events : [];
    const content = scene.story.contentAt(place, scene.at);
    const headline = content?.reg.kind === 'scalar' ? ofNumber : ofPointer;
    return { headline, here: scene.accessText, events };
  };

export const returnValue: Teller = (scene) => {
  const { events, root } = scene.follow(0, 'number');
  const reg = scene.reg(0);
  const { wanted } = scene.about;
  const name = scene.phrase(root, 'R0', reg);
  const frame = scene.step?.subprog ?? 0;
  const who = frame === 0 ? scene.programKind : `function ${functionName(scene.c, frame)}`;
  return {
    headline: wanted
      ? `${capital(who)} must return ${wanted}, and here returns ${describe(scene.c, reg)}.`
      : `${capital(who)} must return a number, and here returns ${describe(scene.c, reg)}.`,
    here: `returns R0, ${name === 'R0' ? describe(scene.c, reg) : name}`,
    events: merge(branchEvents(scene, root?.at ?? 0, 2), events),
    ...(wanted && { fix: `Return ${wanted} on every path.` }),
  };
};
