import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { readCapture } from '../../hw/nic/pcap.ts';
import { errno } from '../../kernel/types/errno.ts';
import { NetDeviceStruct } from '../../kernel/types/net-device.ts';
import { SkBuff } from '../../kernel/types/skbuff.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { bareMachine, type BareMachine } from '../../test/support/assets.ts';
import { runClassic } from '../../test/support/classic-machine.ts';
import { createInterpreter } from '../interp/interp.ts';
import { createWasmJit } from '../jit/jit.ts';
import { SKF_AD_OFF } from '../packet-load.ts';
import { checkClassic, checkSeccomp } from './check.ts';
import {
  CLASSIC_ROWS,
  classicRow,
  decodeClassic,
  encodeClassic,
  type ClassicInsn,
} from './insn.ts';
import { translateClassic, type ClassicContext } from './translate.ts';

const here = (file: string): URL => new URL(file, import.meta.url);
const engines = [createInterpreter(), createWasmJit()];
const op = (code: number, k = 0, jt = 0, jf = 0): ClassicInsn => ({ code, jt, jf, k: k >>> 0 });
const [LD, LDH, LDB, LDX_IMM, LD_IMM, TAX, RET_A, RET_K] = [
  0x20, 0x28, 0x30, 0x01, 0x00, 0x07, 0x16, 0x06,
] as const;

let machine: BareMachine;
beforeAll(async () => {
  machine = await bareMachine({ ramMiB: 4 });
});

function makeSkb(packet: Uint8Array): RamOffset {
  const { ram } = machine;
  const skb = SkBuff.alloc(ram);
  skb.head = ram.kzalloc(packet.length + 64);
  skb.data = (skb.head + 32) as RamOffset;
  ram.u8.set(packet, skb.data);
  skb.len = packet.length;
  skb.tail = 32 + packet.length;
  skb.mac_header = 32;
  skb.network_header = 32 + 14;
  return skb.offset;
}

function freeSkb(offset: RamOffset): void {
  const skb = SkBuff.at(machine.ram, offset);
  machine.ram.kfree(skb.head);
  machine.ram.kfree(offset);
}

/** What both engines say of the translated filter. */
function run(filter: readonly ClassicInsn[], ctx: RamOffset, context: ClassicContext): number[] {
  const program = translateClassic(filter, context);
  return engines.map((engine) => {
    const executable = engine.compile(program, machine.runtime);
    const result = executable.run(ctx);
    executable.free();
    return result;
  });
}

it('encodes and decodes struct sock_filter', () => {
  const filter = [op(LDH, 12), op(0x15, 0xdead_beef, 1, 255), op(RET_K, 0x40000)];
  expect(decodeClassic(encodeClassic(filter))).toEqual(filter);
});

describe('filters that tcpdump compiles', () => {
  interface Fixture {
    readonly filter: string;
    readonly code: readonly (readonly [number, number, number, number])[];
    readonly matches: readonly number[];
  }
  // Made by tcpdump 4.99.3 with libpcap 1.10.3: `tcpdump -ddd -y EN10MB FILTER`, and the numbers of
  // the packets that `tcpdump -r traffic.pcap FILTER` lets through.
  const fixtures = JSON.parse(readFileSync(here('tcpdump-filters.json'), 'utf8')) as Fixture[];
  const traffic = new URL('../../scenarios/first-light/traffic.pcap', import.meta.url);
  const { frames } = readCapture(readFileSync(traffic), 'traffic.pcap');

  it.each(fixtures)('$filter', ({ code, matches }) => {
    const filter = code.map(([c, jt, jf, k]) => op(c, k, jt, jf));
    expect(checkClassic(filter)).toBe(0);
    const program = translateClassic(filter, 'packet');
    for (const engine of engines) {
      const executable = engine.compile(program, machine.runtime);
      const passed = frames.flatMap(({ data }, number) => {
        const skb = makeSkb(data);
        const verdict = executable.run(skb);
        freeSkb(skb);
        return verdict > 0 ? [number] : [];
      });
      expect(passed).toEqual(matches);
      executable.free();
    }
  });
});

