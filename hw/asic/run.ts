/**
 * An image at work, for checking: the graph is walked as the pipe walks it, each step's instructions
 * are executed exactly, and what the compiler took for granted is looked at – that the way taken is
 * one that the graph has, and that registers hold the constants and packet places it knew.
 */
import type { BpfRuntime } from '../../bpf/runtime.ts';
import { Bug } from '../../kernel/types/units.ts';
import { DeviceRun, DONE, type DeviceCpu } from '../device-cpu.ts';
import type { Step } from './graph.ts';
import type { AsicImage } from './image.ts';
import { constantOf } from './value.ts';

export class AsicRun extends DeviceRun {
  readonly #image: AsicImage;

  constructor(image: AsicImage, runtime: BpfRuntime) {
    super(image.program.device, runtime);
    this.#image = image;
  }

  protected override drive(cpu: DeviceCpu): number {
    const begin = cpu.packet().data;
    let [step] = this.#image.graph.steps;
    for (;;) {
      this.#check(cpu, step!, begin);
      let next = 0;
      for (const slot of step!.slots) next = cpu.step(slot);
      if (next === DONE) return Number(BigInt.asUintN(32, cpu.registers[0]!));
      const edge = step!.outgoing.find(({ to }) => to.slots[0] === next);
      if (!edge) throw new Bug(`the graph has no way from step ${step!.index} to slot ${next}`);
      step = this.#taken(cpu, step!, next, begin);
    }
  }

  /** Steps of one block differ in their pointers: the one whose claims hold is meant. */
  #taken(cpu: DeviceCpu, from: Step, slot: number, begin: number): Step {
    const targets = from.outgoing.filter(({ to }) => to.slots[0] === slot).map(({ to }) => to);
    return targets.find((step) => this.#wrong(cpu, step, begin) === undefined) ?? targets[0]!;
  }

  #check(cpu: DeviceCpu, step: Step, begin: number): void {
    const wrong = this.#wrong(cpu, step, begin);
    if (wrong !== undefined) throw new Bug(`step ${step.index}: ${wrong}`);
  }

  #wrong(cpu: DeviceCpu, { registers }: Step, begin: number): string | undefined {
    for (const [register, value] of registers.entries()) {
      if (value === undefined || register > 10) continue;
      const holds = BigInt.asUintN(64, cpu.registers[register]!);
      const claim =
        value.kind === 'bits'
          ? constantOf(value.bits)
          : value.kind === 'packet'
            ? BigInt.asUintN(64, this.runtime.ram.kernelAddress(begin as never) + BigInt(value.at))
            : undefined;
      if (claim !== undefined && claim !== holds) {
        return `r${register} holds 0x${holds.toString(16)}, not 0x${claim.toString(16)}`;
      }
    }
    return undefined;
  }
}
