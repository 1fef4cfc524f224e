/** What /proc tells of processes, for ps, top, killall, pidof. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { listNames } from '../libc/directory.ts';
import { readFile, readTextFile, stat } from '../libc/files.ts';
import type { Process } from '../libc/process.ts';
import { decodeText } from '../libc/text.ts';

export interface ProcInfo {
  readonly pid: number;
  readonly comm: string;
  readonly state: string;
  readonly ppid: number;
  readonly pgrp: number;
  readonly session: number;
  readonly ttyNr: number;
  readonly foregroundGroup: number;
  /** Clock ticks (USER_HZ 100). */
  readonly utime: number;
  readonly stime: number;
  readonly priority: number;
  readonly nice: number;
  readonly threads: number;
  /** Ticks after boot. */
  readonly startTime: number;
  readonly vsizeBytes: number;
  readonly rssPages: number;
  readonly uid: number;
  readonly argv: readonly string[];
}

export const TICKS_PER_SECOND = 100;
export const PAGE_BYTES = 4096;

/** All processes, by pid. One that ends meanwhile is left out. */
export function* processes(p: Process): UserFlow<ProcInfo[]> {
  const names = yield* listNames(p, '/proc');
  const pids = typeof names === 'number' ? [] : names.filter((name) => /^\d+$/.test(name));
  const out: ProcInfo[] = [];
  for (const pid of pids.map(Number).sort((a, b) => a - b)) {
    const info = yield* processInfo(p, pid);
    if (info) out.push(info);
  }
  return out;
}

export function* processInfo(p: Process, pid: number): UserFlow<ProcInfo | undefined> {
  const text = yield* readTextFile(p, `/proc/${pid}/stat`);
  const owner = yield* stat(p, `/proc/${pid}`);
  const cmdline = yield* readFile(p, `/proc/${pid}/cmdline`);
  if (typeof text === 'number' || typeof owner === 'number') return undefined;
  // The name may hold spaces and parentheses; the fields go on after its last one.
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  const fields = text
    .slice(close + 2)
    .trim()
    .split(' ');
  const number = (index: number): number => Number(fields[index - 3] ?? 0);
  const args = typeof cmdline === 'number' ? '' : decodeText(cmdline);
  return {
    pid,
    comm: text.slice(open + 1, close),
    state: fields[0] ?? '?',
    ppid: number(4),
    pgrp: number(5),
    session: number(6),
    ttyNr: number(7),
    foregroundGroup: number(8),
    utime: number(14),
    stime: number(15),
    priority: number(18),
    nice: number(19),
    threads: number(20),
    startTime: number(22),
    vsizeBytes: number(23),
    rssPages: number(24),
    uid: owner.uid,
    argv: args === '' ? [] : args.replace(/\0$/, '').split('\0'),
  };
}

/** 'ttyS0', 'pts/0', 'console', '?' (Documentation/admin-guide/devices.txt). */
export function ttyName(ttyNr: number): string {
  const major = (ttyNr >> 8) & 0xfff;
  const minor = (ttyNr & 0xff) | ((ttyNr >> 12) & 0xfff00);
  if (major === 4) return minor < 64 ? `tty${minor}` : `ttyS${minor - 64}`;
  if (major === 5) return minor === 1 ? 'console' : 'tty';
  if (major >= 136 && major <= 143) return `pts/${minor + (major - 136) * 256}`;
  if (major === 229) return `hvc${minor}`;
  return '?';
}

/** Command line as ps shows it: the arguments, or the name in brackets for a kernel thread. */
export function commandLine(info: ProcInfo): string {
  if (info.argv.length === 0)
    return info.state === 'Z' ? `[${info.comm}] <defunct>` : `[${info.comm}]`;
  return info.argv.join(' ');
}
