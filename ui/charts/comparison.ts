/**
 * A comparison as a picture: table, bars for throughput, latency and where the cycles went, and a
 * chart for each curve. The page and the file of `skep compare --html` show the same.
 *
 *   drawComparison(root, comparison)     replaces what is in `root`
 */
import uPlot from 'uplot';
import uPlotStyle from 'uplot/dist/uPlot.min.css?inline';
import type { Performance, TargetRow } from '../../scenarios/compare/compare.ts';
import type { Comparison } from '../../scenarios/compare/comparison.ts';
import type { Sweep, SweepPoint } from '../../scenarios/compare/sweep.ts';
import style from './charts.css?inline';
import { colourOf, element } from './element.ts';

interface Measured extends TargetRow {
  readonly performance: Performance;
}

export function drawComparison(root: HTMLElement, comparison: Comparison): void {
  const { program, packets, targets, sweeps } = comparison;
  const measured = targets.filter((row): row is Measured => row.performance !== undefined);
  const refused = targets.filter(({ performance }) => performance === undefined);
  const chart = element('article', { class: 'comparison' });
  chart.append(
    element('style', {}, uPlotStyle + style),
    element('h2', {}, program),
    element('p', {}, packets),
  );
  if (measured.length > 0) {
    chart.append(
      table(measured),
      throughput(measured),
      latency(measured),
      cycles(measured),
      resources(measured),
    );
  }
  if (refused.length > 0) chart.append(refusals(refused));
  root.replaceChildren(chart);
  for (const sweep of sweeps) drawSweep(chart, sweep);
}

function table(rows: readonly Measured[]): HTMLElement {
  const head = ['target', 'Mpps', 'p50 ns', 'p99 ns', 'p99.9 ns', 'cycles', 'instructions', 'nJ'];
  const cells = rows.map(({ target, performance: p }) => [
    target,
    `${p.mpps.toFixed(2)}${p.limitedByWire ? ' (wire)' : ''}`,
    p.latency.p50.toFixed(0),
    p.latency.p99.toFixed(0),
    p.latency.p999.toFixed(0),
    p.cyclesPerPacket.toFixed(1),
    p.instructionsPerPacket.toFixed(1),
    p.energyNj ? p.energyNj.value.toFixed(0) : '–',
  ]);
  const row = (tag: 'th' | 'td', texts: readonly string[]) =>
    element('tr', {}, ...texts.map((text) => element(tag, {}, text)));
  return element('table', {}, row('th', head), ...cells.map((texts) => row('td', texts)));
}

function throughput(rows: readonly Measured[]): HTMLElement {
  const most = Math.max(...rows.map(({ performance }) => performance.mpps));
  const bars = rows.map(({ target, performance }, i) =>
    bar(target, performance.mpps / most, `${performance.mpps.toFixed(2)} Mpps`, colourOf(i)),
  );
  return figure('Throughput, packets as fast as the wire brings them', bars);
}

function latency(rows: readonly Measured[]): HTMLElement {
  const most = Math.max(...rows.map(({ performance }) => performance.latency.p999));
  const bars = rows.flatMap(({ target, performance: { latency: l } }, i) =>
    ([['p50', l.p50], ['p99', l.p99], ['p99.9', l.p999]] as const).map(([name, ns], k) =>
      bar(k === 0 ? target : '', ns / most, `${name} ${ns.toFixed(0)} ns`, colourOf(i)),
    ),
  ); // prettier-ignore
  const rates = rows.map(({ performance }) => performance.latency.offeredMpps.toFixed(2));
  return figure(`Latency, at ${[...new Set(rates)].join(', ')} Mpps offered`, bars);
}

/** A full bar a target, parted by where its cycles went. */
function cycles(rows: readonly Measured[]): HTMLElement {
  const parts = [...new Set(rows.flatMap(({ performance }) => Object.keys(performance.breakdown)))];
  const bars = rows.map(({ target, performance: { breakdown, cyclesPerPacket } }) => {
    const total = Object.values(breakdown).reduce((sum, part) => sum + part, 0);
    const pieces = Object.entries(breakdown)
      .filter(([, part]) => part > 0)
      .map(([name, part]) =>
        element('span', {
          class: 'bar',
          style: `width:${((part / total) * 100).toFixed(2)}%;background:${colourOf(parts.indexOf(name))}`,
          title: `${name}: ${part.toFixed(1)} cycles a packet`,
        }),
      );
    return element(
      'div',
      { class: 'row' },
      element('span', { class: 'name' }, target),
      element('span', { class: 'track' }, ...pieces),
      element('span', { class: 'value' }, `${cyclesPerPacket.toFixed(1)} cycles`),
    );
  });
  const key = parts.map((name, i) =>
    element('span', { class: 'key' }, element('i', { style: `background:${colourOf(i)}` }), name),
  );
  return figure('Where the cycles of a packet went', [...bars, element('p', {}, ...key)]);
}

