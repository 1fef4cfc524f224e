/** bpf_tcp_*_syncookie and bpf_tcp_raw_*_syncookie_*: SYN cookies for programs (6.1). */
import type { Ram } from '../../kernel/ram/ram.ts';
import { errno } from '../../kernel/types/errno.ts';
import { SKC_IPV6ONLY, Sock, SockCommon, TCP_LISTEN } from '../../kernel/types/sock.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { BpfRuntime } from '../runtime.ts';
import type { HelperImplementation } from './helper.ts';
import type { Implementations } from './implement.ts';
import { offset } from './implement.ts';
import { checkCookie, makeCookie, randomSecret, type CookiePacket } from './syncookie.ts';

const AF_INET6 = 10;
const IPPROTO_TCP = 6;
const IPV4_HEADER_BYTES = 20;
const IPV6_HEADER_BYTES = 40;
const TCP_HEADER_BYTES = 20;
/** Flags of a TCP header (RFC 9293, 3.1). */
const [FIN, SYN, RST, ACK] = [0x01, 0x02, 0x04, 0x10] as const;
/** TCP options (RFC 9293, 3.2). */
const [OPTION_END, OPTION_NOP, OPTION_MSS, MSS_BYTES] = [0, 1, 2, 4] as const;
/** TCP_MSS_DEFAULT, and what fits into IPv6's smallest MTU. */
const IPV4_MSS = 536;
const IPV6_MSS = 1280 - TCP_HEADER_BYTES - IPV6_HEADER_BYTES;
/** TCP_SYNCOOKIE_PERIOD */
const COOKIE_PERIOD_NS = 60_000_000_000;

const minuteOf = ({ kernel }: BpfRuntime) => Math.floor(kernel.nowNs() / COOKIE_PERIOD_NS);
const secretOf = (runtime: BpfRuntime) =>
  (runtime.syncookieSecret ??= randomSecret(() => runtime.kernel.random32()));

function packetAt(ram: Ram, ip: RamOffset, tcp: RamOffset, isV6: boolean): CookiePacket {
  const [at, bytes] = isV6 ? [ip + 8, 16] : [ip + 12, 4];
  return {
    source: ram.u8.slice(at, at + bytes),
    destination: ram.u8.slice(at + bytes, at + 2 * bytes),
    ports: ram.u8.slice(tcp, tcp + 4),
    sequence: ram.view.getUint32(tcp + 4, false),
    acknowledged: ram.view.getUint32(tcp + 8, false),
  };
}

const tcpHeaderBytes = (ram: Ram, tcp: RamOffset) => (ram.u8[tcp + 12]! >> 4) * 4;

/** tcp_parse_mss_option: 0 where the header has none. */
function mssOption(ram: Ram, tcp: RamOffset): number {
  const end = tcp + tcpHeaderBytes(ram, tcp);
  let mss = 0;
  for (let at = tcp + TCP_HEADER_BYTES; at < end;) {
    const kind = ram.u8[at]!;
    if (kind === OPTION_END) break;
    if (kind === OPTION_NOP) {
      at++;
      continue;
    }
    const bytes = at + 1 < end ? ram.u8[at + 1]! : 0;
    if (bytes < 2 || at + bytes > end) break;
    if (kind === OPTION_MSS && bytes === MSS_BYTES) mss = ram.view.getUint16(at + 2, false);
    at += bytes;
  }
  return mss;
}

/** The cookie, and above it the segment size that it stands for. */
function generate(runtime: BpfRuntime, ip: RamOffset, tcp: RamOffset, isV6: boolean): bigint {
  const { ram } = runtime;
  const wanted = mssOption(ram, tcp) || (isV6 ? IPV6_MSS : IPV4_MSS);
  const packet = packetAt(ram, ip, tcp, isV6);
  const made = makeCookie(secretOf(runtime), packet, wanted, minuteOf(runtime));
  return (BigInt(made.mss) << 32n) | BigInt(made.cookie);
}

const isGood = (runtime: BpfRuntime, ip: RamOffset, tcp: RamOffset, isV6: boolean): boolean =>
  checkCookie(secretOf(runtime), packetAt(runtime.ram, ip, tcp, isV6), minuteOf(runtime)) > 0;

