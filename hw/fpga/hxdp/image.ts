/**
 * A program as hXDP's instruction memory holds it: rows of one instruction a lane.
 *
 * An instruction is eight bytes as in BPF, extended by: a third register in the offset's low byte and
 * bit 15 set (three-operand), mode 7 in the opcode (six bytes), the verdict in an exit's immediate
 * with source 1, and jump offsets that count rows. The prototype's own encoding is not published.
 */
import { encodeInsns } from '../../../bpf/isa/codec.ts';
import { helperName } from '../../../bpf/helpers/table.ts';
import { disasmInsn } from '../../../bpf/isa/disasm.ts';
import type { Insn } from '../../../bpf/isa/insn.ts';
import { XDP_ACTIONS } from '../../../bpf/uapi.ts';
import type { DeviceImage, OffloadProgram, ResourceUse } from '../../target.ts';
import type { Op, OpBlock, PacketEnd } from './ops.ts';
import type { Schedule } from './schedule.ts';

const NOTHING: Insn = { code: 0, dst: 0, src: 0, off: 0, imm: 0 };
const SIX_BYTES = 0xe0;
const THIRD_REGISTER = 0x8000;

export class HxdpImage implements DeviceImage {
  readonly program: OffloadProgram;
  readonly blocks: readonly OpBlock[];
  readonly schedule: Schedule;
  readonly lanes: number;
  readonly resources: readonly ResourceUse[];

  constructor(
    program: OffloadProgram,
    blocks: readonly OpBlock[],
    schedule: Schedule,
    lanes: number,
    resources: readonly ResourceUse[],
  ) {
    this.program = program;
    this.blocks = blocks;
    this.schedule = schedule;
    this.lanes = lanes;
    this.resources = resources;
  }

  get bytes(): Uint8Array {
    return encodeInsns(
      this.schedule.rows.flatMap(({ ops }, row) => {
        const lanes = Array.from({ length: this.lanes }, () => NOTHING);
        for (const { op, lane } of ops) if (lane >= 0) lanes[lane] = this.#encode(op, row);
        return lanes;
      }),
    );
  }

  #encode(op: Op, row: number): Insn {
    const { insns } = this.program.device;
    const insn = insns[op.slots.at(-1) ?? -1] ?? { ...NOTHING, code: 0x05 };
    if (op.verdict !== undefined) return { ...insn, src: 1, imm: op.verdict };
    if (op.target !== undefined) return { ...insn, off: this.#rowOf(op.target) - row - 1 };
    if (op.form === 'three-operand') {
      const third = insns[op.slots[0]!]!.src;
      return { ...insn, off: ((THIRD_REGISTER | third) << 16) >> 16 };
    }
    return op.form === 'six-byte' ? { ...insn, code: insn.code | SIX_BYTES } : insn;
  }

  #rowOf(block: number): number {
    return this.schedule.rowOfBlock.get(block)!;
  }

  text(): string {
    return this.schedule.rows
      .map(({ ops }, row) => {
        const lanes = ops
          .toSorted((a, b) => a.lane - b.lane)
          .map(({ op, lane }) => `${lane < 0 ? 'guard' : `lane ${lane}`}: ${this.#show(op)}`);
        return `${String(row).padStart(4)}: ${lanes.join('\n      ')}\n`;
      })
      .join('');
  }

  #show(op: Op): string {
    const { insns, facts } = this.program.device;
    const plain = (slot: number): string =>
      disasmInsn(insns, slot, {
        helper: (id) => `bpf_${helperName(id)}`,
        imm64: (value, _insn, at) => {
          const fact = facts[at]?.imm64;
          return fact?.kind === 'map' ? `map ${fact.map.spec.name}` : `0x${value.toString(16)}`;
        },
      }).trim();
    const goto = op.target === undefined ? '' : `row ${this.#rowOf(op.target)}`;
    switch (op.kind) {
      case 'guard':
        return `if ${end(op.needs!)} > end goto ${goto}`;
      case 'jump':
        return `goto ${goto}`;
      case 'branch':
        return plain(op.slots[0]!).replace(/goto .*/, `goto ${goto}`);
      case 'exit':
        if (op.verdict === undefined) return 'exit';
        return `exit ${XDP_ACTIONS[op.verdict] ?? op.verdict}`;
      default:
        return op.slots.map(plain).join(' ; ');
    }
  }
}

const end = ({ register, bytes }: PacketEnd): string =>
  register === undefined ? `start + ${bytes}` : `r${register} + ${bytes}`;
