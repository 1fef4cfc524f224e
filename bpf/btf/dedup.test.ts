import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { errno } from '../../kernel/types/errno.ts';
import { parseBtf } from './btf.ts';
import { deduplicate } from './dedup.ts';
import { btfOfTypes, concatenated } from './remap.ts';
import { intType } from './structs.ts';
import type { BtfType } from './types.ts';
import { BtfError } from './types.ts';

const VOID: BtfType = { kind: 'void', name: '' };
const int = intType('int', 4, true);
const pointer = (type: number): BtfType => ({ kind: 'ptr', name: '', type });
const forward = (name: string, union = false): BtfType => ({ kind: 'fwd', name, union });
const struct = (name: string, ...members: [string, number][]): BtfType => ({
  kind: 'struct',
  name,
  size: 8 * members.length,
  kindFlag: false,
  members: members.map(([member, type], at) => ({
    name: member,
    type,
    bitOffset: at * 64,
    bitSize: 0,
  })),
});

/** What is left of units that were compiled one by one; ids in each start at 1. */
function merged(units: readonly BtfType[][], resolveForwards = true) {
  const { types, idOf } = concatenated(units.map((unit) => btfOfTypes([VOID, ...unit])));
  const result = deduplicate(types, { resolveForwards });
  return {
    types: result.types.slice(1),
    idOf: (unit: number, id: number) => result.idOf(idOf[unit]!(id)),
  };
}

/** A list that points at itself and at `what`, of whose struct the unit may know more or less. */
const list = (what: BtfType): BtfType[] => [
  struct('list', ['next', 2], ['what', 3]),
  pointer(1),
  pointer(4),
  what,
  int,
];

describe('deduplicate', () => {
  it('keeps one of each, in the order of the first', () => {
    const unit = [int, pointer(1), { kind: 'const', name: '', type: 2 } as const];
    const other = [pointer(2), int, { kind: 'const', name: '', type: 1 } as const];
    expect(merged([unit, other]).types).toEqual(unit);
  });

  it('compares structs as graphs: through pointers and back', () => {
    const { types } = merged([list(struct('what', ['a', 5])), list(struct('what', ['a', 5]))]);
    expect(types).toEqual(list(struct('what', ['a', 5])));
    const differ = merged([list(struct('what', ['a', 5])), list(struct('what', ['b', 5]))]);
    expect(differ.types.filter(({ name }) => name === 'list').length).toBe(2);
  });

  it.each([
    [0, 1],
    [1, 0],
  ])('finds out from a graph what a forward declaration means (%i before %i)', (first, second) => {
    const units = [list(struct('what', ['a', 5])), list(forward('what'))];
    const ordered = [units[first]!, units[second]!];
    const { types, idOf } = merged(ordered, false);
    expect(types.map(({ kind, name }) => `${kind} ${name}`).sort()).toEqual(
      ['int int', 'ptr ', 'ptr ', 'struct list', 'struct what'].sort(),
    );
    expect(idOf(0, 4)).toBe(idOf(1, 4));
    expect(idOf(0, 1)).toBe(idOf(1, 1));
  });

  it('takes the only struct of its name for a forward declaration that no graph explains', () => {
    const units = [
      [forward('lonely'), pointer(1)],
      [int, struct('lonely', ['x', 1])],
    ];
    const resolved = merged(units);
    expect(resolved.types.some(({ kind }) => kind === 'fwd')).toBe(false);
    expect(resolved.idOf(0, 1)).toBe(resolved.idOf(1, 2));
    // Linux 6.1's bpftool leaves it: `bpftool gen object` of such objects was looked at.
    expect(merged(units, false).types.some(({ kind }) => kind === 'fwd')).toBe(true);
    const ambiguous = [...units, [int, struct('lonely', ['y', 1])]];
    expect(merged(ambiguous).types.some(({ kind }) => kind === 'fwd')).toBe(true);
    const union = [[forward('lonely', true), pointer(1)], units[1]!];
    expect(merged(union).types.some(({ kind }) => kind === 'fwd')).toBe(true);
  });

  it('takes an enum without values for the one with them', () => {
    const known = { kind: 'enum', name: 'e', size: 4, signed: false } as const;
    const values = [{ name: 'ONE', value: 1n }];
    const [whole, empty] = [
      { ...known, values },
      { ...known, values: [] },
    ];
    for (const units of [
      [[whole], [empty, pointer(1)]],
      [[empty, pointer(1)], [whole]],
    ]) {
      const { types } = merged(units);
      expect(types.filter(({ kind }) => kind === 'enum')).toEqual([whole]);
    }
    const other = { ...known, values: [{ name: 'ONE', value: 2n }] };
    expect(merged([[whole], [other]]).types).toEqual([whole, other]);
  });

  it('allows for arrays that a compiler repeats within one struct', () => {
    const array: BtfType = {
      kind: 'array',
      name: '',
      elementType: 1,
      indexType: 1,
      count: 2,
    };
    const once = [int, array, struct('two', ['a', 2], ['b', 2])];
    const twice = [int, array, array, struct('two', ['a', 2], ['b', 3])];
    expect(merged([once, twice]).types).toEqual(once);
    expect(merged([twice, once]).types.length).toBe(3);
  });

  it('leaves variables and sections alone', () => {
    const unit: BtfType[] = [
      int,
      { kind: 'var', name: 'x', type: 1, linkage: 'static' },
      { kind: 'datasec', name: '.data', size: 4, vars: [{ type: 2, offset: 0, size: 4 }] },
    ];
    expect(merged([unit, unit]).types.map(({ kind }) => kind)).toEqual([
      'int',
      'var',
      'datasec',
      'var',
      'datasec',
    ]);
  });

  it('refuses a pointer to itself', () => {
    const loop = () => deduplicate([VOID, pointer(2), pointer(1)]);
    expect(loop).toThrow(BtfError);
    try {
      loop();
    } catch (error) {
      expect((error as BtfError).errno).toBe(errno.ELOOP);
    }
  });

  it('has nothing to do on types that are deduplicated, and undoes a repetition', () => {
    for (const name of ['odd_types.btf', 'linked.btf', 'core_target.btf']) {
      const btf = parseBtf(new Uint8Array(readFileSync(`test/objects/${name}`)));
      const once = deduplicate(btf.types).types;
      expect(deduplicate(once).types).toEqual(once);
      const variables = once.filter(({ kind }) => kind === 'var' || kind === 'datasec').length;
      const twice = deduplicate(concatenated([btf, btf]).types).types;
      expect(twice.length).toBe(once.length + variables);
    }
  });
});

