/** The workloads of `skep compare` on the simulator: verdicts, packets and maps are the interpreter's. */
import { expect, it } from 'vitest';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { WORKLOADS } from '../../scenarios/workloads/workloads.ts';
import { outcomesOf } from '../../test/native-x86/workload.ts';
import { createX86Engine } from './engine.ts';

it.each(WORKLOADS)('$name', async (workload) => {
  const expected = await outcomesOf(workload, createInterpreter());
  expect(await outcomesOf(workload, createX86Engine({ poison: true }))).toEqual(expected);
  expect(await outcomesOf(workload, createX86Engine({ blindingSeed: 2 }))).toEqual(expected);
});
