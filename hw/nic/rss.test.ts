/** Microsoft's verification vectors, and what is hashed of which packet. */
import { describe, expect, it } from 'vitest';
import { Rss } from './rss.ts';

const IPV4 = [
  ['66.9.149.187', 2794, '161.142.100.80', 1766, 0x323e8fc2, 0x51ccc178],
  ['199.92.111.2', 14230, '65.69.140.83', 4739, 0xd718262a, 0xc626b0ea],
  ['24.19.198.95', 12898, '12.22.207.184', 38024, 0xd2d0a5de, 0x5c2b394a],
  ['38.27.205.30', 48228, '209.142.163.6', 2217, 0x82989176, 0xafc7327f],
  ['153.39.163.191', 44251, '202.188.127.2', 1303, 0x5d1809c5, 0x10e828a2],
] as const;
const IPV6 = [
  ['3ffe:2501:200:1fff::7', 2794, '3ffe:2501:200:3::1', 1766, 0x2cc18cd5, 0x40207d3d],
  ['3ffe:501:8::260:97ff:fe40:efab', 14230, 'ff02::1', 4739, 0x0f0c461c, 0xdde51bbf],
] as const;

const ipv6 = (text: string): number[] => {
  const [head = '', tail = ''] = text.split('::');
  const words = (part: string) => (part ? part.split(':').map((word) => parseInt(word, 16)) : []);
  const front = words(head);
  const back = words(tail);
  const all = [...front, ...Array<number>(8 - front.length - back.length).fill(0), ...back];
  return all.flatMap((word) => [word >> 8, word & 255]);
};
const port = (value: number) => [value >> 8, value & 255];
const MACS = Array<number>(12).fill(2);

function ipv4Frame(
  [source, from, destination, to]: readonly [string, number, string, number, ...unknown[]],
  { protocol = 6, tag = [] as number[], fragment = 0, options = 0 } = {},
): Uint8Array {
  const address = (text: string) => text.split('.').map(Number);
  return Uint8Array.from([
    ...MACS,
    ...tag,
    8,
    0,
    ...[0x45 + options, 0, 0, 40, 0, 0, ...port(fragment), 64, protocol, 0, 0],
    ...address(source),
    ...address(destination),
    ...Array<number>(options * 4).fill(1),
    ...[...port(from), ...port(to)],
    ...Array<number>(16).fill(0),
  ]);
}

function ipv6Frame(
  [source, from, destination, to]: readonly [string, number, string, number, ...unknown[]],
  next = 6,
): Uint8Array {
  const ports = [...port(from), ...port(to)];
  const addresses = [...ipv6(source), ...ipv6(destination)];
  const header = [0x60, 0, 0, 0, 0, 20, next, 64];
  return Uint8Array.from([...MACS, 0x86, 0xdd, ...header, ...addresses, ...ports, 0, 0]);
}

const hash = (frame: Uint8Array) => new Rss().hash(frame, 0, frame.length);

describe('receive-side scaling', () => {
  it.each(IPV4)('%s:%i to %s:%i', (...row) => {
    expect(hash(ipv4Frame(row))).toBe(row[5]);
    expect(hash(ipv4Frame(row, { protocol: 17 }))).toBe(row[5]);
    expect(hash(ipv4Frame(row, { tag: [0x81, 0, 0, 10] }))).toBe(row[5]);
    expect(hash(ipv4Frame(row, { options: 2 }))).toBe(row[5]);
    expect(hash(ipv4Frame(row, { protocol: 1 }))).toBe(row[4]);
    expect(hash(ipv4Frame(row, { fragment: 0x2000 }))).toBe(row[4]);
    expect(hash(ipv4Frame(row, { fragment: 185 }))).toBe(row[4]);
  });

  it.each(IPV6)('%s:%i to %s:%i', (...row) => {
    expect(hash(ipv6Frame(row))).toBe(row[5]);
    expect(hash(ipv6Frame(row, 58))).toBe(row[4]);
  });

  it('leaves what is no IP, or cut short, at hash 0', () => {
    const frame = ipv4Frame(IPV4[0]);
    const arp = frame.slice();
    arp[13] = 6;
    expect(hash(arp)).toBe(0);
    expect(hash(frame.subarray(0, 33))).toBe(0);
    // Addresses, but no room for the ports.
    expect(hash(frame.subarray(0, 36))).toBe(IPV4[0][4]);
  });

  it('spreads over the queues by the low bits, and takes another key', () => {
    const rss = new Rss();
    rss.spread(3);
    expect(rss.queueOf(0x51ccc178)).toBe((0x78 & 127) % 3);
    rss.key = new Uint8Array(40).fill(0x6d);
    const frame = ipv4Frame(IPV4[0]);
    expect(rss.hash(frame, 0, frame.length)).not.toBe(IPV4[0][5]);
    expect(() => (rss.key = new Uint8Array(39))).toThrow(RangeError);
  });
});
