/** The sweeps: maps of every type made and used with every value that could matter. */
import { ALL_CAPS } from '../../../bpf/syscall/caller.ts';
import { bpfSyscalls } from '../../support/bpf-syscalls.ts';
import { runOnMachine } from '../machine.ts';
import type { Answer, Script } from '../script.ts';
import { runInSkep } from '../skep.ts';
import { createSweep } from './create.ts';
import { elementSweep } from './elements.ts';
import { xlatedSweep } from './xlated.ts';

export const sweeps: readonly Script[] = [...createSweep, ...elementSweep, ...xlatedSweep];

/** On one bare RAM, and on one machine those that need it. */
export async function answersOfSkep(
  scripts: readonly Script[],
): Promise<readonly (readonly Answer[])[]> {
  const onMachine = scripts.filter(({ needsMachine }) => needsMachine);
  const ofMachine = onMachine.length > 0 ? await runOnMachine(onMachine) : [];
  const bare = await bpfSyscalls();
  return scripts.map((script) => {
    if (script.needsMachine) return ofMachine[onMachine.indexOf(script)]!;
    bare.caller.caps = ALL_CAPS;
    const answers = runInSkep(bare, script);
    bare.caller.reset();
    return answers;
  });
}
