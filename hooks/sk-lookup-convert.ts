/** `struct bpf_sk_lookup` on bpf_sk_lookup_kern, and the flow dissector's `struct __sk_buff`. */
import { insn } from '../bpf/asm/build.ts';
import { ctxMemberAt } from '../bpf/ctx-fields.ts';
import type { ProgTypeOps } from '../bpf/prog-type.ts';
import { UapiSkBuff, UapiSkLookup } from '../bpf/uapi-ctx.ts';
import { BpfFlowDissector, BpfSkLookupKern } from '../kernel/types/flow.ts';
import { direct, through, type Convert } from '../bpf/ctx-convert.ts';

/** One word of an IPv6 address; 0 for IPv4, which has none. */
const ip6 =
  (member: 'remote_ip6' | 'local_ip6', address: 'v6_saddr' | 'v6_daddr'): Convert =>
  (request) => {
    const word = request.off - UapiSkLookup.offsets[member];
    return through([BpfSkLookupKern.offsets[address]], word, 4, true)(request);
  };

const lookupMembers: Readonly<Record<keyof typeof UapiSkLookup.members, Convert>> = {
  sk: direct(BpfSkLookupKern, 'selected_sk'),
  family: direct(BpfSkLookupKern, 'family'),
  protocol: direct(BpfSkLookupKern, 'protocol'),
  remote_ip4: direct(BpfSkLookupKern, 'v4_saddr'),
  remote_ip6: ip6('remote_ip6', 'v6_saddr'),
  remote_port: direct(BpfSkLookupKern, 'sport'),
  padding: ({ dst }) => ({ insns: [insn('mov32_imm', { dst })], targetBytes: 2 }),
  local_ip4: direct(BpfSkLookupKern, 'v4_daddr'),
  local_ip6: ip6('local_ip6', 'v6_daddr'),
  local_port: direct(BpfSkLookupKern, 'dport'),
  ingress_ifindex: direct(BpfSkLookupKern, 'ingress_ifindex'),
};

export const convertSkLookup: NonNullable<ProgTypeOps['convert']> = (request) =>
  lookupMembers[ctxMemberAt(UapiSkLookup, request.off)]?.(request);

const dissectorMembers: { readonly [K in keyof typeof UapiSkBuff.members]?: Convert } = {
  data: direct(BpfFlowDissector, 'data'),
  data_end: direct(BpfFlowDissector, 'data_end'),
  flow_keys: direct(BpfFlowDissector, 'flow_keys'),
};

export const convertFlowDissector: NonNullable<ProgTypeOps['convert']> = (request) =>
  dissectorMembers[ctxMemberAt(UapiSkBuff, request.off)]?.(request);
