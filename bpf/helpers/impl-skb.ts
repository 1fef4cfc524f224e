/**
 * Socket buffers whose data is linear: bytes in and out, checksums, VLAN tags, hash, redirection
 * (net/core/filter.c, Linux 6.1). Growing a buffer's head is the kernel's (`skbExpandHead`).
 */
import { errno } from '../../kernel/types/errno.ts';
import {
  CHECKSUM_COMPLETE,
  CHECKSUM_NONE,
  CHECKSUM_PARTIAL,
  CHECKSUM_UNNECESSARY,
  SKB_CSUM_LEVEL_MASK,
  SKB_L4_HASH,
  SKB_SW_HASH,
  SKB_PKT_TYPE_MASK,
  SkBuff,
} from '../../kernel/types/skbuff.ts';
import type { SkBuffView } from '../../kernel/types/skbuff.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { BpfRuntime } from '../runtime.ts';
import { csum16Add, csum16Sub, csumAdd, csumFold, csumSub } from './csum.ts';
import type { HelperImplementation } from './helper.ts';
import { skbHash } from './flow-hash.ts';
import type { Implementations } from './implement.ts';
import { offset } from './implement.ts';
import { BpfFlowDissector } from '../../kernel/types/flow.ts';
import { clearHash, ipSummed, onSkb, setIpSummed } from './on-skb.ts';
import { computeDataPointers } from './skb-room.ts';
import { vlanPop, vlanPush } from './vlan.ts';

const NULL = 0 as RamOffset;
/** UAPI linux/bpf.h */
const BPF_F_RECOMPUTE_CSUM = 1n;
const BPF_F_INVALIDATE_HASH = 2n;
const BPF_F_HDR_FIELD_MASK = 0xfn;
const BPF_F_PSEUDO_HDR = 0x10n;
const BPF_F_MARK_MANGLED_0 = 0x20n;
const BPF_F_MARK_ENFORCE = 0x40n;
const BPF_F_IPV6 = 0x80n;
const BPF_F_INGRESS = 1n;
/** UAPI linux/pkt_cls.h */
const TC_ACT_SHOT = 2;
const TC_ACT_REDIRECT = 7;
/** struct bpf_redir_neigh */
const REDIR_NEIGH_BYTES = 20;
/** What stands for a checksum of 0 in UDP. */
const CSUM_MANGLED_0 = 0xffff;
/** skb_mac_header_was_set: otherwise the offset is all ones. */
const NO_MAC_HEADER = 0xffff;
/** DEFAULT_OVERFLOWUID */
const OVERFLOW_UID = 65534;

const has = (flags: bigint, flag: bigint) => (flags & flag) !== 0n;

function loadBytes(
  skb: SkBuffView,
  { ram }: BpfRuntime,
  at: number,
  out: number,
  sizeBytes: number,
): number {
  const [from, to, size] = [at >>> 0, offset(out), sizeBytes >>> 0];
  if (from > 0x7fffffff || from + size > skb.len) {
    ram.u8.fill(0, to, to + size);
    return -errno.EFAULT;
  }
  ram.u8.copyWithin(to, skb.data + from, skb.data + from + size);
  return 0;
}

/** From the link-layer header (0) or the network header (1). */
function loadBytesRelative(
  skb: SkBuffView,
  { ram }: BpfRuntime,
  at: number,
  out: number,
  sizeBytes: number,
  from: number,
): number {
  const [distance, to, size] = [at >>> 0, offset(out), sizeBytes >>> 0];
  const headers = [skb.mac_header, skb.network_header];
  const header = headers[from >>> 0];
  const isSet = header !== undefined && !(from === 0 && header === NO_MAC_HEADER);
  const start = skb.head + (header ?? 0) + distance;
  if (distance > 0xffff || !isSet || start + size > skb.head + skb.tail) {
    ram.u8.fill(0, to, to + size);
    return -errno.EFAULT;
  }
  ram.u8.copyWithin(to, start, start + size);
  return 0;
}

