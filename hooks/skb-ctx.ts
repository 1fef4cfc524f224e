/**
 * `struct __sk_buff` as the program types that get it may access it. The rules of one member are
 * the same for all unless a type says otherwise.
 */
import {
  ctxAccess,
  hidden,
  narrow,
  packet,
  packetEnd,
  packetMeta,
  pointerOrNull,
  whole,
  type FieldRule,
} from '../bpf/ctx-fields.ts';
import type { ProgTypeOps } from '../bpf/prog-type.ts';
import { UapiSkBuff } from '../bpf/uapi-ctx.ts';

type Member = keyof typeof UapiSkBuff.members;
type Rules = { readonly [K in Member]?: FieldRule };

const COMMON: Rules = {
  cb: { anySize: true },
  remote_ip4: whole,
  local_ip4: whole,
  remote_ip6: whole,
  local_ip6: whole,
  data: whole,
  data_meta: whole,
  data_end: whole,
  flow_keys: hidden,
  tstamp: whole,
  sk: pointerOrNull('sock_common'),
  tstamp_type: hidden,
  hwtstamp: whole,
};

/** Addresses and ports of the skb's socket. */
export const SOCKET_MEMBERS: readonly Member[] = [
  'family',
  'remote_ip4',
  'local_ip4',
  'remote_ip6',
  'local_ip6',
  'remote_port',
  'local_port',
];

export const DIRECT_PACKET: Rules = { data: packet, data_end: packetEnd };
export const PACKET_META: Rules = { data_meta: packetMeta };

export interface SkbRules {
  readonly hides: readonly Member[];
  readonly stores: readonly Member[];
  readonly members?: Rules;
}

/** Everything may be loaded (narrowly, where it is a plain number) but what the type hides. */
export function skbAccess({ hides, stores, members = {} }: SkbRules): ProgTypeOps['access'] {
  const rules: Partial<Record<Member, FieldRule>> = {};
  for (const member of Object.keys(UapiSkBuff.members) as Member[]) {
    const rule = members[member] ?? COMMON[member] ?? narrow();
    rules[member] = stores.includes(member) ? { ...rule, store: rule.store ?? true } : rule;
    if (hides.includes(member)) rules[member] = hidden;
  }
  return ctxAccess(UapiSkBuff, rules);
}
