/**
 * Published figures beside what the models say. What is measured the models know nothing of: they
 * have parameters, each with its source, and none for a workload.
 */
import { CORTEX_A53, createArm, MVNETA } from '../../hw/arm/target.ts';
import { KERNELS } from '../../hw/cpu/kernel-functions.ts';
import { createHxdp } from '../../hw/fpga/hxdp/target.ts';
import { createNpu } from '../../hw/npu/target.ts';
import { createPipeline } from '../../hw/fpga/pipeline/target.ts';
import type { Target } from '../../hw/target.ts';
import { BROADWELL, createX86, MLX5 } from '../../hw/x86/target.ts';
import { workloadNamed, type Workload } from '../workloads/workloads.ts';
import { measure } from './compare.ts';
import type { Subject } from './subject.ts';

export interface ValidationRow {
  readonly group: string;
  readonly what: string;
  readonly published: number;
  readonly simulated: number;
  readonly unit: string;
  /** simulated / published - 1 */
  readonly error: number;
  readonly source: string;
  /** What else must be known of the conditions. */
  readonly note?: string;
}

/** Loads a workload on fresh maps. */
export type LoadWorkload = (workload: Workload, mix: Mix, prepared: boolean) => Subject;
type Mix = { readonly flows: number; readonly bytes: number };

const HX = 'hXDP, OSDI’20';
const NETFPGA_BITS = 40e9;
const PACKETS = 5000;
const MIX: Mix = { flows: 64, bytes: 60 };

/** HX figures 10, 13 to 15 and section 5: 64-byte packets, millions a second. */
const HXDP_MPPS: readonly (readonly [workload: string, mpps: number, note?: string])[] = [
  ['drop', 52.23],
  ['tx', 22.4],
  ['redirect', 15],
  ['xdp1', 11.3],
  ['xdp2', 6.9],
  ['rxq_info', 11.17, 'configuration map as a board has it that nobody filled'],
  ['firewall', 6.53],
  ['lookup4', 22.41],
  ['lookup16', 22.41],
  ['csum1', 22.42],
  ['csum10', 9.81],
  ['csum40', 3.38],
];

/** HX figure 9: rows with 1, 2, 3, 4 and 8 lanes. */
const HXDP_ROWS: readonly (readonly [workload: string, rows: readonly number[]])[] = [
  ['xdp1', [48, 37, 36, 36, 36]],
  ['xdp2', [64, 46, 43, 43, 41]],
  ['rxq_info', [73, 51, 48, 46, 45]],
  ['firewall', [51, 33, 28, 27, 26]],
];
const HXDP_LANES = [1, 2, 3, 4, 8];

/** Its five programs, each at the line rate of 100 GbE and about 1 µs (abstract; 64-byte packets). */
const EHDL = 'eHDL, ASPLOS’23';
const EHDL_PROGRAMS = ['firewall', 'router_ipv4', 'tx_iptunnel', 'dnat', 'suricata'];
const EHDL_MPPS = 148;
const EHDL_LATENCY_NS = 1000;
const ALVEO_U50_BITS = 100e9;

/** The x86 server of the hXDP paper: figures 10, 13 to 15, at these clocks. */
const X86_CLOCKS_HZ = [1.2e9, 2.1e9, 3.7e9];
const X86_MPPS: readonly (readonly [workload: string, mpps: readonly number[], note?: string])[] = [
  ['drop', [34.27, 38.43, 39.32]],
  ['tx_swap', [4.9, 7.42, 12.91], 'XDP_TX with MACs swapped, as it was measured'],
  ['xdp1', [10.67, 15.94, 27.87]],
  ['xdp2', [4.52, 7.03, 12.3]],
  ['rxq_info', [11.67, 19.46, 34.02]],
  ['firewall', [2.59, 4.2, 7.38]],
  ['hit4', [9.14, 15.61, 27.1], 'a lookup that hits, dropped, as the artifacts have it'],
  ['hit16', [6.07, 10.28, 18.12], 'a lookup that hits, dropped, as the artifacts have it'],
  ['sum1', [7.71, 11.78, 20.45], 'dropped, as the artifacts have it'],
  ['sum10', [2.1, 3.38, 5.92], 'dropped, as the artifacts have it'],
  ['sum40', [0.57, 0.96, 1.72], 'dropped, as the artifacts have it'],
];

