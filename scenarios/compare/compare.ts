/**
 * One program on one target: does it fit, how fast is it, where does the time go.
 *
 *   measure(load, target, packets, options): TargetRow
 *
 * Two runs on fresh maps: one with packets as fast as the wire brings them, for throughput, and one
 * at the offered rate, for latency.
 */
import type {
  Target,
  ResourceUse,
  Diagnostic,
  TimingOptions,
  TimingReport,
} from '../../hw/target.ts';
import { Datapath } from '../../hw/datapath.ts';
import type { Port } from '../../hw/packet-slot.ts';
import { XDP_ACTIONS } from '../../bpf/uapi.ts';
import type { OfferedPacket } from '../workloads/workloads.ts';
import type { Subject } from './subject.ts';

/** The wire adds preamble, check sequence and gap to a frame (IEEE 802.3). */
export const WIRE_OVERHEAD_BYTES = 24;

export interface MeasureOptions {
  /** Packets of each of the two runs. */
  readonly packets: number;
  /** Line rate in bits a second. */
  readonly bitsPerSecond: number;
  /** Offered for latency; where absent, a share of what the target can do. */
  readonly packetsPerSecond?: number;
  /** That share; 1/2 where absent. */
  readonly share?: number;
  readonly ports?: readonly Port[];
  readonly timing?: TimingOptions;
}

export interface Latency {
  readonly offeredMpps: number;
  /** Nanoseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly mean: number;
  /** Packets offered, and lost of them. */
  readonly offered: number;
  readonly lost: number;
}

export interface Performance {
  readonly mpps: number;
  /** The wire brings no more than this, so that is what was measured. */
  readonly limitedByWire: boolean;
  readonly cyclesPerPacket: number;
  readonly instructionsPerPacket: number;
  /** Cycles a packet, by part of the device. */
  readonly breakdown: Readonly<Record<string, number>>;
  /** A packet. */
  readonly counters: Readonly<Record<string, number>>;
  readonly verdicts: Readonly<Record<string, number>>;
  readonly latency: Latency;
  readonly energyNj?: { readonly value: number; readonly source: string };
}

export interface TargetRow {
  readonly target: string;
  readonly kind: string;
  readonly diagnostics: readonly Diagnostic[];
  readonly resources: readonly ResourceUse[];
  /** Absent where it does not fit. */
  readonly performance?: Performance;
}

export function measure(
  load: () => Subject,
  target: Target,
  packets: readonly OfferedPacket[],
  options: MeasureOptions,
): TargetRow {
  const row = { target: target.name, kind: target.kind };
  const subject = load();
  const refused = [...subject.maps.values()].flatMap(({ spec }) => target.refuseMap(spec) ?? []);
  const compiled = target.compile(subject.program);
  const diagnostics = compiled.kind === 'refused' ? [...refused, ...compiled.diagnostics] : refused;
  if (compiled.kind === 'refused' || diagnostics.length > 0) {
    return { ...row, diagnostics, resources: [] };
  }
  const timing: TimingOptions = { bitsPerSecond: options.bitsPerSecond, ...options.timing };
  const path = (on: Subject): Datapath => {
    const image = on === subject ? compiled : target.compile(on.program);
    if (image.kind === 'refused') throw new Error('a program was accepted once and then refused');
    const model = target.timing(image.image, on.runtime, timing);
    return new Datapath(on.runtime, on.program, model, options.ports);
  };
  const saturated = path(subject);
  const wireNs = offer(saturated, packets, options.packets, (bytes) => wireTimeNs(bytes, options));
  const spanNs = saturated.counts.lastDoneNs - saturated.counts.firstArrivalNs;
  const done = saturated.counts.offered - saturated.counts.lost;
  const mpps = (done / spanNs) * 1e3;
  const rate = (options.packetsPerSecond ?? mpps * 1e6 * (options.share ?? 1 / 2)) / 1e9;
  const paced = path(load());
  const gap = 1 / rate;
  offer(paced, packets, options.packets, (bytes) => Math.max(gap, wireTimeNs(bytes, options)));
  return {
    ...row,
    diagnostics,
    resources: compiled.image.resources,
    performance: {
      mpps,
      limitedByWire: saturated.counts.lost === 0 && spanNs < wireNs * 1.01,
      ...perPacket(saturated.timing.report(), done),
      verdicts: Object.fromEntries(
        XDP_ACTIONS.map((name, i) => [name, saturated.counts.verdicts[i]!]),
      ),
      latency: latencyOf(paced, rate * 1e3),
    },
  };
}

/** @returns when the last packet had arrived */
function offer(
  path: Datapath,
  packets: readonly OfferedPacket[],
  count: number,
  gapNs: (bytes: number) => number,
): number {
  let now = 0;
  for (let i = 0; i < count; i++) {
    const { data, port } = packets[i % packets.length]!;
    path.packet(data, now, port);
    now += gapNs(data.length);
  }
  return now;
}

const wireTimeNs = (bytes: number, { bitsPerSecond }: MeasureOptions): number =>
  ((bytes + WIRE_OVERHEAD_BYTES) * 8e9) / bitsPerSecond;

function perPacket(report: TimingReport, packets: number) {
  const share = (parts: Readonly<Record<string, number>>): Record<string, number> =>
    Object.fromEntries(Object.entries(parts).map(([name, sum]) => [name, sum / packets]));
  const { energy } = report;
  return {
    cyclesPerPacket: report.cycles / packets,
    instructionsPerPacket: report.instructions / packets,
    breakdown: share(report.breakdown),
    counters: share(report.counters),
    ...(energy && { energyNj: { value: (energy.joules * 1e9) / packets, source: energy.source } }),
  };
}

function latencyOf({ latencies, counts }: Datapath, offeredMpps: number): Latency {
  return {
    offeredMpps,
    p50: latencies.percentile(0.5),
    p99: latencies.percentile(0.99),
    p999: latencies.percentile(0.999),
    mean: latencies.mean,
    offered: counts.offered,
    lost: counts.lost,
  };
}
