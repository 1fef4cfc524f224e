/** A BpfRuntime of nothing but a RAM: no maps, no C core, a kernel that knows no task. */
import { Ram } from '../../kernel/ram/ram.ts';
import type { Ns, RamOffset } from '../../kernel/types/units.ts';
import { Bug } from '../../kernel/types/units.ts';
import type { Executable } from '../../bpf/engine.ts';
import type { BpfMap } from '../../bpf/maps/map.ts';
import type { BpfKernel, BpfRuntime } from '../../bpf/runtime.ts';

export interface BareRuntime extends BpfRuntime {
  readonly maps: Map<RamOffset, BpfMap>;
  readonly programs: Map<number, Executable>;
}

export function bareRuntime(kernel: Partial<BpfKernel> = {}, ramBytes = 2 ** 20): BareRuntime {
  const maps = new Map<RamOffset, BpfMap>();
  const programs = new Map<number, Executable>();
  return {
    ram: new Ram(ramBytes, 65536),
    core: {
      get exports(): Record<string, unknown> {
        throw new Bug('a bare runtime has no C core');
      },
    } as unknown as BpfRuntime['core'],
    kernel: { ...NO_KERNEL, ...kernel },
    running: undefined,
    maps,
    programs,
    mapAt: (offset) => maps.get(offset),
    executableOf: (id) => programs.get(id),
  };
}

const NO_KERNEL: BpfKernel = {
  cpuCount: 1,
  cpu: () => 0,
  nowNs: () => 0 as Ns,
  currentTask: () => 0 as RamOffset,
  currentPid: () => 0,
  currentTgid: () => 0,
  currentUid: () => 0,
  currentGid: () => 0,
  currentComm: () => '',
  random32: () => 4,
  tracePrintk: () => {},
  copyFromUser: () => false,
  copyToUser: () => false,
  wakeMapReaders: () => {},
};
