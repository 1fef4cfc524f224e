/**
 * Packets through the card: the fixed datapath brings them at its rate, the distributor gives each to
 * the thread that has waited longest, threads of a core take turns that commands end, and packets
 * leave in the order in which they came.
 *
 * Everything is booked when a packet comes: earlier packets have precedence, later ones fill gaps.
 */
import { buildCfg } from '../../bpf/jit/cfg.ts';
import type { BpfRuntime } from '../../bpf/runtime.ts';
import {
  TRACE_BLOCK,
  TRACE_KIND_SHIFT,
  TRACE_PLACE_MASK,
  traceBuffer,
} from '../../bpf/trace-buffer.ts';
import { XDP_DROP, XDP_PASS } from '../../bpf/uapi.ts';
import { Bug } from '../../kernel/types/units.ts';
import type { PacketRun, PacketTimes, TimingModel, TimingReport } from '../target.ts';
import type { NpuImage } from './image.ts';
import {
  BUSY,
  DATAPATH_PACKETS_PER_SECOND,
  FIRMWARE_INSTRUCTIONS,
  ISLANDS,
  LATENCY,
  PCIE,
  PORT_NS,
  THREADS,
  WAITING_PACKETS,
} from './params.ts';
import { CoreCalendar, FreeThreads, MemoryUnit } from './resources.ts';
import { endingWay, type Turn, type Wait, type Way, wayBetween } from './ways.ts';

export interface NpuTimingOptions {
  readonly clockHz: number;
  readonly cores: number;
}

/** Around the program: the packet's metadata is read, then what is to become of it written. */
const BEFORE: Turn = { cycles: FIRMWARE_INSTRUCTIONS.before, wait: 'ctm', routine: true };
const AFTER: Turn = { cycles: FIRMWARE_INSTRUCTIONS.after, wait: 'ctm', routine: true };

export class NpuTiming implements TimingModel {
  readonly needs = {};
  readonly #image: NpuImage;
  readonly #clockHz: number;
  readonly #cycleNs: number;
  readonly #cores: readonly CoreCalendar[];
  readonly #threads: FreeThreads;
  readonly #ctm = Array.from({ length: ISLANDS }, () => new MemoryUnit());
  readonly #imem = new MemoryUnit();
  readonly #emem = new MemoryUnit();
  readonly #blockAt: Int32Array;
  readonly #base: number;
  readonly #ways: (Way | undefined)[];
  readonly #ending: Way;
  /** When the last packets were given to threads, as a ring. */
  readonly #given = new Float64Array(WAITING_PACKETS).fill(-Infinity);
  #next = 0;
  #datapathNs = 0;
  #leavesNs = 0;
  /** The thread at hand: its time in cycles, its core, cycles of a turn that goes on. */
  #now = 0;
  #core = 0;
  readonly #sums = { program: 0, firmware: 0, core: 0, ctm: 0, imem: 0, emem: 0 };
  readonly #counts = { commands: 0, program: 0, datapath: 0, reorder: 0 };
  #packets = 0;

  constructor(image: NpuImage, runtime: BpfRuntime, { clockHz, cores }: NpuTimingOptions) {
    this.#image = image;
    this.#clockHz = clockHz;
    this.#cycleNs = 1e9 / clockHz;
    this.#cores = Array.from({ length: cores }, () => new CoreCalendar());
    this.#threads = new FreeThreads(cores * THREADS);
    this.#base = traceBuffer(runtime).add(image.program.host);
    this.#blockAt = deviceBlocks(image);
    const blocks = image.code.blocks.length;
    this.#ways = new Array<undefined>(blocks * (blocks + 1)).fill(undefined);
    this.#ending = endingWay(image);
  }

  /** The packet that came so many before must have a thread by now. */
  admits(arrivalNs: number): boolean {
    return this.#given[this.#next]! <= arrivalNs + PORT_NS.in;
  }