/**
 * HX figure 12: what nothing was fitted to. Read off its bars, ±0.1; the programs are Linux's samples,
 * ours do the same with keys of their own.
 */
const X86_PREDICTED: typeof X86_MPPS = [
  ['adjust_tail', [2.6, 4, 7.1]],
  ['router_ipv4', [2.8, 4.5, 8]],
  ['tx_iptunnel', [2.6, 4, 7.1]],
  ['redirect_map', [3.6, 5.5, 9.6]],
];

const XDPP = 'The eXpress Data Path, CoNEXT’18';
const CONNECTX5_BITS = 100e9;
/** Flows enough for queues to fill evenly. */
const MANY_FLOWS: Mix = { flows: 1024, bytes: 60 };
/** On 1 to 4 cores. */
const X86_CORES_MPPS: readonly (readonly [workload: string, mpps: readonly number[]])[] = [
  ['drop', [24.8, 50.2, 74.4, 86.2]],
  ['drop_read', [23.1, 46.5, 68.9, 86.2]],
  ['tx_swap', [16.9, 34.9, 51.9, 69]],
];

/** @param progress is called before each row */
export function validate(
  load: LoadWorkload,
  progress: (what: string) => void = () => {},
): ValidationRow[] {
  return [
    ...hxdpThroughput(load, progress),
    ...hxdpRows(load, progress),
    ...pipelines(load, progress),
    ...nfpThroughput(load, progress),
    ...x86Throughput('x86 at three clocks', X86_MPPS, load, progress),
    ...x86Throughput('x86 at three clocks, predicted', X86_PREDICTED, load, progress),
    ...x86Cores(load, progress),
    ...armThroughput(load, progress),
  ];
}

function hxdpThroughput(load: LoadWorkload, progress: (what: string) => void): ValidationRow[] {
  const target = createHxdp();
  return HXDP_MPPS.map(([name, published, note]) => {
    progress(`hXDP ${name}`);
    const simulated = mppsOf(load, target, name, { prepared: note === undefined });
    const row = { group: 'hXDP throughput', what: name, published, simulated, unit: 'Mpps' };
    return { ...row, error: simulated / published - 1, source: HX, ...(note && { note }) };
  });
}

const AGILIO_BITS = 40e9;
/** XDP_DROP of 64-byte packets; not from a paper that measured it alone. */
const NFP_DROP_MPPS = 32;
const NFP = 'Agilio CX, secondary source';

function nfpThroughput(load: LoadWorkload, progress: (what: string) => void): ValidationRow[] {
  progress('NFP drop');
  const conditions = { bitsPerSecond: AGILIO_BITS, packets: 20_000 };
  const simulated = mppsOf(load, createNpu(), 'drop', conditions);
  return [
    {
      group: 'NFP throughput',
      what: 'drop',
      published: NFP_DROP_MPPS,
      simulated,
      unit: 'Mpps',
      error: simulated / NFP_DROP_MPPS - 1,
      source: NFP,
      note: 'the rate of the fixed datapath, which is taken from this row',
    },
  ];
}

interface Conditions {
  readonly prepared?: boolean;
  readonly mix?: Mix;
  readonly packets?: number;
  readonly bitsPerSecond?: number;
  readonly cores?: number;
}

function mppsOf(
  load: LoadWorkload,
  target: Target,
  name: string,
  { prepared = true, mix = MIX, packets = PACKETS, ...conditions }: Conditions,
): number {
  const { bitsPerSecond = NETFPGA_BITS, cores } = conditions;
  const workload = workloadNamed(name)!;
  const row = measure(() => load(workload, mix, prepared), target, workload.packets(mix), {
    packets,
    bitsPerSecond,
    ...(workload.ports && { ports: workload.ports }),
    ...(cores !== undefined && { timing: { parallel: cores } }),
  });
  if (row.performance === undefined) throw new Error(`${name} does not fit ${target.name}`);
  return row.performance.mpps;
}

/** Rings and caches need some packets until they are as they stay. */
const X86_PACKETS = 20_000;

function x86Throughput(
  group: string,
  rows: typeof X86_MPPS,
  load: LoadWorkload,
  progress: (what: string) => void,
): ValidationRow[] {
  return rows.flatMap(([name, figures, note]) =>
    X86_CLOCKS_HZ.map((clockHz, i): ValidationRow => {
      const what = `${name} at ${clockHz / 1e9} GHz`;
      progress(`x86 ${what}`);
      const target = createX86({ clockHz, kernel: KERNELS['5.6'] });
      const simulated = mppsOf(load, target, name, { packets: X86_PACKETS });
      const published = figures[i]!;
      const row = { group, what, published, simulated, unit: 'Mpps' };
      return { ...row, error: simulated / published - 1, source: HX, ...(note && { note }) };
    }),
  );
}