/** A valid filter from random numbers: operands are bent to what checkClassic wants. */
const filters = fc
  .array(
    fc.record({
      row: fc.constantFrom(...CLASSIC_ROWS),
      k: fc.oneof(
        fc.nat(40),
        fc.constantFrom(0, 1, 31, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff),
        fc.nat(0xffff_ffff),
      ),
      jt: fc.nat(5),
      jf: fc.nat(5),
    }),
    { minLength: 1, maxLength: 40, size: 'max' },
  )
  .map((raw): ClassicInsn[] => {
    // All of M is stored first, so that every load is of a stored word.
    const stores = Array.from({ length: 16 }, (_, k) => op(0x02, k));
    const body = raw.map(({ row, k, jt, jf }, i) => {
      const left = raw.length - i - 1;
      switch (row.kind) {
        case 'memory':
        case 'store':
          return op(row.code, k % 16);
        case 'goto':
          return op(row.code, Math.min(k % 6, left));
        case 'branch':
          return op(row.code, k, Math.min(jt, left), Math.min(jf, left));
        case 'load':
        case 'header-length':
          // Mostly inside the packet; no extensions and headers.
          return op(row.code, k < 0x8000_0000 ? k : k % 40);
        case 'alu':
          if (row.operation === 'lsh' || row.operation === 'rsh') {
            return row.source === 'k' ? op(row.code, k % 32) : op(LDX_IMM, k % 32);
          }
          return op(row.code, row.operation === 'div' || row.operation === 'mod' ? k || 1 : k);
        default:
          return op(row.code, k);
      }
    });
    return [op(LD_IMM, 0x12345678), op(TAX), ...stores, ...body, op(RET_A)];
  });

it('translated filters return what classic BPF returns', () => {
  const packets = fc.uint8Array({ minLength: 0, maxLength: 60, size: 'max' });
  const property = fc.property(filters, packets, (filter, packet) => {
    expect(checkClassic(filter)).toBe(0);
    const skb = makeSkb(packet);
    const expected = runClassic(filter, packet);
    expect(run(filter, skb, 'packet')).toEqual([expected, expected]);
    freeSkb(skb);
  });
  fc.assert(property, { seed: 1, numRuns: 1000 });
});

describe('extensions', () => {
  const extension = (n: number, setup: readonly ClassicInsn[] = []): ClassicInsn[] => [
    ...setup,
    op(LD, SKF_AD_OFF + n),
    op(RET_A),
  ];
  const value = (n: number, skb: RamOffset, setup?: readonly ClassicInsn[]): number => {
    const filter = extension(n, setup);
    expect(checkClassic(filter)).toBe(0);
    const [interpreted, compiled] = run(filter, skb, 'packet');
    expect(compiled).toBe(interpreted);
    return interpreted!;
  };

  it('give members of the sk_buff and its device', () => {
    const { ram, kernel } = machine;
    const offset = makeSkb(new Uint8Array(64));
    const skb = SkBuff.at(ram, offset);
    const device = NetDeviceStruct.alloc(ram);
    device.ifindex = 7;
    device.type = 1;
    skb.dev = device.offset;
    skb.protocol = 0x0008;
    skb.bits128 = 0xf8 | 3;
    skb.mark = 0xdead_beef;
    skb.queue_mapping = 5;
    skb.hash = 0x8000_0001;
    skb.vlan_tci = 0x2064;
    skb.vlan_proto = 0x0081;
    skb.bits130 = 0xff;
    kernel.setCpu(1);
    const values = [0, 4, 8, 20, 24, 28, 32, 36, 44, 48, 60].map((n) => value(n, offset));
    kernel.setCpu(0);
    expect(values).toEqual([
      0x0800, 3, 7, 0xdead_beef, 5, 1, 0x8000_0001, 1, 0x2064, 1, 0x8100,
    ]); // prettier-ignore
    skb.dev = 0 as RamOffset;
    expect(value(8, offset, [op(LD_IMM, 55)])).toBe(55);
    expect(value(40, offset, [op(LD_IMM, 0xf0), op(LDX_IMM, 0xff)])).toBe(0x0f);
  });

  it('find the payload behind IPv4, IPv6, VLAN tags and TCP options', () => {
    const payload = (protocol: number, bytes: Record<number, number>): number => {
      const packet = new Uint8Array(120);
      for (const [at, byte] of Object.entries(bytes)) packet[Number(at)] = byte;
      const offset = makeSkb(packet);
      SkBuff.at(machine.ram, offset).protocol = ((protocol & 0xff) << 8) | (protocol >> 8);
      const result = value(52, offset);
      freeSkb(offset);
      return result;
    };
    const ipv4 = { 14: 0x46, 23: 6 };
    expect(payload(0x0800, { ...ipv4, [14 + 24 + 12]: 0x80 })).toBe(14 + 24 + 32);
    expect(payload(0x0800, { ...ipv4, 23: 17 })).toBe(14 + 24 + 8);
    expect(payload(0x0800, { ...ipv4, 21: 1 })).toBe(14 + 24);
    expect(payload(0x86dd, { 14: 0x60, 20: 58 })).toBe(14 + 40 + 8);
    expect(payload(0x86dd, { 14: 0x60, 20: 0, 54: 17, 55: 1 })).toBe(14 + 40 + 16 + 8);
    expect(payload(0x8100, { 16: 0x08, 17: 0, 18: 0x45, 27: 17 })).toBe(14 + 4 + 20 + 8);
    expect(payload(0x0806, {})).toBe(0);
  });

  it('find netlink attributes, nested ones too', () => {
    // type 1, 6 bytes (padded to 8); type 2, 12 bytes, which holds type 3 of 8 bytes.
    const packet = [6, 0, 1, 0, 9, 9, 0, 0, 12, 0, 2, 0, 8, 0, 3, 0, 4, 4, 4, 4];
    const offset = makeSkb(Uint8Array.from(packet));
    const find = (n: number, from: number, type: number): number =>
      value(n, offset, [op(LD_IMM, from), op(LDX_IMM, type)]);
    expect([find(12, 0, 1), find(12, 8, 2), find(12, 0, 2), find(12, 0, 3)]).toEqual([0, 8, 8, 0]);
    expect([find(16, 8, 3), find(16, 8, 1), find(16, 200, 1)]).toEqual([12, 0, 0]);
  });

  it('that Linux does not know are refused', () => {
    expect(checkClassic([op(LD, SKF_AD_OFF + 64), op(RET_A)])).toBe(-errno.EINVAL);
    expect(checkClassic([op(LDB, SKF_AD_OFF + 1), op(RET_A)])).toBe(-errno.EINVAL);
  });
});

