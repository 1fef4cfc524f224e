/** What is in maps, read without any tool: for checks, and to compare what programs left behind. */
import type { BpfMap } from '../bpf/maps/map.ts';
import type { Machine } from '../kernel/machine.ts';
import type { Ram } from '../kernel/ram/ram.ts';
import type { RamOffset } from '../kernel/types/units.ts';

export type Element = readonly [key: Uint8Array, value: Uint8Array];

/** In the order of their keys' bytes. Queues, ring buffers and the like have none. */
export function elementsOf(ram: Ram, map: BpfMap): readonly Element[] {
  const { keyBytes } = map.spec;
  const found: Element[] = [];
  const keyAt = ram.kzalloc(Math.max(8, keyBytes));
  const nextAt = ram.kzalloc(Math.max(8, keyBytes));
  const valueAt = ram.kzalloc(Math.max(8, map.userValueBytes));
  let from = 0 as RamOffset;
  while (map.nextKey(from, nextAt) === 0) {
    ram.u8.copyWithin(keyAt, nextAt, nextAt + keyBytes);
    from = keyAt;
    if (map.copyValue(keyAt, valueAt, 0) < 0) continue;
    const value = ram.bytes(valueAt, map.userValueBytes).slice();
    found.push([ram.bytes(keyAt, keyBytes).slice(), value]);
  }
  for (const at of [keyAt, nextAt, valueAt]) ram.kfree(at);
  return found.sort(([a], [b]) => compareBytes(a, b));
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return 0;
}

/** Every element of the first map that `which` takes: key in hex -> value. Empty without one. */
export function mapContents(
  { bpf, ram }: Machine,
  which: (map: BpfMap) => boolean,
): Map<string, Uint8Array> {
  const map = [...bpf.maps.values()].find((object) => which(object.map))?.map;
  const elements = map ? elementsOf(ram, map) : [];
  return new Map(elements.map(([key, value]) => [hexOf(key), value]));
}

const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
