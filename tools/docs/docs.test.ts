import { expect, it } from 'vitest';
import { stalePages } from './main.ts';

it('the generated pages are current (npm run docs makes them)', () => {
  expect(stalePages()).toEqual([]);
});
