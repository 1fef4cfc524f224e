/**
 * Small programs and what the verifier says of them: accepted, or the reason code and the log's last
 * line. The lines are Linux 6.1's; `judged.test.ts` asks a real one.
 */
import type { Case } from './case.ts';
import { shapeCases, registerCases, stackCases, contextCases } from './machine-cases.ts';
import {
  packetCases,
  mapCases,
  helperCases,
  referenceCases,
  callCases,
  pruningCases,
} from './object-cases.ts';

export const allCases: readonly (readonly [string, readonly Case[]])[] = [
  ['the shape of a program', shapeCases],
  ['registers', registerCases],
  ['the stack', stackCases],
  ['the context', contextCases],
  ['packets', packetCases],
  ['maps', mapCases],
  ['helpers', helperCases],
  ['references', referenceCases],
  ['calls', callCases],
  ['pruning', pruningCases],
];
