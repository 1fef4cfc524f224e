/** Servers of Intel's as targets: the x86 engine's code on models of their cores. */
import { BROADWELL, HASWELL } from '../cpu/cores/haswell.ts';
import { SKYLAKE } from '../cpu/cores/skylake.ts';
import { I40E, MLX5, type NicDriver } from '../cpu/drivers.ts';
import type { CoreParams } from '../cpu/core-params.ts';
import { createCoreTarget, type CoreImage } from '../cpu/target.ts';
import type { KernelVersion } from '../cpu/kernel-functions.ts';
import type { Target } from '../target.ts';
import { createX86Engine } from './engine.ts';
import { ARGUMENTS, RAX } from './registers.ts';

export interface X86TargetOptions {
  readonly core?: CoreParams;
  readonly nic?: NicDriver;
  readonly clockHz?: number;
  readonly kernel?: KernelVersion;
}

export { BROADWELL, HASWELL, SKYLAKE, I40E, MLX5 };

/** By default the server of the hXDP paper: an E5-1630 v3 with an XL710. */
export function createX86(options: X86TargetOptions = {}): Target<CoreImage> {
  const { core = HASWELL, nic = I40E, clockHz = core.clockHz, kernel } = options;
  return createCoreTarget({
    kind: 'x86',
    name: `${core.name} at ${clockHz / 1e9} GHz`,
    engine: createX86Engine(),
    convention: { arguments: ARGUMENTS, result: RAX },
    core,
    nic,
    clockHz,
    ...(kernel && { kernel }),
  });
}
