/**
 * A server's core as a target: the machine code that an engine makes of a program, executed by its
 * simulator, timed by a model of the core and of the NIC's driver around it.
 *
 *   createCoreTarget({ kind: 'x86', name: 'Haswell-EP at 3.7 GHz', engine, core, nic, … })
 */
import type { Engine, Executable } from '../../bpf/engine.ts';
import type { BpfRuntime } from '../../bpf/runtime.ts';
import { errno } from '../../kernel/types/errno.ts';
import type { DeviceImage, OffloadProgram, ResourceUse, Target } from '../target.ts';
import type { CoreParams } from './core-params.ts';
import type { NicDriver } from './drivers.ts';
import type { ExecutionObserver } from './events.ts';
import { HostTiming } from './host.ts';
import type { CallConvention } from './kernel-calls.ts';
import { KERNELS, type KernelVersion } from './kernel-functions.ts';

/** An engine whose runs can be watched. */
export interface ObservedEngine extends Engine {
  observe(runtime: BpfRuntime, observer: ExecutionObserver | undefined): void;
}

export interface CoreTargetOptions {
  readonly kind: string;
  readonly name: string;
  readonly engine: ObservedEngine;
  readonly convention: CallConvention;
  readonly core: CoreParams;
  readonly nic: NicDriver;
  readonly clockHz?: number;
  /** 6.1 where absent. */
  readonly kernel?: KernelVersion;
}

/** Machine code is made for a machine: it has addresses of maps and functions in it. */
export class CoreImage implements DeviceImage {
  readonly program: OffloadProgram;
  #executable: Executable | undefined;

  constructor(program: OffloadProgram) {
    this.program = program;
  }

  load(engine: Engine, runtime: BpfRuntime): Executable {
    const executable = engine.compile(this.program.host, runtime);
    this.#executable = executable;
    return executable;
  }

  /** Empty until it was loaded. */
  get bytes(): Uint8Array {
    return this.#executable?.image?.() ?? new Uint8Array(0);
  }

  get resources(): readonly ResourceUse[] {
    const used = this.#executable?.imageBytes ?? 0;
    return used === 0 ? [] : [{ name: 'bytes of machine code', used }];
  }

  text(): string {
    return this.#executable?.text() ?? '';
  }
}

export function createCoreTarget(o: CoreTargetOptions): Target<CoreImage> {
  return {
    kind: o.kind,
    name: o.name,
    compile(program) {
      const refused = o.engine.refusal(program.host);
      if (refused === undefined) return { kind: 'image', image: new CoreImage(program) };
      const { insn, reason, message } = refused;
      return { kind: 'refused', diagnostics: [{ insn, reason, message, errno: errno.ENOTSUPP }] };
    },
    refuseMap: () => undefined,
    execute: (image, runtime) => image.load(o.engine, runtime),
    timing: (image, runtime, { clockHz = o.clockHz ?? o.core.clockHz, parallel = 1 }) => {
      const host = new HostTiming(runtime, {
        core: o.core,
        clockHz,
        cores: parallel,
        nic: o.nic,
        kernel: o.kernel ?? KERNELS['6.1'],
        convention: o.convention,
      });
      o.engine.observe(runtime, host.code);
      return Object.assign(host, { executable: image.load(o.engine, runtime) });
    },
    // A system call and a lookup; nothing crosses PCIe.
    mapAccessNs: () => SYSCALL_NS,
  };
}

/** XDP's era, KPTI off: bpf(2) with a hash lookup takes 0.1 to 0.2 µs (kernel bench trigger: syscall). */
const SYSCALL_NS = 150;