function resources(rows: readonly Measured[]): HTMLElement {
  const bars = rows.flatMap((row, i) =>
    row.resources.map(({ name, used, available }, k) => {
      const text = available === undefined ? `${used}` : `${used} of ${available}`;
      const share = available === undefined ? 0 : used / available;
      return bar(k === 0 ? row.target : '', share, `${name}: ${text}`, colourOf(i));
    }),
  );
  return figure('What it takes of the device', bars);
}

function refusals(rows: readonly TargetRow[]): HTMLElement {
  const items = rows.flatMap(({ target, diagnostics }) =>
    diagnostics.map(({ message, insn, hint, reason }) => {
      const where = insn === undefined ? '' : `, instruction ${insn}`;
      const more = hint === undefined ? '' : ` – ${hint}`;
      return element('li', {}, element('b', {}, target), ` ${message} (${reason}${where})${more}`);
    }),
  );
  return figure('Does not fit', [element('ul', {}, ...items)]);
}

function figure(caption: string, children: readonly HTMLElement[]): HTMLElement {
  return element('figure', {}, element('figcaption', {}, caption), ...children);
}

function bar(name: string, share: number, text: string, colour: string): HTMLElement {
  const width = `width:${(share * 100).toFixed(2)}%;background:${colour}`;
  return element(
    'div',
    { class: 'row' },
    element('span', { class: 'name' }, name),
    element('span', { class: 'track' }, element('span', { class: 'bar', style: width })),
    element('span', { class: 'value' }, text),
  );
}

/** Throughput over what varies; over the offered rate, latency. */
function drawSweep(chart: HTMLElement, { axis, label, logarithmic, series }: Sweep): void {
  const xs = [...new Set(series.flatMap(({ points }) => points.map(({ x }) => x)))].sort(
    (a, b) => a - b,
  );
  if (xs.length === 0) return;
  const isLatency = axis === 'rate';
  const lines = series.flatMap(({ target, points }, i) => {
    const line = (name: string, value: (point: SweepPoint) => number, dash?: number[]) => ({
      name,
      stroke: colourOf(i),
      values: xs.map((x) => {
        const point = points.find((candidate) => candidate.x === x);
        return point ? value(point) : null;
      }),
      ...(dash && { dash }),
    });
    return isLatency
      ? [line(`${target} p50`, ({ p50 }) => p50), line(`${target} p99`, ({ p99 }) => p99, [6, 4])]
      : [line(target, ({ mpps }) => mpps)];
  });
  const place = figure(isLatency ? 'Latency over the offered rate' : `Throughput over ${axis}`, []);
  chart.append(place);
  const { colour, grid } = colours(chart);
  new uPlot(
    {
      width: Math.max(320, Math.min(900, place.clientWidth || 640)),
      height: 280,
      scales: {
        x: { time: false, ...(logarithmic && { distr: 3, log: 2 as const }) },
        y: { range: (_plot, _least, most) => [0, most * 1.05] },
      },
      axes: [
        { label, stroke: colour, grid: { stroke: grid }, splits: () => xs },
        { label: isLatency ? 'ns' : 'Mpps', stroke: colour, grid: { stroke: grid }, size: 70 },
      ],
      series: [
        { label: axis },
        ...lines.map(({ name, stroke, dash }) => ({
          label: name,
          stroke,
          width: 2,
          points: { show: true },
          ...(dash && { dash }),
          value: (_plot: uPlot, value: number | null) => (value === null ? '–' : value.toFixed(2)),
        })),
      ],
    },
    [xs, ...lines.map(({ values }) => values)],
    place,
  );
}

/** Text and grid lines of a canvas, as the style around it has them. */
function colours(chart: HTMLElement): { readonly colour: string; readonly grid: string } {
  const { color } = getComputedStyle(chart);
  return { colour: color || '#444', grid: 'rgba(128, 128, 128, 0.25)' };
}
