import { vi, describe, expect, it } from 'vitest';
import { join } from 'node:path';
import { renderExplanation } from '../../bpf/verifier/explain/render.ts';
import { verifyCommand, type ProgramVerdict } from '../../ui/cli/prog-verify.ts';
import { mistakes } from './mistakes.ts';

const folder = join(import.meta.dirname, '../objects/mistakes');

/** What `prog verify FILE.o --json` says of each program, by object and capabilities. */
const seen = new Map<string, Promise<ReadonlyMap<string, ProgramVerdict>>>();

function verdictsOf(object: string, caps = 'all'): Promise<ReadonlyMap<string, ProgramVerdict>> {
  const key = `${object} ${caps}`;
  const known = seen.get(key);
  if (known) return known;
  const asked = ask(object, caps);
  seen.set(key, asked);
  return asked;
}

async function ask(object: string, caps: string): Promise<ReadonlyMap<string, ProgramVerdict>> {
  let text = '';
  const log = vi.spyOn(console, 'log').mockImplementation((line) => void (text += line));
  try {
    await verifyCommand(join(folder, `${object}.o`), { json: true, caps });
  } finally {
    log.mockRestore();
  }
  const { verdicts } = JSON.parse(text) as { readonly verdicts: readonly ProgramVerdict[] };
  return new Map(verdicts.map((verdict) => [verdict.program, verdict]));
}

describe('common mistakes', { timeout: 120_000 }, () => {
  it('are forty or more, each once', () => {
    expect(mistakes.length).toBeGreaterThanOrEqual(40);
    expect(new Set(mistakes.map(({ program }) => program)).size).toBe(mistakes.length);
  });

  it.each(mistakes.map((one) => [one.program, one] as const))('%s', async (name, mistake) => {
    const verdicts = await verdictsOf(mistake.object, mistake.caps);
    const told = verdicts.get(name)?.explanation;
    if (!told) throw new Error(`${name} is accepted`);
    expect([told.reason, told.headline]).toEqual([mistake.reason, mistake.headline]);
    expect(told.at?.source?.text.trim()).toBe(mistake.line);
    const [first, ...rest] = renderExplanation(told).split('\n');
    expect(first).toBe(`error[${mistake.reason}]: ${mistake.headline}`);
    expect(rest.join('\n')).toContain(mistake.line);
    expect(rest.join('\n')).toContain('= fix: ');
    const mended = verdicts.get(`${name}_mended`);
    expect(mended?.accepted, mended?.explanation?.headline).toBe(true);
  });
});
