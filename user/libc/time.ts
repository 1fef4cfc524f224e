/** Clocks, sleeping, and calendar time (UTC: skep has no other zone). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { syscall } from './files.ts';
import { layout } from './layout.ts';
import { NR } from './nr.ts';
import type { Process } from './process.ts';

export const CLOCK_REALTIME = 0;
export const CLOCK_MONOTONIC = 1;
export const CLOCK_BOOTTIME = 7;

const Timespec = layout({ sec: 's64', nsec: 's64' });

/** Nanoseconds; CLOCK_REALTIME exceeds a double's exact range, so it is a bigint. */
export function* clockGettime(p: Process, clock: number): UserFlow<bigint> {
  const mark = p.mark();
  const address = yield* p.take(Timespec.size);
  yield* syscall(NR.clock_gettime, clock, address);
  const { sec, nsec } = Timespec.decode(p.memory.read(address, Timespec.size));
  p.release(mark);
  return BigInt(sec) * 1_000_000_000n + BigInt(nsec);
}

export function* clockSettime(p: Process, clock: number, seconds: number): UserFlow<number> {
  const mark = p.mark();
  const address = yield* p.takeBytes(Timespec.encode({ sec: seconds, nsec: 0 }));
  const result = yield* syscall(NR.clock_settime, clock, address);
  p.release(mark);
  return result;
}

/** 0, or -EINTR when a signal handler ran. */
export function* nanosleep(p: Process, ns: number): UserFlow<number> {
  const mark = p.mark();
  const request = { sec: Math.floor(ns / 1e9), nsec: Math.round(ns % 1e9) };
  const address = yield* p.takeBytes(Timespec.encode(request));
  const result = yield* syscall(NR.nanosleep, address, 0);
  p.release(mark);
  return result;
}

/** CPU time used by this process and by the children it has waited for, seconds. */
export interface CpuTimes {
  readonly user: number;
  readonly system: number;
  readonly childUser: number;
  readonly childSystem: number;
}

/** struct tms, in ticks of USER_HZ. */
const Tms = layout({ user: 'n64', system: 'n64', childUser: 'n64', childSystem: 'n64' });
const USER_HZ = 100;

export function* times(p: Process): UserFlow<CpuTimes> {
  const mark = p.mark();
  const address = yield* p.take(Tms.size);
  yield* syscall(NR.times, address);
  const ticks = Tms.decode(p.memory.read(address, Tms.size));
  p.release(mark);
  return {
    user: ticks.user / USER_HZ,
    system: ticks.system / USER_HZ,
    childUser: ticks.childUser / USER_HZ,
    childSystem: ticks.childSystem / USER_HZ,
  };
}

export interface CalendarTime {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** 0 is Sunday. */
  readonly weekday: number;
  /** 1 to 366. */
  readonly yearDay: number;
}

/** Beyond the year 100,000,000 calendars have no meaning and doubles no seconds. */
const MAX_SECONDS = 3e15;

/** gmtime(3), by counting days of 400-year eras from 1 March of year 0. */
export function gmtime(seconds: number): CalendarTime {
  const epochSeconds = Math.max(-MAX_SECONDS, Math.min(MAX_SECONDS, seconds));
  const days = Math.floor(epochSeconds / 86400);
  const rest = epochSeconds - days * 86400;
  const shifted = days + 719468;
  const era = Math.floor(shifted / 146097);
  const dayOfEra = shifted - era * 146097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36524) -
      Math.floor(dayOfEra / 146096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return {
    year,
    month,
    day,
    hour: Math.floor(rest / 3600),
    minute: Math.floor((rest % 3600) / 60),
    second: Math.floor(rest % 60),
    weekday: (((days + 4) % 7) + 7) % 7,
    yearDay: days - daysFromCivil(year, 1, 1) + 1,
  };
}

/** Days since 1970-01-01. */
export function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146097 + dayOfEra - 719468;
}

export const WEEKDAYS = [
  'Sunday',
  'Monday',
  'Tuesday',
  'Wednesday',
  'Thursday',
  'Friday',
  'Saturday',
] as const;
export const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const;

/** Monday-based ISO 8601 week, and the year that it belongs to. */
function isoWeek(t: CalendarTime): { year: number; week: number } {
  const weekday = t.weekday || 7;
  const week = Math.floor((t.yearDay - weekday + 10) / 7);
  if (week < 1) {
    const last = gmtime(daysFromCivil(t.year - 1, 12, 31) * 86400);
    return isoWeek(last);
  }
  const isNextYear =
    week === 53 && (gmtime(daysFromCivil(t.year + 1, 1, 1) * 86400).weekday || 7) <= 4;
  return isNextYear ? { year: t.year + 1, week: 1 } : { year: t.year, week };
}

/** Letter to value; numbers carry the width that they are padded to, and with what. */
type Field = string | { readonly value: number; readonly width: number; readonly pad: '0' | ' ' };

