/**
 * Published figures beside what the models say. What is measured the models know nothing of: they
 * have parameters, each with its source, and none for a workload.
 */
import { createHxdp } from '../../hw/fpga/hxdp/target.ts';
import type { Target } from '../../hw/target.ts';
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

/** @param progress is called before each row */
export function validate(
  load: LoadWorkload,
  progress: (what: string) => void = () => {},
): ValidationRow[] {
  return [...hxdpThroughput(load, progress), ...hxdpRows(load, progress)];
}

function hxdpThroughput(load: LoadWorkload, progress: (what: string) => void): ValidationRow[] {
  const target = createHxdp();
  return HXDP_MPPS.map(([name, published, note]) => {
    progress(`hXDP ${name}`);
    const simulated = mppsOf(load, target, name, note === undefined);
    const row = { group: 'hXDP throughput', what: name, published, simulated, unit: 'Mpps' };
    return { ...row, error: simulated / published - 1, source: HX, ...(note && { note }) };
  });
}

function mppsOf(load: LoadWorkload, target: Target, name: string, prepared: boolean): number {
  const workload = workloadNamed(name)!;
  const row = measure(() => load(workload, MIX, prepared), target, workload.packets(MIX), {
    packets: PACKETS,
    bitsPerSecond: NETFPGA_BITS,
    ...(workload.ports && { ports: workload.ports }),
  });
  if (row.performance === undefined) throw new Error(`${name} does not fit ${target.name}`);
  return row.performance.mpps;
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
