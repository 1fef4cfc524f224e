import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RecordingKernel } from '../../test/support/recording-kernel.ts';
import { BtfBuilder } from '../btf/builder.ts';
import { parseBtf } from '../btf/btf.ts';
import type { BtfType, BtfTypeOf } from '../btf/types.ts';
import { readElf } from '../elf/elf-file.ts';
import { ObjectError } from '../elf/error.ts';
import { readObject } from '../elf/object.ts';
import type { ObjectProgram, ObjectSpec } from '../elf/object-spec.ts';
import { loadObject } from '../loader/load.ts';
import { runDirect } from '../loader/user.ts';
import { linkObjects } from './link-objects.ts';

const bytesOf = (file: string) => new Uint8Array(readFileSync(`test/objects/${file}`));
const input = (file: string) => ({ file, bytes: bytesOf(file) });
const parts = ['linked_main.o', 'linked_parse.o'].map(input);
const linked = linkObjects(parts);
const spec = readObject(linked, 'linked.o');
const program = (name: string, from: ObjectSpec = spec) =>
  from.programs.find((one) => one.name === name)!;
const symbolOf = (name: string, bytes = linked) =>
  readElf(bytes, 'linked.o').symbols.find((symbol) => symbol.name === name)!;

/** The part's types changed without a change of their size, in place. */
function withTypes(
  { file, bytes }: { file: string; bytes: Uint8Array },
  change: (type: BtfType) => BtfType,
) {
  const section = readElf(bytes, file).sectionNamed('.BTF')!;
  const builder = new BtfBuilder(parseBtf(section.data));
  for (const [id, type] of builder.types.entries()) builder.replace(id, change(type));
  const changed = bytes.slice();
  const { bytes: btf } = builder.build();
  expect(btf.length).toBe(section.data.length);
  changed.set(btf, section.data.byteOffset - bytes.byteOffset);
  return { file, bytes: changed };
}

const failure = (inputs: Parameters<typeof linkObjects>[0]): string => {
  try {
    linkObjects(inputs);
  } catch (error) {
    if (error instanceof ObjectError) return error.message;
    throw error;
  }
  return 'linked';
};

describe('two objects become one', () => {
  it('with the types that bpftool 7.1 makes of them', () => {
    const ours = spec.btf!;
    const theirs = parseBtf(bytesOf('linked.btf'));
    const types = theirs.types.map((type) => {
      if (type.kind !== 'datasec' || type.name !== '.maps') return type;
      // An extern map's place is 0 there, which libbpf then cannot load; ours is the real one.
      const vars = type.vars.map((row) =>
        theirs.types[row.type]!.name === 'flows' ? { ...row, offset: 32 } : row,
      );
      return { ...type, vars };
    });
    expect(ours.types).toEqual(types);
  });

  it('and one table of symbols, in which the strong definition wins', () => {
    const { symbols, sections } = readElf(linked, 'linked.o');
    const globals = symbols.filter(({ binding }) => binding !== 'local').map(({ name }) => name);
    expect(new Set(globals).size).toBe(globals.length);
    expect(symbolOf('tuned')).toMatchObject({ type: 'func', binding: 'global', sizeBytes: 24 });
    // One hidden mention hides it; both mention the map, one defines it.
    expect(symbolOf('parse')).toMatchObject({ type: 'func', hidden: true });
    expect(sections[symbolOf('flows').section]!.name).toBe('.maps');
    expect(symbolOf('optional')).toBeUndefined();
    expect(symbolOf('CONFIG_BPF_SYSCALL')).toMatchObject({ section: 0, binding: 'weak' });
    // All local ones come first, as ELF demands.
    const first = symbols.findIndex(({ binding }) => binding !== 'local');
    expect(symbols.slice(first).every(({ binding }) => binding !== 'local')).toBe(true);
    expect(sections.find(({ name }) => name === '.symtab')!.info).toBe(first);
  });

  it('whose calls reach the other object', () => {
    const main = program('linked_main');
    expect(main.functions.map(({ name }) => name)).toEqual([
      'linked_main',
      'parse',
      'be16',
      'account',
      'tuned',
    ]);
    const tuned = main.functions.find(({ name }) => name === 'tuned')!;
    // `value * 2` of the strong one, not `value + 1`.
    const code = main.insns.slice(tuned.start).map(({ code: op, imm }) => `${op} ${imm}`);
    expect(code).toContain('100 1');
    expect(code).not.toContain('4 1');
    const names = main.relocations.map((relocation) =>
      relocation.kind === 'extern' ? relocation.name : relocation.map,
    );
    expect(new Set(names)).toEqual(
      new Set(['.bss', '.rodata', 'flows', '.data', 'LINUX_KERNEL_VERSION', 'CONFIG_HZ', 'totals']),
    );
  });

  it('whose data lie behind each other', () => {
    const data = spec.maps.find(({ name }) => name === '.rodata')!.data!;
    const text = new TextDecoder().decode(data);
    expect([text.indexOf('main part'), text.indexOf('parse part')]).toEqual([4, 20]);
    const main = program('linked_main');
    const offsets = main.relocations.flatMap((relocation) =>
      relocation.kind === 'data' && relocation.map === '.rodata' ? [relocation.offset] : [],
    );
    // greeting, version, parse's name, limit.
    expect(new Set(offsets)).toEqual(new Set([4, 16, 20, 0]));
  });

  it('that loads, with BTF and line info that the kernel takes', () => {
    const kernel = new RecordingKernel();
    const options = new Map([['CONFIG_HZ', '250']]);
    const config = { options, versionCode: 0x60100 };
    const outcome = runDirect(loadObject(kernel, spec, { kernel: { config } }));
    expect(outcome).toMatchObject({ kind: 'loaded', messages: [] });
    const lines = program('linked_main').lineInfo!;
    expect(lines.records.length / lines.recordBytes).toBeGreaterThan(30);
    const view = new DataView(lines.records.buffer);
    const files = new Set<string | undefined>();
    for (let at = 0; at < lines.records.length; at += lines.recordBytes) {
      files.add(spec.btf!.strings.at(view.getUint32(at + 4, true)));
    }
    expect([...files].map((file) => file?.split('/').at(-1)).sort()).toEqual([
      'linked_main.bpf.c',
      'linked_parse.bpf.c',
    ]);
  });

  it('in any order', () => {
    const other = readObject(linkObjects([...parts].reverse()), 'linked.o');
    const code = ({ insns, functions }: ObjectProgram) => ({ insns, functions });
    for (const { name } of spec.programs) {
      const [a, b] = [program(name), program(name, other)];
      expect(a.functions.map((one) => one.name)).toEqual(b.functions.map((one) => one.name));
      // Only places in data differ, and those are relocations.
      expect(code(a).insns.map(({ code: op, dst, off }) => [op, dst, off])).toEqual(
        code(b).insns.map(({ code: op, dst, off }) => [op, dst, off]),
      );
    }
  });
});

