/**
 * What a thread does from a basic block's beginning until another begins: turns of so many cycles,
 * each ended by a command or a firmware routine's wait. Made once for each pair of blocks.
 */
import { helperOfCall } from '../../bpf/calls.ts';
import { Bug } from '../../kernel/types/units.ts';
import type { NpuImage } from './image.ts';
import { BR, CMD } from './isa.ts';
import { BRANCH_TAKEN_CYCLES, HASH_INSTRUCTIONS, ROUTINE_INSTRUCTIONS } from './params.ts';

/** What a turn ends with; `none`: the next way's first turn goes on. */
export type Wait = 'none' | 'ctm' | 'imem' | 'emem' | 'atomic';

export interface Turn {
  readonly cycles: number;
  readonly wait: Wait;
  /** The firmware's, not the program's. */
  readonly routine: boolean;
}

export interface Way {
  readonly turns: readonly Turn[];
  /** Of the program. */
  readonly instructions: number;
}

const WAITS: Readonly<Record<(typeof CMD)[number], Wait>> = {
  ctm_read: 'ctm', ctm_write: 'ctm', emem_read: 'emem', emem_add32: 'atomic', emem_add64: 'atomic',
}; // prettier-ignore

/** @param to a block, or the number of blocks for the end of the program */
export function wayBetween(image: NpuImage, from: number, to: number): Way {
  const { insns, blockAt, endAt } = image.code;
  const goal = to === blockAt.length ? endAt : blockAt[to]!;
  const after = [...blockAt, endAt].filter((at) => at > blockAt[from]!);
  const regionEnd = Math.min(...after);
  const turns: Turn[] = [];
  let cycles = 0;
  let instructions = 0;
  const end = (wait: Wait): void => {
    turns.push({ cycles, wait, routine: false });
    cycles = 0;
  };
  const last = insns.slice(0, regionEnd).findLastIndex(({ op }) => op === 'br');
  for (let pc = blockAt[from]!; pc < regionEnd;) {
    const { op, fn, imm } = insns[pc]!;
    cycles++;
    instructions++;
    const inside = imm > blockAt[from]! && imm < regionEnd;
    if (op === 'br') {
      // Within a block: of the ways of a shift or of adjust_head, the one that falls through.
      const taken = inside ? BR[fn] === 'unc' : pc === last && imm === goal;
      if (taken) cycles += BRANCH_TAKEN_CYCLES;
      pc = taken && inside ? imm : pc + 1;
      continue;
    }
    if (op === 'cmd') end(WAITS[CMD[fn]!]);
    if (op === 'call') {
      end('none');
      turns.push(...routine(image, imm));
    }
    pc++;
  }
  end('none');
  return { turns, instructions };
}

/** What all runs end with. */
export function endingWay({ code: { insns, endAt } }: NpuImage): Way {
  const instructions = insns.length - endAt;
  return { turns: [{ cycles: instructions, wait: 'none', routine: false }], instructions };
}

const wordsOf = (bytes: number): number => Math.ceil(bytes / 4);

/** The firmware's part of a helper's call. */
function routine({ program: { device } }: NpuImage, slot: number): readonly Turn[] {
  const name = helperOfCall(device, slot)!.name;
  const turn = (cycles: number, wait: Wait): Turn => ({ cycles, wait, routine: true });
  const { enter, perWord, leave } = ROUTINE_INSTRUCTIONS;
  if (!name.startsWith('map_')) {
    switch (name) {
      case 'get_prandom_u32':
        return [turn(RANDOM_CYCLES, 'none')];
      case 'xdp_adjust_tail':
        return [turn(enter, 'none')];
      case 'perf_event_output':
        return [turn(enter, 'emem'), turn(leave, 'emem')];
      default:
        throw new Bug(`no routine for ${name}`);
    }
  }
  const spec = device.facts[slot]!.map?.spec ?? { keyBytes: 4, valueBytes: 8 };
  const words = wordsOf(spec.keyBytes);
  const hash = HASH_INSTRUCTIONS.fixed + HASH_INSTRUCTIONS.perWord * words;
  const found = [turn(enter, 'imem'), turn(hash, 'atomic'), turn(1, 'emem')];
  const compared = perWord * words + leave;
  if (name === 'map_lookup_elem') return [...found, turn(compared, 'none')];
  const value = name === 'map_update_elem' ? perWord * wordsOf(spec.valueBytes) : 0;
  return [...found, turn(compared + value, 'emem'), turn(leave, 'emem')];
}

/** DRV: reading a control register takes 3 cycles. */
const RANDOM_CYCLES = 3;
