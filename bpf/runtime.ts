/**
 * What a running program and its helpers can reach. `BpfKernel` is the part that a kernel
 * implements; `bpf/testing/` has one that needs nothing but a RAM.
 */
import type { Ram } from '../kernel/ram/ram.ts';
import type { Ns, RamOffset } from '../kernel/types/units.ts';
import type { Executable } from './engine.ts';
import type { EngineState } from './engine-state.ts';
import type { BpfMap } from './maps/map.ts';
import type { NativeCore } from './native/core.ts';

/** What helpers need of the kernel around them. */
export interface BpfKernel {
  readonly cpuCount: number;
  /** CPU that runs the program. */
  cpu(): number;
  /** CLOCK_MONOTONIC, CLOCK_BOOTTIME and so on start at boot in skep, so one clock serves. */
  nowNs(): Ns;
  /** The current task_struct, or 0 in a context without one. */
  currentTask(): RamOffset;
  currentPid(): number;
  currentTgid(): number;
  currentUid(): number;
  currentGid(): number;
  currentComm(): string;
  /** Seeded; the same sequence for the same machine. */
  random32(): number;
  /** One line into the trace ring, as bpf_trace_printk writes it (without newline handling). */
  tracePrintk(text: string): void;
  /** Copy from the current task's user memory to RAM. False if any byte is not mapped. */
  copyFromUser(destination: RamOffset, source: bigint, sizeBytes: number): boolean;
  copyToUser(destination: bigint, source: RamOffset, sizeBytes: number): boolean;
  /** Ring buffer or perf buffer of `map` has data and its reader should be woken. */
  wakeMapReaders(map: BpfMap): void;
  /**
   * LD_ABS and LD_IND: `bytes` of the packet of the sk_buff at `skb`, big-endian as on the wire, in
   * host order; undefined beyond its end. Negative offsets are Linux's SKF_NET_OFF and SKF_LL_OFF.
   */
  packetWord?(skb: RamOffset, offset: number, bytes: 1 | 2 | 4): number | undefined;
  /** `name` for a kernel address (`%pS`), undefined if it is no symbol's. */
  symbolAt?(address: bigint): { readonly name: string; readonly offset: number } | undefined;
}

/** The engine's side of a running program, for helpers that call back into it. */
export interface RunningProgram {
  /** Call the BPF function that a PSEUDO_FUNC ld_imm64 denotes, on this program's engine. */
  callback(func: bigint, r1: bigint, r2: bigint, r3: bigint, r4: bigint, r5: bigint): bigint;
  readonly ctx: RamOffset;
}

export interface BpfRuntime {
  readonly ram: Ram;
  readonly core: NativeCore;
  readonly kernel: BpfKernel;
  /** Innermost running program; undefined outside one. Engines push and pop it. */
  running: RunningProgram | undefined;
  /** The map whose struct bpf_map is at `offset`. */
  mapAt(offset: RamOffset): BpfMap | undefined;
  /** What the engines share: BPF stack and callbacks. Made by the first that compiles. */
  engineState?: EngineState;
  /** The executable that a prog_array slot denotes, for tail calls; by program id. */
  executableOf(progId: number): Executable | undefined;
}
