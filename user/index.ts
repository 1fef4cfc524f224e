/**
 * User space, as a machine is configured with it.
 *
 *   bootMachine({ ...machineDefaults(), nics: […] }, assets)
 */
import type { MachineConfig } from '../kernel/config.ts';
import { userFiles } from './init/files.ts';
import { programs } from './programs.ts';

export { programs, userFiles };

export function machineDefaults(): Required<Pick<MachineConfig, 'programs' | 'files' | 'init'>> {
  return { programs, files: userFiles(), init: '/sbin/init' };
}
