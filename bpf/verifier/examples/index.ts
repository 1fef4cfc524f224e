/** All examples; `NO_EXAMPLE` says for which codes there is none, and why. */
import type { ReasonCode } from '../reasons.ts';
import type { Example } from './example.ts';
import { controlFlow } from './flow.ts';
import { helperCalls } from './helpers.ts';
import { kernelTypes } from './kernel-types.ts';
import { limits } from './limits.ts';
import { mapUse } from './maps.ts';
import { memory } from './memory.ts';
import { pointers } from './pointers.ts';
import { references } from './references.ts';
import { programShape } from './shape.ts';
import { registersAndStack } from './stack.ts';

export const examples: readonly Example[] = [
  ...memory,
  ...pointers,
  ...registersAndStack,
  ...helperCalls,
  ...references,
  ...controlFlow,
  ...programShape,
  ...mapUse,
  ...kernelTypes,
  ...limits,
];

export const NO_EXAMPLE: Partial<Record<ReasonCode, string>> = {
  'verifier-bug': 'No program is known that leads here; one that does shows a bug of ours.',
};

export { describeSetup, type Example, type Setup } from './example.ts';