function storeBytes(
  skb: SkBuffView,
  { ram, core }: BpfRuntime,
  at: number,
  from: number,
  sizeBytes: number,
  flags: bigint,
): number {
  const [distance, size] = [at >>> 0, sizeBytes >>> 0];
  if (has(flags, ~(BPF_F_RECOMPUTE_CSUM | BPF_F_INVALIDATE_HASH))) return -errno.EINVAL;
  if (distance > 0x7fffffff || distance + size > skb.len) return -errno.EFAULT;
  const to = skb.data + distance;
  const recompute = has(flags, BPF_F_RECOMPUTE_CSUM) && ipSummed(skb) === CHECKSUM_COMPLETE;
  const sumOfBytes = () => core.exports.csum_partial(to, size, 0) >>> 0;
  if (recompute) skb.csum = csumSub(skb.csum, sumOfBytes());
  ram.u8.copyWithin(to, offset(from), offset(from) + size);
  if (recompute) skb.csum = csumAdd(skb.csum, sumOfBytes());
  if (has(flags, BPF_F_INVALIDATE_HASH)) clearHash(skb);
  return 0;
}

/** Where a checksum field is, or -EFAULT. */
function fieldAt(skb: SkBuffView, at: number): number {
  const distance = at >>> 0;
  if (distance > 0xffff || distance % 2 !== 0 || distance + 2 > skb.len) return -errno.EFAULT;
  return skb.data + distance;
}

const low32 = (value: bigint) => Number(BigInt.asUintN(32, value));
const low16 = (value: bigint) => Number(BigInt.asUintN(16, value));
const not32 = (value: number) => ~value >>> 0;

function l3Replace(
  skb: SkBuffView,
  { ram }: BpfRuntime,
  at: number,
  from: bigint,
  to: bigint,
  flags: bigint,
): number {
  if (has(flags, ~BPF_F_HDR_FIELD_MASK)) return -errno.EINVAL;
  const field = fieldAt(skb, at);
  if (field < 0) return field;
  const sum = ram.view.getUint16(field, true);
  const replaced = replaceSum(sum, from, to, Number(flags & BPF_F_HDR_FIELD_MASK));
  if (replaced < 0) return replaced;
  ram.view.setUint16(field, replaced, true);
  return 0;
}

/** csum_replace2, csum_replace4, csum_replace_by_diff by the size of the field; or -EINVAL. */
function replaceSum(sum: number, from: bigint, to: bigint, fieldBytes: number): number {
  const unfolded = not32(sum);
  switch (fieldBytes) {
    case 0:
      return from !== 0n ? -errno.EINVAL : csumFold(csumAdd(low32(to), unfolded));
    case 2:
      return ~csum16Add(csum16Sub(~sum & 0xffff, low16(from)), low16(to)) & 0xffff;
    case 4:
      return csumFold(csumAdd(csumSub(unfolded, low32(from)), low32(to)));
    default:
      return -errno.EINVAL;
  }
}

function l4Replace(
  skb: SkBuffView,
  { ram }: BpfRuntime,
  at: number,
  from: bigint,
  to: bigint,
  flags: bigint,
): number {
  const known =
    BPF_F_MARK_MANGLED_0 |
    BPF_F_MARK_ENFORCE |
    BPF_F_PSEUDO_HDR |
    BPF_F_HDR_FIELD_MASK |
    BPF_F_IPV6;
  if (has(flags, ~known)) return -errno.EINVAL;
  const field = fieldAt(skb, at);
  if (field < 0) return field;
  const mangled = has(flags, BPF_F_MARK_MANGLED_0);
  const sum = ram.view.getUint16(field, true);
  if (mangled && !has(flags, BPF_F_MARK_ENFORCE) && sum === 0) return 0;
  const fieldBytes = Number(flags & BPF_F_HDR_FIELD_MASK);
  if (![0, 2, 4].includes(fieldBytes) || (fieldBytes === 0 && from !== 0n)) return -errno.EINVAL;
  // A 2-byte field is summed as 32 bits here, unlike in l3.
  const old = fieldBytes === 2 ? low16(from) : low32(from);
  const fresh = fieldBytes === 2 ? low16(to) : low32(to);
  const replaced = replaceInetSum(skb, sum, old, fresh, {
    isDiff: fieldBytes === 0,
    pseudo: has(flags, BPF_F_PSEUDO_HDR),
    ipv6: has(flags, BPF_F_IPV6),
  });
  ram.view.setUint16(field, mangled && replaced === 0 ? CSUM_MANGLED_0 : replaced, true);
  return 0;
}

