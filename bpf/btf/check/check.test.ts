import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { errno } from '../../../kernel/types/errno.ts';
import { BtfBuilder } from '../builder.ts';
import { parseBtf } from '../btf.ts';
import { intType } from '../structs.ts';
import type { BtfType } from '../types.ts';
import { checkBtf } from './check.ts';

interface Recorded {
  readonly why: string;
  readonly btf: string;
  readonly errno: number;
  readonly log: string;
}
/** Shortest case of each complaint among 30,000 random BTFs that Debian's 6.1 was asked about. */
const recorded = JSON.parse(
  readFileSync(new URL('linux-6.1.json', import.meta.url), 'utf8'),
) as Recorded[];

const built = (...types: BtfType[]): Uint8Array => {
  const builder = new BtfBuilder();
  for (const type of types) builder.add(type);
  return builder.build().bytes;
};
const pointer = (type: number): BtfType => ({ kind: 'ptr', name: '', type });

describe('checkBtf', () => {
  it.each(recorded)('answers and logs as Linux 6.1: $why', ({ btf, errno: code, log }) => {
    const verdict = checkBtf(Buffer.from(btf, 'hex'), { log: true });
    expect({ errno: verdict.errno, log: verdict.log }).toEqual({ errno: code, log });
  });

  it('writes no log that nobody wants', () => {
    const { btf } = recorded.find(({ why }) => why === 'Loop detected')!;
    const verdict = checkBtf(Buffer.from(btf, 'hex'));
    expect(verdict).toEqual({ errno: errno.EEXIST, reason: 'Loop detected', log: '' });
  });

  it('takes what it takes all the way: sound BTF can be parsed', () => {
    for (const { btf, errno: code } of recorded) {
      if (code === 0) expect(parseBtf(Buffer.from(btf, 'hex')).types.length).toBeGreaterThan(1);
    }
    for (const name of ['core_target.btf', 'odd_types.btf']) {
      expect(checkBtf(new Uint8Array(readFileSync(`test/objects/${name}`))).reason).toMatch(
        // As compilers and linkers leave it: sizes of sections are libbpf's to fill in.
        /^$|size == 0/,
      );
    }
  });

  it('takes the largest there may be, and chains of any length', () => {
    const int = intType('int', 4, true);
    const member = (at: number) => ({ name: '', type: 1, bitOffset: 32 * at, bitSize: 0 });
    const struct = (vlen: number): BtfType => ({
      kind: 'struct',
      name: 's',
      size: 4 * vlen,
      members: Array.from({ length: vlen }, (_, at) => member(at)),
      kindFlag: false,
    });
    expect(checkBtf(built(int, struct(0xffff))).reason).toBe('');
    const links = Array.from({ length: 100_000 }, (_, at) => at + 1);
    expect(checkBtf(built(int, ...links.map((at) => pointer(at)))).reason).toBe('');
    const deep = checkBtf(built(...links.map((at) => pointer(at + 1)), int));
    expect(deep).toMatchObject({ errno: errno.E2BIG });
    const round = checkBtf(built(int, ...links.map((at) => pointer(at === 1e5 ? 2 : at + 2))));
    expect(round.errno).toBeGreaterThan(0);
  });

  it('follows types no deeper than 32', () => {
    const chain = (length: number) =>
      built(...Array.from({ length }, (_, at) => pointer(at + 2)), intType('int', 4, true));
    expect(checkBtf(chain(31)).reason).toBe('');
    expect(checkBtf(chain(33))).toMatchObject({
      errno: errno.E2BIG,
      reason: 'Exceeded max resolving depth:32',
    });
  });
});
