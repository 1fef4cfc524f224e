/** bpf_timer_*: see bpf/timers.ts. */
import { timersOf } from '../timers.ts';
import type { Implementations } from './implement.ts';
import { offset } from './implement.ts';

export const timerImplementations: Implementations = {
  timer_init: {
    pass: ['i32', 'i32', 'i64'],
    returns: 'i32',
    bind: (runtime) => (timer: number, map: number, flags: bigint) =>
      timersOf(runtime).init(offset(timer), runtime.mapAt(offset(map))!, BigInt.asUintN(64, flags)),
  },
  timer_set_callback: {
    pass: ['i32', 'i64'],
    returns: 'i32',
    bind: (runtime) => (timer: number, func: bigint) =>
      timersOf(runtime).setCallback(offset(timer), func),
  },
  timer_start: {
    pass: ['i32', 'i64', 'i64'],
    returns: 'i32',
    bind: (runtime) => (timer: number, delayNs: bigint, flags: bigint) =>
      timersOf(runtime).start(offset(timer), delayNs, flags),
  },
  timer_cancel: {
    pass: ['i32'],
    returns: 'i32',
    bind: (runtime) => (timer: number) => timersOf(runtime).cancel(offset(timer)),
  },
};
