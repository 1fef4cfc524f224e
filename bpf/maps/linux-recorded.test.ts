/**
 * What a real Linux 6.1.192 (one CPU, under QEMU) did with random sequences of map operations in
 * an XDP program: the results folded into its return value, and the map's contents afterwards in
 * iteration order. Hashes have BPF_F_ZERO_SEED, so that order, and an LRU's choice of whom to
 * evict, must be the same here.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { BareMachine } from '../../test/support/assets.ts';
import { bareMachine } from '../../test/support/assets.ts';
import type { MapType } from '../uapi.ts';
import type { BpfMap } from './map.ts';
import { createMap } from './table.ts';

interface Recorded {
  readonly type: MapType;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly maxEntries: number;
  readonly flags: number;
  /** 'update KEY VALUE FLAGS', 'delete KEY', 'lookup KEY'; bytes in hex. */
  readonly ops: readonly string[];
  /** (…((r1 * 31 + r2) * 31 + r3)…), lower 32 bits; a lookup's result is the value's first word. */
  readonly retval: number;
  readonly dump: readonly string[];
}

const recorded = readFileSync(new URL('linux-6.1.recorded.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded);

let machine: BareMachine;
let key: RamOffset;
let value: RamOffset;

beforeAll(async () => {
  machine = await bareMachine({ ramMiB: 16, cpuCount: 1 });
  key = machine.ram.kzalloc(64);
  value = machine.ram.kzalloc(256);
});

const put = (hex: string, at: RamOffset) => machine.ram.u8.set(Buffer.from(hex, 'hex'), at);
const hexAt = (at: RamOffset, bytes: number) =>
  Buffer.from(machine.ram.u8.slice(at, at + bytes)).toString('hex');

function run(map: BpfMap, operation: string): bigint {
  const [op, keyHex, valueHex, flags] = operation.split(' ');
  put(keyHex!, key);
  if (op === 'delete') return BigInt(map.delete(key));
  if (op === 'lookup') {
    const found = map.lookup(key);
    return found === 0 ? 0n : BigInt(machine.ram.view.getUint32(found, true));
  }
  put(valueHex!, value);
  return BigInt(map.update(key, value, Number(flags)));
}

function dump(map: BpfMap): string[] {
  const next = machine.ram.kzalloc(64);
  const lines: string[] = [];
  for (let at = 0 as RamOffset; map.nextKey(at, next) === 0; at = key) {
    machine.ram.u8.copyWithin(key, next, next + 64);
    expect(map.copyValue(key, value, 0)).toBe(0);
    lines.push(`${hexAt(key, map.spec.keyBytes)} ${hexAt(value, map.userValueBytes)}`);
  }
  return lines;
}

describe('map operations recorded from Linux', () => {
  it('are there for every type in question', () => {
    const types = new Set(recorded.map(({ type }) => type));
    expect([...types].sort()).toEqual([
      'array',
      'hash',
      'lpm_trie',
      'lru_hash',
      'lru_percpu_hash',
      'percpu_array',
      'percpu_hash',
    ]);
  });

  it.each(recorded.map((record, i) => [i, record.type, record] as const))(
    'case %i, %s',
    (_, type, record) => {
      const { keyBytes, valueBytes, maxEntries, flags } = record;
      const spec = { type, keyBytes, valueBytes, maxEntries, flags, name: 'm' };
      const map = createMap(machine.runtime, spec) as BpfMap;
      let folded = 0n;
      for (const operation of record.ops) folded = folded * 31n + run(map, operation);
      expect(BigInt.asUintN(32, folded)).toBe(BigInt(record.retval));
      expect(dump(map)).toEqual(record.dump);
      map.free();
    },
  );
});
