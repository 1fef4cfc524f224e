/** Dates as date(1) and touch(1) take them: absolute, relative to now, or both. All in UTC. */
import { daysFromCivil, gmtime, MONTHS, WEEKDAYS } from './time.ts';

export interface Instant {
  /** Whole seconds since 1970, rounded down. */
  readonly seconds: number;
  readonly nanoseconds: number;
}

const UNITS: Readonly<Record<string, number>> = {
  sec: 1,
  second: 1,
  min: 60,
  minute: 60,
  hour: 3600,
  day: 86400,
  week: 7 * 86400,
  fortnight: 14 * 86400,
};
const DAY_SECONDS = 86400;

/** What has been read so far; absent fields are those of now, or 0 once a date or time is given. */
interface Reading {
  date?: { year: number; month: number; day: number };
  /** Seconds since midnight. */
  time?: number;
  nanoseconds?: number;
  /** Seconds east of Greenwich. */
  zone?: number;
  weekday?: { day: number; weeks: number };
  months: number;
  seconds: number;
}

type Rule = readonly [pattern: RegExp, take: (match: RegExpExecArray, reading: Reading) => boolean];

const monthOf = (text: string): number =>
  MONTHS.findIndex((name) => name.slice(0, 3).toLowerCase() === text.slice(0, 3).toLowerCase()) + 1;

/** Tried in turn at each place of the text. */
const RULES: readonly Rule[] = [
  [
    /^(\d{4,})-(\d{1,2})-(\d{1,2})(?=$|[\sTt])[Tt]?/,
    (m, r) => setDate(r, Number(m[1]), Number(m[2]), Number(m[3])),
  ],
  [
    /^(\d{1,2})\/(\d{1,2})(?:\/(\d{2,4}))?(?=$|\s)/,
    (m, r) => setDate(r, m[3] === undefined ? NaN : Number(m[3]), Number(m[1]), Number(m[2])),
  ],
  [
    /^(\d{4})(\d{2})(\d{2})(?=$|[\sTt])[Tt]?/,
    (m, r) => setDate(r, Number(m[1]), Number(m[2]), Number(m[3])),
  ],
  [
    /^(\d{1,2})[ -]?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?,?[ -]?(\d{4})?(?=$|\s)/i,
    (m, r) => setDate(r, m[3] === undefined ? NaN : Number(m[3]), monthOf(m[2]!), Number(m[1])),
  ],
  [
    /^(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?[ ]+(\d{1,2})(?!:)(?:,?[ ]+(\d{4}))?(?=$|\s)/i,
    (m, r) => setDate(r, m[3] === undefined ? NaN : Number(m[3]), monthOf(m[1]!), Number(m[2])),
  ],
  [/^(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9})\d*)?)?\s*([ap]\.?m\.?)?/i, takeTime],
  [
    /^(\d{1,2})\s*([ap])\.?m\.?(?=$|\s)/i,
    (m, r) => setTime(r, (Number(m[1]) % 12) + (/p/i.test(m[2]!) ? 12 : 0), 0, 0),
  ],
  [/^(?:utc|gmt|z)(?=$|[\s+-])/i, (_, r) => setZone(r, 0)],
  [
    /^([+-])(\d{2}):?(\d{2})(?=$|\s)/,
    (m, r) =>
      r.time !== undefined &&
      setZone(r, (m[1] === '-' ? -1 : 1) * (Number(m[2]) * 3600 + Number(m[3]) * 60)),
  ],
  [
    /^(next|last|this)?\s*(sun|mon|tue|wed|thu|fri|sat)(?:day|sday|nesday|rsday|urday|s|rs|nes)?,?(?=$|\s)/i,
    takeWeekday,
  ],
  [/^(now|today)(?=$|\s)/i, () => true],
  [/^midnight(?=$|\s)/i, (_, r) => setTime(r, 0, 0, 0)],
  [/^noon(?=$|\s)/i, (_, r) => setTime(r, 12, 0, 0)],
  [/^tomorrow(?=$|\s)/i, (_, r) => addSeconds(r, DAY_SECONDS)],
  [/^yesterday(?=$|\s)/i, (_, r) => addSeconds(r, -DAY_SECONDS)],
  [
    /^(?:(next|last|this)\s+|([+-]?)\s*(\d+)?\s*)(second|sec|minute|min|hour|day|week|fortnight|month|year)s?(\s+ago)?(?=$|\s)/i,
    takeRelative,
  ],
];

function setDate(r: Reading, year: number, month: number, day: number): boolean {
  if (r.date || !(month >= 1 && month <= 12) || !(day >= 1 && day <= 31)) return false;
  const full = year < 69 ? year + 2000 : year < 100 ? year + 1900 : year;
  if (day > daysIn(Number.isNaN(full) ? 2000 : full, month)) return false;
  r.date = { year: full, month, day };
  return true;
}

