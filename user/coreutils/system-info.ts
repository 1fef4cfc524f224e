/** uname(1), hostname(1), date(1), uptime(1), free(1). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { readTextFile } from '../libc/files.ts';
import { humanSize } from '../libc/format.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { sethostname, sysinfo, uname as systemName } from '../libc/system.ts';
import { CLOCK_REALTIME, clockGettime, daysFromCivil, strftime } from '../libc/time.ts';

export const uname: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]...',
    about: 'Print certain system information.  With no OPTION, same as -s.',
    options: [
      { short: 'a', long: 'all', help: 'print all information' },
      { short: 's', long: 'kernel-name', help: 'print the kernel name' },
      { short: 'n', long: 'nodename', help: 'print the network node hostname' },
      { short: 'r', long: 'kernel-release', help: 'print the kernel release' },
      { short: 'v', long: 'kernel-version', help: 'print the kernel version' },
      { short: 'm', long: 'machine', help: 'print the machine hardware name' },
      { short: 'o', long: 'operating-system', help: 'print the operating system' },
    ],
  });
  const name = yield* systemName(p);
  const fields: [string, string][] = [
    ['kernel-name', name.sysname],
    ['nodename', name.nodename],
    ['kernel-release', name.release],
    ['kernel-version', name.version],
    ['machine', name.machine],
    ['operating-system', 'GNU/Linux'],
  ];
  const chosen = fields.filter(([option]) => o.has('all') || o.has(option));
  const shown = chosen.length > 0 ? chosen : fields.slice(0, 1);
  yield* p.println(shown.map(([, value]) => value).join(' '));
  return 0;
};

export const hostname: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[NAME]',
    about: "Show or set the system's host name.",
    options: [{ short: 's', long: 'short', help: 'short host name' }],
  });
  const [name] = o.operands;
  if (name !== undefined) {
    const failed = yield* sethostname(p, name);
    if (failed < 0) {
      yield* p.error(`sethostname: ${strerror(failed)}`);
      return 1;
    }
    return 0;
  }
  const { nodename } = yield* systemName(p);
  yield* p.println(o.has('short') ? nodename.split('.')[0] : nodename);
  return 0;
};

export const date: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [+FORMAT]',
    about: 'Display the current time in the given FORMAT.',
    options: [
      {
        short: 'd',
        long: 'date',
        arg: 'STRING',
        help: "display time described by STRING, not 'now'",
      },
      { short: 'u', long: 'utc', help: 'Coordinated Universal Time (always the case here)' },
      { short: 'R', long: 'rfc-email', help: 'output date and time in RFC 5322 format' },
      {
        short: 'I',
        long: 'iso-8601',
        arg: 'FMT',
        optional: true,
        help: 'date, hours, minutes, seconds or ns',
      },
    ],
    more: 'STRING is @SECONDS, YYYY-MM-DD, or YYYY-MM-DD HH:MM[:SS].',
  });
  const now = yield* clockGettime(p, CLOCK_REALTIME);
  let seconds = Number(now / 1_000_000_000n);
  let ns = Number(now % 1_000_000_000n);
  const text = o.value('date');
  if (text !== undefined && text !== 'now') {
    const parsed = parseDate(text);
    if (parsed === undefined) {
      yield* p.error(`invalid date '${text}'`);
      return 1;
    }
    seconds = parsed;
    ns = 0;
  }
  const [operand] = o.operands;
  if (operand !== undefined && !operand.startsWith('+')) {
    return yield* usageError(p, `invalid date '${operand}'`);
  }
  let format = operand?.slice(1) ?? '%a %b %e %H:%M:%S %Z %Y';
  if (o.has('rfc-email')) format = '%a, %d %b %Y %H:%M:%S %z';
  if (o.has('iso-8601')) {
    const how = o.value('iso-8601') || 'date';
    format = how === 'date' ? '%F' : how === 'ns' ? '%FT%T,%N+00:00' : '%FT%T+00:00';
  }
  yield* p.println(strftime(format, seconds, ns));
  return 0;
};

function parseDate(text: string): number | undefined {
  const epoch = /^@(-?\d+)$/.exec(text);
  if (epoch) return Number(epoch[1]);
  const match = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?)?(?: ?(?:Z|UTC))?$/.exec(
    text,
  );
  if (!match) return undefined;
  const [, year, month, day, hour = '0', minute = '0', second = '0'] = match.map((field) => field);
  const days = daysFromCivil(Number(year), Number(month), Number(day));
  return days * 86400 + Number(hour) * 3600 + Number(minute) * 60 + Number(second);
}

/** '10:00:00 up 2 min,  1 user,  load average: 0.00, 0.00, 0.00', also top's first line. */
export function* uptimeLine(p: Process): UserFlow<string> {
  const now = Number((yield* clockGettime(p, CLOCK_REALTIME)) / 1_000_000_000n);
  const info = yield* sysinfo(p);
  const minutes = Math.floor(info.uptime / 60);
  const days = Math.floor(minutes / 1440);
  const hours = Math.floor(minutes / 60) % 24;
  const clock =
    hours > 0 ? `${hours}:${String(minutes % 60).padStart(2, '0')}` : `${minutes % 60} min`;
  const up = days > 0 ? `${days} day${days > 1 ? 's' : ''}, ${clock}` : clock;
  const load = [info.load1, info.load5, info.load15].map((value) => (value / 65536).toFixed(2));
  return `${strftime('%T', now)} up ${up},  1 user,  load average: ${load.join(', ')}`;
}

