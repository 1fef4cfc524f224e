/**
 * Reason codes: the table has all that the verifier gives and nothing else; each has a program that
 * is refused for it and one in which the mistake is mended.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NO_EXAMPLE, examples, type Example } from '../../bpf/verifier/examples/index.ts';
import { explain } from '../../bpf/verifier/explain.ts';
import { REASON_CODES, reasons } from '../../bpf/verifier/reasons.ts';
import { verify } from '../../bpf/verifier/verify.ts';
import { programOfText } from '../support/verify-text.ts';

const folder = join(import.meta.dirname, '../../bpf/verifier');

/** String literals in the verifier's own files; the type checker sees to it that codes are codes. */
function literals(): Set<string> {
  const found = new Set<string>();
  for (const name of readdirSync(folder)) {
    if (!name.endsWith('.ts') || name === 'reasons.ts' || name.includes('.test.')) continue;
    const text = readFileSync(join(folder, name), 'utf8');
    for (const [, literal] of text.matchAll(/'([a-z0-9]+(?:-[a-z0-9]+)*)'/g)) found.add(literal!);
  }
  return found;
}

describe('the table of reasons', () => {
  it('has no code that the verifier does not give', () => {
    const used = literals();
    expect(REASON_CODES.filter((code) => !used.has(code))).toEqual([]);
  });

  it('says of each what it means and how it is fixed', () => {
    for (const code of REASON_CODES) {
      const { title, means, fix } = reasons[code];
      expect(title, code).toMatch(/^[a-zA-Z0-9].*[^.]$/);
      expect(means, code).toMatch(/^.{15,}[.…]$/);
      expect(fix, code).toMatch(/^.{5,}[.;=]|…$/);
    }
  });

  it('has an example of each', () => {
    const shown = new Set<string>([
      ...examples.map(({ code }) => code),
      ...Object.keys(NO_EXAMPLE),
    ]);
    expect(REASON_CODES.filter((code) => !shown.has(code))).toEqual([]);
    expect(new Set(examples.map(({ code }) => code)).size).toBe(examples.length);
  });
});

type Program = ReturnType<typeof programOfText>;

function edited({ edit }: Example, { spec, env }: Program): Program {
  if (!edit) return { spec, env };
  const insns = spec.insns.map((insn, slot) =>
    slot === edit.insn ? { ...insn, src: edit.src } : insn,
  );
  return { spec: { ...spec, insns }, env };
}

describe('examples', () => {
  it.each(examples.map((one) => [one.code, one] as const))('%s', (code, example) => {
    const { refused, mended, setup, mendedSetup } = example;
    const bad = edited(example, programOfText(refused, { logLevel: 0, ...setup }));
    const verdict = verify(bad.spec, bad.env);
    if (verdict.kind !== 'rejected') throw new Error(`${code}: the program is accepted`);
    if (verdict.reason !== code) {
      throw new Error(`${verdict.reason}: ${verify(bad.spec, { ...bad.env, logLevel: 1 }).log}`);
    }
    const told = explain(bad.spec, bad.env, verdict);
    expect(told.reason).toBe(code);
    expect(told.headline).toMatch(/\.$/);
    const good = programOfText(mended, { logLevel: 1, ...(mendedSetup ?? setup) });
    const again = verify(good.spec, good.env);
    expect(again.kind, again.log).toBe('accepted');
  });
});
