/**
 * Cycles of packets on hXDP. One packet at a time has the processor; while it runs, the next comes in
 * and the last goes out, a frame of 32 bytes a cycle each.
 */
import { helperOfCall } from '../../../bpf/calls.ts';
import { buildCfg } from '../../../bpf/jit/cfg.ts';
import type { BpfRuntime } from '../../../bpf/runtime.ts';
import {
  TRACE_BLOCK,
  TRACE_KIND_SHIFT,
  TRACE_PLACE_MASK,
  traceBuffer,
} from '../../../bpf/trace-buffer.ts';
import { XDP_DROP } from '../../../bpf/uapi.ts';
import { Bug } from '../../../kernel/types/units.ts';
import type { PacketRun, PacketTimes, TimingModel, TimingReport } from '../../target.ts';
import type { HxdpImage } from './image.ts';
import {
  DRAIN_CYCLES,
  LATE_CYCLES,
  FRAME_BYTES,
  INPUT_QUEUE_BYTES,
  KEY_BYTES_PER_CYCLE,
  LEAST_CYCLES,
  PORT_NS,
  START_CYCLES,
} from './params.ts';
import type { Op } from './ops.ts';

export interface HxdpTimingOptions {
  readonly clockHz: number;
  /** Exits are recognised when they are fetched (HX 4.2). */
  readonly earlyExit: boolean;
}

export class HxdpTiming implements TimingModel {
  readonly needs = {};
  readonly #image: HxdpImage;
  readonly #options: HxdpTimingOptions;
  readonly #cycleNs: number;
  /** Device block of each slot of the host form that begins one, by place; -1 elsewhere. */
  readonly #blockAt: Int32Array;
  readonly #base: number;
  /** What it takes from a block's beginning to where control leaves it for another; -1: not known yet. */
  readonly #ways: Int32Array;
  readonly #queue: { readonly leavesNs: number; readonly bytes: number }[] = [];
  #queueHead = 0;
  #queuedBytes = 0;
  #freeNs = 0;
  #packets = 0;
  #rows = 0;
  #lookups = 0;
  #drain = 0;
  #transfer = 0;
  /** Of the packet at hand. */
  readonly #sum = { rows: 0, lookups: 0, late: 0 };

  constructor(image: HxdpImage, runtime: BpfRuntime, options: HxdpTimingOptions) {
    this.#image = image;
    this.#options = options;
    this.#cycleNs = 1e9 / options.clockHz;
    const { host } = image.program;
    this.#base = traceBuffer(runtime).add(host);
    this.#blockAt = deviceBlocks(image);
    this.#ways = new Int32Array(image.blocks.length * (image.blocks.length + 1)).fill(-1);
  }

  admits(arrivalNs: number, bytes: number): boolean {
    for (;;) {
      const first = this.#queue[this.#queueHead];
      if (first === undefined || first.leavesNs > arrivalNs) break;
      this.#queuedBytes -= first.bytes;
      this.#queueHead++;
    }
    if (this.#queueHead > 1024) {
      this.#queue.splice(0, this.#queueHead);
      this.#queueHead = 0;
    }
    return this.#queuedBytes + bytes <= INPUT_QUEUE_BYTES;
  }

