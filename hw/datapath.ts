/**
 * Packets through a device: what they become is computed by the host form of the program in the
 * traced JIT, how long they take by the device's timing model.
 *
 *   const path = new Datapath(runtime, program, timing)
 *   path.packet(frame, arrivalNs)    one packet; arrivals never go back
 *   path.verdict, path.doneNs, path.bytes()    what became of the last one
 *   path.counts, path.latencies      of all
 */
import type { Executable } from '../bpf/engine.ts';
import { createWasmJit } from '../bpf/jit/jit.ts';
import type { BpfRuntime } from '../bpf/runtime.ts';
import { traceBuffer, type TraceBuffer } from '../bpf/trace-buffer.ts';
import { XDP_DROP, XDP_REDIRECT } from '../bpf/uapi.ts';
import { Histogram } from './histogram.ts';
import { PacketSlot, type Port } from './packet-slot.ts';
import type { OffloadProgram, PacketRun, PacketTimes, TimingModel } from './target.ts';

export interface DatapathCounts {
  /** Offered, and lost because the device had no room. */
  offered: number;
  lost: number;
  /** By verdict, XDP_ABORTED to XDP_REDIRECT; what is beyond counts as aborted. */
  readonly verdicts: number[];
  bytesIn: number;
  bytesOut: number;
  firstArrivalNs: number;
  lastDoneNs: number;
}

export class Datapath {
  readonly counts: DatapathCounts;
  /** From arrival to departure, in nanoseconds, of what was not lost. */
  readonly latencies = new Histogram();
  readonly timing: TimingModel;
  readonly slot: PacketSlot;
  readonly #executable: Executable;
  readonly #trace: TraceBuffer;
  readonly #run: PacketRun;
  readonly #times: PacketTimes = { lost: false, doneNs: 0 };

  constructor(
    runtime: BpfRuntime,
    program: OffloadProgram,
    timing: TimingModel,
    ports?: readonly Port[],
  ) {
    this.timing = timing;
    this.slot = new PacketSlot(runtime.ram, ports);
    this.#executable =
      timing.executable ?? createWasmJit({ trace: timing.needs }).compile(program.host, runtime);
    this.#trace = traceBuffer(runtime);
    this.#run = {
      arrivalNs: 0,
      bytesIn: 0,
      bytesOut: 0,
      verdict: 0,
      packetAt: this.slot.start,
      words: this.#trace.words,
      wordCount: 0,
    };
    this.counts = {
      offered: 0,
      lost: 0,
      verdicts: [0, 0, 0, 0, 0],
      bytesIn: 0,
      bytesOut: 0,
      firstArrivalNs: Infinity,
      lastDoneNs: 0,
    };
  }

  /** @param port index of one of the ports */
  packet(frame: Uint8Array, arrivalNs: number, port = 0): void {
    const { counts, timing, slot } = this;
    const run = this.#run;
    const times = this.#times;
    counts.offered++;
    counts.bytesIn += frame.length;
    if (arrivalNs < counts.firstArrivalNs) counts.firstArrivalNs = arrivalNs;
    if (!timing.admits(arrivalNs, frame.length, frame)) {
      counts.lost++;
      times.lost = true;
      return;
    }
    slot.place(frame, port);
    const verdict = this.#executable.run(slot.xdp.offset);
    run.verdict = verdict > XDP_REDIRECT ? 0 : verdict;
    run.arrivalNs = arrivalNs;
    run.bytesIn = frame.length;
    run.bytesOut = run.verdict <= XDP_DROP ? 0 : slot.length;
    // A run of more events than the buffer holds is timed by those at the start of it.
    run.wordCount = this.#trace.takeLength() ?? run.words.length;
    timing.packet(run, times);
    if (times.lost) {
      counts.lost++;
      return;
    }
    counts.verdicts[run.verdict]!++;
    counts.bytesOut += run.bytesOut;
    if (times.doneNs > counts.lastDoneNs) counts.lastDoneNs = times.doneNs;
    this.latencies.add(times.doneNs - arrivalNs);
  }

  /** Of the last packet; undefined if it was lost. */
  get verdict(): number | undefined {
    return this.#times.lost ? undefined : this.#run.verdict;
  }

  get doneNs(): number {
    return this.#times.doneNs;
  }

  /** The last packet as the program left it, valid until the next. */
  bytes(): Uint8Array {
    return this.slot.bytes();
  }

  free(): void {
    this.#executable.free();
    this.slot.free();
  }
}