const whole = [
  'counters.o',
  'counters.clang14.o',
  'nested_maps.o',
  'tracing.o',
  'isa_v4.o',
  'legacy_maps.o',
  'iproute2_maps.o',
];

describe('one object linked by itself', () => {
  it.each(whole)('keeps the programs of %s', (file) => {
    const before = readObject(bytesOf(file), file);
    const after = readObject(linkObjects([input(file)]), file);
    const comparable = (from: ObjectSpec) => ({
      license: from.license,
      maps: from.maps.map(({ def, ...map }) => ({
        ...map,
        def: { ...def, btfKeyTypeId: 0, btfValueTypeId: 0, inner: undefined },
      })),
      externs: from.externs.map(({ name, kind, weak, offset }) => ({ name, kind, weak, offset })),
      programs: from.programs.map(({ coreRelos, funcInfo, lineInfo, ...one }) => ({
        ...one,
        coreRelos: coreRelos.map((relo) => ({
          ...relo,
          typeId: from.btf!.nameOf(relo.typeId),
        })),
        functionsWithTypes: funcInfo?.records.length,
        lines: lineInfo?.records.length,
      })),
    });
    expect(comparable(after)).toEqual(comparable(before));
    expect(after.btf!.types.length).toBeLessThanOrEqual(before.btf!.types.length);
  });
});

describe('objects that do not fit', () => {
  const main = parts[0]!;
  const parse = parts[1]!;
  const retyped = (name: string, change: (type: BtfTypeOf<'var' | 'func'>) => BtfType) =>
    withTypes(parse, (type) =>
      (type.kind === 'var' || type.kind === 'func') && type.name === name ? change(type) : type,
    );
  const types = parseBtf(readElf(parse.bytes, 'x').sectionNamed('.BTF')!.data);
  const protoOf = (name: string) => types.typeAs(types.find(name, 'func')!, 'func')!.type;

  it.each([
    ['two strong definitions', () => [parse, parse], /conflicting non-weak symbol 'tuned'/],
    [
      'variables of different size',
      () => [main, retyped('blocked_port', (type) => ({ ...type, type: types.find('_Bool')! }))],
      /global 'blocked_port': incompatible int 'unsigned int' size 4 and 1/,
    ],
    [
      'functions with other parameters',
      () => [main, retyped('parse', (type) => ({ ...type, type: protoOf('be16') }))],
      /global 'parse': incompatible number of func_proto params 2 and 1/,
    ],
    [
      'maps of different size',
      () => [
        main,
        withTypes(parse, (type) =>
          type.kind === 'array' && type.count === 1024 ? { ...type, count: 512 } : type,
        ),
      ],
      /global 'flows': map max_entries mismatch/,
    ],
    [
      'maps with other values',
      () => [
        main,
        withTypes(parse, (type) =>
          type.kind === 'struct' && type.name === 'flow_count'
            ? { ...type, members: type.members.map((m) => ({ ...m, name: 'bytes' })) }
            : type,
        ),
      ],
      /global 'flows': map value type mismatch/,
    ],
    [
      'two licenses',
      () => {
        const { data } = readElf(parse.bytes, 'x').sectionNamed('license')!;
        const bytes = parse.bytes.slice();
        bytes.set([0x42, 0x53, 0x44], data.byteOffset - parse.bytes.byteOffset);
        return [main, { file: 'bsd.o', bytes }];
      },
      /bsd.o: section license: its contents differ/,
    ],
    [
      'no types',
      () => [input('legacy_maps.nobtf.o')],
      /failed to find BTF info for global\/extern symbol/,
    ],
    ['garbage', () => [{ file: 'x', bytes: new Uint8Array(100) }], /x: not an ELF file/],
  ])('%s', (_, inputs, message) => {
    expect(failure(inputs())).toMatch(message);
  });

  it('mutated ones fail, if they do, with an ObjectError', () => {
    const mutation = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(mutation, fc.nat(1), (mutations, which) => {
        const inputs = parts.map(({ file, bytes }) => ({ file, bytes: bytes.slice() }));
        const { bytes } = inputs[which]!;
        for (const [at, value] of mutations) bytes[at % bytes.length] = value;
        failure(inputs);
      }),
      { numRuns: 600 },
    );
  });
});
