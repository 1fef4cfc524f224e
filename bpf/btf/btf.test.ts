import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  array,
  charArray,
  embed,
  i32,
  nsTime,
  pointer,
  struct,
  u64,
  u8,
} from '../../kernel/types/struct.ts';
import { readElf } from '../elf/elf-file.ts';
import { parseBtf } from './btf.ts';
import { BtfBuilder } from './builder.ts';
import { checkBtf } from './check/check.ts';
import { parseBtfExt } from './ext.ts';
import { formatValue, printJson } from './format.ts';
import { addStructs, arrayOf, btfFromStructs, intType } from './structs.ts';
import type { BtfType } from './types.ts';
import { BtfError } from './types.ts';

const sectionOf = (object: string, section: string) => {
  const bytes = new Uint8Array(readFileSync(`test/objects/${object}`));
  return readElf(bytes, object).sectionNamed(section)!.data;
};

/** One type of every kind, with something to tell them apart. */
function everyKind(): BtfBuilder {
  const builder = new BtfBuilder();
  const int = builder.intern(intType('int', 4, true));
  const types: BtfType[] = [
    { kind: 'ptr', name: '', type: int },
    { kind: 'array', name: '', elementType: int, indexType: int, count: 3 },
    {
      kind: 'struct',
      name: 'pair',
      size: 8,
      kindFlag: true,
      members: [
        { name: 'low', type: int, bitOffset: 0, bitSize: 3 },
        { name: 'high', type: int, bitOffset: 32, bitSize: 0 },
      ],
    },
    { kind: 'union', name: '', size: 4, kindFlag: false, members: [] },
    {
      kind: 'enum',
      name: 'mood',
      size: 4,
      signed: true,
      values: [{ name: 'BAD', value: -1n }],
    },
    {
      kind: 'enum64',
      name: 'big',
      size: 8,
      signed: false,
      values: [{ name: 'HUGE', value: 0xffff_ffff_ffff_fffen }],
    },
    { kind: 'fwd', name: 'later', union: true },
    { kind: 'typedef', name: 'int_t', type: int },
    { kind: 'volatile', name: '', type: int },
    { kind: 'const', name: '', type: int },
    { kind: 'restrict', name: '', type: int },
    { kind: 'type_tag', name: 'user', type: int },
    { kind: 'func_proto', name: '', returnType: int, params: [{ name: 'a', type: int }] },
    { kind: 'func', name: 'run', type: 14, linkage: 'global' },
    { kind: 'var', name: 'counter', type: int, linkage: 'static' },
    { kind: 'datasec', name: '.bss', size: 4, vars: [{ type: 16, offset: 0, size: 4 }] },
    { kind: 'float', name: 'double', size: 8 },
    { kind: 'decl_tag', name: 'tag', type: 4, component: 1 },
  ];
  for (const type of types) builder.add(type);
  return builder;
}