/** inet_proto_csum_replace4 and _by_diff. */
function replaceInetSum(
  skb: SkBuffView,
  sum: number,
  from: number,
  to: number,
  kind: { readonly isDiff: boolean; readonly pseudo: boolean; readonly ipv6: boolean },
): number {
  const change = (start: number) =>
    kind.isDiff ? csumAdd(to, start) : csumAdd(csumSub(start, from), to);
  if (ipSummed(skb) === CHECKSUM_PARTIAL) {
    return kind.pseudo ? ~csumFold(change(sum)) & 0xffff : sum;
  }
  if (ipSummed(skb) === CHECKSUM_COMPLETE && kind.pseudo && !kind.ipv6) {
    skb.csum = kind.isDiff ? not32(csumSub(to, skb.csum)) : not32(change(not32(skb.csum)));
  }
  return csumFold(change(not32(sum)));
}

/** How many checksums from the outermost on the device has checked: ask, add, take, forget. */
function csumLevel(skb: SkBuffView, _: BpfRuntime, operation: bigint): number {
  const summed = ipSummed(skb);
  const level = (skb.bits130 & SKB_CSUM_LEVEL_MASK) >> 2;
  const set = (summedNow: number, levelNow: number) => {
    setIpSummed(skb, summedNow);
    skb.bits130 = (skb.bits130 & ~SKB_CSUM_LEVEL_MASK) | (levelNow << 2);
    return 0;
  };
  const checked = summed === CHECKSUM_UNNECESSARY;
  switch (operation) {
    case 0n: // BPF_CSUM_LEVEL_QUERY
      return checked ? level : -errno.EACCES;
    case 1n: // BPF_CSUM_LEVEL_INC
      if (checked) return set(summed, Math.min(level + 1, 3));
      return summed === CHECKSUM_NONE ? set(CHECKSUM_UNNECESSARY, 0) : 0;
    case 2n: // BPF_CSUM_LEVEL_DEC
      if (!checked) return 0;
      return level === 0 ? set(CHECKSUM_NONE, 0) : set(summed, level - 1);
    case 3n: // BPF_CSUM_LEVEL_RESET
      return checked ? set(CHECKSUM_NONE, 0) : 0;
    default:
      return -errno.EINVAL;
  }
}

function changeType(skb: SkBuffView, _: BpfRuntime, type: number): number {
  // Only between host, broadcast, multicast and other host.
  const current = skb.bits128 & SKB_PKT_TYPE_MASK;
  if (current > 3 || type >>> 0 > 3) return -errno.EINVAL;
  skb.bits128 = (skb.bits128 & ~SKB_PKT_TYPE_MASK) | type;
  return 0;
}

const load = onSkb(['i32', 'i32', 'i32'], loadBytes);
const loadRelative = onSkb(['i32', 'i32', 'i32', 'i32'], loadBytesRelative);
/** All there is lies in one piece already. */
const pullData = onSkb(['i32'], (skb, _, sizeBytes: number) => {
  computeDataPointers(skb);
  return sizeBytes >>> 0 > skb.len ? -errno.ENOMEM : 0;
});

/** The dissector's packet is linear, or of a test run and has no sk_buff. */
const dissectorLoad: HelperImplementation = {
  pass: ['i32', 'i32', 'i32', 'i32'],
  returns: 'i32',
  bind: (runtime) => {
    const { ram } = runtime;
    const skb = SkBuff.at(ram, NULL);
    const context = BpfFlowDissector.at(ram, NULL);
    return (ctx: number, at: number, out: number, sizeBytes: number) => {
      context.offset = offset(ctx);
      skb.offset = context.skb;
      if (skb.offset !== 0 && at >>> 0 <= 0xffff) {
        return loadBytes(skb, runtime, at, out, sizeBytes);
      }
      ram.u8.fill(0, offset(out), offset(out) + (sizeBytes >>> 0));
      return -errno.EFAULT;
    };
  },
};

