/**
 * bpf_timer: timers in map values, of which each calls a function of a program when it expires
 * (kernel/bpf/helpers.c, Linux 6.1). The kernel around it counts the time.
 *
 *   timers.init(at, map, flags), setCallback(at, func), start(at, ns, flags), cancel(at)
 *   timers.free(at)     the value goes away: cancelled, and its program let go
 *
 * `at` is the RAM offset of a `struct bpf_timer`, whose first member points at the timer.
 */
import { BpfMapStruct } from '../kernel/types/bpf-map.ts';
import { errno } from '../kernel/types/errno.ts';
import type { RamOffset } from '../kernel/types/units.ts';
import { engineState } from './engine-state.ts';
import type { BpfMap } from './maps/map.ts';
import type { BpfRuntime, PendingTimer, ProgramHold } from './runtime.ts';

/** sizeof(struct bpf_hrtimer), x86-64: a hrtimer of 64 bytes and four pointers. */
const BPF_HRTIMER_BYTES = 96;
/** MAX_CLOCKS, and the clocks that a timer may count by (UAPI linux/time.h). */
const MAX_CLOCKS = 16n;
const CLOCKS: readonly bigint[] = [0n, 1n, 7n];

interface Timer {
  readonly map: BpfMap;
  readonly value: RamOffset;
  callback: bigint | undefined;
  /** The program that the callback belongs to; undefined where nobody counts its references. */
  hold: ProgramHold | undefined;
  pending: PendingTimer | undefined;
}

export class BpfTimers {
  readonly #runtime: BpfRuntime;
  /** By the offset of the struct bpf_hrtimer. */
  readonly #timers = new Map<RamOffset, Timer>();
  /** Whose callback runs. */
  #running: Timer | undefined;

  constructor(runtime: BpfRuntime) {
    this.#runtime = runtime;
  }

  init(at: RamOffset, map: BpfMap, flags: bigint): number {
    const { ram } = this.#runtime;
    if (flags >= MAX_CLOCKS || !CLOCKS.includes(flags)) return -errno.EINVAL;
    if (ram.readPointer(at) !== 0) return -errno.EBUSY;
    if (!this.#hasUsers(map)) return -errno.EPERM;
    const hrtimer = ram.kzalloc(BPF_HRTIMER_BYTES);
    const value = (at - map.timerOffset!) as RamOffset;
    this.#timers.set(hrtimer, {
      map,
      value,
      callback: undefined,
      hold: undefined,
      pending: undefined,
    });
    ram.writePointer(at, hrtimer);
    return 0;
  }

  setCallback(at: RamOffset, func: bigint): number {
    const timer = this.#timerAt(at);
    if (!timer) return -errno.EINVAL;
    if (!this.#hasUsers(timer.map)) return -errno.EPERM;
    const program = engineState(this.#runtime).programOf(func);
    const before = timer.hold;
    timer.hold = program && this.#runtime.holdProgram?.(program);
    timer.callback = func;
    before?.put();
    return 0;
  }

  start(at: RamOffset, delayNs: bigint, flags: bigint): number {
    if (flags !== 0n) return -errno.EINVAL;
    const timer = this.#timerAt(at);
    if (timer?.callback === undefined) return -errno.EINVAL;
    timer.pending?.cancel();
    timer.pending = this.#runtime.kernel.startTimer?.(BigInt.asIntN(64, delayNs), () =>
      this.#expire(timer),
    );
    return 0;
  }

  /** 1 where it had been started and has not expired. */
  cancel(at: RamOffset): number {
    const timer = this.#timerAt(at);
    if (!timer) return -errno.EINVAL;
    // A callback cannot wait for its own end.
    if (timer === this.#running) return -errno.EDEADLK;
    return this.#drop(timer) ? 1 : 0;
  }

  free(at: RamOffset): void {
    const { ram } = this.#runtime;
    const hrtimer = ram.readPointer(at);
    const timer = this.#timers.get(hrtimer);
    if (!timer) return;
    this.#drop(timer);
    this.#timers.delete(hrtimer);
    ram.writePointer(at, 0 as RamOffset);
    ram.kfree(hrtimer);
  }

  /** True if it was started. */
  #drop(timer: Timer): boolean {
    const wasPending = timer.pending?.cancel() ?? false;
    timer.pending = undefined;
    timer.callback = undefined;
    timer.hold?.put();
    timer.hold = undefined;
    return wasPending;
  }

  #expire(timer: Timer): void {
    timer.pending = undefined;
    const { callback } = timer;
    if (callback === undefined) return;
    const runtime = this.#runtime;
    const program = engineState(runtime).programOf(callback);
    // The callback may delete the very value that holds the timer.
    const hold = program && runtime.holdProgram?.(program);
    const outer = this.#running;
    this.#running = timer;
    try {
      if (hold) hold.guard(() => this.#call(timer, callback));
      else this.#call(timer, callback);
    } finally {
      this.#running = outer;
      hold?.put();
    }
  }

  /** callback(map, key, value); the key of an array is a copy of the index. */
  #call({ map, value }: Timer, callback: bigint): void {
    const { ram } = this.#runtime;
    const first = map.directValue;
    const index = first === undefined ? (0 as RamOffset) : ram.kzalloc(4);
    const key = first === undefined ? value - Math.ceil(map.spec.keyBytes / 8) * 8 : index;
    if (first !== undefined) ram.view.setUint32(index, (value - first) / map.elementBytes, true);
    const [m, k, v] = [map.offset, key, value].map((at) => ram.kernelAddress(at as RamOffset));
    try {
      engineState(this.#runtime).callback(callback, m!, k!, v!, 0n, 0n);
    } finally {
      if (index !== 0) ram.kfree(index);
    }
  }

  #timerAt(at: RamOffset): Timer | undefined {
    return this.#timers.get(this.#runtime.ram.readPointer(at));
  }

  /** Timers need a map that user space holds, or they would keep map and program for ever. */
  #hasUsers(map: BpfMap): boolean {
    return BpfMapStruct.at(this.#runtime.ram, map.offset).usercnt !== 0n;
  }
}

export function timersOf(runtime: BpfRuntime): BpfTimers {
  return (runtime.timers ??= new BpfTimers(runtime));
}
