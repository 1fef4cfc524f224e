/** Every scenario, headless: all checks hold, and a second run gives the same bytes. */
import { describe, expect, it } from 'vitest';
import { loadScenario } from '../../scenarios/index.ts';
import { scenarioNames } from '../../scenarios/names.ts';
import type { CheckReport } from '../../scenarios/session.ts';
import { runScenario } from '../../ui/cli/run.ts';

describe.each(scenarioNames)('%s', (name) => {
  it('holds every check, twice with the same text', async () => {
    const scenario = await loadScenario[name]();
    const texts = ['', ''];
    for (const run of [0, 1]) {
      const reports: CheckReport[] = [];
      await runScenario(scenario, (text) => (texts[run] += text), reports);
      expect(reports.filter((report) => !report.holds)).toEqual([]);
      expect(reports.length).toBeGreaterThan(0);
    }
    expect(texts[1]).toBe(texts[0]);
  });
});
