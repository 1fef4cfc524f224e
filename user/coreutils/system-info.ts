/** uname(1), hostname(1), date(1), uptime(1), free(1). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { Instant } from '../libc/date.ts';
import { parseDate } from '../libc/date.ts';
import { readTextFile, stat } from '../libc/files.ts';
import { humanSize } from '../libc/format.ts';
import { getopt, usageError, type Options } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { sethostname, sysinfo, uname as systemName } from '../libc/system.ts';
import { CLOCK_REALTIME, clockGettime, clockSettime, strftime } from '../libc/time.ts';

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
    about: 'Display date and time in the given FORMAT.',
    options: [
      {
        short: 'd',
        long: 'date',
        arg: 'STRING',
        help: "display time described by STRING, not 'now'",
      },
      {
        short: 'f',
        long: 'file',
        arg: 'DATEFILE',
        help: 'like --date; once for each line of DATEFILE',
      },
      {
        short: 'I',
        long: 'iso-8601',
        arg: 'FMT',
        optional: true,
        help: 'output in ISO 8601 format;\ndate, hours, minutes, seconds or ns',
      },
      { short: 'R', long: 'rfc-email', help: 'output date and time in RFC 5322 format' },
      { long: 'rfc-3339', arg: 'FMT', help: 'output in RFC 3339 format: date, seconds or ns' },
      {
        short: 'r',
        long: 'reference',
        arg: 'FILE',
        help: 'display the last modification time of FILE',
      },
      { short: 's', long: 'set', arg: 'STRING', help: 'set time described by STRING' },
      { short: 'u', long: 'utc', help: 'Coordinated Universal Time (always the case here)' },
    ],
  });
  const [operand, extra] = o.operands;
  if (extra !== undefined) return yield* usageError(p, `extra operand '${extra}'`);
  if (operand !== undefined && !operand.startsWith('+')) {
    yield* p.error(`invalid date '${operand}'`);
    return 1;
  }
  const format = operand === undefined ? defaultFormat(o) : operand.slice(1);
  if (format === undefined) return yield* usageError(p, `invalid argument for '--rfc-3339'`);
  const now = yield* clockGettime(p, CLOCK_REALTIME);
  const nowSeconds = Number(now / 1_000_000_000n);
  const nowNs = Number(now % 1_000_000_000n);
  const instants: Instant[] = [];
  const texts = o.has('date') ? [o.value('date')!] : o.has('set') ? [o.value('set')!] : [];
  const file = o.value('file');
  if (file !== undefined) {
    const content = yield* readTextFile(p, file);
    if (typeof content === 'number') {
      yield* p.error(`${file}: ${strerror(content)}`);
      return 1;
    }
    texts.push(...content.replace(/\n$/, '').split('\n'));
  }
  let status = 0;
  for (const text of texts) {
    const parsed = parseDate(text, nowSeconds, nowNs);
    if (parsed) instants.push(parsed);
    else {
      yield* p.error(`invalid date '${text}'`);
      status = 1;
    }
  }
  const reference = o.value('reference');
  if (reference !== undefined) {
    const info = yield* stat(p, reference);
    if (typeof info === 'number') {
      yield* p.error(`${reference}: ${strerror(info)}`);
      return 1;
    }
    instants.push({ seconds: info.mtimeSec, nanoseconds: info.mtimeNsec });
  }
  if (texts.length === 0 && reference === undefined) {
    instants.push({ seconds: nowSeconds, nanoseconds: nowNs });
  }
  if (o.has('set') && instants[0]) {
    const failed = yield* clockSettime(p, CLOCK_REALTIME, instants[0].seconds);
    if (failed < 0) {
      yield* p.error(`cannot set date: ${strerror(failed)}`);
      status = 1;
    }
  }
  for (const { seconds, nanoseconds } of instants) {
    yield* p.println(strftime(format, seconds, nanoseconds));
  }
  return status;
};

function defaultFormat(o: Options): string | undefined {
  if (o.has('rfc-email')) return '%a, %d %b %Y %H:%M:%S %z';
  if (o.has('rfc-3339')) {
    const formats = { date: '%F', seconds: '%F %T%:z', ns: '%F %T.%N%:z' };
    return formats[o.value('rfc-3339') as keyof typeof formats];
  }
  if (!o.has('iso-8601')) return '%a %b %e %H:%M:%S %Z %Y';
  const formats = {
    '': '%F',
    date: '%F',
    hours: '%FT%H%:z',
    minutes: '%FT%H:%M%:z',
    seconds: '%FT%T%:z',
    ns: '%FT%T,%N%:z',
  };
  return formats[(o.value('iso-8601') ?? '') as keyof typeof formats] ?? '%F';
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
