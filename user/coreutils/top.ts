/** top(1): a list of processes by CPU use that refreshes; -b -n -d; q quits. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { poll } from '../libc/poll.ts';
import { getopt } from '../libc/getopt.ts';
import { read, readTextFile } from '../libc/files.ts';
import type { Process, Tool } from '../libc/process.ts';
import { userNames } from '../libc/system.ts';
import { isatty, rawMode, tcgetattr, tcsetattr, windowSize } from '../libc/terminal.ts';
import { nanosleep } from '../libc/time.ts';
import { commandLine, PAGE_BYTES, processes, type ProcInfo, TICKS_PER_SECOND } from './proc.ts';
import { meminfo, uptimeLine } from './system-info.ts';

export const top: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]...',
    about: 'Display processes, the busiest first. Keys: q quits, space refreshes.',
    options: [
      { short: 'b', long: 'batch', help: 'plain text, no terminal control' },
      { short: 'n', long: 'iterations', arg: 'N', help: 'end after N rounds' },
      { short: 'd', long: 'delay', arg: 'SECONDS', help: 'time between rounds (3)' },
    ],
  });
  const rounds = Number(o.value('iterations') ?? Infinity);
  const delayNs = Number(o.value('delay') ?? 3) * 1e9;
  const interactive = !o.has('batch') && (yield* isatty(p, 0)) && (yield* isatty(p, 1));
  const before = interactive ? yield* tcgetattr(p, 0) : undefined;
  if (typeof before === 'object') {
    // Ctrl-C stays what it is: the kernel ends the process, the shell mends the terminal.
    const raw = rawMode(before);
    yield* tcsetattr(p, 0, { ...raw, lflag: raw.lflag | 1 });
  }
  let previous = new Map<number, number>();
  let previousTotal = 0;
  for (let round = 0; round < rounds; round++) {
    const all = yield* processes(p);
    const cpu = yield* cpuTicks(p);
    const span = Math.max(1, cpu.total - previousTotal) / cpu.count;
    const share = (info: ProcInfo): number => {
      const ticks = info.utime + info.stime - (previous.get(info.pid) ?? 0);
      return (100 * ticks) / span;
    };
    const size = interactive ? yield* windowSize(p, 1) : undefined;
    const lines = yield* screen(p, all, share, cpu.line);
    const rows = lines.slice(0, size ? size.rows - 1 : lines.length);
    const clipped = rows.map((line) => (size ? line.slice(0, size.columns) : line));
    if (interactive) yield* p.print(`\x1b[H\x1b[J${clipped.join('\n')}\n`);
    else yield* p.print(`${round > 0 ? '\n' : ''}${clipped.join('\n')}\n`);
    yield* p.stdout.flush();
    previous = new Map(all.map((info) => [info.pid, info.utime + info.stime]));
    previousTotal = cpu.total;
    if (round + 1 >= rounds) break;
    if (!interactive) yield* nanosleep(p, delayNs);
    else if (yield* quitKey(p, delayNs)) break;
  }
  if (typeof before === 'object') yield* tcsetattr(p, 0, before);
  return 0;
};

function* quitKey(p: Process, delayNs: number): UserFlow<boolean> {
  if ((yield* poll(p, [{ fd: 0, events: 1 }], delayNs / 1e6)) === 0) return false;
  const bytes = yield* read(p, 0, 1);
  return typeof bytes === 'number' || bytes.length === 0 || bytes[0] === 0x71 || bytes[0] === 3;
}

/** /proc/stat's cpu line: ticks of all CPUs, and top's `%Cpu(s)` line since boot. */
function* cpuTicks(p: Process): UserFlow<{ total: number; count: number; line: string }> {
  const text = yield* readTextFile(p, '/proc/stat');
  const lines = typeof text === 'number' ? [] : text.split('\n');
  const values = (lines[0] ?? '').trim().split(/\s+/).slice(1).map(Number);
  const total = values.reduce((sum, value) => sum + value, 0);
  const share = (index: number): string =>
    (total === 0 ? 0 : (100 * (values[index] ?? 0)) / total).toFixed(1).padStart(5);
  const line =
    `%Cpu(s):${share(0)} us,${share(2)} sy,${share(1)} ni,${share(3)} id,` +
    `${share(4)} wa,${share(5)} hi,${share(6)} si,${share(7)} st`;
  return { total, count: Math.max(1, lines.filter((l) => /^cpu\d/.test(l)).length), line };
}

function* screen(
  p: Process,
  all: readonly ProcInfo[],
  share: (info: ProcInfo) => number,
  cpuLine: string,
): UserFlow<string[]> {
  const users = yield* userNames(p);
  const memory = yield* meminfo(p);
  const mib = (name: string): string => ((memory.get(name) ?? 0) / 1024).toFixed(1).padStart(8);
  const used = (((memory.get('MemTotal') ?? 0) - (memory.get('MemAvailable') ?? 0)) / 1024).toFixed(
    1,
  );
  const count = (states: string): string =>
    String(all.filter((info) => states.includes(info.state)).length).padStart(3);
  const rows = [...all]
    .sort((a, b) => share(b) - share(a) || a.pid - b.pid)
    .map((info) => {
      const seconds = (info.utime + info.stime) / TICKS_PER_SECOND;
      const minutes = Math.floor(seconds / 60);
      const time = `${minutes}:${(seconds % 60).toFixed(2).padStart(5, '0')}`;
      const resKb = (info.rssPages * PAGE_BYTES) / 1024;
      const mem = (100 * resKb) / (memory.get('MemTotal') ?? 1);
      return [
        String(info.pid).padStart(7),
        (users.get(info.uid) ?? String(info.uid)).padEnd(9),
        String(info.priority).padStart(3),
        String(info.nice).padStart(3),
        String(Math.floor(info.vsizeBytes / 1024)).padStart(7),
        String(resKb).padStart(6),
        info.state,
        share(info).toFixed(1).padStart(5),
        mem.toFixed(1).padStart(5),
        time.padStart(9),
        info.argv.length > 0 ? info.comm : commandLine(info),
      ].join(' ');
    });
  return [
    `top - ${yield* uptimeLine(p)}`,
    `Tasks: ${count('RSDTZtI')} total, ${count('R')} running, ${count('SDI')} sleeping, ` +
      `${count('Tt')} stopped, ${count('Z')} zombie`,
    cpuLine,
    `MiB Mem : ${mib('MemTotal')} total, ${mib('MemFree')} free, ${used.padStart(8)} used, ` +
      `${mib('Cached')} buff/cache`,
    '',
    '    PID USER       PR  NI    VIRT    RES S  %CPU  %MEM     TIME+ COMMAND',
    ...rows,
  ];
}
