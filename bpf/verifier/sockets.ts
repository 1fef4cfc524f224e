/**
 * What programs may read through the socket pointers that context fields and helpers give them
 * (struct bpf_sock, bpf_tcp_sock, bpf_xdp_sock). The same for all program types; read-only.
 */
import { ctxAccess, hidden, narrow, narrowAtStart, whole } from '../ctx-fields.ts';
import type { CtxAccess, ProgContext } from '../prog-type.ts';
import { UapiSock, UapiTcpSock, UapiXdpSock } from '../uapi-ctx.ts';
import type { RegKind } from './reg.ts';

/** 2 bytes, of which a 4-byte load is allowed as it was 4 bytes once. */
const dstPort = {
  custom: (_off: number, bytes: number): CtxAccess | undefined =>
    bytes <= 4 ? { kind: 'scalar', fieldBytes: bytes === 4 ? 4 : 2 } : undefined,
};

export const SOCK_RULES = {
  family: narrowAtStart,
  type: narrowAtStart,
  protocol: narrowAtStart,
  src_ip4: narrow(),
  src_ip6: narrow(),
  src_port: narrowAtStart,
  dst_port: dstPort,
  dst_ip4: narrow(),
  dst_ip6: narrow(),
  state: narrowAtStart,
  rx_queue_mapping: narrowAtStart,
};

const fullSock = ctxAccess(UapiSock, SOCK_RULES, { otherwise: whole });
const sockCommon = ctxAccess(
  UapiSock,
  { ...SOCK_RULES, type: hidden, protocol: hidden, mark: hidden, priority: hidden },
  { otherwise: whole },
);
const tcpSock = ctxAccess(UapiTcpSock, {}, { otherwise: whole });
const xdpSock = ctxAccess(UapiXdpSock, {}, { otherwise: whole });

const anyone: ProgContext = {
  type: 'unspec',
  expectedAttachType: 'cgroup_inet_ingress',
  bpfCapable: true,
  seesTstampType: false,
};

type Load = (off: number, bytes: number) => CtxAccess | undefined;
const loadOf =
  (access: ReturnType<typeof ctxAccess>): Load =>
  (off, bytes) =>
    access(off, bytes, false, anyone);

export const SOCKET_STRUCTS: Partial<Record<RegKind, Load>> = {
  sock: loadOf(fullSock),
  sock_common: loadOf(sockCommon),
  tcp_sock: loadOf(tcpSock),
  xdp_sock: loadOf(xdpSock),
};
