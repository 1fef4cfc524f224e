/**
 * Signal numbers, dispositions and the sets that tasks and processes keep (UAPI asm/signal.h,
 * x86-64). Sending and delivering is in signal-delivery.ts.
 */
import type { SignalHandler } from '../syscall/abi.ts';
import {
  SIGQUIT,
  SIGILL,
  SIGTRAP,
  SIGABRT,
  SIGBUS,
  SIGFPE,
  SIGKILL,
  SIGSEGV,
  SIGCHLD,
  SIGCONT,
  SIGSTOP,
  SIGTSTP,
  SIGTTIN,
  SIGTTOU,
  SIGURG,
  SIGXCPU,
  SIGXFSZ,
  SIGWINCH,
  SIGSYS,
} from '../types/signal-numbers.ts';

export * from '../types/signal-numbers.ts';

/** Highest signal number. */
export const NSIG = 64;

export const SA_NOCLDSTOP = 0x1;
export const SA_NOCLDWAIT = 0x2;
export const SA_SIGINFO = 0x4;
export const SA_RESTORER = 0x04000000;
export const SA_ONSTACK = 0x08000000;
export const SA_RESTART = 0x10000000;
export const SA_NODEFER = 0x40000000;
export const SA_RESETHAND = 0x80000000;

export const SIG_BLOCK = 0;
export const SIG_UNBLOCK = 1;
export const SIG_SETMASK = 2;

export const SIG_DFL = 0;
export const SIG_IGN = 1;

/** Bit N-1 is signal N, as in sigset_t. */
export type SignalSet = bigint;
export const signalBit = (signal: number): SignalSet => 1n << BigInt(signal - 1);
const setOf = (...signals: number[]): SignalSet =>
  signals.reduce((set, signal) => set | signalBit(signal), 0n);

/** SIGKILL and SIGSTOP can be neither blocked nor caught nor ignored. */
export const KERNEL_ONLY = setOf(SIGKILL, SIGSTOP);
export const STOP_SIGNALS = setOf(SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU);

export type DefaultAction = 'terminate' | 'core' | 'ignore' | 'stop' | 'continue';

const CORE = setOf(
  SIGQUIT,
  SIGILL,
  SIGTRAP,
  SIGABRT,
  SIGBUS,
  SIGFPE,
  SIGSEGV,
  SIGXCPU,
  SIGXFSZ,
  SIGSYS,
);
const IGNORE = setOf(SIGCHLD, SIGURG, SIGWINCH);

/** signal(7). */
export function defaultAction(signal: number): DefaultAction {
  const bit = signalBit(signal);
  if (signal === SIGCONT) return 'continue';
  if (bit & STOP_SIGNALS) return 'stop';
  if (bit & IGNORE) return 'ignore';
  return bit & CORE ? 'core' : 'terminate';
}

/** What a process does on one signal. */
export interface SignalAction {
  /** SIG_DFL, SIG_IGN, or the value that user space gave for its function. */
  readonly token: bigint;
  /** The function behind the token. */
  readonly handler?: SignalHandler;
  readonly flags: number;
  readonly restorer: bigint;
  readonly mask: SignalSet;
}

export const DEFAULT_ACTION: SignalAction = { token: 0n, flags: 0, restorer: 0n, mask: 0n };

/** SI_* of siginfo.si_code. */
export const SI_USER = 0;
export const SI_KERNEL = 0x80;
export const SI_TKILL = -6;
export const CLD_EXITED = 1;
export const CLD_KILLED = 2;
export const CLD_DUMPED = 3;
export const CLD_STOPPED = 5;
export const CLD_CONTINUED = 6;

export interface SignalInfo {
  readonly signal: number;
  readonly code: number;
  /** Sender, or the child of SIGCHLD. */
  readonly pid: number;
  readonly uid: number;
}

/** Signals sent and not yet delivered, lowest number first; each standard signal queues once. */
export class PendingSignals {
  #set: SignalSet = 0n;
  #queue: SignalInfo[] = [];

  get set(): SignalSet {
    return this.#set;
  }

  add(info: SignalInfo): void {
    const bit = signalBit(info.signal);
    // Real-time signals (32 and up) queue; standard ones do not.
    if (this.#set & bit && info.signal < 32) return;
    this.#set |= bit;
    this.#queue.push(info);
  }

  /** Take the lowest-numbered one that `blocked` does not hold back. */
  take(blocked: SignalSet): SignalInfo | undefined {
    if ((this.#set & ~blocked) === 0n) return undefined;
    let best: SignalInfo | undefined;
    for (const info of this.#queue) {
      if (signalBit(info.signal) & blocked) continue;
      if (!best || info.signal < best.signal) best = info;
    }
    if (!best) return undefined;
    this.#queue.splice(this.#queue.indexOf(best), 1);
    if (!this.#queue.some((info) => info.signal === best.signal)) {
      this.#set &= ~signalBit(best.signal);
    }
    return best;
  }

  discard(signals: SignalSet): void {
    if ((this.#set & signals) === 0n) return;
    this.#queue = this.#queue.filter((info) => !(signalBit(info.signal) & signals));
    this.#set &= ~signals;
  }
}
