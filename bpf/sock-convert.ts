/**
 * Sockets as programs see them (bpf_sock, bpf_tcp_sock, bpf_xdp_sock) on the kernel's: which
 * instructions stand for a load of a member. What may be loaded is verifier/sockets.ts.
 *
 *   SOCKET_CONVERSIONS.sock(request)      request.off is an offset in struct bpf_sock
 */
import {
  InetConnectionSock,
  MinmaxSample,
  NO_QUEUE_MAPPING,
  Sock,
  SockCommon,
  TcpSock,
  XdpSock,
} from '../kernel/types/sock.ts';
import { insn } from './asm/build.ts';
import { at, direct, load, place, type Convert } from './ctx-convert.ts';
import { ctxMemberAt } from './ctx-fields.ts';
import type { CtxConversion, CtxRequest } from './prog-type.ts';
import { UapiSock, UapiTcpSock } from './uapi-ctx.ts';
import type { RegKind } from './verifier/reg.ts';

/** One word of an IPv6 address. */
const ip6 =
  (member: 'src_ip6' | 'dst_ip6', address: 'skc_v6_rcv_saddr' | 'skc_v6_daddr'): Convert =>
  (request) => {
    const word = request.off - UapiSock.offsets[member];
    return at(SockCommon.offsets[address] + word, 4)(request);
  };

/** -1 where no packet has come through a queue yet. */
const rxQueue: Convert = ({ dst, src }) => {
  const { off, bytes } = place(SockCommon, 'skc_rx_queue_mapping');
  const insns = [
    load(bytes, dst, src, off),
    insn('jne64_imm', { dst, imm: NO_QUEUE_MAPPING, off: 1 }),
    insn('mov32_imm', { dst, imm: -1 }),
  ];
  return { insns, targetBytes: bytes };
};

const sockMembers: Readonly<Record<keyof typeof UapiSock.members, Convert>> = {
  bound_dev_if: direct(SockCommon, 'skc_bound_dev_if'),
  family: direct(SockCommon, 'skc_family'),
  type: direct(Sock, 'sk_type'),
  protocol: direct(Sock, 'sk_protocol'),
  mark: direct(Sock, 'sk_mark'),
  priority: direct(Sock, 'sk_priority'),
  src_ip4: direct(SockCommon, 'skc_rcv_saddr'),
  src_ip6: ip6('src_ip6', 'skc_v6_rcv_saddr'),
  src_port: direct(SockCommon, 'skc_num'),
  dst_port: direct(SockCommon, 'skc_dport'),
  dst_ip4: direct(SockCommon, 'skc_daddr'),
  dst_ip6: ip6('dst_ip6', 'skc_v6_daddr'),
  state: direct(SockCommon, 'skc_state'),
  rx_queue_mapping: rxQueue,
};

/** Also the context of cgroup_sock programs, which may store some members. */
export const convertSock: Convert = (request) =>
  sockMembers[ctxMemberAt(UapiSock, request.off)](request);

const convertTcpSock: Convert = (request) => {
  const member = ctxMemberAt(UapiTcpSock, request.off);
  switch (member) {
    case 'rtt_min':
      return at(TcpSock.offsets.rtt_min + MinmaxSample.offsets.v, 4)(request);
    case 'icsk_retransmits':
      return direct(InetConnectionSock, 'icsk_retransmits')(request);
    default:
      return direct(TcpSock, member)(request);
  }
};

/** `queue_id` is all there is. */
const convertXdpSock: Convert = (request) => direct(XdpSock, 'queue_id')(request);

export const SOCKET_CONVERSIONS: {
  readonly [K in RegKind]?: (request: CtxRequest) => CtxConversion;
} = {
  sock: convertSock,
  sock_common: convertSock,
  tcp_sock: convertTcpSock,
  xdp_sock: convertXdpSock,
};
