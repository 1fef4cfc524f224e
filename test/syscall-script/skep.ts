/** Runs a script in skep: bpf(2) on a bare RAM. */
import type { BareCaller } from '../../bpf/syscall/bare-caller.ts';
import type { BpfCaps } from '../../bpf/syscall/caller.ts';
import type { BpfSubsystem } from '../../bpf/syscall/subsystem.ts';
import { Bug } from '../../kernel/types/units.ts';
import { play, type Player } from './play.ts';
import { capabilities, type Answer, type Script } from './script.ts';

/** A machine that scripts can be run on. */
export interface ScriptMachine {
  readonly caller: BareCaller;
  readonly bpf: BpfSubsystem;
}

export function runInSkep(m: ScriptMachine, script: Script): Answer[] {
  const step = play(barePlayer(m), script).next();
  if (!step.done) throw new Bug('there is nobody to wait for');
  return step.value;
}

const missing = (): never => {
  throw new Bug('this needs a machine');
};

function barePlayer({ bpf, caller }: ScriptMachine): Player {
  return {
    *place(bytes) {
      return caller.place(bytes);
    },
    bytesAt: (address, sizeBytes) => caller.bytesAt(address, sizeBytes),
    *bpf(command, attr, sizeBytes) {
      return bpf.command(command, attr, sizeBytes, caller);
    },
    *close(fd) {
      caller.close(fd);
    },
    *setCaps(mask) {
      caller.caps = capsOf(mask);
    },
    sys: missing,
    setUid: missing,
    sysctl: missing,
    kernelId: missing,
  };
}

function capsOf(mask: bigint): BpfCaps {
  const has = (name: string) => (mask & capabilities(name)) !== 0n;
  const sysAdmin = has('sys_admin');
  return {
    sysAdmin,
    bpf: sysAdmin || has('bpf'),
    perfmon: sysAdmin || has('perfmon'),
    netAdmin: has('net_admin'),
  };
}
