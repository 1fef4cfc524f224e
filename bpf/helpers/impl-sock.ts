/**
 * Helpers that look at a socket which the program already has. Looking sockets up finds nothing as
 * long as the kernel has none (table.ts).
 */
import {
  InetSock,
  Sock,
  SockCommon,
  TCP_LISTEN,
  TCP_NEW_SYN_RECV,
  TCP_TIME_WAIT,
  type SockCommonView,
  type SockView,
} from '../../kernel/types/sock.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { HelperFunction, HelperImplementation } from './helper.ts';
import { offset, type Implementations } from './implement.ts';

/** UAPI linux/in.h, linux/socket.h, linux/net.h. */
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const AF_UNIX = 1;
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
};
