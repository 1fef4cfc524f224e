import { describe, expect, it } from 'vitest';
import { errno } from '../../kernel/types/errno.ts';
import { BtfBuilder } from '../btf/builder.ts';
import { CHAR, arrayOf, intType } from '../btf/structs.ts';
import type { ObjectExtern } from '../elf/object-spec.ts';
import { LoadError } from './failure.ts';
import { kernelConfigOf, writeKconfig } from './kconfig.ts';

const builder = new BtfBuilder();
const tristate = (name: string) =>
  builder.add({ kind: 'enum', name, size: 4, signed: false, values: [] });
const types = {
  bool: builder.intern(intType('_Bool', 1, false)),
  char: builder.intern(CHAR),
  u8: builder.intern(intType('unsigned char', 1, false)),
  int: builder.intern(intType('int', 4, true)),
  u16: builder.intern(intType('unsigned short', 2, false)),
  u64: builder.intern(intType('unsigned long long', 8, false)),
  tristate: tristate('libbpf_tristate'),
  enumeration: tristate('something_else'),
  text: arrayOf(builder, builder.intern(CHAR), 8),
  numbers: arrayOf(builder, builder.intern(intType('int', 4, true)), 2),
  pointer: builder.intern({ kind: 'ptr', name: '', type: 0 }),
};
const constant = builder.add({ kind: 'const', name: '', type: types.u16 });
const btf = builder.build();

function write(typeId: number, name: string, text: string, weak = false): string | LoadError {
  const sizeBytes = btf.sizeOf(typeId)!;
  const extern: ObjectExtern = {
    name,
    kind: 'kconfig',
    weak,
    btfId: 0,
    typeId,
    sizeBytes,
    offset: 4,
  };
  const data = new Uint8Array(sizeBytes + 4).fill(0xee, 0, 4);
  try {
    const known = writeKconfig(extern, kernelConfigOf(text, '6.1.300-skep'), btf, data);
    const hex = Buffer.from(data.subarray(4)).toString('hex');
    expect(Buffer.from(data.subarray(0, 4)).toString('hex')).toBe('eeeeeeee');
    return known ? hex : `absent ${hex}`;
  } catch (error) {
    if (error instanceof LoadError) return error;
    throw error;
  }
}

describe('kernel configuration values', () => {
  it.each([
    ['y', types.bool, '01'],
    ['n', types.bool, '00'],
    ['y', types.tristate, '01000000'],
    ['m', types.tristate, '02000000'],
    ['m', types.char, '6d'],
    ['y', types.u8, '79'],
    ['250', types.int, 'fa000000'],
    ['0x10', constant, '1000'],
    ['-1', types.int, 'ffffffff'],
    ['0777', types.u16, 'ff01'],
    ['0xffffffff81000000', types.u64, '00000081ffffffff'],
    ['"skep"', types.text, '736b657000000000'],
    ['"longer than it"', types.text, '6c6f6e6765722000'],
    ['""', types.text, '0000000000000000'],
  ])('%s', (value, type, hex) => {
    expect(write(type, 'CONFIG_X', `# CONFIG_Y is not set\nCONFIG_X=${value}\nCONFIG_XX=9\n`)).toBe(
      hex,
    );
  });

  // Messages are libbpf 1.1's.
  it.each([
    ['y', types.int, "value 'y' implies bool, tristate, or char type"],
    ['m', types.bool, "value 'm' implies tristate or char type"],
    ['250', types.bool, "value '250' implies integer type"],
    ['250', types.text, "value '250' implies integer type"],
    ['"x"', types.int, 'value \'"x"\' implies char array type'],
    ['"x', types.text, "invalid string config '\"x'"],
    ['12monkeys', types.int, "value '12monkeys' isn't a valid integer"],
    ['65536', types.u16, "value '65536' (0x10000) doesn't fit in 2 bytes"],
    ['0x80000000', types.int, "value '2147483648' (0x80000000) doesn't fit in 4 bytes"],
    ['y', types.enumeration, 'type is unsupported'],
    ['1', types.numbers, 'type is unsupported'],
    ['1', types.pointer, 'type is unsupported'],
  ])('%s does not suit', (value, type, why) => {
    const error = write(type, 'CONFIG_X', `CONFIG_X=${value}\n`) as LoadError;
    expect(error.failure.messages).toEqual([`libbpf: extern (kcfg) 'CONFIG_X': ${why}`]);
  });

  it('an option that is not there leaves zeros', () => {
    expect(write(types.int, 'CONFIG_X', '# CONFIG_X is not set\n')).toBe('absent 00000000');
  });

  it('variables that libbpf answers itself', () => {
    // KERNEL_VERSION(6, 1, 255): no more fits the last place.
    expect(write(types.int, 'LINUX_KERNEL_VERSION', '')).toBe('ff010600');
    expect(write(types.bool, 'LINUX_HAS_SYSCALL_WRAPPER', '')).toBe('01');
    expect(write(types.bool, 'LINUX_NEW_THING', '', true)).toBe('absent 00');
    const error = write(types.bool, 'LINUX_NEW_THING', '') as LoadError;
    expect(error.failure).toMatchObject({
      errno: errno.EINVAL,
      messages: ["libbpf: extern (kcfg) 'LINUX_NEW_THING': unrecognized virtual extern"],
    });
  });
});
