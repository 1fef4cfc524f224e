/**
 * The contract between whoever offloads a program (the kernel's driver, `skep compare`) and a device.
 * The kernel knows devices only through this file; devices know nothing of the kernel. Shaped after
 * Linux's `struct bpf_prog_offload_ops` and `struct bpf_map_dev_ops` (include/linux/bpf.h).
 *
 *   target.compile(program)      prepare, the check of each instruction, finalize and translate:
 *                                an image, or what does not fit and why
 *   target.execute(image, …)     the image instruction by instruction: exact, slow, for checking
 *   target.timing(image, …)      how long packets take, from what a traced engine saw of their runs
 *   target.refuseMap(spec)       map_alloc's checks; where the map is, is the caller's business
 */
import type { Engine, Executable } from '../bpf/engine.ts';
import type { VerifiedProgram } from '../bpf/program.ts';
import type { TraceOptions } from '../bpf/jit/trace.ts';
import type { MapSpec } from '../bpf/maps/map.ts';
import type { BpfRuntime } from '../bpf/runtime.ts';
import type { RamOffset } from '../kernel/types/units.ts';

/** One program in the two forms that offloading needs. */
export interface OffloadProgram {
  /**
   * As Linux hands it to drivers: dead code is gone, but contexts are the UAPI's (struct xdp_md),
   * not the kernel's (`checkOnly` of bpf/verifier/env.ts).
   */
  readonly device: VerifiedProgram;
  /** As the host runs it. `facts[slot].original` of both forms is the slot in the object. */
  readonly host: VerifiedProgram;
}

/** Why a program or a map does not fit, in terms its author can act on. */
export interface Diagnostic {
  /** Slot of the instruction in the device form; absent where the whole is meant. */
  readonly insn?: number;
  /** Stable code, e.g. 'unsupported-helper'. */
  readonly reason: string;
  /** The line that extack or the verifier's log carries. */
  readonly message: string;
  /** What the limit is and what would fit. */
  readonly hint?: string;
  /** Positive errno that the load fails with. */
  readonly errno: number;
}

export type CompileResult<I extends DeviceImage = DeviceImage> =
  | { readonly kind: 'image'; readonly image: I }
  | { readonly kind: 'refused'; readonly diagnostics: readonly Diagnostic[] };

/** How much of something the device has an image uses. */
export interface ResourceUse {
  /** e.g. 'instruction memory rows', 'SRAM blocks', 'LUTs'. */
  readonly name: string;
  readonly used: number;
  /** Undefined where nothing bounds it. */
  readonly available?: number;
}

/** A program in the device's own form. */
export interface DeviceImage {
  readonly program: OffloadProgram;
  readonly bytes: Uint8Array;
  readonly resources: readonly ResourceUse[];
  /** Listing for `bpftool prog dump jited`. */
  text(): string;
}

/** Runs an image as the device would, one instruction, row or stage after the other. */
export interface Executor {
  /**
   * @param xdp a struct xdp_buff (kernel/types/xdp.ts) in RAM, as for an engine; what the device
   *   form loads of struct xdp_md, hw/xdp-context.ts finds in it
   * @returns the verdict, XDP_* (UAPI linux/bpf.h); packet and maps are left as the program left
   *   them
   */
  run(xdp: RamOffset): number;
  free(): void;
}

/** One packet's run by a traced engine; the object is used again for the next. */
export interface PacketRun {
  /** Arrival of its first byte at the device, in virtual nanoseconds; never goes back. */
  arrivalNs: number;
  bytesIn: number;
  /** What the verdict sends on: 0 for a drop. */
  bytesOut: number;
  /** XDP_*, of the host form's run. */
  verdict: number;
  /** Where the packet was in RAM when the program began. */
  packetAt: RamOffset;
  /** The first `wordCount` of `words` are its events (bpf/trace-buffer.ts), of the host form. */
  readonly words: Uint32Array;
  wordCount: number;
}

