/**
 * The machine around bpf(2): runtime, engines, program types, attach points, and the oops that a
 * faulting program leaves in the log.
 */
import { createMap } from '../../bpf/maps/table.ts';
import type { NativeCore } from '../../bpf/native/core.ts';
import type { BpfOops } from '../../bpf/program.ts';
import { oopsSymbol, type BpfProg } from '../../bpf/prog.ts';
import { createRuntime } from '../../bpf/runtime.ts';
import type { OffloadDevice } from '../../bpf/syscall/offload.ts';
import { BpfSubsystem } from '../../bpf/syscall/subsystem.ts';
import { progTypeOps } from '../../hooks/prog-types.ts';
import { testRunOf } from '../../hooks/test-runs.ts';
import type { NetDevice } from '../net/device.ts';
import type { Kernel } from '../machine-types.ts';
import { KERN_ALERT, KERN_WARNING } from '../printk.ts';
import { attachPoints } from './attach.ts';
import { bpfKernel } from './bpf-kernel.ts';
import { errno } from '../types/errno.ts';
import { kernelBtf } from './kernel-btf.ts';

export interface BpfParts {
  readonly core: NativeCore;
  deviceByIndex(ifindex: number): NetDevice | undefined;
}

export function createBpf(kernel: Kernel, { core, deviceByIndex }: BpfParts): BpfSubsystem {
  const runtime = createRuntime(kernel.ram, core, bpfKernel(kernel), {
    executableOf: (id) => bpf.progs.byId(id)?.prog.executable,
  });
  kernel.bpfJit.attach(runtime);
  const testDevice = (ifindex: number) => {
    const device = deviceByIndex(ifindex);
    return device && { offset: device.offset, queues: device.init.queues };
  };
  const bpf: BpfSubsystem = new BpfSubsystem(
    {
      runtime,
      interpreter: kernel.bpfJit.first,
      jit: () => kernel.bpfJit.engine,
      level: /(^|\s)skep\.level=6\.1(\s|$)/.test(kernel.config.cmdline) ? '6.1' : 'latest',
      progType: progTypeOps,
      createMap: (spec, caps) => createMap(runtime, spec, caps),
      nowNs: () => kernel.clock(),
      statsEnabled: () => kernel.settings.bpf.statsEnabled.value !== 0,
      unprivilegedDisabled: () => kernel.settings.bpf.unprivilegedDisabled.value !== 0,
      reportOops: (prog, oops) => reportOops(kernel, prog, oops),
      testRun: (type) => testRunOf(type, testDevice),
      symbolAddress: (name) => kernel.kallsyms.address(name),
      offloadDevice: (ifindex) => offloadDevice(deviceByIndex(ifindex)),
      attach: attachPoints(kernel, deviceByIndex),
    },
    kernelBtf(kernel.tracing.registry.all.map(({ event }) => event)),
  );
  return bpf;
}

/** A driver without XDP is refused otherwise than one that has it but takes no programs. */
function offloadDevice(device: NetDevice | undefined): OffloadDevice | number {
  if (!device) return -errno.EINVAL;
  if (!device.driver.xdp) return -errno.EOPNOTSUPP;
  return device.driver.offload ?? -errno.EINVAL;
}

/** What Linux prints of a fault in the kernel, as far as it applies to a program. */
function reportOops(kernel: Kernel, prog: BpfProg, oops: BpfOops): void {
  const { sched, log } = kernel;
  const address = BigInt.asUintN(64, BigInt(oops.address)).toString(16).padStart(16, '0');
  log.printk(KERN_ALERT, `BUG: unable to handle page fault for address: ${address}`);
  log.printk(KERN_ALERT, `${oops.message}`);
  log.printk(
    KERN_WARNING,
    `CPU: ${sched.cpu.id} PID: ${sched.current.pid} Comm: ${sched.current.comm}\n` +
      `RIP: 0010:${oopsSymbol(prog, oops)}`,
  );
}
