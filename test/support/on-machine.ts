/** Runs a flow as the first process of a machine, until the machine is off. */
import { expect } from 'vitest';
import type { MachineConfig } from '../../kernel/config.ts';
import type { Machine } from '../../kernel/machine.ts';
import { bootMachine } from '../../kernel/machine.ts';
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import * as f from '../../user/libc/files.ts';
import type { Process } from '../../user/libc/process.ts';
import { program } from '../../user/libc/process.ts';
import { coreModule } from './assets.ts';

const POWER_OFF = [0xfee1dead, 0x28121969, 0x4321fedc] as const;

export async function onMachine<T>(
  body: (p: Process, machine: Machine) => UserFlow<T>,
  config: MachineConfig = {},
): Promise<T> {
  let outcome: { value: T } | undefined;
  const init = program(function* (p) {
    outcome = { value: yield* body(p, machine) };
    yield* f.syscall(169, ...POWER_OFF);
    return 0;
  });
  const programs = new Map([['/sbin/init', init]]);
  const machine = await bootMachine({ programs, ...config }, { core: await coreModule() });
  const result = await machine.runAsync({ untilNs: 60e9 });
  expect(result).toEqual({ reason: 'halted', how: 'poweroff' });
  return outcome!.value;
}

export const text = (p: Process, path: string) => f.readTextFile(p, path);

/** A system call with a path first. */
export function* withPath(
  p: Process,
  nr: number,
  path: string,
  ...args: number[]
): UserFlow<number> {
  const mark = p.mark();
  const result = yield* f.syscall(nr, yield* p.takeString(path), ...args);
  p.release(mark);
  return result;
}
