/** Comparisons as people ask for them: curves, and the page in one file. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  compare,
  type Comparison,
  type ComparisonInput,
} from '../../scenarios/compare/comparison.ts';
import { comparisonText } from '../../scenarios/compare/report.ts';
import { loadSubject, SubjectError } from '../../scenarios/compare/subject.ts';
import { parseSweep } from '../../scenarios/compare/sweep.ts';
import { targetNamed } from '../../scenarios/compare/targets.ts';
import { workloadNamed } from '../../scenarios/workloads/workloads.ts';
import { comparisonHtml } from '../../ui/charts/html.ts';
import { coreModule } from '../support/assets.ts';

const core = await coreModule();

function input(name: string): ComparisonInput {
  const workload = workloadNamed(name)!;
  const file = `${name}.bpf.o`;
  const object = readFileSync(new URL(`../../scenarios/workloads/${file}`, import.meta.url));
  return {
    name,
    about: '16 flows of 60-byte frames',
    mix: { flows: 16, bytes: 60 },
    load(mix) {
      const subject = loadSubject({ core }, object, file);
      workload.prepare?.(subject.put, mix);
      return subject;
    },
    packets: (mix) => workload.packets(mix),
  };
}

function run(name: string, sweeps: readonly string[]): { steps: string[]; result: Comparison } {
  const steps: string[] = [];
  const going = compare(input(name), [targetNamed('hxdp')!], {
    packets: 3000,
    sweeps: sweeps.map(parseSweep),
  });
  for (;;) {
    const step = going.next();
    if (step.done) return { steps, result: step.value };
    steps.push(step.value);
  }
}

describe('a comparison', () => {
  const { steps, result } = run('xdp1', ['size=60,1514', 'lanes=1,4', 'rate=50,200', 'cores']);

  it('tells each step', () => {
    expect(steps).toEqual([
      'hxdp',
      'hxdp, size 60',
      'hxdp, size 1514',
      'hxdp, lanes 1',
      'hxdp, lanes 4',
      'hxdp, rate 50',
      'hxdp, rate 200',
    ]);
  });

  it('has curves that go where they must', () => {
    const [size, lanes, rate, cores] = result.sweeps.map(({ series }) => series[0]?.points);
    expect(size!.map(({ x }) => x)).toEqual([60, 1514]);
    expect(size![1]!.mpps).toBeLessThan(size![0]!.mpps / 2);
    expect(lanes![1]!.mpps).toBeGreaterThan(lanes![0]!.mpps);
    expect(rate![1]!.lost).toBeGreaterThan(0.3);
    expect(rate![0]!.lost).toBe(0);
    expect(cores).toBeUndefined();
  });

  it('is text', () => {
    const text = comparisonText(result);
    expect(text).toMatch(/^xdp1: 16 flows of 60-byte frames\n/);
    expect(text).toMatch(/\nframe size, bytes without check sequence +hxdp\n60 +\d+\.\d\d\n/);
    expect(text).toMatch(/\d+ \/ \d+, \d+\.\d % lost\n/);
    expect(text).toContain('no target has cores to vary');
  });

  it('is a page that carries its data, whatever a program is called', () => {
    const hostile = { ...result, program: '</script><script>alert(1)</script><!--' };
    const html = comparisonHtml(hostile, 'draw("</script>")');
    expect(html.match(/<script/g)).toHaveLength(2);
    expect(html.match(/<\/script>/g)).toHaveLength(2);
    expect(html).not.toContain('<!--');
    const data = /id="comparison">(.*)<\/script>\n/.exec(html)![1]!;
    expect(JSON.parse(data)).toEqual(JSON.parse(JSON.stringify(hostile)));
  });
});

describe('parseSweep', () => {
  it.each(['', 'speed', 'size=12', 'size=60,x', 'size=', 'lanes=0', 'flows=1.5'])(
    'refuses %j',
    (text) => {
      expect(() => parseSweep(text)).toThrow(SubjectError);
    },
  );

  it('sorts', () => {
    expect(parseSweep('lanes=4,1').values).toEqual([1, 4]);
  });
});
