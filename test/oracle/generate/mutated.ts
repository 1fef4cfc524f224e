/**
 * Programs that a verifier mostly refuses: others, changed in one to four places as a careless hand
 * would: opcodes, registers, immediates, offsets; instructions lost, doubled or swapped; maps mixed up; and what
 * `damage.ts` has.
 */
import type { Insn } from '../../../bpf/isa/insn.ts';
import { ISA } from '../../../bpf/isa/table.ts';
import { insertSlots, replaceSlot, slotsOf, withoutSlots } from '../edit.ts';
import { insnsOf, LOG_STATS, type RequestJson } from '../request.ts';
import { damaged } from './damage.ts';
import { Random } from './random.ts';
import { structured } from './structured.ts';

/** @param base what to mutate; a structured program where absent */
export function mutated(seed: number, base?: RequestJson): RequestJson {
  const random = new Random(seed ^ 0x5bd1e995);
  let request: RequestJson = { ...(base ?? structured(seed)), log_level: LOG_STATS };
  const changes = random.weighted([[5, 1], [3, 2], [1, 3], [1, 4]]); // prettier-ignore
  const other = (): RequestJson => structured(random.u32());
  for (let i = 0; i < changes; i++) {
    const isSmall = random.chance(0.5);
    request = isSmall ? mutation(random, request) : damaged(random, request, other);
  }
  if (random.chance(0.03)) request = { ...request, license: random.pick(['', 'Proprietary']) };
  if (random.chance(0.03)) request = { ...request, unpriv: !request.unpriv };
  return { ...request, id: `mutated-${seed}` };
}

function mutation(random: Random, request: RequestJson): RequestJson {
  const insns = insnsOf(request);
  const slot = random.below(insns.length);
  const slots = new Set(
    Array.from({ length: slotsOf(insns, slot) }, (_, i) => slot + i).filter(
      (each) => each < insns.length,
    ),
  );
  const one = insns[slot]!;
  const isFixed = (request.fixups ?? []).some(({ insn }) => insn === slot || insn + 1 === slot);
  const choice = random.below(isFixed ? 4 : 11);
  switch (choice) {
    case 0:
      return slots.size < insns.length ? withoutSlots(request, slots) : request;
    case 1: {
      const copied = isFixed ? [] : [...slots].map((each) => insns[each]!);
      return insertSlots(request, random.below(insns.length), copied);
    }
    case 2:
      return wrongMap(random, request);
    case 3:
      return swapped(request, insns, slot);
    default:
      return replaceSlot(request, slot, changed(random, one));
  }
}

function changed(random: Random, one: Insn): Insn {
  switch (random.below(7)) {
    case 0:
      return { ...one, dst: random.below(11) };
    case 1:
      return { ...one, src: random.below(11) };
    case 2:
      return {
        ...one,
        imm: random.chance(0.5) ? random.imm() : (one.imm + random.pick([-1, 1])) | 0,
      };
    case 3: {
      const off = random.chance(0.5)
        ? random.pick([0, 1, -1, 2, 4, 8, -8, -16, -512, -520, 76, 80, 168])
        : one.off + random.pick([-8, -4, -1, 1, 4, 8]);
      return { ...one, off: (off << 16) >> 16 };
    }
    case 4:
      return alike(random, one);
    case 5:
      return { ...one, code: one.code ^ random.pick([0x08, 0x10, 0x18, 0x03, 0x01, 0x20, 0x40]) };
    default: {
      const row = random.pick(ISA);
      const given = row.when ? { [row.when.field]: row.when.value } : {};
      return { ...one, code: row.code, ...given };
    }
  }
}

/** Another instruction of the same kind, with the same operands. */
function alike(random: Random, one: Insn): Insn {
  const own = ISA.find(({ code }) => code === one.code);
  const others = ISA.filter(
    ({ kind, operands, version }) =>
      kind === own?.kind && version !== 'internal' && operands.join() === own.operands.join(),
  );
  if (others.length === 0) return one;
  const row = random.pick(others);
  return { ...one, code: row.code, ...(row.when && { [row.when.field]: row.when.value }) };
}

function wrongMap(random: Random, request: RequestJson): RequestJson {
  const { fixups = [], maps = [] } = request;
  if (fixups.length === 0) return request;
  const at = random.below(fixups.length);
  const map = random.below(maps.length);
  return { ...request, fixups: fixups.map((each, i) => (i === at ? { ...each, map } : each)) };
}

/** The instruction and the next one change places; wide ones stay. */
function swapped(request: RequestJson, insns: readonly Insn[], slot: number): RequestJson {
  const next = insns[slot + 1];
  if (!next || slotsOf(insns, slot) > 1 || slotsOf(insns, slot + 1) > 1) return request;
  const isPart = slot > 0 && slotsOf(insns, slot - 1) > 1;
  if (isPart) return request;
  return replaceSlot(replaceSlot(request, slot, next), slot + 1, insns[slot]!);
}