function x86Cores(load: LoadWorkload, progress: (what: string) => void): ValidationRow[] {
  const target = createX86({ core: BROADWELL, nic: MLX5 });
  return X86_CORES_MPPS.flatMap(([name, figures]) =>
    figures.map((published, i): ValidationRow => {
      const cores = i + 1;
      const what = `${name}, ${cores} core${cores === 1 ? '' : 's'}`;
      progress(`x86 ${what}`);
      const simulated = mppsOf(load, target, name, {
        mix: MANY_FLOWS,
        packets: X86_PACKETS,
        bitsPerSecond: CONNECTX5_BITS,
        cores,
      });
      const row = { group: 'x86 by cores', what, published, simulated, unit: 'Mpps' };
      return { ...row, error: simulated / published - 1, source: XDPP };
    }),
  );
}

/** An Espressobin with the driver as it was in the end. */
function armThroughput(load: LoadWorkload, progress: (what: string) => void): ValidationRow[] {
  progress('Cortex-A53 drop');
  const target = createArm({ core: CORTEX_A53, nic: MVNETA });
  const simulated = mppsOf(load, target, 'drop', { bitsPerSecond: 1e9 });
  const published = 0.7;
  const error = simulated / published - 1;
  const row = { group: 'Cortex-A53', what: 'drop', published, simulated, unit: 'Mpps', error };
  return [{ ...row, source: 'xdp-project, notes on the Espressobin' }];
}

function pipelines(load: LoadWorkload, progress: (what: string) => void): ValidationRow[] {
  const target = createPipeline();
  return EHDL_PROGRAMS.flatMap((name): ValidationRow[] => {
    progress(`pipeline ${name}`);
    const workload = workloadNamed(name)!;
    const { performance } = measure(
      () => load(workload, MIX, true),
      target,
      workload.packets(MIX),
      {
        packets: PACKETS,
        bitsPerSecond: ALVEO_U50_BITS,
        ...(workload.ports && { ports: workload.ports }),
      },
    );
    if (performance === undefined) throw new Error(`${name} does not fit ${target.name}`);
    const row = (group: string, unit: string, published: number, simulated: number) => {
      return {
        group,
        what: name,
        published,
        simulated,
        unit,
        error: simulated / published - 1,
        source: EHDL,
      };
    };
    const rows = [row('pipeline throughput', 'Mpps', EHDL_MPPS, performance.mpps)];
    // Suricata's packets are dropped or go up: nothing is forwarded that a latency could be of.
    if (name === 'suricata') return rows;
    return [...rows, row('pipeline latency', 'ns', EHDL_LATENCY_NS, performance.latency.mean)];
  });
}

function hxdpRows(load: LoadWorkload, progress: (what: string) => void): ValidationRow[] {
  return HXDP_ROWS.flatMap(([name, published]) => {
    progress(`hXDP rows of ${name}`);
    return HXDP_LANES.map((lanes, i): ValidationRow => {
      const { program } = load(workloadNamed(name)!, MIX, true);
      const result = createHxdp({ lanes }).compile(program);
      if (result.kind === 'refused') throw new Error(`${name} does not fit hXDP`);
      const simulated = result.image.schedule.rows.length;
      return {
        group: 'hXDP rows',
        what: `${name}, ${lanes} lane${lanes === 1 ? '' : 's'}`,
        published: published[i]!,
        simulated,
        unit: 'rows',
        error: simulated / published[i]! - 1,
        source: HX,
      };
    });
  });
}

export interface GroupError {
  readonly group: string;
  readonly rows: number;
  readonly mean: number;
  readonly worst: number;
}

/** Mean and worst of the errors' sizes, by group. */
export function groupErrors(rows: readonly ValidationRow[]): GroupError[] {
  return [...new Set(rows.map(({ group }) => group))].map((group) => {
    const errors = rows.filter((row) => row.group === group).map(({ error }) => Math.abs(error));
    const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
    return { group, rows: errors.length, mean, worst: Math.max(...errors) };
  });
}
