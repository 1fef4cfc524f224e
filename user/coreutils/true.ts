/** true(1) and false(1). */
import type { Tool } from '../libc/process.ts';

export const trueTool: Tool = function* () {
  return 0;
};

export const falseTool: Tool = function* () {
  return 1;
};
