/** One change on the path in words; undefined where it tells a reader nothing. */
import type { Insn } from '../../isa/insn.ts';
import { calledFunction } from './calls.ts';
import { classOf, cls, isHelperCall, isSubprogCall, opOf, sizeOf, alu } from '../opcode.ts';
import { isAnyPacketPointer, isPacketPointer, isScalar, mayBeNull, type Reg } from '../reg.ts';
import { isConst } from '../tnum.ts';
import type { ChangeKind } from './changes.ts';
import {
  contextMember,
  describe,
  functionName,
  memberOfValue,
  objectText,
  placeName,
  plural,
  structName,
} from './describe.ts';
import { memberAt } from './members.ts';
import type { Story } from './story.ts';
import { regnoOf, type Change } from './trace.ts';

export function wordsOf(
  story: Story,
  kind: ChangeKind,
  at: number,
  { place, before, after }: Change,
): string | undefined {
  const { c } = story;
  const step = story.steps[at]!;
  const insn = story.insnAt(at);
  const name = placeName(place);
  const value = after ? describe(c, after.reg) : 'not set';
  switch (kind) {
    case 'entry':
      return entryText(story, at, name, regnoOf(place), value);
    case 'constant':
      return `${name} = ${value}`;
    case 'map':
      return `${name} is ${value}`;
    case 'copy':
      return isScalar(after!.reg)
        ? `${name} is a copy of R${insn.src}: ${value}`
        : `${name} is a copy of R${insn.src}`;
    case 'arithmetic':
      return `${name} becomes ${value}`;
    case 'unary':
      return opOf(insn.code) === alu.END
        ? `${name} changes its byte order: no bound is kept`
        : `${name} is negated: no bound is kept`;
    case 'load':
      return loadText(story, insn, at, name, value);
    case 'atomic':
      return `${name} gets the value that was in memory: ${value}`;
    case 'packet-load':
      return `R0 is loaded from the packet: ${value}`;
    case 'helper':
      return `R0 is the result of ${callee(story, insn, at)}: ${value}`;
    case 'call':
      return `R0 is the result of ${callee(story, insn, at)}: ${value}`;
    case 'store':
      return classOf(insn.code) === cls.ST
        ? `${name} = ${insn.imm}`
        : `R${insn.src} is saved at ${name}`;
    case 'helper-write':
      return `${callee(story, insn, at)} writes ${name}`;
    case 'check':
      return checkText(story, name, before?.reg, after?.reg);
    case 'clobber':
      return isHelperCall(insn) || isSubprogCall(insn)
        ? `the call of ${callee(story, insn, at)} does not keep ${name}`
        : `the instruction does not keep ${name}`;
    case 'lost':
      return lostText(story, insn, at, name, before?.reg);
    case 'argument':
      return `${name} is passed to ${callee(story, insn, at)}`;
    case 'callback-argument':
      return `${name} is an argument of the callback ${callbackName(story, at)}: ${value}`;
    case 'returned':
      return `function ${functionName(c, step.subprog)} returns it`;
    case 'restore':
    case 'note':
      return undefined;
  }
}

const callee = (story: Story, insn: Insn, at: number): string =>
  calledFunction(story.c, insn, story.steps[at]!.insn);

/** The function that a callback helper was given. */
function callbackName(story: Story, at: number): string {
  const next = story.steps[at + 1];
  return next ? functionName(story.c, next.subprog) : 'it';
}

function entryText(
  story: Story,
  at: number,
  name: string,
  regno: number | undefined,
  value: string,
): string | undefined {
  const { subprog, resumed } = story.steps[at]!;
  if (resumed !== 'no') return `${name} is ${value}, from what is not recorded any more`;
  if (regno === 10) return undefined;
  if (subprog === 0) return `${name} is ${value}, as the program is entered`;
  return `${name} is argument ${regno} of ${functionName(story.c, subprog)}: ${value}`;
}

function loadText(story: Story, insn: Insn, at: number, name: string, value: string): string {
  const base = story.regAt(story.steps[at]!.frame, insn.src, at);
  const from = base ? loadedFrom(story, insn, base) : 'memory';
  const bytes = sizeOf(insn.code);
  return `${name} = ${plural(bytes, 'byte')} loaded from ${from}: ${value}`;
}

/** `the context’s member data`, `2 bytes of the packet`. */
export function loadedFrom(story: Story, insn: Insn, base: Reg): string {
  const { c } = story;
  const off = base.off + insn.off;
  switch (base.kind) {
    case 'ctx': {
      const member = contextMember(c, off);
      return member ? `the context’s member ${member}` : `the context’s member at offset ${off}`;
    }
    case 'fp':
      return isConst(base.scalar.bits) ? `the stack (fp${signed(fixed(base, insn))})` : 'the stack';
    case 'map_value': {
      const at = { ...base, off };
      const member =
        base.map && isConst(base.scalar.bits) ? memberOfValue(base.map, at) : undefined;
      return member ? `${objectText(c, base)} (${member})` : objectText(c, base);
    }
    case 'ptr_': {
      const member = base.btf && memberAt(base.btf, base.btfId, off);
      return member ? `struct ${structName(base)} (${member})` : objectText(c, base);
    }
    default:
      return objectText(c, base);
  }
}

const fixed = (base: Reg, insn: Insn): number =>
  base.off + insn.off + Number(BigInt.asIntN(32, base.scalar.bits.value));
const signed = (value: number): string => (value >= 0 ? `+${value}` : `${value}`);

function checkText(
  { c }: Story,
  name: string,
  before: Reg | undefined,
  after: Reg | undefined,
): string | undefined {
  if (!before || !after) return undefined;
  if (mayBeNull(before) && !mayBeNull(after)) {
    return isScalar(after) ? `${name} is NULL from here` : `${name} is not NULL from here`;
  }
  if (isPacketPointer(after) && after.range !== before.range) {
    if (after.range < 0) return `${name} is past the end of the packet from here`;
    return `the packet has at least ${plural(after.range, 'byte')} from here`;
  }
  const [was, is] = [describe(c, before), describe(c, after)];
  return was === is ? undefined : `${name} is ${is} from here`;
}

function lostText(
  story: Story,
  insn: Insn,
  at: number,
  name: string,
  before: Reg | undefined,
): string {
  const { c } = story;
  const called = callee(story, insn, at);
  if (before && isAnyPacketPointer(before)) {
    return `${called} may move the packet: ${name} does not point into it any more`;
  }
  if (before && before.refId !== 0) {
    return `${called} releases ${objectText(c, before)}: ${name} is not valid any more`;
  }
  return `${name} is not kept across ${called}`;
}
