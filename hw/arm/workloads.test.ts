/**
 * The workloads of `skep compare` on the simulator: verdicts, packets and maps are the interpreter's, also
 * of packets that are cut short.
 */
import { expect, it } from 'vitest';
import type { Engine } from '../../bpf/engine.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { WORKLOADS, type Workload } from '../../scenarios/workloads/workloads.ts';
import { outcomesOf } from '../../test/native-x86/workload.ts';
import { createArmEngine } from './engine.ts';

const agrees = async (workload: Workload, engine: Engine): Promise<void> => {
  const expected = await outcomesOf(workload, createInterpreter());
  expect(await outcomesOf(workload, engine)).toEqual(expected);
};

it.each(WORKLOADS)('$name', (workload) => agrees(workload, createArmEngine({ poison: true })));

it('firewall, on a core without LSE', async () => {
  const firewall = WORKLOADS.find(({ name }) => name === 'firewall')!;
  await agrees(firewall, createArmEngine({ lse: false }));
});
