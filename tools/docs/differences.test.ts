import { describe, expect, it } from 'vitest';
import { differencesIn } from './differences.ts';

describe('differencesIn', () => {
  it('reads line comments, block comments and their continuation', () => {
    const source = `
      const a = 1; // differs: one line
      // differs: two
      // lines
      code();
      // not this
      /** differs: a block. */
      /**
       * Something.
       * differs: goes on
       * and on.
       *
       * Not this.
       */
    `;
    expect(differencesIn('x.ts', source).map((found) => found.text)).toEqual([
      'one line',
      'two lines',
      'a block.',
      'goes on and on.',
    ]);
  });
});