describe('BTF', () => {
  it('survives encoding and parsing, every kind', () => {
    const built = everyKind().build();
    const parsed = parseBtf(built.bytes);
    expect(parsed.types).toEqual(built.types);
    expect(new Set(parsed.types.map(({ kind }) => kind)).size).toBe(20);
    expect(checkBtf(parsed.bytes).reason).toBe('');
  });

  it('finds members of anonymous structs within', () => {
    const btf = parseBtf(new Uint8Array(readFileSync('test/objects/core_target.btf')));
    const task = btf.find('task_struct', 'struct')!;
    const { bitOffset } = btf.member(task, 'thread_group')!;
    expect(bitOffset).toBe(btf.member(task, 'tgid')!.bitOffset);
    expect(bitOffset).toBe(btf.member(task, 'pid')!.bitOffset + 32);
    expect(btf.member(task, 'no_such')).toBeUndefined();
  });

  it('resolves, sizes and spells types', () => {
    const builder = new BtfBuilder();
    const char = builder.intern(intType('char', 1, true));
    const constant = builder.add({ kind: 'const', name: '', type: char });
    const pointer_ = builder.add({ kind: 'ptr', name: '', type: constant });
    const alias = builder.add({ kind: 'typedef', name: 'text', type: pointer_ });
    const many = arrayOf(builder, alias, 5);
    const btf = builder.build();
    expect(btf.resolve(alias)).toBe(pointer_);
    expect(btf.sizeOf(many)).toBe(40);
    expect(btf.sizeOf(0)).toBeUndefined();
    expect(btf.nameOf(pointer_)).toBe('const char *');
    expect(btf.nameOf(many)).toBe('text[5]');
  });

  it('keeps string offsets when an existing BTF is changed', () => {
    const bytes = sectionOf('counters.o', '.BTF');
    const before = parseBtf(bytes);
    const builder = new BtfBuilder(before);
    const added = builder.string('something quite new');
    builder.add(intType('new_int', 2, false));
    const after = builder.build();
    expect(after.strings.at(added)).toBe('something quite new');
    expect([...after.bytes].slice(-after.strings.bytes.length)).toEqual([...after.strings.bytes]);
    expect(after.types.slice(0, before.types.length)).toEqual(before.types);
    expect(after.strings.bytes.subarray(0, before.strings.bytes.length)).toEqual(
      before.strings.bytes,
    );
  });

  it.each([
    ['no magic', (b: Uint8Array) => b.fill(0, 0, 1)],
    ['version 2', (b: Uint8Array) => b.fill(2, 2, 3)],
    ['types past the end', (b: Uint8Array) => b.fill(0xff, 12, 15)],
    ['an unknown kind', (b: Uint8Array) => b.fill(0x1f, 24 + 7, 24 + 8)],
    ['no NUL at the end', (b: Uint8Array) => b.fill(65, b.length - 1)],
  ])('refuses data with %s', (_, spoil) => {
    const bytes = everyKind().build().bytes.slice();
    spoil(bytes);
    expect(() => parseBtf(bytes)).toThrow(BtfError);
  });

  it('refuses types that contain themselves', () => {
    const builder = new BtfBuilder();
    builder.add({ kind: 'typedef', name: 'a', type: 2 });
    builder.add({ kind: 'const', name: '', type: 1 });
    expect(() => builder.build()).toThrow(/Loop/);
  });

  it('handles a chain of a hundred thousand modifiers and a wide web of structs', () => {
    const chain = new BtfBuilder();
    let id = chain.add(intType('int', 4, true));
    for (let i = 0; i < 100_000; i++) id = chain.add({ kind: 'const', name: '', type: id });
    const btf = parseBtf(chain.build().bytes);
    expect(btf.sizeOf(id)).toBe(4);
    expect(btf.nameOf(id)).toContain('const');
    // Each level holds the one below twice: 2^40 paths.
    const web = new BtfBuilder();
    let type = web.add(intType('int', 4, true));
    for (let level = 0; level < 40; level++) {
      const members = [0, 1].map(() => ({ name: '', type, bitOffset: 0, bitSize: 0 }));
      type = web.add({ kind: 'union', name: '', size: 4, members, kindFlag: false });
    }
    const dag = web.build();
    expect(dag.member(type, 'nowhere')).toBeUndefined();
    expect(dag.alignOf(type)).toBeGreaterThan(0);
  });
});

describe('.BTF.ext', () => {
  it('finds functions, lines and relocations by section', () => {
    const btf = parseBtf(sectionOf('tracing.o', '.BTF'));
    const ext = parseBtfExt(sectionOf('tracing.o', '.BTF.ext'), btf);
    expect(ext.funcInfo.map(({ section, count }) => [section, count])).toContainEqual([
      'kprobe/do_sys_openat2',
      1,
    ]);
    const kinds = ext.coreRelos.flatMap(({ relos }) => relos.map(({ kind }) => kind));
    expect(kinds).toContain('field_lshift_u64');
    expect(kinds).toContain('enumval_value');
    expect(ext.lineInfo.every(({ recordBytes }) => recordBytes === 16)).toBe(true);
  });
});

