/** ps(1): the default list, -e/-A, -f, -l, aux, -o, -p, -C, --no-headers. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { Exit, type Process, type Tool } from '../libc/process.ts';
import { getuid, sysinfo, userNames } from '../libc/system.ts';
import { getpid } from '../libc/tasks.ts';
import { CLOCK_REALTIME, clockGettime, strftime } from '../libc/time.ts';
import { meminfo } from './system-info.ts';
import {
  commandLine,
  PAGE_BYTES,
  processes,
  type ProcInfo,
  TICKS_PER_SECOND,
  ttyName,
} from './proc.ts';

const HELP = `Usage: ps [OPTION]...
Report a snapshot of the current processes.

  -e, -A          all processes
  -f              full format
  -l              long format
  aux             all processes, user-oriented format
  -p PID[,PID]    these processes
  -C NAME         processes of this command name
  -o FORMAT       columns: pid ppid pgid sid tty time etime stat user uid comm args cmd
                  %cpu %mem vsz rss pri ni nlwp start, each with =HEADER if wanted
      --no-headers  no header line
`;

interface System {
  readonly users: Map<number, string>;
  readonly nowSeconds: number;
  readonly uptimeSeconds: number;
  readonly memTotalKb: number;
}

interface Column {
  readonly header: string;
  readonly width: number;
  readonly right?: true;
  value(info: ProcInfo, system: System): string;
}

const cpuSeconds = (info: ProcInfo): number => (info.utime + info.stime) / TICKS_PER_SECOND;
const elapsed = (info: ProcInfo, system: System): number =>
  Math.max(0, system.uptimeSeconds - info.startTime / TICKS_PER_SECOND);
const cpuShare = (info: ProcInfo, system: System): number => {
  const seconds = elapsed(info, system);
  return seconds <= 0 ? 0 : (100 * cpuSeconds(info)) / seconds;
};
const two = (value: number): string => String(value).padStart(2, '0');

/** [[DD-]HH:]MM:SS */
function etime(seconds: number): string {
  const s = Math.floor(seconds);
  const days = Math.floor(s / 86400);
  const hours = Math.floor(s / 3600) % 24;
  const rest = `${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  if (days > 0) return `${days}-${two(hours)}:${rest}`;
  return hours > 0 ? `${two(hours)}:${rest}` : rest;
}

function cpuTime(info: ProcInfo): string {
  const s = Math.floor(cpuSeconds(info));
  return `${two(Math.floor(s / 3600))}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

function started(info: ProcInfo, system: System): string {
  const at = system.nowSeconds - elapsed(info, system);
  return strftime(system.nowSeconds - at < 86400 ? '%R' : '%b%d', at);
}

/** The state letter with ps's marks: s session leader, l threads, + foreground, < N nice. */
function stat(info: ProcInfo): string {
  let text = info.state;
  if (info.nice < 0) text += '<';
  if (info.nice > 0) text += 'N';
  if (info.session === info.pid) text += 's';
  if (info.threads > 1) text += 'l';
  if (info.foregroundGroup > 0 && info.foregroundGroup === info.pgrp) text += '+';
  return text;
}

const user = (info: ProcInfo, system: System): string =>
  system.users.get(info.uid) ?? String(info.uid);
const number = (
  header: string,
  width: number,
  value: (i: ProcInfo, s: System) => number,
): Column => ({
  header,
  width,
  right: true,
  value: (info, system) => String(value(info, system)),
});

const COLUMNS: Readonly<Record<string, Column>> = {
  pid: number('PID', 7, (i) => i.pid),
  ppid: number('PPID', 7, (i) => i.ppid),
  pgid: number('PGID', 7, (i) => i.pgrp),
  sid: number('SID', 7, (i) => i.session),
  uid: number('UID', 5, (i) => i.uid),
  user: { header: 'USER', width: 8, value: user },
  tty: { header: 'TT', width: 8, value: (i) => ttyName(i.ttyNr) },
  time: { header: 'TIME', width: 8, right: true, value: cpuTime },
  etime: { header: 'ELAPSED', width: 11, right: true, value: (i, s) => etime(elapsed(i, s)) },
  stat: { header: 'STAT', width: 4, value: stat },
  s: { header: 'S', width: 1, value: (i) => i.state },
  comm: { header: 'COMMAND', width: 15, value: (i) => i.comm },
  args: { header: 'COMMAND', width: 27, value: commandLine },
  '%cpu': { header: '%CPU', width: 4, right: true, value: (i, s) => cpuShare(i, s).toFixed(1) },
  '%mem': {
    header: '%MEM',
    width: 4,
    right: true,
    value: (i, s) => ((100 * i.rssPages * (PAGE_BYTES / 1024)) / s.memTotalKb).toFixed(1),
  },
  vsz: number('VSZ', 6, (i) => Math.floor(i.vsizeBytes / 1024)),
  rss: number('RSS', 5, (i) => (i.rssPages * PAGE_BYTES) / 1024),
  pri: number('PRI', 3, (i) => 39 - i.priority),
  ni: number('NI', 3, (i) => i.nice),
  nlwp: number('NLWP', 4, (i) => i.threads),
  start: { header: 'START', width: 5, value: started },
  c: number('C', 2, (i) => 0 * i.pid),
};
const ALIASES: Readonly<Record<string, string>> = {
  cmd: 'args',
  command: 'args',
  tt: 'tty',
  tname: 'tty',
  pcpu: '%cpu',
  pmem: '%mem',
  state: 's',
  ucmd: 'comm',
  stime: 'start',
  thcount: 'nlwp',
  pgrp: 'pgid',
  euser: 'user',
  ruser: 'user',
  pri: 'pri',
  rssize: 'rss',
  vsize: 'vsz',
};

const FORMATS = {
  plain: 'pid,tty=TTY,time,comm=CMD',
  full: 'user=UID,pid,ppid,c,start=STIME,tty=TTY,time,args=CMD',
  long: 's,uid,pid,ppid,c,pri,ni,vsz=SZ,tty=TTY,time,comm=CMD',
  aux: 'user,pid,%cpu,%mem,vsz,rss,tty=TTY,stat,start,auxtime=TIME,args',
} as const;

const AUX_TIME: Column = {
  header: 'TIME',
  width: 6,
  right: true,
  value: (info) => {
    const s = Math.floor(cpuSeconds(info));
    return `${Math.floor(s / 60)}:${two(s % 60)}`;
  },
};

interface Selection {
  format: string;
  all: boolean;
  /** Processes without a terminal too (BSD's x). */
  withoutTty: boolean;
  pids: number[] | undefined;
  names: string[] | undefined;
  headers: boolean;
}

export const ps: Tool = function* (p, args) {
  const selection = yield* parse(p, args);
  const columns: { column: Column; header: string }[] = [];
  for (const text of selection.format.split(/[,\s]+/).filter((word) => word !== '')) {
    const [name = '', ...header] = text.split('=');
    const key = ALIASES[name.toLowerCase()] ?? name.toLowerCase();
    const column = key === 'auxtime' ? AUX_TIME : COLUMNS[key];
    if (!column) return yield* p.die(1, `unknown user-defined format specifier "${name}"`);
    columns.push({ column, header: text.includes('=') ? header.join('=') : column.header });
  }
  const system = yield* systemOf(p);
  const all = yield* processes(p);
  const self = yield* own(all);
  const uid = yield* getuid();
  const chosen = all.filter((info) => {
    if (selection.pids) return selection.pids.includes(info.pid);
    if (selection.names) return selection.names.includes(info.comm);
    if (selection.all) return selection.withoutTty || info.ttyNr !== 0;
    return info.ttyNr === (self?.ttyNr ?? 0) && info.uid === uid;
  });
  const last = columns.length - 1;
  const row = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => {
        const { width, right } = columns[index]!.column;
        const wide = Math.max(width, columns[index]!.header.length);
        if (right) return cell.padStart(wide);
        return index === last ? cell : cell.padEnd(wide);
      })
      .join(' ');
  const hasHeader = columns.some(({ header }) => header !== '');
  if (selection.headers && hasHeader) yield* p.println(row(columns.map(({ header }) => header)));
  for (const info of chosen) {
    yield* p.println(row(columns.map(({ column }) => column.value(info, system))));
  }
  return chosen.length > 0 ? 0 : 1;
};

