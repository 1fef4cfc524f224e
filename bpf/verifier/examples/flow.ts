/** Control flow. */
import type { Example } from './example.ts';

export const controlFlow: readonly Example[] = [
  {
    code: 'infinite-loop',
    about: 'The loop waits for something that nothing changes.',
    refused: `
      r0 = 0
      loop: if r0 == 1 goto out
      goto loop
      out: exit`,
    mended: `
      r0 = 0
      loop: if r0 == 8 goto out
      r0 += 1
      goto loop
      out: exit`,
  },
  {
    code: 'unreachable-insn',
    about: 'An instruction behind the end.',
    refused: `
      r0 = 0
      exit
      r0 = 1
      exit`,
    mended: `
      r0 = 0
      exit`,
  },
  {
    code: 'jump-out-of-range',
    about: 'A jump past the last instruction.',
    refused: `
      r0 = 0
      goto pc+7
      exit`,
    mended: `
      r0 = 0
      goto pc+0
      exit`,
  },
  {
    code: 'jump-into-ldimm64',
    about: 'A 64-bit immediate takes two slots.',
    refused: `
      r0 = 0
      if r1 == 0 goto pc+1
      r0 = 0x100000000 ll
      exit`,
    mended: `
      r0 = 0
      if r1 == 0 goto pc+2
      r0 = 0x100000000 ll
      exit`,
  },
  {
    code: 'falls-through',
    about: 'The program has no end.',
    refused: `
      r0 = 0`,
    mended: `
      r0 = 0
      exit`,
  },
  {
    code: 'invalid-call-target',
    about: 'A call to an instruction that is not there.',
    refused: `
      call pc+5
      exit`,
    mended: `
      call pc+1
      exit
      r0 = 0
      exit`,
  },
];