describe('btfFromStructs', () => {
  const Inner = struct('inner', { flags: u64, bytes: array(u8, 3) });
  const Outer = struct(
    'outer',
    {
      pid: i32,
      comm: charArray(16),
      start: nsTime,
      inside: embed(Inner),
      parent: pointer('outer'),
      mm: pointer('mm_struct'),
      anything: pointer('void'),
    },
    { offsets: { comm: 40 }, size: 256 },
  );

  it('gives each member the place that the kernel code uses', () => {
    const btf = parseBtf(btfFromStructs([Outer]).bytes);
    expect(checkBtf(btf.bytes).reason).toBe('');
    const outer = btf.find('outer', 'struct')!;
    expect(btf.sizeOf(outer)).toBe(256);
    for (const [name, offset] of Object.entries(Outer.offsets)) {
      expect([name, btf.member(outer, name)!.bitOffset]).toEqual([name, offset * 8]);
    }
    const typeOf = (name: string) => btf.nameOf(btf.member(outer, name)!.type);
    expect(typeOf('comm')).toBe('char[16]');
    expect(typeOf('parent')).toBe('struct outer *');
    expect(typeOf('mm')).toBe('struct mm_struct *');
    expect(typeOf('anything')).toBe('void *');
    expect(typeOf('inside')).toBe('struct inner');
  });

  it('shares types between calls on one builder', () => {
    const builder = new BtfBuilder();
    addStructs(builder, [Inner]);
    const count = builder.types.length;
    builder.intern(intType('long long unsigned int', 8, false));
    expect(builder.types.length).toBe(count);
  });
});

describe('formatValue', () => {
  const builder = new BtfBuilder();
  const u32 = builder.intern(intType('unsigned int', 4, false));
  const i16 = builder.intern(intType('short', 2, true));
  const char = builder.intern(intType('char', 1, true));
  const bool = builder.intern(intType('_Bool', 1, false));
  const mood = builder.add({
    kind: 'enum',
    name: 'mood',
    size: 4,
    signed: false,
    values: [{ name: 'GOOD', value: 1n }],
  });
  const pointer_ = builder.add({ kind: 'ptr', name: '', type: 0 });
  const name = arrayOf(builder, char, 4);
  const pair = arrayOf(builder, i16, 2);
  const value = builder.add({
    kind: 'struct',
    name: 'value',
    size: 32,
    kindFlag: true,
    members: [
      { name: 'count', type: u32, bitOffset: 0, bitSize: 0 },
      { name: 'pair', type: pair, bitOffset: 32, bitSize: 0 },
      { name: 'name', type: name, bitOffset: 64, bitSize: 0 },
      { name: 'low', type: u32, bitOffset: 96, bitSize: 3 },
      { name: 'high', type: u32, bitOffset: 99, bitSize: 5 },
      { name: 'on', type: bool, bitOffset: 104, bitSize: 0 },
      { name: 'mood', type: mood, bitOffset: 128, bitSize: 0 },
      { name: 'at', type: pointer_, bitOffset: 192, bitSize: 0 },
    ],
  });
  const btf = builder.build();
  const bytes = Uint8Array.from([
    ...[1, 2, 0, 0],
    ...[0xff, 0xff, 5, 0],
    ...[0x61, 0x62, 0, 0x63],
    ...[0xfa, 1, 0, 0],
    ...[1, 0, 0, 0, 0, 0, 0, 0],
    ...[0, 0x10, 0, 0, 0, 0, 0, 0],
  ]);

  it('prints as bpftool map dump does', () => {
    const dump = {
      kind: 'array',
      items: [
        {
          kind: 'object',
          members: [
            ['key', formatValue(btf, u32, Uint8Array.of(7, 0, 0, 0))],
            ['value', formatValue(btf, value, bytes)],
          ],
        },
      ],
    } as const;
    expect(printJson(dump, { pretty: true })).toBe(
      [
        '[{',
        '        "key": 7,',
        '        "value": {',
        '            "count": 513,',
        '            "pair": [-1,5',
        '            ],',
        '            "name": "ab",',
        '            "low": 0x2,',
        '            "high": 0x1f,',
        '            "on": true,',
        '            "mood": "GOOD",',
        '            "at": 0x1000',
        '        }',
        '    }',
        ']',
      ].join('\n'),
    );
  });

  it('is JSON where JSON is asked for', () => {
    const text = printJson(formatValue(btf, value, bytes, { plain: false }));
    expect(JSON.parse(text)).toEqual({
      count: 513,
      pair: [-1, 5],
      name: 'ab',
      low: 2,
      high: 31,
      on: true,
      mood: 'GOOD',
      at: 4096,
    });
  });

  it('prints null for bytes that are not there', () => {
    expect(printJson(formatValue(btf, value, bytes.subarray(0, 8)))).toBe('null');
  });
});