/** What became of it; used again as well. */
export interface PacketTimes {
  /** The device had no room for it: nothing ran, as far as the outside can tell. */
  lost: boolean;
  /** Its last byte has left, or it is gone. */
  doneNs: number;
}

/** A device at work: keeps the time, packet by packet in order of arrival. */
export interface TimingModel {
  /** What it wants noted beside the blocks entered. */
  readonly needs: TraceOptions;
  /**
   * What executes the packets, where the model follows machine code of its own instead of the events
   * of a traced engine.
   */
  readonly executable?: Executable;
  /**
   * Whether a packet that arrives then finds room. Asked before its program runs; `frame` is for
   * devices that spread packets over queues by what is in them.
   */
  admits(arrivalNs: number, bytes: number, frame?: Uint8Array): boolean;
  packet(run: PacketRun, times: PacketTimes): void;
  /** What has been counted so far. */
  report(): TimingReport;
}

export interface TimingReport {
  readonly clockHz: number;
  /** Sums over all packets so far. */
  readonly cycles: number;
  readonly instructions: number;
  /** Where the cycles went: part of the device -> cycles; adds up to `cycles`. */
  readonly breakdown: Readonly<Record<string, number>>;
  /** Counters of the device: cache misses, stalls, flushes, bytes over PCIe … */
  readonly counters: Readonly<Record<string, number>>;
  /** Joules, where a source gives the figures; the source is told with them. */
  readonly energy?: { readonly joules: number; readonly source: string };
}

export interface TimingOptions {
  /** Cores, lanes, pipes: what the target has several of. */
  readonly parallel?: number;
  /** Instead of the target's usual clock. */
  readonly clockHz?: number;
  /** Line rate of its ports in bits a second; unbounded where absent. */
  readonly bitsPerSecond?: number;
  /** Of what the target has; see its params.ts. Unknown names are an error of the caller. */
  readonly parameters?: Readonly<Record<string, number>>;
}

export interface Target<I extends DeviceImage = DeviceImage> {
  /** 'x86', 'arm', 'npu', 'fpga', 'asic' */
  readonly kind: string;
  /** What it is a model of, e.g. 'hXDP on NetFPGA-SUME'. */
  readonly name: string;
  compile(program: OffloadProgram): CompileResult<I>;
  /** Why the device cannot have such a map, or undefined. */
  refuseMap(spec: MapSpec): Diagnostic | undefined;
  execute(image: I, runtime: BpfRuntime): Executor;
  timing(image: I, runtime: BpfRuntime, options: TimingOptions): TimingModel;
  /** Nanoseconds that an operation of bpf(2) on a map of the device takes, PCIe included. */
  mapAccessNs(operation: 'lookup' | 'update' | 'delete' | 'next-key', spec: MapSpec): number;
}

/** One of a core's last branches, as `perf_branch_entry` (UAPI linux/perf_event.h) has it. */
export interface BranchRecord {
  /** Addresses of the branch and of what it led to. */
  readonly from: bigint;
  readonly to: bigint;
  readonly mispredicted: boolean;
  /** Since the branch before. */
  readonly cycles: number;
}

/** The performance counters of a core, for whoever offers them to programs (perf_event_open). */
export interface CounterSource {
  /**
   * What counts such an event, from when the core began; undefined where the core cannot.
   * @param type and `config` as in `struct perf_event_attr`
   */
  counter(type: number, config: bigint): (() => bigint) | undefined;
  /** The latest first; empty where the core keeps no record. */
  lastBranches(): readonly BranchRecord[];
}

/** A machine's processors, simulated by their machine code: what programs run on, and its counters. */
export interface Processors {
  /** Takes the place of the machine's own JIT. */
  readonly engine: Engine;
  /** Once, at boot; one a CPU, each of what `engine` executed on that CPU. */
  attach(runtime: BpfRuntime): readonly CounterSource[];
}
