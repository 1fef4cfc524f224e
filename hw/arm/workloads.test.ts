/** The workloads of `skep compare` on the simulator: verdicts, packets and maps are the interpreter's. */
import { expect, it } from 'vitest';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { WORKLOADS } from '../../scenarios/workloads/workloads.ts';
import { outcomesOf } from '../../test/native-x86/workload.ts';
import { createArmEngine } from './engine.ts';

it.each(WORKLOADS)('$name', async (workload) => {
  const expected = await outcomesOf(workload, createInterpreter());
  expect(await outcomesOf(workload, createArmEngine({ poison: true }))).toEqual(expected);
  expect(await outcomesOf(workload, createArmEngine({ lse: false }))).toEqual(expected);
});
