/**
 * The workloads do with their packets what they are there for; interpreter and traced JIT agree.
 * Expected verdicts are counted by hand from the packets and map contents of workloads.ts.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../bpf/engine.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { createWasmJit } from '../../bpf/jit/jit.ts';
import { XDP_ACTIONS } from '../../bpf/uapi.ts';
import { PacketSlot } from '../../hw/packet-slot.ts';
import { loadSubject, type Subject } from '../../scenarios/compare/subject.ts';
import { WORKLOADS, type Workload } from '../../scenarios/workloads/workloads.ts';
import { coreModule } from '../support/assets.ts';

const assets = { core: await coreModule() };
const MIX = { flows: 64, bytes: 60 };

function load({ name, prepare }: Workload): Subject {
  const file = `${name}.bpf.o`;
  const path = join(import.meta.dirname, '../../scenarios/workloads', file);
  const subject = loadSubject(assets, readFileSync(path), file);
  prepare?.(subject.put, MIX);
  return subject;
}

interface Outcome {
  readonly verdict: string;
  readonly bytes: Uint8Array;
}

function runAll(workload: Workload, engine: Engine): [Outcome[], Subject] {
  const subject = load(workload);
  const executable = engine.compile(subject.program.host, subject.runtime);
  const slot = new PacketSlot(subject.runtime.ram, workload.ports);
  const outcomes = workload.packets(MIX).map(({ data, port }) => {
    slot.place(data, port);
    const verdict = XDP_ACTIONS[executable.run(slot.xdp.offset)]!;
    return { verdict, bytes: slot.bytes().slice() };
  });
  return [outcomes, subject];
}

const VERDICTS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  drop: { drop: 64 },
  drop_read: { drop: 64 },
  tx: { tx: 64 },
  redirect: { redirect: 64 },
  xdp1: { drop: 64 },
  xdp2: { tx: 64 },
  adjust_tail: { tx: 64 },
  router_ipv4: { redirect: 64 },
  rxq_info: { drop: 64 },
  tx_iptunnel: { tx: 64 },
  redirect_map: { redirect: 64 },
  firewall: { redirect: 64 },
  balancer: { tx: 64 },
  dnat: { tx: 64 },
  // Every other address is on the list.
  l2_acl: { drop: 32, pass: 32 },
  suricata: { drop: 32, pass: 32 },
  lookup4: { tx: 64 },
  lookup16: { tx: 64 },
  csum1: { tx: 64 },
  csum10: { tx: 64 },
  csum40: { tx: 64 },
};

describe.each(WORKLOADS)('$name', (workload) => {
  const [interpreted, before] = runAll(workload, createInterpreter());

  it('gives the verdicts that its packets and maps ask for', () => {
    const counts: Record<string, number> = {};
    for (const { verdict } of interpreted) counts[verdict] = (counts[verdict] ?? 0) + 1;
    expect(counts).toEqual(VERDICTS[workload.name]);
  });

  it('leaves IPv4 headers whose checksums are right', () => {
    for (const { bytes } of interpreted) {
      if (bytes[12] !== 8 || bytes[13] !== 0) continue;
      expect(onesSum(bytes, 14, 20), hex(bytes)).toBe(0xffff);
    }
  });

  it('does the same in the traced JIT', () => {
    const [traced, after] = runAll(workload, createWasmJit({ trace: { accesses: true } }));
    expect(traced).toEqual(interpreted);
    expect(after.contents()).toEqual(before.contents());
  });
});

it('translated addresses leave TCP and UDP checksums right', () => {
  const [outcomes] = runAll(
    WORKLOADS.find(({ name }) => name === 'dnat')!,
    createInterpreter(),
  );
  for (const { bytes } of outcomes) {
    const segmentBytes = bytes.length - 34;
    const pseudo = onesSum(bytes, 26, 8) + 17 + segmentBytes;
    expect(fold(pseudo + onesSum(bytes, 34, segmentBytes))).toBe(0xffff);
  }
});

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function fold(sum: number): number {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

function onesSum(bytes: Uint8Array, at: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += bytes[at + i]! << (i % 2 === 0 ? 8 : 0);
  return fold(sum);
}
