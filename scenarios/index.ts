/** The scenarios' code by name. Loaded on demand: the page starts without it. */
import type { Scenario } from './scenario.ts';
import type { ScenarioName } from './names.ts';

export const loadScenario: Readonly<Record<ScenarioName, () => Promise<Scenario>>> = {
  'first-light': async () => (await import('./first-light/scenario.ts')).firstLight,
  offload: async () => (await import('./offload/scenario.ts')).offload,
};
