/** Control flow, limits, and the shape of the program. */
import { isSubprogCall } from '../opcode.ts';
import { subprogEnd } from '../cfg.ts';
import { isConditionalJump } from './changes.ts';
import { describe, functionName, placeName, plural } from './describe.ts';
import { capital, type Scene, type Teller } from './scene.ts';
import type { Event } from './story.ts';
import { regPlace } from './trace.ts';

const at = (slot: number): string => `instruction ${slot}`;

export const infiniteLoop: Teller = (scene) => {
  const { about, c, story } = scene;
  if (about.insn !== undefined) {
    const isCall = isSubprogCall(scene.insn);
    return {
      headline: isCall
        ? `The call at ${at(scene.slot)} leads back to its own function: recursion is not allowed.`
        : `The jump from ${at(scene.slot)} back to ${at(about.to ?? 0)} makes a loop, which needs CAP_BPF.`,
      fix: isCall
        ? 'Make it a loop with a bound.'
        : 'Unroll it (#pragma unroll), or load the program with CAP_BPF.',
    };
  }
  const start = lastVisit(scene);
  const events: Event[] = [];
  const tested: string[] = [];
  for (let step = start; step < scene.at; step++) {
    const insn = story.insnAt(step);
    if (!isConditionalJump(insn)) continue;
    const { frame } = story.steps[step]!;
    const regs = (insn.code & 8) !== 0 ? [insn.dst, insn.src] : [insn.dst];
    const values = regs.map((regno) => {
      const place = regPlace(frame, regno);
      const content = story.contentAt(place, step);
      return `${placeName(place)} is ${content ? describe(c, content.reg) : 'not set'}`;
    });
    tested.push(...regs.map((regno) => `R${regno}`));
    if (events.length < 6) {
      const says = `${story.branchText(step)}, as in every round: ${values.join(', ')}`;
      events.push({ at: step, role: 'branch', says });
    }
  }
  const names = [...new Set(tested)].slice(0, 4).join(' and ');
  return {
    headline: `The loop at ${at(scene.slot)} comes round to the same state: nothing that it tests changes.`,
    here: 'arrives here for the second time with all registers and stack the same',
    events,
    fix:
      names === ''
        ? 'The loop has no way out: add a condition with a bound.'
        : `Change ${names} in every round, towards a bound.`,
  };
};

/** The step at which the path was at this instruction before. */
function lastVisit({ story, at: now, slot }: Scene): number {
  for (let step = now - 1; step >= 0; step--) {
    if (story.steps[step]!.insn === slot && story.steps[step]!.kind === 'insn') return step;
  }
  return Math.max(0, now - 1);
}

export const tooComplex: Teller = (scene) => {
  const { visits, c } = scene;
  let busiest = 0;
  for (let slot = 1; slot < visits.length; slot++) {
    if (visits[slot]! > visits[busiest]!) busiest = slot;
  }
  const often = visits[busiest] ?? 0;
  const events: Event[] = [];
  const { story } = scene;
  for (let step = scene.at - 1; step >= 0 && events.length < 3; step--) {
    const { insn } = story.steps[step]!;
    if (!isConditionalJump(story.insnAt(step))) continue;
    if (events.some((event) => story.steps[event.at]!.insn === insn)) continue;
    const says = `followed ${plural(visits[insn]!, 'time')}; ${story.branchText(step)}`;
    events.unshift({ at: step, role: 'branch', says });
  }
  if (c.pending.length > 8000) {
    return {
      headline: `${c.pending.length} branches wait to be explored, more than the verifier keeps.`,
      events,
    };
  }
  return {
    headline: `The verifier gave up after ${c.processed - 1} instructions; it came ${plural(often, 'time')} to ${at(busiest)}.`,
    events,
  };
};

export const stackTooLarge: Teller = ({ c, about }) => {
  const calls = about.calls ?? [];
  const parts = calls.map(
    (subprog) => `${functionName(c, subprog)} ${c.subprogs[subprog]!.stackBytes}`,
  );
  const tail = calls[calls.length - 1];
  const isTail = tail !== undefined && tail > 0 && c.subprogs[tail]!.hasTailCall;
  return {
    headline: isTail
      ? `Before a tail call in a function its callers may use less than 256 bytes of stack: ${parts.join(', ')} bytes.`
      : `The functions’ stacks together exceed 512 bytes: ${parts.join(', ')} bytes.`,
  };
};

export const callDepth: Teller = ({ c, about }) => {
  const names = (about.calls ?? []).map((subprog) => functionName(c, subprog));
  const chain = names.length > 0 ? `: ${names.join(' → ')}` : '';
  return { headline: `Calls nest deeper than 8${chain}.` };
};

export const mapValueAddress: Teller = ({ about }) => ({
  headline:
    about.limit === undefined
      ? 'The address of a value is taken of a map whose values have none.'
      : `The address at offset ${about.off ?? 0} of a map value with ${plural(about.limit, 'byte')} is taken.`,
});

export const unreachable: Teller = (scene) => ({
  headline: `${capital(at(scene.slot))} can never be reached.`,
});

export const jumpOutOfRange: Teller = (scene) => {
  const to = scene.about.to;
  const inside = to !== undefined && to >= 0 && to < scene.c.insns.length;
  return {
    headline: `The jump at ${at(scene.slot)} leaves ${inside ? `its function, to ${at(to)}` : 'the program'}.`,
  };
};

export const jumpIntoLdimm64: Teller = (scene) => ({
  headline: `A jump leads into the second half of the 64-bit load at ${at(scene.slot)}.`,
});

export const fallsThrough: Teller = (scene) => {
  const subprog = scene.c.subprogs.findIndex(
    (_, index) => subprogEnd(scene.c, index) === scene.slot + 1,
  );
  return {
    headline: `${subprog <= 0 ? 'The program' : `Function ${functionName(scene.c, subprog)}`} runs off its end: ${at(scene.slot)} is neither exit nor a jump.`,
  };
};
