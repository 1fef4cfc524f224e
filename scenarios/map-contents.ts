/** The machine's own memory, for checks that trust no tool. */
import type { BpfMap } from '../bpf/maps/map.ts';
import type { Machine } from '../kernel/machine.ts';

/** Every element of the first map that `which` takes: key in hex -> value. Empty without one. */
export function mapContents(
  { bpf, ram }: Machine,
  which: (map: BpfMap) => boolean,
): Map<string, Uint8Array> {
  const contents = new Map<string, Uint8Array>();
  const map = [...bpf.maps.values()].find((object) => which(object.map))?.map;
  if (!map) return contents;
  const key = ram.kzalloc(map.spec.keyBytes);
  const value = ram.kzalloc(map.userValueBytes);
  for (let from = 0 as typeof key; map.nextKey(from, key) === 0; from = key) {
    map.copyValue(key, value, 0);
    const bytes = [...ram.bytes(key, map.spec.keyBytes)];
    const hex = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
    contents.set(hex, ram.bytes(value, map.userValueBytes).slice());
  }
  ram.kfree(key);
  ram.kfree(value);
  return contents;
}