function* own(all: readonly ProcInfo[]): UserFlow<ProcInfo | undefined> {
  const pid = yield* getpid();
  return all.find((info) => info.pid === pid);
}

function* systemOf(p: Process): UserFlow<System> {
  return {
    users: yield* userNames(p),
    nowSeconds: Number((yield* clockGettime(p, CLOCK_REALTIME)) / 1_000_000_000n),
    uptimeSeconds: (yield* sysinfo(p)).uptime,
    memTotalKb: (yield* meminfo(p)).get('MemTotal') ?? 1,
  };
}

function* parse(p: Process, args: readonly string[]): UserFlow<Selection> {
  const out: Selection = {
    format: FORMATS.plain,
    all: false,
    withoutTty: true,
    pids: undefined,
    names: undefined,
    headers: true,
  };
  const formats: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!;
    if (arg === '--help') {
      yield* p.print(HELP);
      throw new Exit(0);
    }
    if (arg === '--no-headers' || arg === '--no-heading') out.headers = false;
    else if (!arg.startsWith('-')) {
      if (/^\d+$/.test(arg)) {
        out.pids = [...(out.pids ?? []), Number(arg)];
        continue;
      }
      // BSD style: a u x, without a dash.
      for (const letter of arg) {
        if (letter === 'a') out.all = true;
        else if (letter === 'x') out.all = out.withoutTty = true;
        else if (letter === 'u') out.format = FORMATS.aux;
        else return yield* p.die(1, `unsupported option (BSD syntax): ${letter}`);
      }
      if (!arg.includes('x')) out.withoutTty = false;
    } else {
      for (let i = 1; i < arg.length; i++) {
        const letter = arg[i]!;
        if (letter === 'e' || letter === 'A') out.all = true;
        else if (letter === 'f') out.format = FORMATS.full;
        else if (letter === 'l') out.format = FORMATS.long;
        else if ('opC'.includes(letter)) {
          const value = arg.slice(i + 1) || args[++at];
          if (value === undefined) return yield* p.die(1, `option -${letter} requires an argument`);
          if (letter === 'o') formats.push(value);
          else if (letter === 'p')
            out.pids = [...(out.pids ?? []), ...value.split(',').map(Number)];
          else out.names = value.split(',');
          break;
        } else return yield* p.die(1, `unsupported option -- '${letter}'`);
      }
    }
  }
  if (formats.length > 0) out.format = formats.join(',');
  return out;
}
