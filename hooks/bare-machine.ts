/**
 * BPF on a bare RAM, for commands that need no kernel: bpf(2) all the way, one process that calls
 * it, one CPU.
 */
import { Ram } from '../kernel/ram/ram.ts';
import { type AttrInput, type AttrOf, decodeAttr, encodeAttr } from '../bpf/attr.ts';
import type { Btf } from '../bpf/btf/btf.ts';
import type { Engine } from '../bpf/engine.ts';
import { createInterpreter } from '../bpf/interp/interp.ts';
import type { BpfUser } from '../bpf/loader/user.ts';
import { createMap } from '../bpf/maps/table.ts';
import { CORE_RESERVED_BYTES, instantiateCore } from '../bpf/native/core.ts';
import { type BpfRuntime, createRuntime } from '../bpf/runtime.ts';
import { BareCaller } from '../bpf/syscall/bare-caller.ts';
import { ALL_CAPS, type BpfCaps } from '../bpf/syscall/caller.ts';
import { type BpfHost, BpfSubsystem } from '../bpf/syscall/subsystem.ts';
import { bareKernel } from '../bpf/testing/bare-kernel.ts';
import { BPF_COMMANDS, type BpfCommand } from '../bpf/uapi.ts';
import { progTypeOps } from './prog-types.ts';
import { testRunOf } from './test-runs.ts';

const RAM_BYTES = 256 * 2 ** 20;
export const BARE_CPUS = 1;

export interface BareOptions {
  readonly level: '6.1' | 'latest';
  /** Compiles programs that are hot, or whose code is asked for. */
  readonly jit?: Engine;
  /** What runs programs at first; the interpreter where absent. */
  readonly engine?: Engine;
  /** Types of the kernel that programs are loaded into; none where absent. */
  readonly kernelBtf?: Btf;
  readonly caps?: BpfCaps;
  readonly verified?: BpfHost['verified'];
  /** Interfaces that there are, for redirects; none where absent. */
  readonly devices?: readonly number[];
  readonly checkOnly?: true;
  readonly symbolAddress?: NonNullable<BpfHost['symbolAddress']>;
  readonly kfuncs?: NonNullable<BpfHost['kfuncs']>;
}

export class BareMachine {
  readonly bpf: BpfSubsystem;
  readonly caller: BareCaller;

  /** @param assets.core the C core (bpf/native), compiled */
  constructor(assets: { readonly core: WebAssembly.Module }, options: BareOptions) {
    this.caller = new BareCaller(options.caps ?? ALL_CAPS);
    const ram = new Ram(RAM_BYTES, CORE_RESERVED_BYTES);
    const core = instantiateCore(assets.core, ram);
    const kernel = bareKernel(ram, { cpuCount: BARE_CPUS });
    const { devices } = options;
    if (devices) kernel.netDeviceExists = (ifindex) => devices.includes(ifindex);
    const runtime: BpfRuntime = createRuntime(ram, core, kernel, {
      executableOf: (id) => this.bpf.progs.byId(id)?.prog.executable,
    });
    const host: BpfHost = {
      runtime,
      interpreter: options.engine ?? createInterpreter(),
      jit: () => options.jit,
      level: options.level,
      progType: progTypeOps,
      createMap: (spec, caps) => createMap(runtime, spec, caps),
      nowNs: () => kernel.nowNs(),
      unprivilegedDisabled: () => false,
      reportOops: (_prog, oops) => {
        throw oops;
      },
      testRun: (type) => testRunOf(type, () => undefined),
      ...(options.verified && { verified: options.verified }),
      ...(options.checkOnly && { checkOnly: options.checkOnly }),
      ...(options.symbolAddress && { symbolAddress: options.symbolAddress }),
      ...(options.kfuncs && { kfuncs: options.kfuncs }),
    };
    this.bpf = new BpfSubsystem(host, options.kernelBtf);
  }

  /** The result of a command, and its attr as the command left it. */
  call<C extends BpfCommand>(
    command: C,
    values: AttrInput<C>,
  ): { readonly result: number; readonly attr: AttrOf<C> } {
    const { result, bytes } = this.raw(BPF_COMMANDS.indexOf(command), encodeAttr(command, values));
    return { result, attr: decodeAttr(command, bytes) };
  }

  /** The same with bytes of one's own making. */
  raw(command: number, attr: Uint8Array): { readonly result: number; readonly bytes: Uint8Array } {
    const address = this.caller.place(attr);
    const result = this.bpf.command(command, address, attr.length, this.caller);
    return { result, bytes: this.caller.bytesAt(address, attr.length) };
  }

  /** What the loader needs of a process. */
  loaderUser(): BpfUser<never> {
    const { bpf, caller } = this;
    return {
      *bpf(command, attr) {
        const address = caller.place(attr);
        const result = bpf.command(command, address, attr.length, caller);
        attr.set(caller.bytesAt(address, attr.length));
        return result;
      },
      *close(fd) {
        caller.close(fd);
      },
      *place(bytes) {
        return caller.place(bytes);
      },
      read: (address, sizeBytes) => caller.bytesAt(address, sizeBytes),
      *release() {},
    };
  }
}
