/** Helpers that look at a socket which the program already has, or give a packet to one. */
import { errno } from '../../kernel/types/errno.ts';
import { BpfSkLookupKern } from '../../kernel/types/flow.ts';
import { SKB_TC_AT_INGRESS, SkBuff } from '../../kernel/types/skbuff.ts';
import {
  InetSock,
  SKC_IPV6ONLY,
  SKC_REUSEPORT,
  Sock,
  SockCommon,
  TCP_ESTABLISHED,
  TCP_LISTEN,
  TCP_NEW_SYN_RECV,
  TCP_TIME_WAIT,
  type SockCommonView,
  type SockView,
} from '../../kernel/types/sock.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { BpfRuntime } from '../runtime.ts';
import type { HelperFunction, HelperImplementation } from './helper.ts';
import { offset, type Implementations } from './implement.ts';

/** UAPI linux/in.h, linux/socket.h, linux/net.h. */
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
/** Bit of skc_flags (enum sock_flags of include/net/sock.h). */
const SOCK_RCU_FREE = 1n << 23n;

/** The socket itself where `is` holds of it, else NULL. A pointer that BTF led to may be any. */
function where(is: (common: SockCommonView, sk: SockView) => boolean): HelperImplementation {
  return {
    pass: ['i32'],
    returns: 'pointer',
    bind: ({ ram }): HelperFunction => {
      const common = SockCommon.at(ram, 0 as RamOffset);
      const sk = Sock.at(ram, 0 as RamOffset);
      return (argument: number) => {
        const at = offset(argument);
        if (at === 0 || at + InetSock.size > ram.u8.length) return 0;
        common.offset = at;
        sk.offset = at;
        return is(common, sk) ? at : 0;
      };
    },
  };
}

/** Neither the remains of a connection nor one that is only asked for (sk_fullsock). */
const isFull = ({ skc_state }: SockCommonView): boolean =>
  skc_state !== TCP_TIME_WAIT && skc_state !== TCP_NEW_SYN_RECV;

const isInet =
  (protocol: number, type: number, family?: number) =>
  (common: SockCommonView, sk: SockView): boolean =>
    isFull(common) &&
    sk.sk_protocol === protocol &&
    sk.sk_type === type &&
    (family === undefined || common.skc_family === family);

/** sk_is_refcounted: who holds it counts. */
const isCounted = (common: SockCommonView): boolean =>
  !isFull(common) || (common.skc_flags & SOCK_RCU_FREE) === 0n;

/** The packet becomes the socket's, without a look-up. */
const assignToPacket: HelperImplementation = {
  pass: ['i32', 'i32', 'i64'],
  returns: 'i32',
  bind: ({ ram, kernel }) => {
    const skb = SkBuff.at(ram, 0 as RamOffset);
    const common = SockCommon.at(ram, 0 as RamOffset);
    return (ctx: number, sk: number, flags: bigint) => {
      skb.offset = offset(ctx);
      common.offset = offset(sk);
      if (common.offset === 0 || flags !== 0n) return -errno.EINVAL;
      if ((skb.bits130 & SKB_TC_AT_INGRESS) === 0) return -errno.EOPNOTSUPP;
      if (isFull(common) && (common.bits19 & SKC_REUSEPORT) !== 0) return -errno.ESOCKTNOSUPPORT;
      if (isCounted(common)) {
        if (common.skc_refcnt === 0) return -errno.ENOENT;
        common.skc_refcnt++;
      }
      // skb_orphan
      if (skb.sk !== 0) kernel.releaseSock?.(skb.sk);
      skb.sk = common.offset;
      return 0;
    };
  },
};

/** BPF_SK_LOOKUP_F_REPLACE, _NO_REUSEPORT */
const [REPLACE, NO_REUSEPORT] = [1n, 2n] as const;

