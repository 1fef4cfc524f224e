/** Compares for the dialog; the machine goes on meanwhile. */
import coreUrl from '../../.build/native/core.wasm?url';
import { compare } from '../../scenarios/compare/comparison.ts';
import { comparisonInput } from '../../scenarios/compare/input.ts';
import { parseSweep } from '../../scenarios/compare/sweep.ts';
import { TARGETS } from '../../scenarios/compare/targets.ts';
import { workloadNamed } from '../../scenarios/workloads/workloads.ts';
import type { CompareAnswer, CompareRequest } from './protocol.ts';
import { workloadObject } from './workload-objects.ts';

/** Of each run. */
const PACKETS = 20_000;

const post = (message: CompareAnswer) => self.postMessage(message);
const core = fetch(coreUrl).then((response) => WebAssembly.compileStreaming(response));

async function run({ workload: name, sweeps }: CompareRequest): Promise<void> {
  const workload = workloadNamed(name);
  const object = workloadObject(name);
  const input = comparisonInput({ core: await core }, { name, object, workload });
  const steps = compare(input, TARGETS, { packets: PACKETS, sweeps: sweeps.map(parseSweep) });
  for (;;) {
    const step = steps.next();
    if (step.done) return post({ kind: 'comparison', comparison: step.value });
    post({ kind: 'progress', text: step.value });
  }
}

self.addEventListener('message', ({ data }: MessageEvent<CompareRequest>) => {
  run(data).catch((error: unknown) => {
    post({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  });
});