export const uptime: Tool = function* (p, args) {
  yield* getopt(p, args, { usage: '', about: 'Tell how long the system has been running.' });
  yield* p.println(` ${yield* uptimeLine(p)}`);
  return 0;
};

/** /proc/meminfo in kB. */
export function* meminfo(p: Process): UserFlow<Map<string, number>> {
  const text = yield* readTextFile(p, '/proc/meminfo');
  const out = new Map<string, number>();
  for (const line of typeof text === 'number' ? [] : text.split('\n')) {
    const match = /^(\S+):\s+(\d+)/.exec(line);
    if (match) out.set(match[1]!, Number(match[2]));
  }
  return out;
}

export const free: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]...',
    about: 'Display amount of free and used memory in the system.',
    options: [
      { short: 'b', long: 'bytes', help: 'show output in bytes' },
      { short: 'k', long: 'kibi', help: 'show output in kibibytes' },
      { short: 'm', long: 'mebi', help: 'show output in mebibytes' },
      { short: 'h', long: 'human', help: 'show human-readable output' },
    ],
  });
  const info = yield* meminfo(p);
  const kb = (name: string): number => info.get(name) ?? 0;
  const cache = kb('Buffers') + kb('Cached') + kb('SReclaimable');
  const show = (value: number): string => {
    if (o.has('human')) return value === 0 ? '0B' : `${humanSize(value * 1024)}i`;
    if (o.has('bytes')) return String(value * 1024);
    return String(o.has('mebi') ? Math.floor(value / 1024) : value);
  };
  const row = (name: string, values: readonly number[]): string =>
    name.padEnd(8) + values.map((value) => show(value).padStart(12)).join('');
  const heads = ['total', 'used', 'free', 'shared', 'buff/cache', 'available'];
  yield* p.println(' '.repeat(8) + heads.map((head) => head.padStart(12)).join(''));
  yield* p.println(
    row('Mem:', [
      kb('MemTotal'),
      kb('MemTotal') - kb('MemAvailable'),
      kb('MemFree'),
      kb('Shmem'),
      cache,
      kb('MemAvailable'),
    ]),
  );
  yield* p.println(
    row('Swap:', [kb('SwapTotal'), kb('SwapTotal') - kb('SwapFree'), kb('SwapFree')]),
  );
  return 0;
};
