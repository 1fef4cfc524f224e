/** All builtins by name. */
import type { Builtin, BuiltinRows } from './builtin.ts';
import { controlBuiltins } from './control.ts';
import { limitBuiltins } from './limits.ts';
import { jobBuiltins } from './jobs.ts';
import { miscBuiltins } from './misc.ts';
import { variableBuiltins } from './variables.ts';

const rows: BuiltinRows = {
  ...controlBuiltins,
  ...variableBuiltins,
  ...jobBuiltins,
  ...limitBuiltins,
  ...miscBuiltins(() => rows),
};

export const BUILTINS: ReadonlyMap<string, Builtin> = new Map(Object.entries(rows));
