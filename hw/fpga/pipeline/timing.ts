/** Times of packets through the pipeline, from its clock and from which of them changed a map. */
import { rowOf } from '../../../bpf/isa/table.ts';
import { buildCfg } from '../../../bpf/jit/cfg.ts';
import type { BpfRuntime } from '../../../bpf/runtime.ts';
import {
  TRACE_BLOCK,
  TRACE_KIND_SHIFT,
  TRACE_PLACE_MASK,
  traceBuffer,
} from '../../../bpf/trace-buffer.ts';
import { XDP_DROP } from '../../../bpf/uapi.ts';
import type { PacketRun, PacketTimes, TimingModel, TimingReport } from '../../target.ts';
import { PipelineClock } from './clock.ts';
import type { PipelineImage } from './image.ts';
import { PORT_NS, RING_FRAMES, RING_PACKETS } from './params.ts';

export class PipelineTiming implements TimingModel {
  readonly needs = {};
  readonly #clock: PipelineClock;
  readonly #clockHz: number;
  readonly #cycleNs: number;
  readonly #frameBytes: number;
  readonly #stages: number;
  readonly #operations: number;
  /** By place: a block of the host form that updates or deletes. */
  readonly #writes: Uint8Array | undefined;
  readonly #base: number;
  /** Packets in the ring: when their last frame has left, and how many they have. */
  readonly #ring: { leavesNs: number; frames: number }[] = [];
  #ringHead = 0;
  #ringFrames = 0;
  #packets = 0;
  #frames = 0;
  #waited = 0;
  #flushed = 0;
  #flushes = 0;

  constructor(image: PipelineImage, runtime: BpfRuntime, clockHz: number) {
    const { schedule, hazards, design, program } = image;
    this.#clock = new PipelineClock(schedule.stages, hazards);
    this.#clockHz = clockHz;
    this.#cycleNs = 1e9 / clockHz;
    this.#frameBytes = design.frameBytes;
    this.#stages = schedule.stages;
    this.#operations = image.operations;
    this.#base = traceBuffer(runtime).add(program.host);
    this.#writes = hazards.flush && writingBlocks(image);
  }

  admits(arrivalNs: number, bytes: number): boolean {
    for (;;) {
      const first = this.#ring[this.#ringHead];
      if (first === undefined || first.leavesNs > arrivalNs) break;
      this.#ringFrames -= first.frames;
      this.#ringHead++;
    }
    if (this.#ringHead > 1024) {
      this.#ring.splice(0, this.#ringHead);
      this.#ringHead = 0;
    }
    const waiting = this.#ring.length - this.#ringHead;
    return waiting < RING_PACKETS && this.#ringFrames + this.#framesOf(bytes) <= RING_FRAMES;
  }

  packet(run: PacketRun, times: PacketTimes): void {
    const clock = this.#clock;
    const frames = this.#framesOf(run.bytesIn);
    const writes = this.#writes !== undefined && this.#wrote(run, this.#writes);
    clock.packet(Math.ceil(run.arrivalNs / this.#cycleNs), frames, writes);
    const sends = run.verdict > XDP_DROP;
    const out = sends ? this.#framesOf(run.bytesOut) : 1;
    const leavesNs = (clock.leaves + out) * this.#cycleNs;
    this.#ring.push({ leavesNs, frames });
    this.#ringFrames += frames;
    this.#packets++;
    this.#frames += frames;
    this.#waited += clock.waited;
    this.#flushed += clock.flushed;
    if (writes) this.#flushes++;
    times.lost = false;
    times.doneNs = sends ? leavesNs + PORT_NS : leavesNs;
  }

  report(): TimingReport {
    const breakdown = {
      frames: this.#frames,
      'interval between packets': this.#waited,
      flushes: this.#flushed,
    };
    return {
      clockHz: this.#clockHz,
      cycles: this.#frames + this.#waited + this.#flushed,
      instructions: this.#packets * this.#operations,
      breakdown,
      counters: {
        stages: this.#packets * this.#stages,
        flushes: this.#flushes,
        reruns: this.#clock.reruns,
      },
    };
  }

  #framesOf(bytes: number): number {
    return Math.max(1, Math.ceil(bytes / this.#frameBytes));
  }

  #wrote({ words, wordCount }: PacketRun, writes: Uint8Array): boolean {
    for (let i = 0; i < wordCount; i++) {
      const word = words[i]!;
      if (word >>> TRACE_KIND_SHIFT !== TRACE_BLOCK) i++;
      else if (writes[(word & TRACE_PLACE_MASK) - this.#base] === 1) return true;
    }
    return false;
  }
}

/** By the slot of the host form that a block begins with. */
function writingBlocks({ program, hazards }: PipelineImage): Uint8Array {
  const { host, device } = program;
  const calls = new Set(hazards.flush!.writers.map(({ slot }) => device.facts[slot]!.original));
  const writes = new Uint8Array(host.insns.length);
  for (const { slots } of buildCfg(host, host.subprogs[0]!).blocks) {
    const has = slots.some(
      (slot) => rowOf(host.insns[slot]!)?.kind === 'call' && calls.has(host.facts[slot]!.original),
    );
    if (has) writes[slots[0]!] = 1;
  }
  return writes;
}