  packet(run: PacketRun, times: PacketTimes): void {
    const { arrivalNs, bytesIn, bytesOut, verdict } = run;
    const sum = this.#sum;
    this.#follow(run);
    const sends = verdict > XDP_DROP;
    const drain = this.#options.earlyExit ? sum.late : DRAIN_CYCLES;
    const service = START_CYCLES + sum.rows + sum.lookups + drain;
    const moved = sends
      ? LEAST_CYCLES.sent + Math.max(framesOf(bytesIn), framesOf(bytesOut)) - MIN_FRAMES + drain
      : LEAST_CYCLES.dropped + framesOf(bytesIn) - MIN_FRAMES;
    const cycles = Math.max(service, moved);
    this.#packets++;
    this.#rows += sum.rows;
    this.#lookups += sum.lookups;
    this.#drain += drain;
    this.#transfer += cycles - service;
    const beginsNs = Math.max(arrivalNs, this.#freeNs);
    this.#freeNs = beginsNs + cycles * this.#cycleNs;
    this.#queue.push({ leavesNs: this.#freeNs, bytes: bytesIn });
    this.#queuedBytes += bytesIn;
    times.lost = false;
    const emission = framesOf(bytesOut) * this.#cycleNs;
    times.doneNs = sends ? this.#freeNs + emission + PORT_NS : this.#freeNs;
  }

  report(): TimingReport {
    const start = this.#packets * START_CYCLES;
    const breakdown = {
      start,
      rows: this.#rows,
      'long keys': this.#lookups,
      'pipeline empties': this.#drain,
      'frames in and out': this.#transfer,
    };
    return {
      clockHz: this.#options.clockHz,
      cycles: Object.values(breakdown).reduce((sum, part) => sum + part),
      instructions: this.#rows,
      breakdown,
      counters: { rows: this.#rows },
    };
  }

  /** Add up the ways between the blocks that the run entered. */
  #follow({ words, wordCount }: PacketRun): void {
    const sum = this.#sum;
    sum.rows = sum.lookups = sum.late = 0;
    let from = -1;
    for (let i = 0; i < wordCount; i++) {
      const word = words[i]!;
      if (word >>> TRACE_KIND_SHIFT !== TRACE_BLOCK) {
        i++;
        continue;
      }
      const block = this.#blockAt[(word & TRACE_PLACE_MASK) - this.#base]!;
      if (block < 0) continue;
      if (from >= 0 && this.#add(this.#wayBetween(from, block))) return;
      from = block;
    }
    this.#add(this.#wayBetween(from, this.#image.blocks.length));
  }

  /** Whether the run ends with this way. */
  #add(way: number): boolean {
    const sum = this.#sum;
    sum.rows += way & ROWS_MASK;
    sum.lookups += (way >>> LOOKUPS_SHIFT) & LOOKUPS_MASK;
    if ((way & LATE) !== 0) sum.late = LATE_CYCLES;
    return (way & ENDS) !== 0;
  }

  /** The way in block `from` when control goes to `to`, the number of blocks for an end. */
  #wayBetween(from: number, to: number): number {
    const at = from * (this.#image.blocks.length + 1) + to;
    let way = this.#ways[at]!;
    if (way < 0) {
      way = this.#findWay(from, to);
      this.#ways[at] = way;
    }
    return way;
  }

  /**
   * A block shares rows with the one before it in its chain: what it adds is the difference of the
   * rows at which control leaves the two.
   */
  #findWay(from: number, to: number): number {
    const { blocks, schedule } = this.#image;
    const block = blocks[from]!;
    const isEnd = to === blocks.length;
    const chain = schedule.chains.find((each) => each.includes(from))!;
    const previous = chain[chain.indexOf(from) - 1];
    const begun = previous === undefined ? 0 : this.#lastRow(previous) + 1;
    const leaving = block.ops.find((op) =>
      isEnd ? op.kind === 'exit' : op.target === to && op.kind !== 'exit',
    );
    const exit = block.ops.at(-1)?.kind === 'exit' ? block.ops.at(-1) : undefined;
    const op = leaving ?? exit;
    const last = op === undefined ? this.#lastRow(from) : this.#rowIn(op);
    const ends = isEnd || (leaving === undefined && exit !== undefined);
    const late = ends && exit!.verdict === undefined;
    const lookups = this.#lookupCycles(block.ops) << LOOKUPS_SHIFT;
    return (last + 1 - begun) | lookups | (ends ? ENDS : 0) | (late ? LATE : 0);
  }

  #rowIn(op: Op): number {
    const row = this.#image.schedule.rowOfOp.get(op);
    if (row === undefined) throw new Bug('an operation that stands in no row');
    return row;
  }

  /** The last row of its chain that holds something of the block. */
  #lastRow(block: number): number {
    return this.#image.schedule.lastRowOfBlock.get(block)!;
  }

  /** Cycles beyond the first of lookups with long keys. */
  #lookupCycles(ops: readonly Op[]): number {
    const { device } = this.#image.program;
    let cycles = 0;
    for (const { kind, slots } of ops) {
      const map = kind === 'call' ? device.facts[slots[0]!]!.map : undefined;
      if (map === undefined || !helperOfCall(device, slots[0]!)?.name.startsWith('map_')) continue;
      cycles += Math.ceil(map.spec.keyBytes / KEY_BYTES_PER_CYCLE) - 1;
    }
    return cycles;
  }
}

/** A way is a number of rows, above them cycles that lookups take beyond their rows, and flags. */
const LOOKUPS_SHIFT = 16;
const ROWS_MASK = (1 << LOOKUPS_SHIFT) - 1;
const LOOKUPS_MASK = 0xff;
/** The run is over; its exit may have been copied to this block from the one that it would enter. */
const ENDS = 1 << 30;
/** Its verdict is in r0. */
const LATE = 1 << 29;

/** Of a packet of 60 bytes, which the least times are of. */
const MIN_FRAMES = 2;

const framesOf = (bytes: number): number => Math.ceil(bytes / FRAME_BYTES);

/** By slot of the host form: the device's block that begins there, or -1. */
function deviceBlocks({ program }: HxdpImage): Int32Array {
  const { host, device } = program;
  const leaders = new Map<number, number>();
  buildCfg(device, device.subprogs[0]!).blocks.forEach(({ index, slots }) => {
    leaders.set(device.facts[slots[0]!]!.original, index);
  });
  const blockAt = new Int32Array(host.insns.length).fill(-1);
  for (const { slots } of buildCfg(host, host.subprogs[0]!).blocks) {
    const index = leaders.get(host.facts[slots[0]!]!.original);
    if (index === undefined) throw new Bug(`host block at ${slots[0]} has no device block`);
    blockAt[slots[0]!] = index;
  }
  return blockAt;
}
