import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { errno } from '../../kernel/types/errno.ts';
import { BtfBuilder } from './builder.ts';
import { parseBtf } from './btf.ts';
import { cHeader } from './c-header.ts';
import { CHAR, intType } from './structs.ts';
import type { BtfType } from './types.ts';

const objects = new URL('../../test/objects/', import.meta.url);
const int = intType('int', 4, true);

/** The declarations between the pragmas. */
function body(types: readonly BtfType[], roots: readonly number[] = []): string {
  const builder = new BtfBuilder();
  for (const type of types) builder.add(type);
  const { text } = cHeader(builder.build(), roots);
  return text.split('#endif\n\n')[1]!.replace(/#ifndef[^]*/, '');
}

const pointer = (type: number): BtfType => ({ kind: 'ptr', name: '', type });
const struct = (name: string, ...members: [string, number, number][]): BtfType => ({
  kind: 'struct',
  name,
  size: 8 * Math.max(1, members.length),
  kindFlag: false,
  members: members.map(([member, type, bitOffset]) => ({
    name: member,
    type,
    bitOffset,
    bitSize: 0,
  })),
});

describe('a header of types', () => {
  it('is what bpftool 7.1 prints', () => {
    const btf = parseBtf(readFileSync(new URL('odd_types.btf', objects)));
    const expected = readFileSync(new URL('odd_types.h', objects), 'utf8');
    expect(cHeader(btf, [])).toEqual({ text: expected });
  });

  it('prints only the roots and what they need', () => {
    const types = [struct('seen', ['next', 2, 0]), pointer(3), struct('pointed'), struct('unseen')];
    expect(body(types, [1])).toBe(
      'struct pointed;\n\nstruct seen {\n\tstruct pointed *next;\n};\n\n',
    );
  });

  it('numbers types, typedefs and enumerators of one name, each in its space', () => {
    const values = [{ name: 'ONE', value: 1n }];
    const types: BtfType[] = [
      int,
      struct('same', ['a', 1, 0]),
      struct('same', ['b', 1, 0]),
      { kind: 'typedef', name: 'same', type: 3 },
      { kind: 'enum', name: 'first', size: 4, signed: false, values },
      { kind: 'enum', name: 'second', size: 4, signed: false, values },
      { kind: 'fwd', name: 'same', union: false },
    ];
    const text = body(types);
    expect(text).toContain('struct same___2 {\n\tint b;');
    expect(text).toContain('typedef struct same___2 same;');
    expect(text).toContain('enum second {\n\tONE___2 = 1,\n};');
    expect(text.endsWith('struct same;\n\n')).toBe(true);
  });

  it("has words for GCC's built-in types", () => {
    const types: BtfType[] = [
      intType('__Poly8_t', 1, false),
      { kind: 'typedef', name: 'poly8', type: 1 },
      { kind: 'typedef', name: '__gnuc_va_list', type: 0 },
      { kind: 'typedef', name: '__builtin_va_list', type: 1 },
    ];
    expect(body(types)).toBe(
      'typedef unsigned char __Poly8_t;\n\ntypedef __Poly8_t poly8;\n\n' +
        'typedef __builtin_va_list __gnuc_va_list;\n\n',
    );
  });

  it('ends early, with the reason, at types that have no end', () => {
    const loops: BtfType[][] = [
      [int, { kind: 'typedef', name: 'number', type: 1 }, pointer(3)],
      // Each type without a name holds the one before it twice: 2^40 copies of the text.
      [
        int,
        ...Array.from({ length: 40 }, (_, at) =>
          struct('', ['left', at + 1, 0], ['right', at + 1, 64]),
        ),
        { kind: 'typedef', name: 'tree', type: 41 },
      ],
      [...Array.from({ length: 5000 }, (_, at) => pointer(at + 2)), CHAR],
      // A type without a name cannot point at itself.
      [{ kind: 'typedef', name: 'list_t', type: 2 }, struct('', ['next', 3, 0]), pointer(1)],
    ];
    for (const types of loops) {
      const builder = new BtfBuilder();
      for (const type of types) builder.add(type);
      const { text, failure } = cHeader(builder.build(), []);
      expect([errno.ELOOP, errno.E2BIG]).toContain(failure?.errno);
      expect(text).not.toContain('pragma clang attribute pop');
    }
    // What came before stands.
    const builder = new BtfBuilder();
    for (const type of loops[0]!) builder.add(type);
    expect(cHeader(builder.build(), []).text).toContain('typedef int number;');
  });
});
