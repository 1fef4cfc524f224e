/**
 * How a map's values lie in block RAM: bytes that packets write are memories of their own, so that each
 * has its unit and its ports; all others of the value are one.
 */
import type { BpfMap } from '../../../bpf/maps/map.ts';
import { indexBits, isArray } from './accesses.ts';
import type { Design } from './design.ts';
import { type Node } from './node.ts';

export interface Bank {
  readonly map: BpfMap;
  /** Bytes of the value, ascending. */
  readonly bytes: readonly number[];
  readonly accesses: readonly Node[];
}

/** Elements that a memory has room for. */
export const rowsOf = (map: BpfMap): number =>
  isArray(map) ? map.spec.maxEntries : 2 ** indexBits(map);

export function banksOf({ accesses }: Design, map: BpfMap): readonly Bank[] {
  const mine = accesses.filter(
    ({ access, op }) => access!.map === map && ['load', 'store', 'rmw'].includes(op),
  );
  const groups: { from: number; to: number }[] = mine
    .filter(({ op }) => op !== 'load')
    .map(({ access }) => ({ from: access!.from, to: access!.from + access!.bytes }));
  for (let grown = true; grown;) {
    grown = false;
    for (const { access } of mine) {
      const [from, to] = [access!.from, access!.from + access!.bytes];
      const touched = groups.filter((group) => group.from < to && from < group.to);
      if (touched.length === 0) continue;
      const all = [...touched, { from, to }];
      const whole = {
        from: Math.min(...all.map((each) => each.from)),
        to: Math.max(...all.map((each) => each.to)),
      };
      const [first] = touched;
      if (touched.length === 1 && first!.from === whole.from && first!.to === whole.to) continue;
      groups.splice(0, groups.length, ...groups.filter((group) => !touched.includes(group)), whole);
      grown = true;
    }
  }
  const inGroup = (byte: number): boolean =>
    groups.some(({ from, to }) => byte >= from && byte < to);
  const range = (from: number, to: number): number[] =>
    Array.from({ length: to - from }, (_, i) => from + i);
  const rest = range(0, map.spec.valueBytes).filter((byte) => !inGroup(byte));
  const sets = [...groups.map(({ from, to }) => range(from, to)), ...(rest.length ? [rest] : [])];
  return sets.map((bytes) => ({
    map,
    bytes,
    accesses: mine.filter(({ access }) => bytes.includes(access!.from)),
  }));
}
