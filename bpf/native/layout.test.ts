import { beforeAll, describe, expect, it } from 'vitest';
import { BPF_ARRAY_VALUE, BpfArrayStruct, BpfMapStruct } from '../../kernel/types/bpf-map.ts';
import { Ram } from '../../kernel/ram/ram.ts';
import { BLOOM_BITSET } from '../maps/bloom-filter.ts';
import { TCAM_ORDER } from '../maps/tcam.ts';
import { BPF_HTAB_BYTES } from '../maps/hash.ts';
import { LPM_TRIE_BYTES } from '../maps/lpm-trie.ts';
import { QUEUE_STACK_ELEMENTS } from '../maps/queue-stack.ts';
import { coreModule } from '../../test/support/assets.ts';
import type { NativeCore } from './core.ts';
import { CORE_RESERVED_BYTES, instantiateCore } from './core.ts';

let ram: Ram;
let core: NativeCore;

beforeAll(async () => {
  ram = new Ram(16 << 20, CORE_RESERVED_BYTES);
  core = instantiateCore(await coreModule(), ram);
});

/** The C side's layout, by name. */
function layoutOfC(): Map<string, number> {
  const layout = new Map<string, number>();
  for (let i = 0; ; i++) {
    const entry = core.exports.layout_entry(i);
    if (entry === 0) return layout;
    const name = ram.u32[entry / 4]!;
    const end = ram.u8.indexOf(0, name);
    layout.set(new TextDecoder().decode(ram.u8.slice(name, end)), ram.u32[entry / 4 + 1]!);
  }
}

describe('layout of maps', () => {
  it('is the same in C and in TypeScript, member by member', () => {
    const c = layoutOfC();
    for (const [member, offset] of Object.entries(BpfMapStruct.offsets)) {
      expect(c.get(`bpf_map.${member}`), member).toBe(offset);
    }
    expect(c.get('sizeof bpf_map')).toBe(BpfMapStruct.size);
    expect(c.get('bpf_array.elem_size')).toBe(BpfArrayStruct.offsets.elem_size);
    expect(c.get('bpf_array.index_mask')).toBe(BpfArrayStruct.offsets.index_mask);
    expect(c.get('bpf_array.value')).toBe(BPF_ARRAY_VALUE);
  });

  it('has the sizes that bpf/maps allocates', () => {
    const c = layoutOfC();
    expect(c.get('sizeof bpf_htab')).toBe(BPF_HTAB_BYTES);
    expect(c.get('sizeof lpm_trie')).toBe(LPM_TRIE_BYTES);
    expect(c.get('sizeof queue_stack')).toBe(QUEUE_STACK_ELEMENTS);
    expect(c.get('sizeof bloom')).toBe(BLOOM_BITSET);
    expect(c.get('sizeof tcam')).toBe(TCAM_ORDER);
  });
});

describe('the core in RAM', () => {
  it('keeps its data and stack inside the region that is reserved for it', () => {
    const end = (core.exports.__heap_base as { value: number }).value;
    expect(end).toBeGreaterThan(0x11000);
    expect(end).toBeLessThanOrEqual(CORE_RESERVED_BYTES);
  });

  it('allocates through the machine: out of memory is NULL, freed memory comes back', () => {
    const before = ram.pages.freeBytes;
    expect(core.areaAlloc(64 << 20)).toBe(0);
    const area = core.areaAlloc(5 * 4096 + 1);
    expect(before - ram.pages.freeBytes).toBe(6 * 4096);
    ram.u8.fill(0xff, area, area + 5 * 4096);
    core.areaFree(area, 5 * 4096 + 1);
    expect(ram.pages.freeBytes).toBe(before);
    const again = core.areaAlloc(5 * 4096 + 1);
    expect(ram.u8.subarray(again, again + 6 * 4096).every((byte) => byte === 0)).toBe(true);
  });

  it('answers through Node-API as through its exports', () => {
    const bytes = ram.kzalloc(16);
    for (let i = 0; i < 16; i++) ram.u8[bytes + i] = 251 * (i + 1);
    expect(core.napi.csum_partial!(bytes, 15, 7)).toBe(
      core.exports.csum_partial(bytes, 15, 7) >>> 0,
    );
    expect(() => core.napi.csum_partial!(bytes)).toThrow(TypeError);
  });

  it('gives two machines worlds of their own', async () => {
    const otherRam = new Ram(16 << 20, CORE_RESERVED_BYTES);
    const other = instantiateCore(await coreModule(), otherRam);
    const mine = core.areaAlloc(64);
    expect(other.areaAlloc(64)).not.toBe(0);
    ram.u8.fill(1, mine, mine + 64);
    expect(otherRam.u8.subarray(mine, mine + 64).includes(1)).toBe(false);
  });
});
