/** Every scenario, in teaching order. The page lists them without loading their code. */
export const scenarioNames = ['first-light', 'offload'] as const;
export type ScenarioName = (typeof scenarioNames)[number];
