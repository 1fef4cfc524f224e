/** What a machine needs from a host that is Node: the C core, a scenario's files. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostAssets } from '../../kernel/config.ts';
import type { CompareHost } from '../../scenarios/compare/shell.ts';
import { type Scenario, type ScenarioFiles, scenarioPath } from '../../scenarios/scenario.ts';

const root = join(import.meta.dirname, '../..');

export async function hostAssets(): Promise<HostAssets> {
  const core = await WebAssembly.compile(readFileSync(join(root, '.build/native/core.wasm')));
  return { core };
}

/** For the `compare` of the machine's shell. */
export const compareHost = ({ core }: HostAssets): CompareHost => ({
  core,
  workload: workloadObject,
});

/** The object of a workload (scenarios/workloads). */
export const workloadObject = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(join(root, 'scenarios/workloads', `${name}.bpf.o`)));

export function scenarioFile(scenario: Scenario, name: string): Uint8Array {
  return new Uint8Array(readFileSync(join(root, 'scenarios', scenarioPath(scenario, name))));
}

export function scenarioFiles(scenario: Scenario): ScenarioFiles {
  return new Map(scenario.files.map((name) => [name, scenarioFile(scenario, name)]));
}
