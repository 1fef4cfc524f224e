/**
 * Curves: one thing is varied, the rest of a comparison stays.
 *
 *   parseSweep('size')              the usual values
 *   parseSweep('flows=1,64,4096')   or these
 */
import type { CompareTarget } from './targets.ts';
import type { TargetRow } from './compare.ts';
import { SubjectError } from './subject.ts';

export interface Axis {
  readonly name: AxisName;
  readonly label: string;
  readonly values: readonly number[];
  readonly least: number;
  readonly most: number;
  /** Curves look straight on a logarithmic scale. */
  readonly logarithmic: boolean;
}

/** What a point's `mpps` is: throughput, except over the offered rate, where latency is asked. */
export interface SweepPoint {
  readonly x: number;
  readonly mpps: number;
  readonly p50: number;
  readonly p99: number;
  /** Of the packets offered for latency, 0 to 1. */
  readonly lost: number;
}

export interface Sweep {
  readonly axis: AxisName;
  readonly label: string;
  readonly logarithmic: boolean;
  /** Targets that do not fit, or do not have the axis, are left out. */
  readonly series: readonly { readonly target: string; readonly points: readonly SweepPoint[] }[];
}

export type AxisName = 'size' | 'flows' | 'rate' | 'cores' | 'lanes';

const AXES: readonly Axis[] = [
  {
    name: 'size',
    label: 'frame size, bytes without check sequence',
    values: [60, 124, 252, 508, 1020, 1514],
    least: 60,
    most: 1514,
    logarithmic: true,
  },
  {
    name: 'flows',
    label: 'flows',
    values: [1, 16, 256, 4096, 65536],
    least: 1,
    most: 65536,
    logarithmic: true,
  },
  {
    name: 'rate',
    label: 'offered, % of what the target can do',
    values: [10, 25, 50, 75, 90, 95, 100],
    least: 1,
    most: 200,
    logarithmic: false,
  },
  { name: 'cores', label: 'cores', values: [1, 2, 3, 4, 5, 6], least: 1, most: 64, logarithmic: false },
  { name: 'lanes', label: 'lanes', values: [1, 2, 3, 4, 8], least: 1, most: 8, logarithmic: false },
]; // prettier-ignore

export const AXIS_NAMES = AXES.map(({ name }) => name);

/** Throws SubjectError for what it does not understand, naming it. */
export function parseSweep(text: string): Axis {
  const [name, list] = text.split('=');
  const axis = AXES.find((each) => each.name === name);
  if (!axis) throw new SubjectError(`--sweep: '${name}' is not one of ${AXIS_NAMES.join(', ')}`);
  if (list === undefined) return axis;
  const values = list.split(',').map(Number);
  const bad = values.find((v) => !Number.isInteger(v) || v < axis.least || v > axis.most);
  if (bad !== undefined) {
    throw new SubjectError(
      `--sweep: ${axis.name} takes whole numbers from ${axis.least} to ${axis.most}`,
    );
  }
  return { ...axis, values: values.toSorted((a, b) => a - b) };
}

/** Whether a target has the thing that is varied. */
export const hasAxis = ({ name }: Axis, target: CompareTarget): boolean =>
  (name !== 'cores' && name !== 'lanes') || target.parallel === name;

export function pointOf(x: number, { performance }: TargetRow): SweepPoint | undefined {
  if (!performance) return undefined;
  const { mpps, latency } = performance;
  return { x, mpps, p50: latency.p50, p99: latency.p99, lost: latency.lost / latency.offered };
}
