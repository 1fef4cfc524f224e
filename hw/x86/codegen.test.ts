/** The shape of the code: Linux's sequences, as its JIT's listings show them. */
import { beforeAll, describe, expect, it } from 'vitest';
import { assemble } from '../../bpf/asm/assemble.ts';
import { insn } from '../../bpf/asm/build.ts';
import type { InsnFact } from '../../bpf/program.ts';
import { createMap } from '../../bpf/maps/table.ts';
import type { BpfMap } from '../../bpf/maps/map.ts';
import type { MapType } from '../../bpf/uapi.ts';
import { KERNEL_BASE } from '../../kernel/ram/ram.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { bareMachine, type BareMachine } from '../../test/support/assets.ts';
import { unverifiedProgram } from '../../test/support/unverified.ts';
import { createX86Engine, type X86Options } from './engine.ts';

let machine: BareMachine;
beforeAll(async () => {
  machine = await bareMachine({ ramMiB: 4 });
});

/** Code of the first function without offsets, comments, symbol addresses and the prologue's start. */
function code(
  text: string,
  facts: Readonly<Record<number, Omit<InsnFact, 'original'>>> = {},
  options: X86Options = {},
  stackBytes = 16,
): string[] {
  const program = unverifiedProgram(assemble(text), { facts, stackBytes });
  const executable = createX86Engine(options).compile(program, machine.runtime);
  const [main] = executable.text().split('\n\n');
  executable.free();
  return main!
    .split('\n')
    .filter((line) => /^\s*[0-9a-f]+:\t/.test(line))
    .map((line) =>
      line
        .split('\t')[1]!
        .replace(/\s+/, ' ')
        .replace(/0xf{8}[0-9a-f]{8} </, '<'),
    );
}

const makeMap = (type: MapType, keyBytes: number, valueBytes: number): BpfMap => {
  // Tries are never preallocated (BPF_F_NO_PREALLOC).
  const flags = type === 'lpm_trie' ? 1 : 0;
  const spec = { type, keyBytes, valueBytes, maxEntries: 4, flags, name: 'map' };
  const map = createMap(machine.runtime, spec);
  if (typeof map === 'number') throw new Error(`making a ${type}: ${map}`);
  return map;
};

const PROLOGUE = ['nopl 0x0(%rax,%rax,1)', 'xchg %ax,%ax', 'push %rbp', 'mov %rsp,%rbp'];

describe('frames', () => {
  it('save what is used of r6 to r9, and give it back at the first exit', () => {
    expect(
      code('r6 = r1\n if r1 != 0 goto out\n r9 = 5\n r0 = 1\n exit\nout: r0 = r6\n exit'),
    ).toEqual([
      ...PROLOGUE,
      'sub $0x10,%rsp',
      'push %rbx',
      'push %r15',
      'mov %rdi,%rbx',
      'test %rdi,%rdi',
      'jne 0x2e',
      'mov $0x5,%r15d',
      'mov $0x1,%eax',
      'pop %r15',
      'pop %rbx',
      'leave',
      'ret',
      'int3',
      'mov %rbx,%rax',
      'jmp 0x28',
    ]);
  });

  it('are no larger than the stack that is used', () => {
    expect(code('r0 = 0\n exit', {}, {}, 0)).toEqual([
      ...PROLOGUE,
      'xor %eax,%eax',
      'leave',
      'ret',
      'int3',
    ]);
  });
});

describe('tail calls', () => {
  const call = (map: BpfMap, index: string): string =>
    `r2 = ${KERNEL_BASE + BigInt(map.offset)} ll\n ${index}\n call 12\n r0 = 1\n exit`;
  const hex = (value: bigint): string => `0x${value.toString(16)}`;

  it('through a map that is known only when they run', () => {
    const map = makeMap('prog_array', 4, 4);
    expect(code(call(map, 'r3 = r1'))).toEqual([
      'nopl 0x0(%rax,%rax,1)',
      'xor %eax,%eax',
      'push %rbp',
      'mov %rsp,%rbp',
      'sub $0x10,%rsp',
      'push %rax',
      `movabs $${hex(KERNEL_BASE + BigInt(map.offset))},%rsi`,
      'mov %rdi,%rdx',
      'mov %edx,%edx',
      'cmp %edx,0x24(%rsi)',
      'jbe 0x65',
      'mov -0x14(%rbp),%eax',
      'cmp $0x21,%eax',
      'jae 0x65',
      'add $0x1,%eax',
      'mov %eax,-0x14(%rbp)',
      'mov 0x110(%rsi,%rdx,8),%rcx',
      'test %rcx,%rcx',
      'je 0x65',
      'pop %rax',
      'add $0x10,%rsp',
      'movabs $0xffffffffe0000000,%r11',
      'lea 0x0(%r11,%rcx,8),%rcx',
      'jmp *%rcx',
      'int3',
      'mov $0x1,%eax',
      'leave',
      'ret',
      'int3',
    ]);
  });

  it('to a slot that is known: a jump that is patched as the slot changes', () => {
    const map = makeMap('prog_array', 4, 4);
    const { runtime, ram } = machine;
    const engine = createX86Engine();
    const facts = { 3: { map } };
    const entry = engine.compile(
      unverifiedProgram(assemble(call(map, 'r3 = 2')), { facts, stackBytes: 16 }),
      runtime,
    );
    const jumps = (): string[] =>
      entry
        .text()
        .split('\n')
        .filter((line) => /\t(jmp|nopl)/.test(line))
        .slice(1)
        .map((line) => line.split('\t')[1]!.replace(/\s+/, ' '));
    expect(jumps()).toEqual(['jmp 0x48', 'nopl 0x0(%rax,%rax,1)']);
    expect(entry.run(0 as RamOffset)).toBe(1);
    const target = engine.compile(
      unverifiedProgram([insn('mov64_imm', { imm: 7 }), insn('exit')]),
      runtime,
    );
    runtime.executableOf = (id) => (id === 5 ? target : undefined);
    const pair = ram.kzalloc(8);
    ram.view.setUint32(pair, 2, true);
    ram.view.setUint32(pair + 4, 5, true);
    map.updateFromUser(pair, (pair + 4) as RamOffset, 0);
    expect(entry.run(0 as RamOffset)).toBe(7);
    expect(jumps()).toEqual(['nopl 0x0(%rax,%rax,1)', 'jmp 0xffffffffe0000028']);
    map.clearSlot!(2);
    expect(entry.run(0 as RamOffset)).toBe(1);
    expect(jumps()).toEqual(['jmp 0x48', 'nopl 0x0(%rax,%rax,1)']);
  });
});

