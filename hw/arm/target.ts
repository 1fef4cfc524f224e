/** Arm's cores as targets: the AArch64 engine's code on models of them. */
import { CORTEX_A53 } from '../cpu/cores/cortex-a53.ts';
import { NEOVERSE_N1, NEOVERSE_V2 } from '../cpu/cores/neoverse.ts';
import type { CoreParams } from '../cpu/core-params.ts';
import { MLX5, MVNETA, type NicDriver } from '../cpu/drivers.ts';
import type { KernelVersion } from '../cpu/kernel-functions.ts';
import { createCoreTarget, type CoreImage } from '../cpu/target.ts';
import type { Target } from '../target.ts';
import { createArmEngine } from './engine.ts';
import { CONVENTION } from './registers.ts';

export interface ArmTargetOptions {
  readonly core?: CoreParams;
  readonly nic?: NicDriver;
  readonly clockHz?: number;
  readonly kernel?: KernelVersion;
}

export { CORTEX_A53, MVNETA, NEOVERSE_N1, NEOVERSE_V2 };

/** By default a Neoverse N1 with a ConnectX-5. */
export function createArm(options: ArmTargetOptions = {}): Target<CoreImage> {
  const { core = NEOVERSE_N1, nic = MLX5, clockHz = core.clockHz, kernel } = options;
  return createCoreTarget({
    kind: 'arm',
    name: `${core.name} at ${clockHz / 1e9} GHz`,
    // The large-system extensions came with version 8.1, which a Cortex-A53 does not have.
    engine: createArmEngine({ lse: core !== CORTEX_A53 }),
    convention: CONVENTION,
    core,
    nic,
    clockHz,
    ...(kernel && { kernel }),
  });
}