  packet(run: PacketRun, times: PacketTimes): void {
    const { arrivalNs, verdict } = run;
    const inNs = arrivalNs + PORT_NS.in;
    const deliveredNs = Math.max(inNs, this.#datapathNs);
    this.#datapathNs = deliveredNs + 1e9 / DATAPATH_PACKETS_PER_SECOND;
    this.#counts.datapath += (deliveredNs - inNs) / this.#cycleNs;
    const since = this.#threads.since;
    const thread = this.#threads.take();
    const begin = Math.max(deliveredNs / this.#cycleNs, since);
    this.#given[this.#next] = begin * this.#cycleNs;
    this.#next = (this.#next + 1) % WAITING_PACKETS;
    this.#core = thread % this.#cores.length;
    this.#cores[this.#core]!.forget(begin);
    this.#now = begin;
    this.#turn(BEFORE, 0);
    this.#follow(run);
    this.#turn(AFTER, 0);
    this.#threads.give(thread, this.#now);
    this.#packets++;
    const doneNs = this.#now * this.#cycleNs;
    this.#leavesNs = Math.max(this.#leavesNs, doneNs);
    times.lost = false;
    if (verdict <= XDP_DROP) {
      times.doneNs = doneNs;
      return;
    }
    this.#counts.reorder += (this.#leavesNs - doneNs) / this.#cycleNs;
    times.doneNs = this.#leavesNs + (verdict === XDP_PASS ? PCIE.writeNs : PORT_NS.out);
  }

  report(): TimingReport {
    const sums = this.#sums;
    const breakdown = {
      program: sums.program,
      firmware: sums.firmware,
      'other threads': sums.core,
      CTM: sums.ctm,
      IMEM: sums.imem,
      EMEM: sums.emem,
    };
    const counts = this.#counts;
    return {
      clockHz: this.#clockHz,
      cycles: Object.values(breakdown).reduce((sum, part) => sum + part),
      instructions: counts.program + sums.firmware,
      breakdown,
      counters: {
        'program instructions': counts.program,
        commands: counts.commands,
        'cycles waited for the fixed datapath': counts.datapath,
        'cycles waited for reorder': counts.reorder,
      },
    };
  }

  #follow({ words, wordCount }: PacketRun): void {
    const end = this.#image.code.blocks.length;
    let from = -1;
    let carried = 0;
    for (let i = 0; i < wordCount; i++) {
      const word = words[i]!;
      if (word >>> TRACE_KIND_SHIFT !== TRACE_BLOCK) {
        i++;
        continue;
      }
      const block = this.#blockAt[(word & TRACE_PLACE_MASK) - this.#base]!;
      if (block < 0) continue;
      if (from >= 0) carried = this.#go(this.#way(from, block), carried);
      from = block;
    }
    carried = this.#go(this.#way(from, end), carried);
    const left = this.#go(this.#ending, carried);
    this.#turn({ cycles: left, wait: 'none', routine: false }, 0);
  }

  #way(from: number, to: number): Way {
    const at = from * (this.#image.code.blocks.length + 1) + to;
    return (this.#ways[at] ??= wayBetween(this.#image, from, to));
  }

  /** @returns cycles of the last turn, which goes on in the next block */
  #go({ turns, instructions }: Way, carried: number): number {
    this.#counts.program += instructions;
    for (const turn of turns) {
      if (turn.wait === 'none' && !turn.routine) carried += turn.cycles;
      else {
        this.#turn(turn, carried);
        carried = 0;
      }
    }
    return carried;
  }

  /** @param before cycles of the program that the same turn begins with */
  #turn({ cycles, wait, routine }: Turn, before: number): void {
    const length = before + cycles;
    const begin = length > 0 ? this.#cores[this.#core]!.book(this.#now, length) : this.#now;
    const sums = this.#sums;
    sums.core += begin - this.#now;
    sums.program += before;
    sums[routine ? 'firmware' : 'program'] += cycles;
    const end = begin + length;
    this.#now = wait === 'none' ? end : this.#waited(end, wait);
  }

  #waited(from: number, wait: Exclude<Wait, 'none'>): number {
    this.#counts.commands++;
    const memory = wait === 'atomic' ? 'emem' : wait;
    const unit =
      memory === 'ctm' ? this.#ctm[this.#core % ISLANDS]! : memory === 'imem' ? this.#imem : this.#emem;
    const answered = unit.book(from, BUSY[wait]) + LATENCY[memory];
    this.#sums[memory] += answered - from;
    return answered;
  } // prettier-ignore
}

/** By slot of the host form: the device's block that begins there, or -1. */
function deviceBlocks({ program }: NpuImage): Int32Array {
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
