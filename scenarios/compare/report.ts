/** Comparisons as text: the same table in a terminal of the host and of the page. */
import type { TargetRow } from './compare.ts';
import type { Comparison } from './comparison.ts';
import type { Sweep, SweepPoint } from './sweep.ts';
import { groupErrors, type ValidationRow } from './validate.ts';

export function comparisonText({ program, packets, targets, sweeps }: Comparison): string {
  return `${tableText(`${program}: ${packets}`, targets)}${sweeps.map(sweepText).join('')}`;
}

/** Throughput of each target, or its latencies where the rate is what varies. */
function sweepText({ axis, label, series }: Sweep): string {
  const cell = (point: SweepPoint | undefined): string => {
    if (!point) return '-';
    if (axis !== 'rate') return point.mpps.toFixed(2);
    const lost = point.lost > 0 ? `, ${percent(point.lost)} lost` : '';
    return `${point.p50.toFixed(0)} / ${point.p99.toFixed(0)}${lost}`;
  };
  const xs = [...new Set(series.flatMap(({ points }) => points.map(({ x }) => x)))];
  const table = [
    [label, ...series.map(({ target }) => target)],
    ...xs.map((x) => [
      String(x),
      ...series.map(({ points }) => cell(points.find((point) => point.x === x))),
    ]),
  ];
  if (xs.length === 0) return `\nno target has ${axis} to vary\n`;
  return `\n${axis === 'rate' ? 'p50 / p99 in ns' : 'Mpps'}\n${columns(table)}`;
}

/** @param title what was compared, and with which packets */
function tableText(title: string, rows: readonly TargetRow[]): string {
  const table = [
    ['target', 'Mpps', 'p50 ns', 'p99 ns', 'p99.9 ns', 'cycles', 'instrs', 'at'],
    ...rows.flatMap(({ target, performance }) =>
      performance === undefined
        ? []
        : [
            [
              target,
              `${performance.mpps.toFixed(2)}${performance.limitedByWire ? ' (wire)' : ''}`,
              performance.latency.p50.toFixed(0),
              performance.latency.p99.toFixed(0),
              performance.latency.p999.toFixed(0),
              performance.cyclesPerPacket.toFixed(1),
              performance.instructionsPerPacket.toFixed(1),
              `${performance.latency.offeredMpps.toFixed(2)} Mpps`,
            ],
          ],
    ),
  ];
  return [
    `${title}\n`,
    ...(table.length > 1 ? [`\n${columns(table)}`] : []),
    ...rows.filter(({ performance }) => performance !== undefined).map(details),
    ...rows.filter(({ performance }) => performance === undefined).map(refusal),
  ].join('');
}

function details({ target, performance, resources }: TargetRow): string {
  const { breakdown, counters, verdicts, latency, energyNj } = performance!;
  const shares = Object.entries(breakdown).filter(([, cycles]) => cycles > 0);
  const total = shares.reduce((sum, [, cycles]) => sum + cycles, 0);
  const lines = [
    `cycles: ${shares.map(([part, cycles]) => `${part} ${percent(cycles / total)}`).join(', ')}`,
    `verdicts: ${Object.entries(verdicts)
      .filter(([, count]) => count > 0)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')}`,
    ...(latency.lost > 0 ? [`lost at that rate: ${latency.lost}`] : []),
    ...Object.entries(counters)
      .filter(([, value]) => value > 0)
      .map(([name, value]) => `${name} a packet: ${value.toFixed(2)}`),
    ...resources.map(({ name, used, available }) =>
      available === undefined
        ? `${name}: ${used}`
        : `${name}: ${used} of ${available} (${percent(used / available)})`,
    ),
    ...(energyNj ? [`energy: ${energyNj.value.toFixed(0)} nJ a packet (${energyNj.source})`] : []),
  ];
  return `\n${target}\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

function refusal({ target, diagnostics }: TargetRow): string {
  const lines = diagnostics.map(({ message, insn, hint, reason }) => {
    const where = insn === undefined ? '' : `, instruction ${insn}`;
    return `  ${message} (${reason}${where})\n${hint === undefined ? '' : `    ${hint}\n`}`;
  });
  return `\n${target}: does not fit\n${lines.join('')}`;
}

export function validationText(rows: readonly ValidationRow[]): string {
  const table = [
    ['', 'published', 'simulated', 'error', 'unit', 'source'],
    ...rows.map(({ group, what, published, simulated, unit, error, source, note }) => [
      `${group}: ${what}${note === undefined ? '' : ` (${note})`}`,
      String(published),
      simulated.toFixed(unit === 'rows' ? 0 : 2),
      signed(error),
      unit,
      source,
    ]),
  ];
  const groups = groupErrors(rows).map(
    ({ group, rows: count, mean, worst }) =>
      `${group}: ${count} rows, mean error ${percent(mean)}, worst ${percent(worst)}\n`,
  );
  return `${columns(table)}\n${groups.join('')}`;
}

const percent = (part: number): string => `${(part * 100).toFixed(1)} %`;
const signed = (error: number): string => `${error < 0 ? '' : '+'}${percent(error)}`;

/** The first column to the left, numbers to the right. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows
    .map((row) => {
      const cells = row.map((cell, i) =>
        i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!),
      );
      return `${cells.join('  ').trimEnd()}\n`;
    })
    .join('');
}
