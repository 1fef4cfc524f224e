/** What a pipeline takes of the FPGA, estimated from its nodes and from how long each must be kept. */
import type { BpfMap } from '../../../bpf/maps/map.ts';
import type { ResourceUse } from '../../target.ts';
import { indexBits, isArray, setsOf } from './accesses.ts';
import { banksOf, rowsOf } from './banks.ts';
import type { Design } from './design.ts';
import { isConst, type Node } from './node.ts';
import type { Hazards } from './hazards.ts';
import { lastUses } from './lifetimes.ts';
import { BLOCK_RAM_BITS, DEVICE, RING_FRAMES, WAYS } from './params.ts';
import type { Schedule } from './stages.ts';
import { unitStages } from './stages.ts';

/** Six inputs a LUT; a carry takes one a bit. */
function lutsOf({ op, bits, args }: Node): number {
  const width = Math.max(...args.map((arg) => arg.bits), 0);
  switch (op) {
    case 'add':
    case 'sub':
      return bits;
    case 'ult':
      return Math.ceil(width / 2);
    case 'eq':
      return Math.ceil(isConst(args[1]) ? width / 5 : width / 2.5);
    case 'mux':
      return isConst(args[1]) || isConst(args[2]) ? Math.ceil(bits / 2) : bits;
    case 'and':
    case 'or':
    case 'xor':
      return Math.ceil(bits / 2);
    case 'shl':
    case 'shr':
    case 'sar':
      return bits * Math.ceil(args[1]!.bits / 2);
    case 'div':
    case 'mod':
      return args[0]!.bits * (isConst(args[1]) ? args[1].bits + 1 : args[1]!.bits) * 2;
    case 'rmw':
      return 3 * bits;
    default:
      return 0;
  }
}

export interface Estimate {
  readonly luts: number;
  readonly registers: number;
  readonly blockRams: number;
  readonly dsps: number;
}

/** Of the pipeline alone, without memories of maps and the ring. */
export function estimate(design: Design, schedule: Schedule, hazards: Hazards): Estimate {
  let luts = FRONT_LUTS;
  let registers = FRONT_REGISTERS + schedule.stages;
  let dsps = 0;
  for (const node of schedule.nodes) {
    luts += lutsOf(node);
    if (node.op === 'mul') dsps += Math.ceil(node.bits / 17) ** 2;
    if (node.op === 'mod' || node.op === 'div') {
      registers += unitStages(node) * (node.args[0]!.bits * 2);
    }
    if (node.op === 'rmw') registers += 2 * node.bits + 2 * node.args[0]!.bits;
  }
  for (const [node, last] of lastUses(design, schedule)) {
    if (isConst(node)) continue;
    registers += node.bits * Math.max(0, last - schedule.readyAt(node));
  }
  luts += design.written.size * 8;
  if (hazards.flush) registers += hazards.flush.stage * 6;
  return { luts, registers, blockRams: 0, dsps };
}

/** Ring pointers, descriptors, output (yosys counts about this for a program that drops). */
const FRONT_LUTS = 120;
const FRONT_REGISTERS = 130;

/** Memory, and what searches it. */
export function mapEstimate(design: Design, map: BpfMap): Estimate {
  const { keyBytes } = map.spec;
  const blocks = (rows: number, bits: number): number => Math.ceil((rows * bits) / BLOCK_RAM_BITS);
  let blockRams = 0;
  for (const bank of banksOf(design, map)) {
    const readers = Math.max(1, Math.ceil(bank.accesses.length / 2));
    blockRams += blocks(rowsOf(map), bank.bytes.length * 8) * readers;
  }
  if (isArray(map) || map.spec.type === 'devmap') {
    return { luts: 0, registers: 0, blockRams: Math.max(1, blockRams), dsps: 0 };
  }
  const searches = design.accesses.filter(
    ({ op, access }) => access!.map === map && ['lookup', 'update', 'delete'].includes(op),
  ).length;
  const keyBits = keyBytes * 8 + 1;
  if (map.spec.type === 'lpm_trie') {
    const entry = keyBits + keyBytes * 8;
    return {
      luts: Math.ceil((map.spec.maxEntries * entry) / 4) * searches,
      registers: map.spec.maxEntries * entry,
      blockRams,
      dsps: 0,
    };
  }
  return {
    luts: searches * (WAYS * Math.ceil(keyBits / 2.5) + keyBits + indexBits(map) * 2),
    registers: searches * (WAYS * keyBits + keyBits + indexBits(map)),
    blockRams: blockRams + blocks(setsOf(map), keyBits) * WAYS * searches,
    dsps: 0,
  };
}

export function resourcesOf(
  design: Design,
  schedule: Schedule,
  hazards: Hazards,
): readonly ResourceUse[] {
  const maps = design.program.usedMaps.map((map) => mapEstimate(design, map));
  const ring = 2 * Math.ceil((RING_FRAMES * design.frameBytes * 8) / BLOCK_RAM_BITS);
  const all = [estimate(design, schedule, hazards), ...maps];
  const sum = (field: keyof Estimate): number =>
    Math.round(all.reduce((total, each) => total + each[field], 0));
  return [
    { name: 'stages', used: schedule.stages },
    { name: 'LUTs', used: sum('luts'), available: DEVICE.luts },
    { name: 'registers', used: sum('registers'), available: DEVICE.registers },
    { name: 'block RAMs', used: sum('blockRams') + ring, available: DEVICE.blockRams },
    { name: 'DSPs', used: sum('dsps'), available: DEVICE.dsps },
  ];
}
