/** Limits of programs and of the verifier. */
import type { Example, Setup } from './example.ts';

const repeated = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n      ');

const RETURN = `
      r0 = 0
      exit`;

const manyMaps: Setup = { maps: Array.from({ length: 65 }, () => ({})) };

/** Functions that call each other in a chain. */
const chain = (depth: number): string => `
      call f1
      exit
      ${repeated(depth, (index) =>
        index === depth - 1
          ? `f${index + 1}: r0 = 0\n      exit`
          : `f${index + 1}: call f${index + 2}\n      exit`,
      )}`;

const manyFunctions = (count: number): string => `
      ${repeated(count, (index) => `call f${index}`)}
      exit
      ${repeated(count, (index) => `f${index}: r0 = 0\n      exit`)}`;

export const limits: readonly Example[] = [
  {
    code: 'too-complex',
    about: 'A loop of two million rounds, each of which is followed.',
    refused: `
      r0 = 0
      loop: r0 += 1
      if r0 < 2000000 goto loop
      exit`,
    mended: `
      r0 = 0
      loop: r0 += 1
      if r0 < 2000 goto loop
      exit`,
  },
  {
    code: 'stack-too-large',
    about: 'A function and its caller use 576 bytes of stack together.',
    refused: `
      *(u64 *)(r10 -256) = 0
      call func
      exit
      func: *(u64 *)(r10 -320) = 0
      r0 = 0
      exit`,
    mended: `
      *(u64 *)(r10 -192) = 0
      call func
      exit
      func: *(u64 *)(r10 -320) = 0
      r0 = 0
      exit`,
  },
  {
    code: 'call-depth',
    about: 'A chain of nine calls.',
    refused: chain(9),
    mended: chain(7),
  },
  {
    code: 'too-many-subprograms',
    about: 'A program of 257 functions.',
    refused: manyFunctions(256),
    mended: manyFunctions(255),
  },
  {
    code: 'too-many-maps',
    about: 'A program that uses 65 maps.',
    setup: manyMaps,
    refused: `
      ${repeated(65, (index) => `r1 = map_fd(${index})`)}
      r0 = 0
      exit`,
    mended: `
      ${repeated(64, (index) => `r1 = map_fd(${index})`)}
      r0 = 0
      exit`,
  },
  {
    code: 'log-full',
    about: 'A log buffer that is smaller than the log.',
    setup: { logLevel: 1, logBytes: 32 },
    mendedSetup: { logLevel: 1, logBytes: 4096 },
    refused: RETURN,
    mended: RETURN,
  },
];