const rawGenerate = (isV6: boolean): HelperImplementation => ({
  pass: ['i32', 'i32', 'i32'],
  returns: 'i64',
  bind: (runtime) => (ip: number, tcp: number, tcpBytes: number) => {
    const size = tcpBytes >>> 0;
    const fits = size >= TCP_HEADER_BYTES && size === tcpHeaderBytes(runtime.ram, offset(tcp));
    return fits ? generate(runtime, offset(ip), offset(tcp), isV6) : BigInt(-errno.EINVAL);
  },
});

const rawCheck = (isV6: boolean): HelperImplementation => ({
  pass: ['i32', 'i32'],
  returns: 'i32',
  bind: (runtime) => (ip: number, tcp: number) =>
    isGood(runtime, offset(ip), offset(tcp), isV6) ? 0 : -errno.EACCES,
});

/** What both say of the socket: a listening one of TCP's, or none (-EINVAL). */
function isListening(ram: Ram, sk: RamOffset): boolean {
  return (
    sk !== 0 &&
    Sock.at(ram, sk).sk_protocol === IPPROTO_TCP &&
    SockCommon.at(ram, sk).skc_state === TCP_LISTEN
  );
}

/** Whether the IP header is one of the socket's family: its version, or a negative errno. */
function versionFor(ram: Ram, sk: RamOffset, ip: RamOffset, bytes: number): number {
  if (bytes < IPV4_HEADER_BYTES) return -errno.EINVAL;
  const { skc_family: family, bits19 } = SockCommon.at(ram, sk);
  const version = ram.u8[ip]! >> 4;
  if (version === 4) {
    const onlyV6 = family === AF_INET6 && (bits19 & SKC_IPV6ONLY) !== 0;
    return onlyV6 ? -errno.EINVAL : 4;
  }
  if (version !== 6) return -errno.EPROTONOSUPPORT;
  return bytes < IPV6_HEADER_BYTES || family !== AF_INET6 ? -errno.EINVAL : 6;
}

const SOCKET_ARGS = ['i32', 'i32', 'i32', 'i32', 'i32'] as const;

/** Cookies count only while the listener's queue has been full of late, which is so of none. */
const checkOnSocket: HelperImplementation = {
  pass: SOCKET_ARGS,
  returns: 'i32',
  bind:
    ({ ram }) =>
    (sk: number, ip: number, ipBytes: number, tcp: number, tcpBytes: number) => {
      if (tcpBytes >>> 0 < TCP_HEADER_BYTES) return -errno.EINVAL;
      if (!isListening(ram, offset(sk))) return -errno.EINVAL;
      const flags = ram.u8[offset(tcp) + 13]!;
      if ((flags & (ACK | RST | SYN)) !== ACK) return -errno.ENOENT;
      return ipBytes >>> 0 < IPV4_HEADER_BYTES ? -errno.EINVAL : -errno.ENOENT;
    },
};

const generateOnSocket: HelperImplementation = {
  pass: SOCKET_ARGS,
  returns: 'i64',
  bind: (runtime) => {
    const { ram } = runtime;
    return (sk: number, ip: number, ipBytes: number, tcp: number, tcpBytes: number) => {
      const size = tcpBytes >>> 0;
      const header = offset(tcp);
      const fits = size >= TCP_HEADER_BYTES && size === tcpHeaderBytes(ram, header);
      if (!fits || !isListening(ram, offset(sk))) return BigInt(-errno.EINVAL);
      const flags = ram.u8[header + 13]!;
      if ((flags & (SYN | ACK | FIN | RST)) !== SYN) return BigInt(-errno.EINVAL);
      const version = versionFor(ram, offset(sk), offset(ip), ipBytes >>> 0);
      if (version < 0) return BigInt(version);
      return generate(runtime, offset(ip), header, version === 6);
    };
  },
};

export const syncookieImplementations: Implementations = {
  tcp_raw_gen_syncookie_ipv4: rawGenerate(false),
  tcp_raw_gen_syncookie_ipv6: rawGenerate(true),
  tcp_raw_check_syncookie_ipv4: rawCheck(false),
  tcp_raw_check_syncookie_ipv6: rawCheck(true),
  tcp_check_syncookie: checkOnSocket,
  tcp_gen_syncookie: generateOnSocket,
};
