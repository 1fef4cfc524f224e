/**
 * The emitted Verilog does what the model says: verdicts, bytes, maps, and the clock at which each packet
 * leaves. Skipped where there is no iverilog. All workloads, and more random programs:
 *
 *   SKEP_VERILOG=all SKEP_FUZZ_RUNS=500 SKEP_FUZZ_SEED=7 npx vitest run test/pipeline
 */
import { describe, expect, it } from 'vitest';
import { WORKLOADS } from '../../scenarios/workloads/workloads.ts';
import type { OfferedPacket } from '../../scenarios/workloads/workloads.ts';
import { createPipeline } from '../../hw/fpga/pipeline/target.ts';
import { generate } from '../oracle/generate/generate.ts';
import { Random } from '../oracle/generate/random.ts';
import { packetsOf } from '../support/workloads.ts';
import { ofAssembly, ofRequest } from './programs.ts';
import {
  compiled,
  hasTool,
  modelled,
  ofWorkload,
  type Packet,
  simulated,
  type Subjects,
} from './simulate.ts';

const RUNS = Number(process.env.SKEP_FUZZ_RUNS ?? 2);
const SEED = Number(process.env.SKEP_FUZZ_SEED ?? 1);
/** Of each kind of hardware one: a counter, cut and moved packets, updates, atomics, reads. */
const FEW = ['xdp1', 'adjust_tail', 'tx_iptunnel', 'firewall', 'dnat', 'suricata'];
const chosen = WORKLOADS.filter(
  ({ name }) => process.env.SKEP_VERILOG === 'all' || FEW.includes(name),
);
const found = hasTool('iverilog');
if (!found)
  console.log('no iverilog here (Debian: apt install iverilog): Verilog is not simulated');

/** One behind the other as fast as frames come, with a gap now and then. */
function timed(packets: readonly OfferedPacket[], frameBytes: number): Packet[] {
  let next = 3;
  return packets.map((packet, i) => {
    const cycle = next;
    next += Math.max(1, Math.ceil(packet.data.length / frameBytes)) + (i % 7 === 3 ? 5 : 0);
    return { ...packet, cycle };
  });
}

function compare(of: Subjects, packets: readonly OfferedPacket[], frameBytes: 32 | 64 = 64): void {
  const offered = timed(packets, frameBytes);
  const model = modelled(of, offered, frameBytes);
  const { left, maps } = simulated(of, offered, 'iverilog', frameBytes);
  expect(left).toEqual(model.left);
  expect(maps).toEqual(model.maps);
}

const frames = (count: number, seed = 1): OfferedPacket[] => {
  const random = new Random(seed);
  return Array.from({ length: count }, () => {
    const data = Uint8Array.from({ length: random.pick([14, 20, 60, 64, 65, 128, 200]) }, () =>
      random.below(256),
    );
    return { data, port: 0 };
  });
};

