/**
 * Edits of a request's program that keep the rest of it in step: jumps, calls between functions,
 * fixups, BTF records.
 *
 *   withoutSlots(request, slots)       deletes; jumps to what is gone lead to what follows
 *   insertSlots(request, at, insns)    jumps to `at` lead behind what is inserted
 *   replaceSlot(request, slot, insn)
 *   withoutMap(request, index)         undefined where a fixup still needs it
 */
import { rowOf } from '../../bpf/isa/table.ts';
import type { Insn } from '../../bpf/isa/insn.ts';
import { hexOfInsns, insnsOf, type RequestJson } from './request.ts';

/** Bytes of a func_info and of a line_info record: the instruction's slot comes first. */
const FUNC_INFO_BYTES = 8;
const LINE_INFO_BYTES = 16;

/** Which slot a slot's control goes to beside the next one, and how to say so. */
export function targetOf(
  insn: Insn,
  slot: number,
): { target: number; field: 'off' | 'imm' } | null {
  const row = rowOf(insn);
  switch (row?.kind) {
    case 'goto':
      return row.long
        ? { target: slot + 1 + insn.imm, field: 'imm' }
        : { target: slot + 1 + insn.off, field: 'off' };
    case 'branch':
      return { target: slot + 1 + insn.off, field: 'off' };
    case 'call':
      return row.target === 'subprog' ? { target: slot + 1 + insn.imm, field: 'imm' } : null;
    case 'ld_imm64':
      return row.form === 'func' ? { target: slot + 1 + insn.imm, field: 'imm' } : null;
    default:
      return null;
  }
}

/** The slots of an instruction whose first slot this is. */
export function slotsOf(insns: readonly Insn[], slot: number): number {
  return rowOf(insns[slot]!)?.slots ?? 1;
}

export function withoutSlots(request: RequestJson, slots: ReadonlySet<number>): RequestJson {
  const insns = insnsOf(request);
  const moved: number[] = [];
  let kept = 0;
  for (let slot = 0; slot <= insns.length; slot++) {
    moved.push(kept);
    if (!slots.has(slot)) kept++;
  }
  return relocated(request, insns, (slot) => moved[slot] ?? slot, slots);
}

/** New slots in front of `at`. Their own jumps are left alone. */
export function insertSlots(
  request: RequestJson,
  at: number,
  inserted: readonly Insn[],
): RequestJson {
  const insns = insnsOf(request);
  const placed = (slot: number): number => (slot >= at ? slot + inserted.length : slot);
  const result = relocated(request, insns, placed, new Set());
  const code = insnsOf(result);
  return { ...result, insns: hexOfInsns([...code.slice(0, at), ...inserted, ...code.slice(at)]) };
}

export function replaceSlot(request: RequestJson, slot: number, insn: Insn): RequestJson {
  const insns = insnsOf(request);
  insns[slot] = insn;
  return { ...request, insns: hexOfInsns(insns) };
}

function relocated(
  request: RequestJson,
  insns: readonly Insn[],
  placed: (slot: number) => number,
  gone: ReadonlySet<number>,
): RequestJson {
  const result: Insn[] = [];
  insns.forEach((insn, slot) => {
    if (gone.has(slot)) return;
    const jump = targetOf(insn, slot);
    const inside = jump && jump.target >= 0 && jump.target <= insns.length;
    if (!jump || !inside) return result.push(insn);
    const distance = placed(jump.target) - placed(slot) - 1;
    return result.push({ ...insn, [jump.field]: distance });
  });
  return {
    ...request,
    insns: hexOfInsns(result),
    fixups: (request.fixups ?? [])
      .filter(({ insn }) => !gone.has(insn))
      .map(({ insn, map }) => ({ insn: placed(insn), map })),
    ...records(request, 'func_info', FUNC_INFO_BYTES, placed, result.length),
    ...records(request, 'line_info', LINE_INFO_BYTES, placed, result.length),
  };
}

/** Records whose instructions are gone, or whose place another record has, go too. */
function records(
  request: RequestJson,
  field: 'func_info' | 'line_info',
  recordBytes: number,
  placed: (slot: number) => number,
  end: number,
): Partial<RequestJson> {
  const text = request[field];
  if (text === undefined) return {};
  const bytes = Buffer.from(text, 'hex');
  const kept = new Map<number, Buffer>();
  for (let at = 0; at + recordBytes <= bytes.length; at += recordBytes) {
    const record = Buffer.from(bytes.subarray(at, at + recordBytes));
    const slot = placed(record.readUInt32LE(0));
    if (slot >= end) continue;
    record.writeUInt32LE(slot, 0);
    kept.set(slot, record);
  }
  return { [field]: Buffer.concat([...kept.values()]).toString('hex') };
}

export function withoutMap(request: RequestJson, index: number): RequestJson | undefined {
  const maps = request.maps ?? [];
  const used =
    (request.fixups ?? []).some(({ map }) => map === index) ||
    maps.some(({ inner }) => inner === index);
  if (used) return undefined;
  const moved = (map: number): number => (map > index ? map - 1 : map);
  return {
    ...request,
    maps: maps
      .filter((_, i) => i !== index)
      .map((map) => (map.inner === undefined ? map : { ...map, inner: moved(map.inner) })),
    fixups: (request.fixups ?? []).map(({ insn, map }) => ({ insn, map: moved(map) })),
  };
}