/** An sk_lookup program's choice; NULL takes one back. */
function assignToLookup({ ram }: BpfRuntime): HelperFunction {
  const lookup = BpfSkLookupKern.at(ram, 0 as RamOffset);
  const sock = Sock.at(ram, 0 as RamOffset);
  const common = SockCommon.at(ram, 0 as RamOffset);
  return (ctx: number, sk: number, flags: bigint) => {
    lookup.offset = offset(ctx);
    sock.offset = common.offset = offset(sk);
    if ((flags & ~(REPLACE | NO_REUSEPORT)) !== 0n) return -errno.EINVAL;
    if (sock.offset !== 0) {
      if (isCounted(common) || common.skc_state === TCP_ESTABLISHED) return -errno.ESOCKTNOSUPPORT;
      if (sock.sk_protocol !== lookup.protocol) return -errno.EPROTOTYPE;
      const { skc_family: family, bits19 } = common;
      const onlyOwn = family === AF_INET || (bits19 & SKC_IPV6ONLY) !== 0;
      if (family !== lookup.family && onlyOwn) return -errno.EAFNOSUPPORT;
    }
    if (lookup.selected_sk !== 0 && (flags & REPLACE) === 0n) return -errno.EEXIST;
    lookup.selected_sk = sock.offset;
    lookup.no_reuseport = (flags & NO_REUSEPORT) !== 0n ? 1 : 0;
    return 0;
  };
}

/** sock_gen_cookie of a socket that is the argument itself. */
const ownCookie: HelperImplementation = {
  pass: ['i32'],
  returns: 'i64',
  bind:
    ({ kernel }) =>
    (sk: number) =>
      offset(sk) === 0 ? 0n : (kernel.sockCookie?.(offset(sk)) ?? 0n),
};

/** The first of a batch (gen_cookie_next): the first network namespace's. */
const FIRST_NETNS_COOKIE = 1n;
const netnsCookie: HelperImplementation = {
  pass: ['i32'],
  returns: 'i64',
  bind:
    ({ kernel }) =>
    () =>
      kernel.netnsCookie?.() ?? FIRST_NETNS_COOKIE,
};

export const sockImplementations: Implementations = {
  sk_fullsock: where(isFull),
  tcp_sock: where((common, sk) => isFull(common) && sk.sk_protocol === IPPROTO_TCP),
  get_listener_sock: where(
    ({ skc_state, skc_flags }) => skc_state === TCP_LISTEN && (skc_flags & SOCK_RCU_FREE) !== 0n,
  ),
  skc_to_tcp_sock: where(isInet(IPPROTO_TCP, SOCK_STREAM)),
  skc_to_tcp6_sock: where(isInet(IPPROTO_TCP, SOCK_STREAM, AF_INET6)),
  skc_to_udp6_sock: where(isInet(IPPROTO_UDP, SOCK_DGRAM, AF_INET6)),
  skc_to_unix_sock: where((common) => isFull(common) && common.skc_family === AF_UNIX),
  skc_to_tcp_timewait_sock: where(
    ({ skc_state, skc_family }) =>
      skc_state === TCP_TIME_WAIT && (skc_family === AF_INET || skc_family === AF_INET6),
  ),
  skc_to_tcp_request_sock: where(
    ({ skc_state, skc_family }) =>
      skc_state === TCP_NEW_SYN_RECV && (skc_family === AF_INET || skc_family === AF_INET6),
  ),
  sk_release: {
    pass: ['i32'],
    returns: 'i32',
    bind: ({ ram, kernel }) => {
      const common = SockCommon.at(ram, 0 as RamOffset);
      return (sk: number) => {
        common.offset = offset(sk);
        if (common.offset !== 0 && isCounted(common)) kernel.releaseSock?.(common.offset);
        return 0;
      };
    },
  },
  sk_assign: assignToPacket,
  sk_lookup_assign: { pass: ['i32', 'i32', 'i64'], returns: 'i32', bind: assignToLookup },
  get_socket_cookie_sock: ownCookie,
  get_socket_ptr_cookie: ownCookie,
  get_netns_cookie_sock: netnsCookie,
  get_netns_cookie_sock_addr: netnsCookie,
  get_netns_cookie_sock_ops: netnsCookie,
  get_netns_cookie_sockopt: netnsCookie,
  get_netns_cookie_sk_msg: netnsCookie,
};
