import { describe, expect, it } from 'vitest';
import { explain, type Explanation } from '../../bpf/verifier/explain.ts';
import { ansiPaint, headlineOf, renderExplanation } from '../../bpf/verifier/explain/render.ts';
import { verify } from '../../bpf/verifier/verify.ts';
import { programOfText } from '../support/verify-text.ts';
import { allCases } from './cases.ts';

const explanations: readonly Explanation[] = allCases.flatMap(([, list]) =>
  list.flatMap(({ text, options, refused }) => {
    if (!refused || refused.reason === 'too-complex') return [];
    const { spec, env } = programOfText(text, options);
    const verdict = verify(spec, env);
    return verdict.kind === 'rejected' ? [explain(spec, env, verdict)] : [];
  }),
);

/** With its source given, as if it had line info: every instruction on a line of its own. */
const withLines = (told: Explanation): Explanation => {
  const source = (insn: number) => ({
    file: 'prog.c',
    line: insn + 8,
    column: (insn % 3) * 7,
    text: `\t  line_of(${insn}); /* and what else is on it */`,
  });
  return {
    ...told,
    ...(told.at && { at: { ...told.at, source: source(told.at.insn) } }),
    chain: told.chain.map((step) => ({ ...step, source: source(step.insn) })),
  };
};

const stripped = (text: string) => text.replaceAll(/\x1b\[[0-9;]*m/g, '');

describe('an explanation as text', () => {
  it('is there for many', () => expect(explanations.length).toBeGreaterThan(40));

  it('starts with the cause and says how to mend it', () => {
    for (const told of explanations) {
      const lines = renderExplanation(told).split('\n');
      expect(lines[0]).toBe(`error[${told.reason}]: ${told.headline}`);
      expect(lines.filter((line) => / = fix: /.test(line)).length).toBe(1);
      expect(headlineOf(told)).toContain(told.headline);
    }
  });

  it('shows every step of the chain, with and without source lines', () => {
    for (const told of explanations) {
      for (const one of [told, withLines(told)]) {
        const text = renderExplanation(one, { width: 1000 });
        for (const { says } of told.chain) expect(text).toContain(says);
        expect(text).toContain(told.here);
        if (one.at?.source) expect(text).toContain(`line_of(${one.at.insn});`);
      }
    }
  });

  it('puts its marks under the columns, tabs or not', () => {
    const told = withLines(explanations.find(({ at }) => at && at.insn % 3 === 1)!);
    const lines = renderExplanation(told, { width: 1000 }).split('\n');
    const mark = lines.findIndex((line) => line.includes('^'));
    const source = lines.slice(0, mark).findLast((line) => line.includes('line_of'))!;
    expect(lines[mark]!.indexOf('^')).toBe(source.indexOf('line_of') + 'lin'.length);
  });

  it('is the same text in colour', () => {
    for (const told of explanations) {
      const painted = renderExplanation(told, { paint: ansiPaint, showState: true });
      expect(painted).not.toBe(stripped(painted));
      expect(stripped(painted)).toBe(renderExplanation(told, { showState: true }));
    }
  });

  it('keeps to the width', () => {
    for (const told of explanations) {
      const [, ...rest] = renderExplanation(withLines(told), { width: 80 }).split('\n');
      for (const line of rest) if (line.includes('|  ')) expect(line.length).toBeLessThan(112);
    }
  });
});