function daysIn(year: number, month: number): number {
  const next = month === 12 ? daysFromCivil(year + 1, 1, 1) : daysFromCivil(year, month + 1, 1);
  return next - daysFromCivil(year, month, 1);
}

function setTime(r: Reading, hour: number, minute: number, second: number): boolean {
  if (r.time !== undefined || hour > 23 || minute > 59 || second > 60) return false;
  r.time = hour * 3600 + minute * 60 + second;
  return true;
}

function setZone(r: Reading, seconds: number): boolean {
  if (r.zone !== undefined) return false;
  r.zone = seconds;
  return true;
}

function addSeconds(r: Reading, seconds: number): boolean {
  r.seconds += seconds;
  return true;
}

function takeTime(m: RegExpExecArray, r: Reading): boolean {
  const [, hours, minutes, seconds = '0', fraction, half] = m;
  let hour = Number(hours);
  if (half !== undefined) {
    if (hour < 1 || hour > 12) return false;
    hour = (hour % 12) + (/p/i.test(half) ? 12 : 0);
  }
  if (fraction !== undefined) r.nanoseconds = Number(fraction.padEnd(9, '0'));
  return setTime(r, hour, Number(minutes), Number(seconds));
}

function takeWeekday(m: RegExpExecArray, r: Reading): boolean {
  if (r.weekday) return false;
  const day = WEEKDAYS.findIndex((name) => name.slice(0, 3).toLowerCase() === m[2]!.toLowerCase());
  const word = (m[1] ?? '').toLowerCase();
  r.weekday = { day, weeks: word === 'next' ? 1 : word === 'last' ? -1 : 0 };
  return true;
}

function takeRelative(m: RegExpExecArray, r: Reading): boolean {
  const [, word, sign, digits, unit = '', ago] = m;
  const named = word === undefined ? undefined : { next: 1, last: -1, this: 0 }[word.toLowerCase()];
  let count = named ?? (digits === undefined ? 1 : Number(digits)) * (sign === '-' ? -1 : 1);
  if (ago !== undefined) count = -count;
  const name = unit.toLowerCase();
  if (name === 'month') r.months += count;
  else if (name === 'year') r.months += 12 * count;
  else r.seconds += count * UNITS[name]!;
  return true;
}

/** Undefined where the text is no date. */
export function parseDate(
  text: string,
  nowSeconds: number,
  nowNanoseconds = 0,
): Instant | undefined {
  const stamp = /^\s*@(-?\d+)(?:[.,](\d{1,9})\d*)?\s*$/.exec(text);
  if (stamp) {
    const fraction = Number((stamp[2] ?? '').padEnd(9, '0'));
    const negative = stamp[1]!.startsWith('-') && fraction > 0;
    const seconds = Number(stamp[1]) - (negative ? 1 : 0);
    return { seconds, nanoseconds: negative ? 1e9 - fraction : fraction };
  }
  const reading: Reading = { months: 0, seconds: 0 };
  let rest = text.trim();
  while (rest !== '') {
    const taken = RULES.some(([pattern, take]) => {
      const match = pattern.exec(rest);
      if (!match || match[0] === '' || !take(match, reading)) return false;
      rest = rest.slice(match[0].length).replace(/^[\s,]+/, '');
      return true;
    });
    if (!taken) return undefined;
  }
  return resolve(reading, nowSeconds, text.trim() === '' ? 0 : nowNanoseconds, text);
}

function resolve(r: Reading, now: number, nanoseconds: number, text: string): Instant {
  const today = gmtime(now);
  const date = r.date ?? today;
  const year = Number.isNaN(date.year) ? today.year : date.year;
  const isAbsolute =
    r.date !== undefined || r.time !== undefined || r.weekday !== undefined || text.trim() === '';
  const clock = today.hour * 3600 + today.minute * 60 + today.second;
  const time = r.time ?? (isAbsolute ? 0 : clock);
  const month = date.month - 1 + r.months;
  let days = daysFromCivil(year + Math.floor(month / 12), (((month % 12) + 12) % 12) + 1, date.day);
  if (r.weekday && !r.date) {
    const here = (((days + 4) % 7) + 7) % 7;
    const ahead = (r.weekday.day - here + 7) % 7;
    // "next monday" is the coming one, also on a monday.
    const weeks = r.weekday.weeks > 0 && ahead > 0 ? r.weekday.weeks - 1 : r.weekday.weeks;
    days += ahead + 7 * weeks;
  }
  return {
    seconds: days * DAY_SECONDS + time + r.seconds - (r.zone ?? 0),
    nanoseconds: r.nanoseconds ?? (isAbsolute ? 0 : nanoseconds),
  };
}
