/** dmesg(1): the kernel log from /dev/kmsg; -w follows it. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { close, O_NONBLOCK, O_RDONLY, open, read, syscall } from '../libc/files.ts';
import { getopt, usageError, type Options } from '../libc/getopt.ts';
import { NR } from '../libc/nr.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { SYSLOG_ACTION_CLEAR, SYSLOG_ACTION_READ_ALL, syslogRead } from '../libc/system.ts';
import { CLOCK_BOOTTIME, CLOCK_REALTIME, clockGettime, strftime } from '../libc/time.ts';
import { decodeText } from '../libc/text.ts';

const LEVELS = ['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug'];
const FACILITIES = [
  'kern',
  'user',
  'mail',
  'daemon',
  'auth',
  'syslog',
  'lpr',
  'news',
  'uucp',
  'cron',
  'authpriv',
  'ftp',
];

interface Record {
  readonly level: number;
  readonly facility: number;
  readonly usec: number;
  readonly text: string;
}

export const dmesg: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]...',
    about: 'Display or control the kernel ring buffer.',
    options: [
      { short: 'C', long: 'clear', help: 'clear the kernel ring buffer' },
      { short: 'c', long: 'read-clear', help: 'read and clear all messages' },
      { short: 'k', long: 'kernel', help: 'display kernel messages' },
      { short: 'u', long: 'userspace', help: 'display userspace messages' },
      {
        short: 'l',
        long: 'level',
        arg: 'LIST',
        help: `restrict output to levels: ${LEVELS.join(',')}`,
      },
      { short: 'f', long: 'facility', arg: 'LIST', help: 'restrict output to defined facilities' },
      { short: 'x', long: 'decode', help: 'decode facility and level to readable string' },
      { short: 'T', long: 'ctime', help: 'show human-readable timestamp' },
      { short: 't', long: 'notime', help: "don't show any timestamp" },
      { short: 'r', long: 'raw', help: 'print the raw message buffer' },
      { short: 'w', long: 'follow', help: 'wait for new messages' },
      { short: 'W', long: 'follow-new', help: 'wait and print only new messages' },
    ],
  });
  if (o.has('clear')) return (yield* clear(p)) < 0 ? 1 : 0;
  const levels = o.value('level')?.split(',');
  const unknown = levels?.find((level) => !LEVELS.includes(level));
  if (unknown !== undefined) return yield* usageError(p, `unknown level '${unknown}'`);
  const printer = yield* makePrinter(p, o);
  const follow = o.has('follow') || o.has('follow-new');
  const fd = yield* open(p, '/dev/kmsg', O_RDONLY | (follow ? 0 : O_NONBLOCK));
  if (fd === -errno.ENOENT && !follow) {
    const text = yield* syslogRead(p, SYSLOG_ACTION_READ_ALL);
    if (typeof text === 'number') return yield* fail(p, text);
    for (const line of text.split('\n')) {
      const record = parseSyslogLine(line);
      if (record) yield* printer(record);
    }
  } else if (fd < 0) return yield* fail(p, fd);
  else {
    if (o.has('follow-new')) yield* syscall(NR.lseek, fd, 0, 2);
    const failed = yield* readRecords(p, fd, printer);
    yield* close(fd);
    if (failed < 0 && failed !== -errno.EAGAIN && failed !== -errno.EINTR)
      return yield* fail(p, failed);
  }
  if (o.has('read-clear')) yield* clear(p);
  return 0;
};

function* fail(p: Process, error: number): UserFlow<number> {
  yield* p.error(`read kernel buffer failed: ${strerror(error)}`);
  return 1;
}

function clear(_p: Process): UserFlow<number> {
  return syscall(NR.syslog, SYSLOG_ACTION_CLEAR, 0, 0);
}

/** One read gives one record: "prio,sequence,usec,flags;text\n", then " KEY=value" lines. */
function* readRecords(
  p: Process,
  fd: number,
  printer: (record: Record) => UserFlow<void>,
): UserFlow<number> {
  for (;;) {
    const bytes = yield* read(p, fd, 8192);
    if (bytes === -errno.EPIPE) continue;
    if (typeof bytes === 'number') return bytes;
    if (bytes.length === 0) return 0;
    const match = /^(\d+),\d+,(\d+),[^;]*;([^\n]*)/.exec(decodeText(bytes));
    if (!match) continue;
    const priority = Number(match[1]);
    const text = match[3]!.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) =>
      String.fromCharCode(parseInt(hex, 16)),
    );
    yield* printer({ level: priority & 7, facility: priority >> 3, usec: Number(match[2]), text });
    yield* p.stdout.flush();
  }
}

/** "<6>[    0.123456] text" */
function parseSyslogLine(line: string): Record | undefined {
  const match = /^<(\d+)>\[\s*(\d+)\.(\d{6})\] (.*)$/.exec(line);
  if (!match) return undefined;
  const priority = Number(match[1]);
  const usec = Number(match[2]) * 1e6 + Number(match[3]);
  return { level: priority & 7, facility: priority >> 3, usec, text: match[4]! };
}

function* makePrinter(p: Process, o: Options): UserFlow<(record: Record) => UserFlow<void>> {
  const levels = o.value('level')?.split(',');
  const facilities = o.value('facility')?.split(',');
  const boot = (yield* clockGettime(p, CLOCK_REALTIME)) - (yield* clockGettime(p, CLOCK_BOOTTIME));
  const bootSeconds = Number(boot / 1_000_000_000n);
  const stamp = (usec: number): string => {
    if (o.has('notime')) return '';
    const seconds = Math.floor(usec / 1e6);
    if (o.has('ctime')) return `[${strftime('%c', bootSeconds + seconds)}] `;
    return `[${String(seconds).padStart(5)}.${String(usec % 1e6).padStart(6, '0')}] `;
  };
  return function* (record) {
    if (levels && !levels.includes(LEVELS[record.level]!)) return;
    if (facilities && !facilities.includes(FACILITIES[record.facility]!)) return;
    if (o.has('kernel') && record.facility !== 0) return;
    if (o.has('userspace') && record.facility === 0) return;
    let head = '';
    if (o.has('raw')) head = `<${record.facility * 8 + record.level}>`;
    else if (o.has('decode')) {
      head = `${(FACILITIES[record.facility] ?? '').padEnd(6)}:${LEVELS[record.level]!.padEnd(6)}: `;
    }
    yield* p.println(head + stamp(record.usec) + record.text);
  };
}