function fieldOf(
  letter: string,
  t: CalendarTime,
  seconds: number,
  nanoseconds: number,
): Field | undefined {
  const number = (value: number, width = 2, pad: '0' | ' ' = '0'): Field => ({ value, width, pad });
  const again = (format: string): string => strftime(format, seconds, nanoseconds);
  switch (letter) {
    case 'Y':
      return number(t.year, 1);
    case 'C':
      return number(Math.floor(t.year / 100));
    case 'y':
      return number(((t.year % 100) + 100) % 100);
    case 'm':
      return number(t.month);
    case 'd':
      return number(t.day);
    case 'e':
      return number(t.day, 2, ' ');
    case 'H':
      return number(t.hour);
    case 'k':
      return number(t.hour, 2, ' ');
    case 'I':
      return number(t.hour % 12 || 12);
    case 'l':
      return number(t.hour % 12 || 12, 2, ' ');
    case 'M':
      return number(t.minute);
    case 'S':
      return number(t.second);
    case 's':
      return number(Math.floor(seconds), 1);
    case 'j':
      return number(t.yearDay, 3);
    case 'u':
      return number(t.weekday || 7, 1);
    case 'w':
      return number(t.weekday, 1);
    case 'U':
      return number(Math.floor((t.yearDay + 6 - t.weekday) / 7));
    case 'W':
      return number(Math.floor((t.yearDay + 6 - ((t.weekday + 6) % 7)) / 7));
    case 'V':
      return number(isoWeek(t).week);
    case 'G':
      return number(isoWeek(t).year, 1);
    case 'g':
      return number(isoWeek(t).year % 100);
    case 'q':
      return number(Math.floor((t.month - 1) / 3) + 1, 1);
    case 'p':
      return t.hour < 12 ? 'AM' : 'PM';
    case 'P':
      return t.hour < 12 ? 'am' : 'pm';
    case 'a':
      return WEEKDAYS[t.weekday]!.slice(0, 3);
    case 'A':
      return WEEKDAYS[t.weekday]!;
    case 'b':
    case 'h':
      return MONTHS[t.month - 1]!.slice(0, 3);
    case 'B':
      return MONTHS[t.month - 1]!;
    case 'F':
      return again('%Y-%m-%d');
    case 'T':
    case 'X':
      return again('%H:%M:%S');
    case 'R':
      return again('%H:%M');
    case 'r':
      return again('%I:%M:%S %p');
    case 'D':
    case 'x':
      return again('%m/%d/%y');
    case 'c':
      return again('%a %b %e %H:%M:%S %Y');
    case 'Z':
      return 'UTC';
    case 'z':
      return '+0000';
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case '%':
      return '%';
    default:
      return undefined;
  }
}

/** strftime(3) in the C locale, with GNU's flags `-_0^#` and widths, and %N. */
export function strftime(format: string, epochSeconds: number, nanoseconds = 0): string {
  const t = gmtime(epochSeconds);
  return format.replace(
    /%([-_0^#+]*)(\d*)(:{0,3}z|[a-zA-Z%])/g,
    (whole, flags: string, widthText: string, letter: string) => {
      const width = Math.min(1024, Number(widthText));
      if (letter.startsWith(':')) return { ':z': '+00:00', '::z': '+00:00:00' }[letter] ?? '+00';
      if (letter === 'N') {
        const digits = String(nanoseconds).padStart(9, '0');
        if (flags.includes('-')) return digits.replace(/0+$/, '') || '0';
        return width > 0 ? digits.slice(0, width).padEnd(width, '0') : digits;
      }
      const field = fieldOf(letter, t, epochSeconds, nanoseconds);
      if (field === undefined) return whole;
      if (typeof field === 'string') {
        const upper = flags.includes('^') ? field.toUpperCase() : field;
        const text = flags.includes('#')
          ? letter === 'p'
            ? field.toLowerCase()
            : field.toUpperCase()
          : upper;
        return text.padStart(width, flags.includes('0') ? '0' : ' ');
      }
      const mark = /[-_0+]/.exec(flags)?.[0];
      if (mark === '-') return String(field.value);
      const pad = mark === '_' ? ' ' : mark === undefined ? field.pad : '0';
      const columns = width || field.width;
      const digits = String(Math.abs(field.value));
      const sign = field.value < 0 ? '-' : '';
      return sign + digits.padStart(columns - sign.length, pad);
    },
  );
}

/** '0.5', '2s', '3m', '1h', '1d' in nanoseconds; undefined if it is none of these. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+\.?\d*|\.\d+)([smhd]?)$/.exec(text);
  if (!match) return undefined;
  const unit = { '': 1, s: 1, m: 60, h: 3600, d: 86400 }[match[2]!]!;
  return Math.round(Number(match[1]) * unit * 1e9);
}
