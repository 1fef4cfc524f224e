/**
 * Changes that need more of a program than one instruction: another helper, a check that is gone, a
 * register that has another's name, code in another place or of another program, functions that
 * begin elsewhere, records of BTF that do not fit.
 *
 *   damaged(random, request, other)    `other()` is a program to take code from
 */
import { helpers } from '../../../bpf/helpers/table.ts';
import type { Insn } from '../../../bpf/isa/insn.ts';
import { rowOf } from '../../../bpf/isa/table.ts';
import { insertSlots, replaceSlot, slotsOf, targetOf, withoutSlots } from '../edit.ts';
import { hexOfInsns, insnsOf, type RequestJson } from '../request.ts';
import type { Random } from './random.ts';

type Damage = (random: Random, request: RequestJson, other: () => RequestJson) => RequestJson;

const DAMAGES: readonly (readonly [number, Damage])[] = [
  [4, otherHelper],
  [4, withoutCheck],
  [3, renamed],
  [3, retargeted],
  [3, movedBlock],
  [3, spliced],
  [2, (random, request) => flipped(random, request, 'btf')],
  [2, (random, request) => flipped(random, request, 'func_info')],
];

export const damaged: Damage = (random, request, other) =>
  random.weighted(DAMAGES)(random, request, other);

/** Slots of instructions that `wanted` is true of. */
function slotsWhere(insns: readonly Insn[], wanted: (insn: Insn, slot: number) => boolean) {
  const found: number[] = [];
  for (let slot = 0; slot < insns.length; slot += slotsOf(insns, slot)) {
    if (wanted(insns[slot]!, slot)) found.push(slot);
  }
  return found;
}

const HELPER_CALL = 0x85;

function otherHelper(random: Random, request: RequestJson): RequestJson {
  const insns = insnsOf(request);
  const calls = slotsWhere(insns, ({ code, src }) => code === HELPER_CALL && src === 0);
  if (calls.length === 0) return request;
  const slot = random.pick(calls);
  return replaceSlot(request, slot, { ...insns[slot]!, imm: random.pick(helpers).id });
}

/** A branch goes, or is turned round: a NULL check, a bound of the packet or of an index. */
function withoutCheck(random: Random, request: RequestJson): RequestJson {
  const insns = insnsOf(request);
  const branches = slotsWhere(insns, (insn) => rowOf(insn)?.kind === 'branch');
  if (branches.length === 0) return request;
  const slot = random.pick(branches);
  if (random.chance(0.6)) return withoutSlots(request, new Set([slot]));
  return replaceSlot(request, slot, { ...insns[slot]!, off: 0 });
}

/** In a stretch of the program two registers change names. */
function renamed(random: Random, request: RequestJson): RequestJson {
  const insns = insnsOf(request);
  const from = random.below(insns.length);
  const end = from + random.between(1, 12);
  const a = random.below(10);
  const b = random.below(10);
  const name = (regno: number): number => (regno === a ? b : regno === b ? a : regno);
  const changed = slotsWhere(insns, (insn, slot) => {
    const kind = rowOf(insn)?.kind;
    return slot >= from && slot < end && kind !== 'call' && kind !== 'ld_imm64' && insn.code !== 0;
  });
  for (const slot of changed) {
    const insn = insns[slot]!;
    insns[slot] = { ...insn, dst: name(insn.dst), src: name(insn.src) };
  }
  return { ...request, insns: hexOfInsns(insns) };
}

/** A jump, a call or a callback's address leads elsewhere: near, or to any instruction. */
function retargeted(random: Random, request: RequestJson): RequestJson {
  const insns = insnsOf(request);
  const jumps = slotsWhere(insns, (insn, slot) => targetOf(insn, slot) !== null);
  if (jumps.length === 0) return request;
  const slot = random.pick(jumps);
  const { target, field } = targetOf(insns[slot]!, slot)!;
  const calls = slotsWhere(insns, (insn) => field === 'imm' && targetOf(insn, 0)?.field === 'imm');
  const starts = calls.map((call) => targetOf(insns[call]!, call)!.target);
  const wanted = random.chance(0.4)
    ? target + random.pick([-2, -1, 1, 2])
    : random.pick([random.below(insns.length), ...starts]);
  return replaceSlot(request, slot, { ...insns[slot]!, [field]: wanted - slot - 1 });
}

/** Instructions without relocations, from one place to another. */
function stretch(random: Random, request: RequestJson): { from: number; insns: Insn[] } {
  const insns = insnsOf(request);
  const fixed = new Set((request.fixups ?? []).flatMap(({ insn }) => [insn, insn + 1]));
  const starts = slotsWhere(insns, (_, slot) => !fixed.has(slot));
  if (starts.length === 0) return { from: 0, insns: [] };
  const from = random.pick(starts);
  const most = from + random.between(1, 8);
  let end = from;
  while (end < Math.min(most, insns.length) && !fixed.has(end)) end += slotsOf(insns, end);
  return { from, insns: insns.slice(from, end) };
}

function movedBlock(random: Random, request: RequestJson): RequestJson {
  const block = stretch(random, request);
  const slots = new Set(block.insns.map((_, index) => block.from + index));
  const rest = insnsOf(request).length - slots.size;
  if (rest === 0) return request;
  return insertSlots(withoutSlots(request, slots), random.below(rest), block.insns);
}

function spliced(random: Random, request: RequestJson, other: () => RequestJson): RequestJson {
  const at = random.below(insnsOf(request).length);
  return insertSlots(request, at, stretch(random, other()).insns);
}

/** A bit of the record or a whole byte of it, or its end is cut off. */
function flipped(random: Random, request: RequestJson, field: 'btf' | 'func_info'): RequestJson {
  const bytes = Buffer.from(request[field] ?? '', 'hex');
  if (bytes.length === 0) return request;
  const at = random.below(bytes.length);
  const change = random.below(4);
  if (change === 0) bytes[at]! ^= 1 << random.below(8);
  else if (change === 1) bytes[at] = random.below(256);
  else if (change === 2) bytes[at] = (bytes[at]! + random.pick([-1, 1])) & 0xff;
  const cut = field === 'func_info' ? 8 : 4;
  const kept = change === 3 ? bytes.subarray(0, Math.max(cut, bytes.length - cut)) : bytes;
  return { ...request, [field]: kept.toString('hex') };
}
