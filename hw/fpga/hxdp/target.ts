/**
 * hXDP on a NetFPGA-SUME: a VLIW soft processor on the NIC's FPGA.
 *
 *   const target = createHxdp()                       as in the paper
 *   createHxdp({ lanes: 2, without: ['bounds'] })     to see what something brings
 */
import { helperOfCall } from '../../../bpf/calls.ts';
import { rowOf } from '../../../bpf/isa/table.ts';
import type { MapSpec } from '../../../bpf/maps/map.ts';
import type { VerifiedProgram } from '../../../bpf/program.ts';
import type { MapType } from '../../../bpf/uapi.ts';
import { errno } from '../../../kernel/types/errno.ts';
import type { Diagnostic, ResourceUse, Target } from '../../target.ts';
import { HxdpImage } from './image.ts';
import { buildBlocks } from './ops.ts';
import {
  BLOCK_RAM_BYTES,
  BLOCKS,
  CLOCK_HZ,
  DEVICE,
  LANES,
  MAPS_BLOCK,
  MAX_LANES,
  MAX_ROWS,
  MEASURED_LANES,
  PCIE,
} from './params.ts';
import { PASSES, runPass, type Pass } from './passes.ts';
import { HxdpRun } from './run.ts';
import { schedule } from './schedule.ts';
import { HxdpTiming } from './timing.ts';

export interface HxdpOptions {
  /** 1 to 8. */
  readonly lanes?: number;
  /** Compiler passes to leave out. */
  readonly without?: readonly Pass[];
  readonly earlyExit?: boolean;
  readonly parallelBranches?: boolean;
}

/** Those that the prototype has hardware for (HX 4.1.4 and the programs of 5.1). */
const HELPERS: readonly string[] = [
  'map_lookup_elem', 'map_update_elem', 'map_delete_elem', 'redirect', 'redirect_map',
  'xdp_adjust_head', 'xdp_adjust_tail', 'csum_diff', 'ktime_get_ns',
]; // prettier-ignore
/** What the map subsystem is shaped into. One processor, so a per-CPU map is a plain one. */
const MAPS: readonly MapType[] = [
  'array', 'percpu_array', 'hash', 'percpu_hash', 'lru_hash', 'lpm_trie', 'devmap',
]; // prettier-ignore

export function createHxdp(options: HxdpOptions = {}): Target<HxdpImage> {
  const { lanes = LANES, without = [], earlyExit = true, parallelBranches = true } = options;
  if (!Number.isInteger(lanes) || lanes < 1 || lanes > MAX_LANES) {
    throw new RangeError(`hXDP has 1 to ${MAX_LANES} lanes, not ${lanes}`);
  }
  return {
    kind: 'fpga',
    name: lanes === LANES ? 'hXDP' : `hXDP, ${lanes} lane${lanes === 1 ? '' : 's'}`,
    compile(program) {
      const { device } = program;
      const diagnostics = refusals(device);
      if (diagnostics.length > 0) return { kind: 'refused', diagnostics };
      const blocks = buildBlocks(device);
      for (const pass of PASSES) if (!without.includes(pass)) runPass(pass, device, blocks);
      const rows = schedule(device, blocks, { lanes, parallelBranches });
      if (rows.rows.length > MAX_ROWS) {
        return { kind: 'refused', diagnostics: [tooLong(rows.rows.length)] };
      }
      const resources = resourcesOf(device, rows.rows.length, lanes);
      return { kind: 'image', image: new HxdpImage(program, blocks, rows, lanes, resources) };
    },
    refuseMap,
    execute: (image, runtime) => new HxdpRun(image, runtime),
    timing: (image, runtime, { clockHz = CLOCK_HZ }) =>
      new HxdpTiming(image, runtime, { clockHz, earlyExit }),
    mapAccessNs: () => PCIE.writeNs + PCIE.readNs,
  };
}

function refusals(program: VerifiedProgram): Diagnostic[] {
  const found: Diagnostic[] = [];
  if (program.subprogs.length > 1) {
    found.push({
      insn: program.subprogs[1]!.start,
      reason: 'subprogram',
      message: 'hxdp: calls between functions of the program are not supported',
      hint: 'inline them (static __always_inline)',
      errno: errno.EOPNOTSUPP,
    });
  }
  for (let insn = 0; insn < program.insns.length; insn++) {
    const row = rowOf(program.insns[insn]!)!;
    if (row.kind === 'call' && row.target === 'helper') {
      const name = helperOfCall(program, insn)?.name ?? `#${program.insns[insn]!.imm}`;
      if (!HELPERS.includes(name)) found.push(noHelper(insn, name));
    }
    insn += row.slots - 1;
  }
  return found;
}

const noHelper = (insn: number, name: string): Diagnostic => ({
  insn,
  reason: 'unsupported-helper',
  message: `hxdp: helper bpf_${name} is not supported`,
  hint: `there is hardware for ${HELPERS.map((helper) => `bpf_${helper}`).join(', ')}`,
  errno: errno.EOPNOTSUPP,
});

const tooLong = (rows: number): Diagnostic => ({
  reason: 'program-too-large',
  message: `hxdp: ${rows} rows do not fit the instruction memory`,
  hint: `it holds ${MAX_ROWS} rows`,
  errno: errno.ENOSPC,
});

function refuseMap({ type, keyBytes, valueBytes, maxEntries }: MapSpec): Diagnostic | undefined {
  if (!MAPS.includes(type)) {
    return {
      reason: 'unsupported-map-type',
      message: `hxdp: maps of type ${type} are not supported`,
      hint: `there is hardware for ${MAPS.join(', ')}`,
      errno: errno.EOPNOTSUPP,
    };
  }
  const blocks = Math.ceil(((keyBytes + valueBytes) * maxEntries) / BLOCK_RAM_BYTES);
  if (blocks <= DEVICE.blockRams) return undefined;
  return {
    reason: 'map-too-large',
    message: `hxdp: a map of ${maxEntries} entries needs ${blocks} block RAMs`,
    hint: `the device has ${DEVICE.blockRams} in all`,
    errno: errno.ENOMEM,
  };
}

function resourcesOf(program: VerifiedProgram, rows: number, lanes: number): ResourceUse[] {
  const scale = (part: string, amount: number): number =>
    part === 'processor' || part === 'instruction memory'
      ? (amount * lanes) / MEASURED_LANES
      : amount;
  const sum = (column: 1 | 2 | 3): number =>
    BLOCKS.reduce((total, block) => total + scale(block[0], block[column]), 0);
  const [mapLuts, mapRegisters, mapRams] = MAPS_BLOCK;
  // The subsystem was measured with a map of 4 KiB in it.
  const mapBytes = program.usedMaps.reduce(
    (total, { spec }) => total + (spec.keyBytes + spec.valueBytes) * spec.maxEntries,
    0,
  );
  const rams = Math.max(mapRams, Math.ceil(mapBytes / BLOCK_RAM_BYTES));
  return [
    { name: 'instruction memory rows', used: rows, available: MAX_ROWS },
    { name: 'LUTs', used: Math.round(sum(1) + mapLuts), available: DEVICE.luts },
    { name: 'registers', used: Math.round(sum(2) + mapRegisters), available: DEVICE.registers },
    { name: 'block RAMs', used: Math.ceil(sum(3) + rams), available: DEVICE.blockRams },
  ];
}
