/** The opcode maps that decode.ts reads: one row an opcode byte (Intel SDM volume 2, appendix A). */

export interface Form {
  readonly operands: readonly OperandKind[];
  readonly modrm: boolean;
  /** Operand size, where it is not by prefixes. */
  readonly bits?: 8 | 16 | 32 | 64;
  /** Operand size is 64 without REX.W too. */
  readonly always64?: true;
  /** An operand size prefix makes another instruction of it, which no JIT uses. */
  readonly no16?: true;
  /** Size of the r/m operand, where it differs from the other's. */
  readonly rmBits?: 8 | 16 | 32;
  /** ModRM's reg field chooses the instruction. */
  readonly group?: keyof typeof GROUPS;
}

export type OperandKind =
  | 'reg'
  | 'rm'
  /** r/m that may not be a register. */
  | 'memory'
  /** In the low bits of the opcode. */
  | 'opcode-reg'
  | 'rax'
  | 'cl'
  | 'one'
  | 'imm8'
  /** Of a shift: 8 bits without a sign. */
  | 'count'
  /** 8, 16 or 32 bits. */
  | 'imm'
  /** 32 or 64 bits. */
  | 'imm64'
  | 'rel8'
  | 'rel32';

export interface Opcode {
  readonly mnemonic: string;
  readonly form: Form;
  readonly condition?: number;
}

const form = (operands: readonly OperandKind[], extra: Partial<Form> = {}): Form => ({
  operands,
  modrm: operands.some((kind) => kind === 'reg' || kind === 'rm' || kind === 'memory'),
  ...(extra.always64 && { no16: true }),
  ...extra,
});
const row = (
  mnemonic: string,
  operands: readonly OperandKind[],
  extra?: Partial<Form>,
): Opcode => ({
  mnemonic,
  form: form(operands, extra),
});

interface Member {
  readonly mnemonic: string;
  /** What the member does differently. */
  readonly form?: Partial<Form>;
}
const members = (...names: readonly (string | undefined)[]): readonly (Member | undefined)[] =>
  names.map((mnemonic) => (mnemonic === undefined ? undefined : { mnemonic }));

/** By ModRM's reg field. */
export const GROUPS = {
  1: members('add', 'or', undefined, undefined, 'and', 'sub', 'xor', 'cmp'),
  2: members(undefined, 'ror', undefined, undefined, 'shl', 'shr', undefined, 'sar'),
  3: [
    { mnemonic: 'test', form: { operands: ['rm', 'imm'] } },
    undefined,
    { mnemonic: 'not' },
    { mnemonic: 'neg' },
    { mnemonic: 'mul' },
    undefined,
    { mnemonic: 'div' },
    { mnemonic: 'idiv' },
  ] as readonly (Member | undefined)[],
  5: [
    undefined,
    undefined,
    undefined,
    undefined,
    { mnemonic: 'jmp-indirect', form: { always64: true, no16: true } },
  ] as readonly (Member | undefined)[],
  11: members('mov'),
  15: [
    ...members(undefined, undefined, undefined, undefined, undefined),
    { mnemonic: 'lfence', form: { operands: [] } },
  ] as readonly (Member | undefined)[],
} as const;

const table = (
  entries: readonly (readonly [code: number, opcode: Opcode])[],
): readonly (Opcode | undefined)[] => {
  const rows = new Array<Opcode | undefined>(256).fill(undefined);
  for (const [code, opcode] of entries) rows[code] = opcode;
  return rows;
};

const range = (first: number, count: number, opcode: (i: number) => Opcode) =>
  Array.from({ length: count }, (_, i) => [first + i, opcode(i)] as const);

const ALU = ['add', 'or', undefined, undefined, 'and', 'sub', 'xor', 'cmp'];
const alu = ALU.flatMap((mnemonic, i) =>
  mnemonic === undefined
    ? []
    : [
        [8 * i + 0x01, row(mnemonic, ['rm', 'reg'])] as const,
        [8 * i + 0x03, row(mnemonic, ['reg', 'rm'])] as const,
        [8 * i + 0x05, row(mnemonic, ['rax', 'imm'])] as const,
      ],
);

export const OPCODES = table([
  ...alu,
  ...range(0x50, 8, () => row('push', ['opcode-reg'], { always64: true })),
  ...range(0x58, 8, () => row('pop', ['opcode-reg'], { always64: true })),
  [0x63, row('movsxd', ['reg', 'rm'], { rmBits: 32 })],
  [0x69, row('imul', ['reg', 'rm', 'imm'])],
  [0x6b, row('imul', ['reg', 'rm', 'imm8'])],
  ...range(0x70, 16, (condition) => ({ ...row('jcc', ['rel8'], { always64: true }), condition })),
  [0x81, row('', ['rm', 'imm'], { group: 1 })],
  [0x83, row('', ['rm', 'imm8'], { group: 1 })],
  [0x85, row('test', ['rm', 'reg'])],
  [0x87, row('xchg', ['memory', 'reg'])],
  [0x88, row('mov', ['rm', 'reg'], { bits: 8 })],
  [0x89, row('mov', ['rm', 'reg'])],
  [0x8b, row('mov', ['reg', 'rm'])],
  [0x8d, row('lea', ['reg', 'memory'])],
  [0x90, row('nop', [])],
  [0x99, row('cqo', [], { no16: true })],
  ...range(0xb8, 8, () => row('mov', ['opcode-reg', 'imm64'], { no16: true })),
  [0xc1, row('', ['rm', 'count'], { group: 2 })],
  [0xc3, row('ret', [], { always64: true })],
  [0xc6, row('', ['rm', 'imm'], { group: 11, bits: 8 })],
  [0xc7, row('', ['rm', 'imm'], { group: 11 })],
  [0xc9, row('leave', [], { always64: true })],
  [0xcc, row('int3', [])],
  [0xd1, row('', ['rm', 'one'], { group: 2 })],
  [0xd3, row('', ['rm', 'cl'], { group: 2 })],
  [0xe8, row('call', ['rel32'], { always64: true })],
  [0xe9, row('jmp', ['rel32'], { always64: true })],
  [0xeb, row('jmp', ['rel8'], { always64: true })],
  [0xf7, row('', ['rm'], { group: 3 })],
  [0xff, row('', ['rm'], { group: 5 })],
]);

/** Behind 0F. */
export const OPCODES_0F = table([
  [0x1f, row('nop', ['rm'])],
  ...range(0x80, 16, (condition) => ({ ...row('jcc', ['rel32'], { always64: true }), condition })),
  [0xae, row('', ['rm'], { group: 15 })],
  [0xaf, row('imul', ['reg', 'rm'])],
  [0xb1, row('cmpxchg', ['memory', 'reg'])],
  [0xb6, row('movzx', ['reg', 'rm'], { rmBits: 8 })],
  [0xb7, row('movzx', ['reg', 'rm'], { rmBits: 16 })],
  [0xbe, row('movsx', ['reg', 'rm'], { rmBits: 8 })],
  [0xbf, row('movsx', ['reg', 'rm'], { rmBits: 16 })],
  [0xc1, row('xadd', ['memory', 'reg'])],
  ...range(0xc8, 8, () => row('bswap', ['opcode-reg'], { no16: true })),
]);