describe('checks', () => {
  const ret = op(RET_K, 1);
  it.each<[string, ClassicInsn[]]>([
    ['an empty filter', []],
    ['too long a filter', Array.from({ length: 4097 }, () => ret)],
    ['no return at the end', [ret, op(LD_IMM)]],
    ['an unknown opcode', [op(0xff), ret]],
    ['RET X, which is none of Linux’s', [op(0x0e)]],
    ['division by 0', [op(0x34, 0), ret]],
    ['modulo 0', [op(0x94, 0), ret]],
    ['a shift by 32', [op(0x64, 32), ret]],
    ['M[16]', [op(0x02, 16), ret]],
    ['a goto past the end', [op(0x05, 1), ret]],
    ['a goto that wraps', [op(0x05, 0xffff_ffff), ret]],
    ['a branch past the end', [op(0x15, 0, 1, 0), ret]],
    ['M[] loaded before it is stored', [op(0x60, 3), ret]],
    ['M[] stored on one way only', [op(0x15, 0, 0, 1), op(0x02, 3), op(0x60, 3), ret]],
  ])('refuse %s', (_, filter) => {
    expect(checkClassic(filter)).toBe(-errno.EINVAL);
  });

  it('accept M[] that is stored on both ways', () => {
    const both = [op(0x15, 0, 0, 2), op(0x02, 3), op(0x05, 1), op(0x03, 3), op(0x60, 3), ret];
    expect(checkClassic(both)).toBe(0);
  });
});

describe('seccomp', () => {
  it('filters see struct seccomp_data', () => {
    const data = machine.ram.kzalloc(64);
    machine.ram.view.setUint32(data, 257, true);
    machine.ram.view.setUint32(data + 4, 0xc000_003e, true);
    // The usual prologue: the architecture, then the number of the system call.
    const filter = [
      op(LD, 4),
      op(0x15, 0xc000_003e, 1, 0),
      op(RET_K, 0),
      op(LD, 0),
      op(0x15, 257, 0, 1),
      op(RET_K, 0x0005_0001),
      op(RET_K, 0x7fff_0000),
    ];
    expect(checkSeccomp(filter)).toBe(0);
    expect(run(filter, data, 'seccomp')).toEqual([0x0005_0001, 0x0005_0001]);
    machine.ram.view.setUint32(data, 1, true);
    expect(run(filter, data, 'seccomp')).toEqual([0x7fff_0000, 0x7fff_0000]);
    machine.ram.view.setUint32(data + 4, 3, true);
    expect(run(filter, data, 'seccomp')).toEqual([0, 0]);
    expect(run([op(0x80), op(RET_A)], data, 'seccomp')).toEqual([64, 64]);
  });

  it.each<[string, ClassicInsn]>([
    ['unaligned loads', op(LD, 2)],
    ['loads past the end', op(LD, 64)],
    ['smaller loads', op(LDH, 0)],
    ['indirect loads', op(0x40, 0)],
    ['extensions', op(LD, SKF_AD_OFF)],
    ['header lengths', op(0xb1, 0)],
    ['modulo', op(0x94, 3)],
  ])('refuses %s', (_, insn) => {
    expect(classicRow(insn.code)).toBeDefined();
    expect(checkSeccomp([insn, op(RET_A)])).toBe(-errno.EINVAL);
  });
});
