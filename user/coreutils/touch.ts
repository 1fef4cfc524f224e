/** touch(1). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { parseDate } from '../libc/date.ts';
import type { FileTime } from '../libc/files.ts';
import {
  AT_SYMLINK_NOFOLLOW,
  close,
  O_CREAT,
  O_NONBLOCK,
  O_WRONLY,
  open,
  setTimes,
  stat,
} from '../libc/files.ts';
import { getopt, usageError, type Options } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { CLOCK_REALTIME, clockGettime, daysFromCivil } from '../libc/time.ts';

export const touch: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... FILE...',
    about: 'Update the access and modification times of each FILE to the current time.',
    options: [
      { short: 'a', help: 'change only the access time' },
      { short: 'c', long: 'no-create', help: 'do not create any files' },
      {
        short: 'd',
        long: 'date',
        arg: 'STRING',
        help: 'parse STRING and use it instead of current time',
      },
      { short: 'f', help: '(ignored)' },
      {
        short: 'h',
        long: 'no-dereference',
        help: 'affect each symbolic link instead of its target',
      },
      { short: 'm', help: 'change only the modification time' },
      {
        short: 'r',
        long: 'reference',
        arg: 'FILE',
        help: "use this file's times instead of current time",
      },
      { short: 't', arg: 'STAMP', help: 'use [[CC]YY]MMDDhhmm[.ss] instead of current time' },
      { long: 'time', arg: 'WORD', help: 'access, atime, use: like -a; modify, mtime: like -m' },
    ],
  });
  const times = yield* timesOf(p, o);
  if (typeof times === 'number') return times;
  if (o.operands.length === 0) return yield* usageError(p, 'missing file operand');
  const word = o.value('time') ?? '';
  const onlyAccess = o.has('a') || /^(access|atime|use)$/.test(word);
  const onlyModify = o.has('m') || /^(modify|mtime)$/.test(word);
  const accessed = onlyModify && !onlyAccess ? 'omit' : times.accessed;
  const modified = onlyAccess && !onlyModify ? 'omit' : times.modified;
  const flags = o.has('no-dereference') ? AT_SYMLINK_NOFOLLOW : 0;
  let status = 0;
  for (const path of o.operands) {
    let failed = yield* setTimes(p, path, accessed, modified, flags);
    if (failed === -errno.ENOENT) {
      if (o.has('no-create') || o.has('no-dereference')) continue;
      failed = yield* open(p, path, O_WRONLY | O_CREAT | O_NONBLOCK);
      if (failed >= 0) {
        yield* close(failed);
        failed = yield* setTimes(p, path, accessed, modified);
      }
    }
    if (failed < 0) {
      const verb =
        failed === -errno.ENOENT || failed === -errno.EACCES ? 'cannot touch' : 'setting times of';
      yield* p.error(`${verb} '${path}': ${strerror(failed)}`);
      status = 1;
    }
  }
  return status;
};

function* timesOf(
  p: Process,
  o: Options,
): UserFlow<{ accessed: FileTime; modified: FileTime } | number> {
  const reference = o.value('reference');
  let base = Number((yield* clockGettime(p, CLOCK_REALTIME)) / 1_000_000_000n);
  if (reference !== undefined) {
    const info = yield* stat(p, reference);
    if (typeof info === 'number') {
      yield* p.error(`failed to get attributes of '${reference}': ${strerror(info)}`);
      return 1;
    }
    if (!o.has('date')) {
      return {
        accessed: { seconds: info.atimeSec, nanoseconds: info.atimeNsec },
        modified: { seconds: info.mtimeSec, nanoseconds: info.mtimeNsec },
      };
    }
    base = info.mtimeSec;
  }
  const text = o.value('date');
  const stamp = o.value('t');
  if (text === undefined && stamp === undefined) return { accessed: 'now', modified: 'now' };
  const time = text === undefined ? parseStamp(stamp!, base) : parseDate(text, base);
  if (!time) {
    yield* p.error(`invalid date format '${text ?? stamp}'`);
    return 1;
  }
  return { accessed: time, modified: time };
}

/** [[CC]YY]MMDDhhmm[.ss] */
function parseStamp(
  text: string,
  now: number,
): { seconds: number; nanoseconds: number } | undefined {
  const match = /^(\d{2})?(\d{2})?(\d{2})(\d{2})(\d{2})(\d{2})(?:\.(\d{2}))?$/.exec(text);
  if (!match) return undefined;
  const [, a, b, month, day, hour, minute, second = '0'] = match;
  const short = b ?? a;
  let year = 1970 + Math.floor(now / 31556952);
  if (a !== undefined && b !== undefined) year = Number(a + b);
  else if (short !== undefined) year = Number(short) + (Number(short) < 69 ? 2000 : 1900);
  const parts = [month, day, hour, minute, second].map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ];
  if (parts[0] < 1 || parts[0] > 12 || parts[1] < 1 || parts[1] > 31 || parts[2] > 23)
    return undefined;
  if (parts[3] > 59 || parts[4] > 60) return undefined;
  const days = daysFromCivil(year, parts[0], parts[1]);
  const seconds = days * 86400 + parts[2] * 3600 + parts[3] * 60 + parts[4];
  return { seconds, nanoseconds: 0 };
}