describe.skipIf(!found)('in iverilog', () => {
  it.each(chosen)('$name', (each) => {
    const long = each.packets({ flows: 4, bytes: 300 });
    compare(ofWorkload(each), [...packetsOf(each), ...long, ...packetsOf(each).slice(0, 32)]);
  });

  it.each(['xdp2', 'tx_iptunnel'])('%s in frames of 32 bytes', (name) => {
    const each = WORKLOADS.find((one) => one.name === name)!;
    compare(ofWorkload(each), packetsOf(each), 32);
  });

  const COUNTER = [{ type: 'array', key_size: 4, value_size: 8, max_entries: 4 }];
  const HEAD = `
      r6 = *(u32 *)(r1 + 0)
      r7 = *(u32 *)(r1 + 4)
      r0 = 2
      r8 = r6
      r8 += 14
      if r8 > r7 goto out
      r8 = *(u64 *)(r6 + 0)
      r9 = *(u32 *)(r6 + 8)`;

  it('multiplies, divides and shifts by what packets hold', () => {
    const of = ofAssembly(`${HEAD}
      r1 = r8
      r1 *= r9
      *(u32 *)(r6 + 0) = r1
      r2 = r8
      r9 &= 0xffff
      r2 /= r9
      r1 ^= r2
      r3 = r8
      r3 %= r9
      r1 += r3
      w4 = w8
      w4 s>>= w9
      r1 ^= r4
      r5 = r8
      r5 s>>= r9
      r1 -= r5
      r2 = r8
      r2 <<= r9
      r1 ^= r2
      r2 = r8
      w2 >>= w9
      r1 += r2
      *(u32 *)(r6 + 4) = r1
      r0 = 3
      if r8 s> r1 goto out
      r0 = 2
    out: exit`);
    const zero = { data: new Uint8Array(20), port: 0 };
    compare(of, [...frames(40), zero]);
  });

  it('keeps packets apart that read what others are about to write', () => {
    const text = `${HEAD}
      r9 &= 1
      *(u32 *)(r10 - 4) = r9
      r2 = r10
      r2 += -4
      r1 = 0 ll
      call 1
      if r0 == 0 goto pass
      r1 = *(u64 *)(r0 + 0)
      r1 *= 3
      r1 += r8
      *(u64 *)(r0 + 0) = r1
      *(u32 *)(r6 + 0) = r1
    pass: r0 = 3
    out: exit`;
    const of = ofAssembly(text, COUNTER, [{ insn: 12, map: 0 }]);
    expect(compiled(of.load()).hazards.interval).toBeGreaterThan(3);
    compare(of, frames(60));
  });

  it('adds and exchanges in one element, packet after packet', () => {
    const text = `${HEAD}
      *(u32 *)(r10 - 4) = 1
      r2 = r10
      r2 += -4
      r1 = 0 ll
      call 1
      if r0 == 0 goto pass
      lock *(u64 *)(r0 + 0) += r8
    pass: r0 = 3
    out: exit`;
    const of = ofAssembly(text, COUNTER, [{ insn: 11, map: 0 }]);
    expect(compiled(of.load()).hazards.interval).toBe(1);
    compare(of, frames(60));
  });

  it('deletes and inserts with those behind flushed', () => {
    const table = [{ type: 'hash', key_size: 4, value_size: 4, max_entries: 5 }];
    const text = `${HEAD}
      r9 &= 7
      *(u32 *)(r10 - 4) = r9
      *(u32 *)(r10 - 8) = r8
      r2 = r10
      r2 += -4
      r1 = 0 ll
      call 1
      if r0 != 0 goto there
      r2 = r10
      r2 += -4
      r3 = r10
      r3 += -8
      r4 = 1
      r1 = 0 ll
      call 2
      *(u32 *)(r6 + 0) = r0
      r0 = 3
      exit
    there:
      r1 = *(u32 *)(r0 + 0)
      *(u32 *)(r6 + 4) = r1
      r2 = r10
      r2 += -4
      r1 = 0 ll
      call 3
      r0 = 3
    out: exit`;
    const fixups = [13, 22, 32].map((insn) => ({ insn, map: 0 }));
    compare(ofAssembly(text, table, fixups), frames(80));
  });

  it(`${RUNS} random programs`, { timeout: 4e6 }, () => {
    let taken = 0;
    for (let round = 0; taken < RUNS; round++) {
      for (const request of generate(200, SEED * 10_000 + round, 'structured')) {
        if (request.prog_type !== 'xdp' || taken >= RUNS) continue;
        const of = ofRequest(request);
        if (!of) continue;
        const { program } = of.load();
        const target = createPipeline();
        if (program.device.usedMaps.some(({ spec }) => target.refuseMap(spec))) continue;
        if (target.compile(program).kind === 'refused') continue;
        taken++;
        try {
          compare(of, frames(30, round));
        } catch (error) {
          console.log(JSON.stringify(request));
          throw error;
        }
      }
    }
    expect(taken).toBe(RUNS);
  });
});