/** Types whose members are defined before them, and whose pointers go anywhere. */
const graph = fc
  .array(
    fc.record({
      shape: fc.constantFrom('ptr', 'const', 'typedef', 'struct', 'proto', 'int', 'fwd', 'array'),
      name: fc.constantFrom('a', 'b'),
      to: fc.nat(),
      also: fc.nat(),
    }),
    { minLength: 1, maxLength: 30 },
  )
  .map((rows) => {
    const structs = rows.flatMap(({ shape }, at) =>
      shape === 'struct' || shape === 'fwd' || shape === 'int' ? [at + 1] : [],
    );
    return rows.map(({ shape, name, to, also }, at): BtfType => {
      // Back to anything before, or by name to any struct: no pointer leads to itself.
      const earlier = (seed: number) => (at === 0 ? 0 : 1 + (seed % at));
      const anywhere = structs.length > 0 ? structs[to % structs.length]! : earlier(to);
      const sized = structs.filter((id) => id <= at && rows[id - 1]!.shape !== 'fwd');
      const member = (seed: number) => (sized.length > 0 ? sized[seed % sized.length]! : undefined);
      switch (shape) {
        case 'ptr':
          return pointer(also % 2 === 0 ? anywhere : earlier(to));
        case 'const':
          return { kind: 'const', name: '', type: earlier(to) };
        case 'typedef':
          return { kind: 'typedef', name, type: earlier(to) };
        case 'proto':
          return {
            kind: 'func_proto',
            name: '',
            returnType: earlier(to),
            params: [{ name, type: anywhere }],
          };
        case 'array':
          return {
            kind: 'array',
            name: '',
            elementType: member(to) ?? 0,
            indexType: 0,
            count: also % 3,
          };
        case 'int':
          return intType(name, 4, true);
        case 'fwd':
          return forward(name);
        case 'struct': {
          const first = member(to);
          return first === undefined
            ? struct(name)
            : struct(
                name,
                ['x', first],
                ...(also % 2 === 0 ? [['y', also] as const] : []).map(
                  ([field, seed]): [string, number] => [field, member(seed)!],
                ),
              );
        }
      }
    });
  });

describe('on random types', () => {
  it('is idempotent, undoes repetition and keeps what types are', () => {
    fc.assert(
      fc.property(graph, (unit) => {
        const btf = btfOfTypes([VOID, ...unit]);
        const { types, idOf } = deduplicate(btf.types, { resolveForwards: false });
        const result = btfOfTypes(types);
        for (const id of btf.types.keys()) {
          expect(result.nameOf(idOf(id))).toBe(btf.nameOf(id));
          if (btf.types[id]!.kind === 'struct') {
            expect(result.sizeOf(idOf(id))).toBe(btf.sizeOf(id));
          }
        }
        expect(deduplicate(types, { resolveForwards: false }).types.length).toBe(types.length);
        const both = concatenated([btf, btf]);
        const twice = deduplicate(both.types, { resolveForwards: false });
        expect(twice.types.length).toBe(types.length);
      }),
      { numRuns: 500 },
    );
  });
});
