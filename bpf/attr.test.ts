import { describe, expect, it } from 'vitest';
import { ATTR, BPF_ATTR_BYTES, decodeAttr, encodeAttr, tailIsZero } from './attr.ts';
import { BPF_COMMANDS } from './uapi.ts';

describe('bpf_attr', () => {
  /** Offsets that a C compiler gives for UAPI linux/bpf.h of 6.1. */
  it('lays fields out as C does', () => {
    expect(ATTR.map_create.offsets.map_extra).toBe(64);
    expect(ATTR.map_update_elem.offsets).toEqual({ map_fd: 0, key: 8, value: 16, flags: 24 });
    expect(ATTR.prog_load.offsets.prog_name).toBe(48);
    expect(ATTR.prog_load.offsets.fd_array).toBe(120);
    expect(ATTR.prog_load.sizeBytes).toBe(140);
    expect(ATTR.link_create.sizeBytes).toBe(48);
    expect(ATTR.prog_query.offsets.prog_attach_flags).toBe(32);
  });

  it('keeps every command within the union', () => {
    for (const command of BPF_COMMANDS) {
      expect(ATTR[command].sizeBytes).toBeLessThanOrEqual(BPF_ATTR_BYTES);
    }
  });

  it('decodes what it encoded, and zeros for what is missing', () => {
    const bytes = encodeAttr('map_create', { map_type: 2, map_name: 'a_rather_long_map_name' });
    expect(decodeAttr('map_create', bytes)).toMatchObject({
      map_type: 2,
      map_name: 'a_rather_long_m',
      map_extra: 0n,
    });
    expect(decodeAttr('map_create', bytes.subarray(0, 4)).map_name).toBe('');
    expect(decodeAttr('map_update_elem', encodeAttr('map_update_elem', { key: -1n })).key).toBe(
      0xffff_ffff_ffff_ffffn,
    );
  });

  it('notices what is set behind the last field', () => {
    const bytes = new Uint8Array(BPF_ATTR_BYTES);
    expect(tailIsZero('map_freeze', bytes)).toBe(true);
    bytes[4] = 1;
    expect(tailIsZero('map_freeze', bytes)).toBe(false);
  });
});
