/**
 * Maps as a real Linux 6.1 makes and keeps them: some ten thousands of calls swept over types,
 * sizes, flags, BTF and capabilities, with what it answered (record.ts asks it anew).
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { MAP_TYPES } from '../../../bpf/uapi.ts';
import type { Answer } from '../script.ts';
import { wordsOf } from './answers.ts';
import { readRecorded } from './recorded.ts';
import { answersOfSkep, sweeps } from './sweeps.ts';

const recorded = readRecorded();
/** BTF and an inner map come before a sweep's own. */
const MADE_BEFORE = 2;

describe('maps, swept', () => {
  let answers: readonly (readonly Answer[])[];
  beforeAll(async () => {
    answers = await answersOfSkep(sweeps);
  }, 120_000);

  it.each(sweeps.map((script, i) => [script.name, script, i] as const))(
    '%s',
    (name, { steps }, i) => {
      const linux = recorded.get(name) ?? [];
      const words = wordsOf(answers[i]!);
      expect(words.length).toBe(linux.length);
      const asking = steps.filter((_, at) => wordsOf([answers[i]![at]!]).length > 0);
      const different = words.flatMap((word, at) =>
        word === linux[at] ? [] : [`${JSON.stringify(asking[at])}: ${linux[at]}, skep ${word}`],
      );
      expect(different).toEqual([]);
    },
  );

  it('of each type some are made and some are not', () => {
    expect([...recorded.keys()]).toEqual(sweeps.map(({ name }) => name));
    for (const type of MAP_TYPES.filter((name) => name !== 'unspec' && name !== 'struct_ops')) {
      const words = new Set(recorded.get(`flags: ${type}`)!.slice(MADE_BEFORE));
      expect([type, words.has('fd'), words.has('EINVAL')]).toEqual([type, true, true]);
    }
  });
});
