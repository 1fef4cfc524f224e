/** All builtins by name. */
import type { Builtin, BuiltinRows } from './builtin.ts';
import { controlBuiltins } from './control.ts';
import { declareBuiltins } from './declare.ts';
import { directoryBuiltins } from './directories.ts';
import { limitBuiltins } from './limits.ts';
import { jobBuiltins } from './jobs.ts';
import { miscBuiltins } from './misc.ts';
import { readBuiltins } from './read.ts';
import { variableBuiltins } from './variables.ts';

const rows: BuiltinRows = {
  ...controlBuiltins,
  ...declareBuiltins,
  ...readBuiltins,
  ...variableBuiltins,
  ...directoryBuiltins,
  ...jobBuiltins,
  ...limitBuiltins,
  ...miscBuiltins(() => rows),
};

export const BUILTINS: ReadonlyMap<string, Builtin> = new Map(Object.entries(rows));
