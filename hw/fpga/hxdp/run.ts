/** An image row by row, as Sephirot executes it: what a row reads, it reads before it writes. */
import type { BpfRuntime } from '../../../bpf/runtime.ts';
import { Bug } from '../../../kernel/types/units.ts';
import { type DeviceCpu, DeviceRun } from '../../device-cpu.ts';
import type { HxdpImage } from './image.ts';
import type { Op } from './ops.ts';
import { STACK_BYTES } from './params.ts';

const R10 = 10;

/** Rows fetched by one run: a loop that the verifier let through ends long before. */
const MAX_FETCHES = 16_000_000;

export class HxdpRun extends DeviceRun {
  /** Rows fetched by the last run. */
  rows = 0;
  readonly #image: HxdpImage;
  readonly #before = new BigInt64Array(R10 + 1);
  readonly #after = new BigInt64Array(R10 + 1);

  constructor(image: HxdpImage, runtime: BpfRuntime) {
    super(image.program.device, runtime);
    this.#image = image;
  }

  protected override drive(cpu: DeviceCpu): number {
    const { ram } = this.runtime;
    const { rows } = this.#image.schedule;
    const top = Number(BigInt.asUintN(32, cpu.registers[R10]!));
    // Registers and stack reset themselves.
    ram.u8.fill(0, top - STACK_BYTES, top);
    this.rows = 0;
    for (let row = 0; ;) {
      const fetched = rows[row];
      if (fetched === undefined || ++this.rows > MAX_FETCHES) throw new Bug(`ran to row ${row}`);
      this.#before.set(cpu.registers);
      this.#after.set(cpu.registers);
      let leave: Op | undefined;
      for (const { op } of fetched.ops) {
        if (op.kind === 'compute' || op.kind === 'call') this.#compute(cpu, op);
        else if (leave === undefined && this.#leaves(cpu, op)) leave = op;
      }
      cpu.registers.set(this.#after);
      if (leave?.kind === 'exit') {
        return leave.verdict ?? Number(BigInt.asUintN(32, this.#before[0]!));
      }
      row = leave === undefined ? row + 1 : this.#image.schedule.rowOfBlock.get(leave.target!)!;
    }
  }

  #compute(cpu: DeviceCpu, { kind, slots, writes }: Op): void {
    // The helpers' bus takes its arguments as the row has computed them.
    cpu.registers.set(kind === 'call' ? this.#after : this.#before);
    for (const slot of slots) cpu.step(slot);
    for (let register = 0; register < R10; register++) {
      if ((writes >> register) & 1) this.#after[register] = cpu.registers[register]!;
    }
  }

  /** Where in RAM a register pointed before the row. */
  #offset(register: number): number {
    return Number(BigInt.asUintN(32, this.#before[register]!));
  }

  #leaves(cpu: DeviceCpu, { kind, slots, needs }: Op): boolean {
    if (kind === 'guard') {
      const { data, data_end: end } = cpu.packet();
      const from = needs!.register === undefined ? data : this.#offset(needs!.register);
      return from + needs!.bytes > end;
    }
    if (kind !== 'branch') return true;
    cpu.registers.set(this.#before);
    return cpu.step(slots[0]!) !== slots[0]! + 1;
  }
}
