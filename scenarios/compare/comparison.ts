/**
 * A whole comparison: a program on several targets, and the curves that were asked for. A generator,
 * so that whoever runs it can say how far it is, and let others have a turn.
 *
 *   const run = compare(input, targets, options); for (…) run.next()   yields what comes next
 */
import type { Port } from '../../hw/packet-slot.ts';
import type { MixOptions, OfferedPacket } from '../workloads/workloads.ts';
import { measure, type MeasureOptions, type TargetRow } from './compare.ts';
import type { Subject } from './subject.ts';
import { type Axis, hasAxis, pointOf, type Sweep } from './sweep.ts';
import type { CompareTarget } from './targets.ts';

export interface ComparisonInput {
  readonly name: string;
  /** The packets, in words. */
  readonly about: string;
  readonly mix: MixOptions;
  /** On fresh maps, filled for such a mix. */
  load(mix: MixOptions): Subject;
  packets(mix: MixOptions): readonly OfferedPacket[];
  readonly ports?: readonly Port[];
}

export interface ComparisonOptions {
  /** Packets of each run. */
  readonly packets: number;
  /** Offered for the latencies; where absent, half of what the target can do. */
  readonly packetsPerSecond?: number;
  /** Cores of the targets that have some. */
  readonly cores?: number;
  readonly sweeps?: readonly Axis[];
}

export interface Comparison {
  readonly program: string;
  readonly packets: string;
  readonly targets: readonly TargetRow[];
  readonly sweeps: readonly Sweep[];
}

export function* compare(
  input: ComparisonInput,
  targets: readonly CompareTarget[],
  options: ComparisonOptions,
): Generator<string, Comparison> {
  const rows: TargetRow[] = [];
  for (const target of targets) {
    yield target.id;
    rows.push(measureOn(input, target, input.mix, options));
  }
  const sweeps: Sweep[] = [];
  for (const axis of options.sweeps ?? []) {
    const fitting = targets.filter((_, i) => rows[i]!.performance !== undefined);
    sweeps.push(yield* sweep(input, axis, fitting, options));
  }
  return { program: input.name, packets: input.about, targets: rows, sweeps };
}

function* sweep(
  input: ComparisonInput,
  axis: Axis,
  targets: readonly CompareTarget[],
  options: ComparisonOptions,
): Generator<string, Sweep> {
  const series: Sweep['series'][number][] = [];
  for (const target of targets.filter((each) => hasAxis(axis, each))) {
    const points = [];
    for (const x of axis.values) {
      yield `${target.id}, ${axis.name} ${x}`;
      const point = pointOf(x, measureAt(input, target, axis, x, options));
      if (point) points.push(point);
    }
    series.push({ target: target.id, points });
  }
  return { axis: axis.name, label: axis.label, logarithmic: axis.logarithmic, series };
}

function measureAt(
  input: ComparisonInput,
  target: CompareTarget,
  { name }: Axis,
  x: number,
  options: ComparisonOptions,
): TargetRow {
  switch (name) {
    case 'size':
      return measureOn(input, target, { ...input.mix, bytes: x }, options);
    case 'flows':
      return measureOn(input, target, { ...input.mix, flows: x }, options);
    case 'cores':
    case 'lanes':
      return measureOn(input, target, input.mix, options, { parallel: x });
    case 'rate':
      return measureOn(input, target, input.mix, options, { share: x / 100 });
  }
}

function measureOn(
  input: ComparisonInput,
  target: CompareTarget,
  mix: MixOptions,
  options: ComparisonOptions,
  { share, parallel }: { readonly share?: number; readonly parallel?: number } = {},
): TargetRow {
  const { packets, packetsPerSecond } = options;
  const cores = target.parallel === 'cores' ? (parallel ?? options.cores) : undefined;
  const measured: MeasureOptions = {
    packets,
    bitsPerSecond: target.bitsPerSecond,
    ...(share !== undefined ? { share } : packetsPerSecond !== undefined && { packetsPerSecond }),
    ...(input.ports && { ports: input.ports }),
    ...(cores !== undefined && { timing: { parallel: cores } }),
  };
  const device = target.create(target.parallel === 'lanes' ? parallel : undefined);
  return measure(() => input.load(mix), device, input.packets(mix), measured);
}
