/**
 * What one BPF instruction does, for devices that execute their own form of a program: the image
 * says in which order and how many at once, this does the work. Contexts are the UAPI's.
 *
 *   class MyRun extends DeviceRun { protected drive(cpu) { … cpu.step(slot) …; return verdict } }
 *   new MyRun(program.device, runtime).run(xdp)
 *
 * Instructions without a counterpart in the program (wider loads, fused operations) work on
 * `cpu.registers` themselves.
 */
import { BaseExecutable } from '../bpf/executable.ts';
import { compileStep, ConstantPool } from '../bpf/interp/compile.ts';
import { Cpu, DONE, R10 } from '../bpf/interp/cpu.ts';
import { rowOf } from '../bpf/isa/table.ts';
import type { VerifiedProgram } from '../bpf/program.ts';
import type { BpfRuntime } from '../bpf/runtime.ts';
import type { Ram } from '../kernel/ram/ram.ts';
import type { RamOffset } from '../kernel/types/units.ts';
import { Bug } from '../kernel/types/units.ts';
import { XdpBuff, type XdpBuffView } from '../kernel/types/xdp.ts';
import { xdpMember } from './xdp-context.ts';

export { DONE };

export class DeviceCpu {
  /** r0 to r10, signed. */
  readonly registers: BigInt64Array;
  readonly #steps: readonly (() => number)[];
  /** The packet's struct xdp_buff. */
  xdp = 0 as RamOffset;
  readonly #ram: Ram;

  constructor(program: VerifiedProgram, runtime: BpfRuntime, executable: BaseExecutable) {
    this.#ram = runtime.ram;
    const constants = new ConstantPool(program);
    const cpu = new Cpu(runtime.ram, constants.values);
    this.registers = cpu.registers.subarray(0, R10 + 1);
    const state = executable.sharedState;
    this.#steps = program.insns.map((insn, slot) => {
      const row = rowOf(insn);
      if (row?.kind === 'load' && program.facts[slot]!.pointer === 'ctx') {
        const { dst, off } = insn;
        return () => {
          this.registers[dst] = xdpMember(runtime.ram, this.xdp, off);
          return slot + 1;
        };
      }
      // Nothing attaches to a program that is in a device.
      const patched = () => undefined;
      return compileStep({ program, runtime, state, cpu, constants, slot, patched });
    });
  }

  /** Execute the instruction at that slot of the device form; the slot it leads to, or DONE. */
  step(slot: number): number {
    return this.#steps[slot]!();
  }

  /** The packet as it is now. */
  packet(): XdpBuffView {
    return XdpBuff.at(this.#ram, this.xdp);
  }

  /** As a program begins: r1 the context, r10 the stack, all else 0. */
  begin(xdp: RamOffset, ctx: bigint, stackTop: bigint): void {
    this.xdp = xdp;
    this.registers.fill(0n);
    this.registers[1] = ctx;
    this.registers[R10] = stackTop;
  }
}

/** One program on a device that executes it exactly. */
export abstract class DeviceRun extends BaseExecutable {
  readonly engine = 'device';
  readonly imageBytes = 0;
  readonly #cpu: DeviceCpu;

  constructor(device: VerifiedProgram, runtime: BpfRuntime) {
    super(device, runtime);
    this.#cpu = new DeviceCpu(device, runtime, this);
  }

  /** Run the image from its beginning to its end; the verdict. */
  protected abstract drive(cpu: DeviceCpu): number;

  protected override execute(xdp: RamOffset, stackTop: number): number {
    const { ram } = this.runtime;
    this.#cpu.begin(xdp, ram.kernelAddress(xdp), ram.kernelAddress(stackTop as RamOffset));
    return this.drive(this.#cpu);
  }

  override enter(): bigint {
    throw new Bug('devices have no tail calls');
  }

  override text(): string {
    return '';
  }
}
