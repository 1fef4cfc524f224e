/**
 * The operators that test(1) and [[ ]] share.
 *
 *   yield* testUnary(p, '-f', path)     whether it holds
 *   yield* testFiles(p, a, '-nt', b)
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { access, lstat, R_OK, stat, W_OK, X_OK } from '../libc/files.ts';
import type { Process } from '../libc/process.ts';
import { getgid, getuid } from '../libc/system.ts';
import { isatty } from '../libc/terminal.ts';

/** Wrong use: the message, and status 2. */
export class TestError extends Error {
  override name = 'TestError';
}

export const UNARY_OPERATORS = new Set(
  [...'bcdefghkLnNoOGprRsStuvwxz'].map((letter) => `-${letter}`),
);
export const BINARY_OPERATORS = new Set([
  '=',
  '==',
  '!=',
  '<',
  '>',
  '=~',
  '-eq',
  '-ne',
  '-lt',
  '-le',
  '-gt',
  '-ge',
  '-nt',
  '-ot',
  '-ef',
]);

/** Types of files (S_IFMT) that an operator asks for. */
const TYPES: Readonly<Record<string, number>> = {
  '-f': 0o100000,
  '-d': 0o040000,
  '-b': 0o060000,
  '-c': 0o020000,
  '-p': 0o010000,
  '-S': 0o140000,
  '-L': 0o120000,
  '-h': 0o120000,
};
const MODE_BITS: Readonly<Record<string, number>> = { '-u': 0o4000, '-g': 0o2000, '-k': 0o1000 };

export function* testUnary(p: Process, operator: string, operand: string): UserFlow<boolean> {
  switch (operator) {
    case '-n':
      return operand !== '';
    case '-z':
      return operand === '';
    case '-r':
      return (yield* access(p, operand, R_OK)) >= 0;
    case '-w':
      return (yield* access(p, operand, W_OK)) >= 0;
    case '-x':
      return (yield* access(p, operand, X_OK)) >= 0;
    case '-t':
      return yield* isatty(p, testInteger(operand));
  }
  const isLink = operator === '-L' || operator === '-h';
  const status = yield* isLink ? lstat(p, operand) : stat(p, operand);
  if (typeof status === 'number') return false;
  const type = TYPES[operator];
  if (type !== undefined) return (status.mode & 0o170000) === type;
  const bit = MODE_BITS[operator];
  if (bit !== undefined) return (status.mode & bit) !== 0;
  switch (operator) {
    case '-s':
      return status.size > 0;
    case '-O':
      return status.uid === (yield* getuid());
    case '-G':
      return status.gid === (yield* getgid());
    case '-N':
      return status.mtimeSec > status.atimeSec;
    default:
      return true;
  }
}

export function* testFiles(
  p: Process,
  left: string,
  operator: string,
  right: string,
): UserFlow<boolean> {
  const a = yield* stat(p, left);
  const b = yield* stat(p, right);
  if (operator === '-ef') {
    return typeof a === 'object' && typeof b === 'object' && a.ino === b.ino && a.dev === b.dev;
  }
  const time = (status: typeof a): number =>
    typeof status === 'number' ? -1 : status.mtimeSec * 1e9 + status.mtimeNsec;
  return operator === '-nt' ? time(a) > time(b) : time(a) < time(b);
}

export function compareIntegers(a: number | bigint, operator: string, b: number | bigint): boolean {
  switch (operator) {
    case '-eq':
      return a === b;
    case '-ne':
      return a !== b;
    case '-lt':
      return a < b;
    case '-le':
      return a <= b;
    case '-gt':
      return a > b;
    default:
      return a >= b;
  }
}

export function testInteger(text: string): number {
  if (!/^\s*[+-]?\d+\s*$/.test(text)) throw new TestError(`${text}: integer expression expected`);
  return Number(text);
}
