/** Offsets as Linux 6.1's BTF has them (Debian's kernel, x86-64). */
import { expect, it } from 'vitest';
import { SkBuff, SkbSharedInfo } from './skbuff.ts';

it('lays sk_buff out as Linux 6.1 does', () => {
  expect(SkBuff.size).toBe(232);
  expect(SkBuff.offsets).toMatchObject({
    dev: 16,
    sk: 24,
    tstamp: 32,
    cb: 40,
    len: 112,
    queue_mapping: 124,
    bits126: 126,
    bits128: 128,
    tc_index: 134,
    csum: 136,
    priority: 140,
    skb_iif: 144,
    hash: 148,
    vlan_proto: 152,
    vlan_tci: 154,
    napi_id: 156,
    mark: 168,
    inner_protocol: 172,
    protocol: 180,
    transport_header: 182,
    mac_header: 186,
    tail: 188,
    end: 192,
    head: 200,
    data: 208,
    truesize: 216,
    users: 220,
    extensions: 224,
  });
  expect(SkbSharedInfo.size).toBe(320);
  expect(SkbSharedInfo.offsets).toMatchObject({ frag_list: 8, gso_type: 24, dataref: 32 });
});
