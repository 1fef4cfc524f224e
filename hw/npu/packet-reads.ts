/**
 * Which loads of the packet share one command. Two optimisations of the driver:
 *
 * - the packet cache: loads near each other, with nothing between them that may change the packet or
 *   come from elsewhere, are one read of at most 64 bytes, kept in transfer registers;
 * - copies: pairs of a load and a store of what was loaded, one behind the other, become one read
 *   and one write.
 */
import { rowOf } from '../../bpf/isa/table.ts';
import { buildCfg } from '../../bpf/jit/cfg.ts';
import type { VerifiedProgram } from '../../bpf/program.ts';
import type { State, Value } from './values.ts';

/** DRV: bytes that the cache holds. */
const CACHE_BYTES = 64;
/** DRV: the longest copy. */
const COPY_BYTES = 128;

/** A read for several loads: all have the same base. */
export interface Group {
  readonly first: number;
  /** From the base, as `packet` values count. */
  from: number;
  to: number;
  readonly slots: number[];
}

/** Loads and stores in turn, from slot `first` on. */
export interface Copy {
  readonly first: number;
  readonly slots: readonly number[];
  readonly bytes: number;
}

type Packet = Value & { readonly kind: 'packet' };

/** Slots that control may come to other than from the slot before. */
function joins(program: VerifiedProgram): Set<number> {
  const targets = new Set<number>();
  program.insns.forEach((insn, slot) => {
    const row = rowOf(insn);
    if (row?.kind === 'branch') targets.add(slot + 1 + insn.off);
    if (row?.kind === 'goto') targets.add(slot + 1 + (row.long ? insn.imm : insn.off));
  });
  return targets;
}

export function findCopies(
  program: VerifiedProgram,
  at: readonly (State | undefined)[],
): Map<number, Copy> {
  const copies = new Map<number, Copy>();
  for (const { slots } of buildCfg(program, program.subprogs[0]!).blocks) {
    for (let i = 0; i + 1 < slots.length;) {
      let pairs = 0;
      while (pairOf(program, at, slots, i, pairs)) pairs++;
      const taken = slots.slice(i, i + 2 * pairs);
      if (pairs > 1 && apart(program, at, taken)) {
        const bytes = pairs * bytesAt(program, slots[i]!);
        const copy = { first: taken[0]!, slots: taken, bytes };
        for (const slot of taken) copies.set(slot, copy);
      } else pairs = 0;
      i += pairs > 0 ? 2 * pairs : 1;
    }
  }
  return copies;
}

function bytesAt(program: VerifiedProgram, slot: number): number {
  const row = rowOf(program.insns[slot]!)!;
  return 'bytes' in row ? row.bytes : 0;
}

/** Whether pair number `n` of a copy that begins at slots[i] goes on where the last ended. */
function pairOf(
  program: VerifiedProgram,
  at: readonly (State | undefined)[],
  slots: readonly number[],
  i: number,
  n: number,
): boolean {
  const [loadAt, storeAt] = [slots[i + 2 * n], slots[i + 2 * n + 1]];
  if (loadAt === undefined || storeAt === undefined || !at[loadAt]) return false;
  const [load, store] = [program.insns[loadAt]!, program.insns[storeAt]!];
  const [loadRow, storeRow] = [rowOf(load)!, rowOf(store)!];
  if (loadRow.kind !== 'load' || storeRow.kind !== 'store' || loadRow.signed) return false;
  if (storeRow.source !== 'reg' || storeRow.bytes !== loadRow.bytes) return false;
  if (store.src !== load.dst || load.dst === load.src || load.dst === store.dst) return false;
  const from = program.facts[loadAt]!.pointer;
  if (program.facts[storeAt]!.pointer !== 'packet') return false;
  if (from !== 'packet' && from !== 'map_value') return false;
  if ((n + 1) * loadRow.bytes > COPY_BYTES) return false;
  const first = program.insns[slots[i]!]!;
  const firstStore = program.insns[slots[i + 1]!]!;
  return (
    load.dst === first.dst &&
    load.src === first.src &&
    store.dst === firstStore.dst &&
    loadRow.bytes === bytesAt(program, slots[i]!) &&
    from === program.facts[slots[i]!]!.pointer &&
    load.off === first.off + n * loadRow.bytes &&
    store.off === firstStore.off + n * loadRow.bytes
  );
}

/** What is written must not be read again by the copy. */
function apart(
  program: VerifiedProgram,
  at: readonly (State | undefined)[],
  slots: readonly number[],
): boolean {
  const [loadAt, storeAt] = [slots[0]!, slots[1]!];
  if (program.facts[loadAt]!.pointer === 'map_value') return true;
  const state = at[loadAt]!;
  const [load, store] = [program.insns[loadAt]!, program.insns[storeAt]!];
  const [source, target] = [state.registers[load.src]!, state.registers[store.dst]!];
  if (source.kind !== 'packet' || target.kind !== 'packet') return false;
  if (source.id < 0 || source.id !== target.id) return false;
  const bytes = (slots.length / 2) * bytesAt(program, loadAt);
  const [from, to] = [source.at + load.off, target.at + store.off];
  return from + bytes <= to || to + bytes <= from;
}

export function findGroups(
  program: VerifiedProgram,
  at: readonly (State | undefined)[],
  copies: ReadonlyMap<number, Copy>,
): Map<number, Group> {
  const targets = joins(program);
  const groups = new Map<number, Group>();
  let group: Group | undefined;
  let base = 0;
  const close = (): void => {
    if (group && group.slots.length > 1) for (const slot of group.slots) groups.set(slot, group);
    group = undefined;
  };
  for (let slot = 0; slot < program.insns.length; slot++) {
    const row = rowOf(program.insns[slot]!);
    if (targets.has(slot)) close();
    if (!row || !at[slot]) continue;
    const isPacket = program.facts[slot]!.pointer === 'packet';
    if (row.kind === 'call' || row.kind === 'goto' || row.kind === 'exit') close();
    else if (copies.has(slot) || (isPacket && row.kind === 'store')) close();
    else if (isPacket && row.kind === 'load' && !row.signed) {
      const pointer = at[slot]!.registers[program.insns[slot]!.src]!;
      if (pointer.kind !== 'packet' || pointer.id < 0) continue;
      const from = (pointer as Packet).at + program.insns[slot]!.off;
      const to = from + row.bytes;
      const fits = (open: Group): boolean =>
        base === pointer.id && Math.max(open.to, to) - Math.min(open.from, from) <= CACHE_BYTES;
      if (group && fits(group)) {
        group.from = Math.min(group.from, from);
        group.to = Math.max(group.to, to);
        group.slots.push(slot);
        continue;
      }
      close();
      base = pointer.id;
      group = { first: slot, from, to, slots: [slot] };
    }
  }
  close();
  return groups;
}