describe('lookups', () => {
  const lookup = 'r1 = 5\n r2 = r10\n r2 += -4\n call 1\n exit';
  /** Between the arguments and the end. */
  const lookupCode = (map: BpfMap, options?: X86Options): string[] =>
    code(lookup, { 3: { map } }, options).slice(8, -3);

  it('of an array are computed', () => {
    expect(lookupCode(makeMap('array', 4, 8))).toEqual([
      'add $0x110,%rdi',
      'mov 0x0(%rsi),%eax',
      'cmp $0x4,%rax',
      'jae 0x37',
      'shl $0x3,%rax',
      'add %rdi,%rax',
      'jmp 0x39',
      'xor %eax,%eax',
    ]);
  });

  it('of a hash table call for the element', () => {
    expect(lookupCode(makeMap('hash', 12, 8))).toEqual([
      'call <__htab_map_lookup_elem>',
      'test %rax,%rax',
      'je 0x2c',
      'add $0x40,%rax',
    ]);
  });

  it('of an LRU hash table set the reference bit', () => {
    expect(lookupCode(makeMap('lru_hash', 4, 8))).toEqual([
      'call <__htab_map_lookup_elem>',
      'test %rax,%rax',
      'je 0x3a',
      'movzbq 0x23(%rax),%rdi',
      'test %rdi,%rdi',
      'jne 0x36',
      'movb $0x1,0x23(%rax)',
      'add $0x38,%rax',
    ]);
  });

  it('are calls of the map’s own function otherwise', () => {
    expect(lookupCode(makeMap('lpm_trie', 8, 8))).toEqual(['call <trie_lookup_elem>']);
    expect(lookupCode(makeMap('array', 4, 8), { inline: false })).toEqual([
      'call <array_map_lookup_elem>',
    ]);
  });
});

describe('jumps', () => {
  /** Over `count` instructions of 7 bytes. */
  const over = (count: number): string[] =>
    code(`if r1 == 7 goto out\n ${'r1 += 1000\n'.repeat(count)} out: r0 = 0\n exit`, {}, {}, 0);

  it('are short where they can be', () => {
    expect(over(17)[5]).toBe(`je 0x${(11 + 4 + 2 + 119).toString(16)}`);
    const bytes = (count: number): number =>
      createX86Engine().compile(
        unverifiedProgram(
          assemble(`if r1 == 7 goto out\n ${'r1 += 1000\n'.repeat(count)} out: r0 = 0\n exit`),
          { stackBytes: 0 },
        ),
        machine.runtime,
      ).functionBytes!()[0]!;
    expect(bytes(17) - bytes(16)).toBe(7);
    // 119 bytes are near, 126 are not: the jump grows by 4.
    expect(bytes(18) - bytes(17)).toBe(11);
  });
});

it('blinding leaves no constant of 32 bits in the code', () => {
  const text = `
    r0 = 0x12345678
    r0 += 0x23456789
    w0 ^= 0x3456789a
    r1 = 0x456789ab56789abc ll
    *(u32 *)(r10 -8) = 0x6789abcd
    if r0 == 0x789abcde goto out
    r0 |= 0x01234567
    out: exit`;
  const constants = [
    0x12345678, 0x23456789, 0x3456789a, 0x456789ab, 0x56789abc, 0x6789abcd, 0x789abcde, 0x01234567,
  ];
  const held = (options: X86Options): number => {
    const engine = createX86Engine(options);
    const image = engine.compile(unverifiedProgram(assemble(text)), machine.runtime).image!();
    const view = new DataView(image.buffer, image.byteOffset, image.length);
    const words = Array.from({ length: image.length - 3 }, (_, at) => view.getUint32(at, true));
    return constants.filter((constant) => words.includes(constant)).length;
  };
  expect(held({})).toBe(constants.length);
  expect(held({ blindingSeed: 1 })).toBe(0);
});
