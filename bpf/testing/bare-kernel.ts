/**
 * A BpfKernel that needs nothing but a RAM, for tests and for running programs without a machine:
 * a clock that stands until it is set, one fixed task, trace output and wake-ups collected.
 *
 *   const kernel = bareKernel(ram, { cpuCount: 2 });
 *   const runtime = createRuntime(ram, core, kernel);
 *   kernel.clockNs += 1000;  kernel.setCpu(1);  kernel.trace  // lines so far
 */
import type { Ram } from '../../kernel/ram/ram.ts';
import type { Ns, RamOffset } from '../../kernel/types/units.ts';
import { Bug } from '../../kernel/types/units.ts';
import type { BpfMap } from '../maps/map.ts';
import { CURRENT_CPU } from '../native/core.ts';
import type { BpfKernel } from '../runtime.ts';

export interface BareKernel extends BpfKernel {
  clockNs: number;
  /** Let time pass, and timers expire as it does. */
  advance(ns: number): void;
  readonly trace: string[];
  readonly woken: BpfMap[];
  /** User memory of the one task: address of a block's first byte to its bytes. */
  readonly userMemory: Map<bigint, Uint8Array>;
  setCpu(cpu: number): void;
}

interface BareTimer {
  readonly at: number;
  readonly order: number;
  readonly expire: () => void;
}

export interface BareKernelOptions {
  readonly cpuCount?: number;
  readonly seed?: number;
  readonly comm?: string;
  readonly pid?: number;
}

export function bareKernel(
  ram: Ram,
  { cpuCount = 2, seed = 1, comm = 'test', pid = 100 }: BareKernelOptions = {},
): BareKernel {
  const timers = new Set<BareTimer>();
  let timersMade = 0;
  const userMemory = new Map<bigint, Uint8Array>();
  const kernel: BareKernel = {
    cpuCount,
    clockNs: 0,
    trace: [],
    woken: [],
    userMemory,
    setCpu(cpu) {
      if (cpu >= cpuCount) throw new Bug(`there is no CPU ${cpu}`);
      ram.u32[CURRENT_CPU / 4] = cpu;
    },
    cpu: () => ram.u32[CURRENT_CPU / 4]!,
    onCpu(cpu, run) {
      const caller = kernel.cpu();
      kernel.setCpu(cpu);
      run();
      kernel.setCpu(caller);
    },
    nowNs: () => kernel.clockNs as Ns,
    currentTask: () => 0 as RamOffset,
    currentPid: () => pid,
    currentTgid: () => pid,
    currentUid: () => 0,
    currentGid: () => 0,
    currentComm: () => comm,
    random32: xorshift32(seed),
    tracePrintk: (text) => kernel.trace.push(text),
    advance(ns) {
      const until = kernel.clockNs + ns;
      for (;;) {
        const due = [...timers].filter(({ at }) => at <= until);
        const [next] = due.sort((a, b) => a.at - b.at || a.order - b.order);
        if (!next) break;
        timers.delete(next);
        kernel.clockNs = Math.max(kernel.clockNs, next.at);
        next.expire();
      }
      kernel.clockNs = until;
    },
    startTimer(delayNs, expire) {
      const at = kernel.clockNs + Math.max(0, Number(delayNs));
      const timer = { at, order: timersMade++, expire };
      timers.add(timer);
      return { cancel: () => timers.delete(timer) };
    },
    wakeMapReaders: (map) => kernel.woken.push(map),
    copyFromUser(destination, source, sizeBytes) {
      const bytes = userBytes(userMemory, source, sizeBytes);
      if (bytes) ram.u8.set(bytes, destination);
      return bytes !== undefined;
    },
    copyToUser(destination, source, sizeBytes) {
      const bytes = userBytes(userMemory, destination, sizeBytes);
      bytes?.set(ram.bytes(source, sizeBytes));
      return bytes !== undefined;
    },
  };
  kernel.setCpu(0);
  return kernel;
}

/** The part of one block of user memory, or undefined where a byte is not mapped. */
function userBytes(
  memory: ReadonlyMap<bigint, Uint8Array>,
  address: bigint,
  sizeBytes: number,
): Uint8Array | undefined {
  for (const [start, block] of memory) {
    const at = address - start;
    if (at >= 0n && at + BigInt(sizeBytes) <= BigInt(block.length)) {
      return block.subarray(Number(at), Number(at) + sizeBytes);
    }
  }
  return undefined;
}

/** Marsaglia, "Xorshift RNGs" (2003). */
function xorshift32(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>>= 0);
  };
}
