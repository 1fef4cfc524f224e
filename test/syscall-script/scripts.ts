/** The scripts: every command of bpf(2), its errors and its bookkeeping. */
import { attachScripts } from './attach-scripts.ts';
import { commandScripts } from './command-scripts.ts';
import { malformedScripts } from './malformed-scripts.ts';
import { mapAccessScripts } from './map-access-scripts.ts';
import { mapCreateScripts } from './map-create-scripts.ts';
import { objectScripts } from './object-scripts.ts';
import { progTargetScripts } from './prog-target-scripts.ts';
import { programScripts } from './program-scripts.ts';
import { testRunScripts } from './test-run-scripts.ts';
import type { Script } from './script.ts';

export const allScripts: readonly Script[] = [
  ...mapCreateScripts,
  ...mapAccessScripts,
  ...programScripts,
  ...progTargetScripts,
  ...testRunScripts,
  ...commandScripts,
  ...objectScripts,
  ...attachScripts,
  ...malformedScripts,
];