export const skbImplementations: Implementations = {
  flow_dissector_load_bytes: dissectorLoad,
  skb_load_bytes: load,
  skb_load_bytes_relative: loadRelative,
  skb_store_bytes: onSkb(['i32', 'i32', 'i32', 'i64'], storeBytes),
  skb_pull_data: pullData,
  sk_skb_pull_data: pullData,
  l3_csum_replace: onSkb(['i32', 'i64', 'i64', 'i64'], l3Replace),
  l4_csum_replace: onSkb(['i32', 'i64', 'i64', 'i64'], l4Replace),
  csum_update: {
    pass: ['i32', 'i32'],
    returns: 'i64',
    bind: ({ ram }) => {
      const skb = SkBuff.at(ram, NULL);
      return (ctx: number, sum: number) => {
        skb.offset = offset(ctx);
        if (ipSummed(skb) !== CHECKSUM_COMPLETE) return BigInt(-errno.ENOTSUPP);
        return BigInt((skb.csum = csumAdd(skb.csum, sum >>> 0)));
      };
    },
  },
  csum_level: onSkb(['i64'], csumLevel),
  skb_vlan_push: onSkb(['i32', 'i32'], (skb, runtime, protocol: number, tci: number) => {
    const result = vlanPush(skb, runtime, protocol, tci);
    computeDataPointers(skb);
    return result;
  }),
  skb_vlan_pop: onSkb([], (skb, runtime) => {
    const result = vlanPop(skb, runtime);
    computeDataPointers(skb);
    return result;
  }),
  skb_change_type: onSkb(['i32'], changeType),
  get_hash_recalc: {
    pass: ['i32'],
    returns: 'i64',
    bind: (runtime) => {
      const skb = SkBuff.at(runtime.ram, NULL);
      let seed: number | undefined;
      return (ctx: number) => {
        skb.offset = offset(ctx);
        seed ??= runtime.kernel.random32();
        return BigInt(skbHash(runtime, skb, seed));
      };
    },
  },
  set_hash_invalid: onSkb([], (skb) => (clearHash(skb), 0)),
  set_hash: onSkb(['i32'], (skb, _, hash: number) => {
    skb.hash = hash >>> 0;
    skb.bits129 |= SKB_L4_HASH | SKB_SW_HASH;
    return 0;
  }),
  // No cgroup classes and no routing realms here.
  get_cgroup_classid: onSkb([], () => 0),
  get_cgroup_classid_curr: { pass: [], returns: 'i32', bind: () => () => 0 },
  get_route_realm: onSkb([], () => 0),
  get_socket_cookie: onSkb(
    [],
    (skb, { kernel }) => (skb.sk === 0 ? 0 : Number(kernel.sockCookie?.(skb.sk) ?? 0n)),
    'i64',
  ),
  get_socket_uid: onSkb([], (skb, { kernel }) =>
    skb.sk === 0 ? OVERFLOW_UID : (kernel.sockUid?.(skb.sk) ?? OVERFLOW_UID),
  ),
  redirect: {
    pass: ['i32', 'i64'],
    returns: 'i32',
    bind: (runtime) => (ifindex: number, flags: bigint) => {
      if (has(flags, ~BPF_F_INGRESS)) return TC_ACT_SHOT;
      runtime.redirect = { index: ifindex >>> 0, map: undefined, flags: Number(flags) };
      return TC_ACT_REDIRECT;
    },
  },
  redirect_peer: {
    pass: ['i32', 'i64'],
    returns: 'i32',
    bind: (runtime) => (ifindex: number, flags: bigint) => {
      if (flags !== 0n) return TC_ACT_SHOT;
      runtime.redirect = { index: ifindex >>> 0, map: undefined, flags: 0, how: 'peer' };
      return TC_ACT_REDIRECT;
    },
  },
  redirect_neigh: {
    pass: ['i32', 'i32', 'i32', 'i64'],
    returns: 'i32',
    bind: (runtime) => (ifindex: number, params: number, sizeBytes: number, flags: bigint) => {
      const size = sizeBytes >>> 0;
      if ((size > 0 && size < REDIR_NEIGH_BYTES) || flags !== 0n) return TC_ACT_SHOT;
      const nexthop =
        size > 0 ? runtime.ram.bytes(offset(params), REDIR_NEIGH_BYTES).slice() : undefined;
      runtime.redirect = {
        index: ifindex >>> 0,
        map: undefined,
        flags: 0,
        how: 'neighbour',
        ...(nexthop && { nexthop }),
      };
      return TC_ACT_REDIRECT;
    },
  },
  // No packet here has been through IPsec.
  skb_get_xfrm_state: onSkb(
    ['i32', 'i32', 'i32', 'i64'],
    (_, { ram }, _index: number, out: number, size: number) => {
      ram.u8.fill(0, offset(out), offset(out) + (size >>> 0));
      return -errno.EINVAL;
    },
  ),
  skb_cgroup_classid: onSkb([], () => 0, 'i64'),
  clone_redirect: {
    pass: ['i32', 'i32', 'i64'],
    returns: 'i32',
    bind:
      ({ kernel }) =>
      (skb: number, ifindex: number, flags: bigint) => {
        if (has(flags, ~BPF_F_INGRESS)) return -errno.EINVAL;
        return (
          kernel.skbCloneRedirect?.(offset(skb), ifindex >>> 0, flags === BPF_F_INGRESS) ??
          -errno.EINVAL
        );
      },
  },
};
