import type { HelperCase } from '../helper-cases.ts';
import { IPV4_SYN, IPV6_SYN } from './packets.ts';

const IPV4 = `set -64 45000028 00014000 40060000 c0000201 c0000202`;
const IPV6 = `set -64 60000000 00180640 20010db8 00000000 00000000 00000001 20010db8 00000000 00000000 00000002`;
/** At r10 - 128; `last`: header length, flags, window; then options. */
const tcp = (last: string, options = '', sequence = '11223344', acked = '00000000') =>
  `set -128 0fa00050 ${sequence} ${acked} ${last} 00000000 ${options}`;

const SYN = '5002faf0';
/** gen's arguments; the size of the TCP header. */
const gen = (version: 4 | 6, bytes: number) => `
  r1 = r10
  r1 += -64
  r2 = r10
  r2 += -128
  r3 = ${bytes}
  call tcp_raw_gen_syncookie_ipv${version}#${version === 4 ? 204 : 205}`;
const check = (version: 4 | 6) => `
  r1 = r10
  r1 += -64
  r2 = r10
  r2 += -128
  call tcp_raw_check_syncookie_ipv${version}#${version === 4 ? 206 : 207}
  save`;
/** The segment size, since the cookie itself is a secret's. */
const mss = `
  r7 = r0
  r0 >>= 32
  save`;
/** The handshake's third packet: sequence one further, the cookie plus `off` acknowledged. */
const acknowledge = (off: number) => `
  set -128 0fa00050 11223345
  r7 += ${off}
  r7 = be32 r7
  *(u32 *)(r10 -120) = r7`;

const mssOption = (value: number) => `0204${value.toString(16).padStart(4, '0')}`;
const sizes = [100, 536, 537, 1220, 1299, 1300, 1420, 1440, 1459, 1460, 1480, 8940, 9000, 65535];

function cases(type: string, version: 4 | 6, data: string): HelperCase[] {
  const ip = version === 4 ? IPV4 : IPV6;
  const bodies = {
    'segment sizes': sizes
      .map((size) => `${tcp('6002faf0', mssOption(size))}\n${gen(version, 24)}${mss}`)
      .join('\n'),
    'no options': `${tcp(SYN)}\n${gen(version, 20)}${mss}`,
    'options before the MSS': `${tcp('8002faf0', '0101080a 00000000 00000000')}\n${gen(version, 32)}${mss}`,
    'the MSS after padding': `${tcp('7002faf0', `01010101 ${mssOption(1300)}`)}\n${gen(version, 28)}${mss}`,
    'an end before the MSS': `${tcp('7002faf0', `00000000 ${mssOption(1300)}`)}\n${gen(version, 28)}${mss}`,
    'an option too long': `${tcp('6002faf0', '02090578')}\n${gen(version, 24)}${mss}`,
    'an option too short': `${tcp('7002faf0', `08010000 ${mssOption(1300)}`)}\n${gen(version, 28)}${mss}`,
    'sizes that do not fit':
      [20, 28]
        .map((bytes) => `${tcp('6002faf0', '02040578 00000000')}\n${gen(version, bytes)}\nsave`)
        .join('\n') + `\n${tcp('4002faf0')}\n${gen(version, 16)}\nsave`,
    'a cookie comes back': `${tcp('6002faf0', mssOption(1400))}\n${gen(version, 24)}${mss}${acknowledge(1)}${check(version)}`,
    'another does not': `${tcp('6002faf0', mssOption(1400))}\n${gen(version, 24)}${mss}${acknowledge(0x2000001)}${check(version)}`,
  };
  return Object.entries(bodies).map(([name, body]) => ({
    id: `syncookie/${type}/v${version}/${name}`,
    type,
    body: `${ip}\n${body}`,
    data,
  }));
}

/** With the socket of a test run, which listens to nothing. */
const onSocket = (name: string, tcpBytes: number, ipBytes = 20): string => `
  r8 = *(u64 *)(r6 +168)
  if r8 == 0 goto none
  r1 = r8
  r2 = r10
  r2 += -64
  r3 = ${ipBytes}
  r4 = r10
  r4 += -128
  r5 = ${tcpBytes}
  call ${name}
  save
none:`;

export const syncookieCases: readonly HelperCase[] = [
  ...cases('xdp', 4, IPV4_SYN),
  ...cases('xdp', 6, IPV6_SYN),
  ...cases('sched_cls', 4, IPV4_SYN).slice(-2),
  ...['tcp_check_syncookie#100', 'tcp_gen_syncookie#110'].flatMap((name) =>
    [20, 16].map((bytes) => ({
      id: `syncookie/${name}/${bytes} bytes`,
      type: 'sched_cls',
      body: `${IPV4}\n${tcp(SYN)}\n${onSocket(name, bytes)}`,
      data: IPV4_SYN,
    })),
  ),
];
