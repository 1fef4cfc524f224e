/**
 * What each instruction must compute, worked out by hand from RFC 9669: programs of a few lines and
 * their r0. Every engine runs all of them. `covers` is taken from the program itself.
 */
import type { Insn } from '../../bpf/isa/insn.ts';
import type { AluOperation, Condition } from '../../bpf/isa/row.ts';
import type { OpName } from '../../bpf/isa/table.ts';
import { insn, ldImm64 } from '../../bpf/asm/build.ts';

export interface InstructionCase {
  readonly name: string;
  readonly insns: readonly Insn[];
  /** All 64 bits of r0, unsigned. */
  readonly r0: bigint;
}

const MIN64 = 0x8000_0000_0000_0000n;
const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const fitsImm = (value: bigint): boolean => BigInt.asIntN(32, value) === BigInt.asIntN(64, value);

/** [operation, width, dst, operand, result] */
const ALU: readonly (readonly [AluOperation, 32 | 64, bigint, bigint, bigint])[] = [
  ['add', 64, 0xffff_ffff_ffff_fffen, 5n, 3n],
  ['add', 64, 1n, -1n, 0n],
  ['add', 32, 0xaaaa_aaaa_ffff_ffffn, 2n, 1n],
  ['sub', 64, 3n, 5n, u64(-2n)],
  ['sub', 64, 0n, MIN64, MIN64],
  ['sub', 32, 0x1_0000_0000n, 1n, 0xffff_ffffn],
  ['mul', 64, 0x1_0000_0001n, 0x7fff_ffffn, 0x7fff_ffff_7fff_ffffn],
  ['mul', 64, 0xffff_ffff_ffff_ffffn, -1n, 1n],
  ['mul', 64, 0x1234_5678_9abc_def0n, 0x1_0000_0000n, 0x9abc_def0_0000_0000n],
  ['mul', 32, 0xffff_ffffn, 0xffff_ffffn, 1n],
  ['mul', 32, 0x12345n, 0x6789an, 0x5cd5_8f82n],
  ['div', 64, 0xffff_ffff_ffff_ffffn, 2n, 0x7fff_ffff_ffff_ffffn],
  ['div', 64, 10n, -1n, 0n],
  ['div', 64, 7n, 0n, 0n],
  ['div', 32, 0xaaaa_aaaa_ffff_ffffn, 2n, 0x7fff_ffffn],
  ['div', 32, 0xffff_ffff_0000_0007n, 0n, 0n],
  ['sdiv', 64, u64(-13n), 4n, u64(-3n)],
  ['sdiv', 64, 13n, -4n, u64(-3n)],
  ['sdiv', 64, MIN64, -1n, MIN64],
  ['sdiv', 64, u64(-13n), 0n, 0n],
  ['sdiv', 32, 0xffff_fff3n, 4n, 0xffff_fffdn],
  ['sdiv', 32, 0x8000_0000n, -1n, 0x8000_0000n],
  ['sdiv', 32, 0xffff_ffff_0000_0007n, 0n, 0n],
  ['mod', 64, 0xffff_ffff_ffff_ffffn, 10n, 5n],
  ['mod', 64, 0xdead_beef_0000_0007n, 0n, 0xdead_beef_0000_0007n],
  ['mod', 32, 0xdead_beef_0000_0007n, 0n, 7n],
  ['mod', 32, 0xdead_beef_ffff_ffffn, 10n, 5n],
  ['smod', 64, u64(-13n), 4n, u64(-1n)],
  ['smod', 64, 13n, -4n, 1n],
  ['smod', 64, MIN64, -1n, 0n],
  ['smod', 64, u64(-13n), 0n, u64(-13n)],
  ['smod', 32, 0xffff_fff3n, 4n, 0xffff_ffffn],
  ['smod', 32, 0x8000_0000n, -1n, 0n],
  ['smod', 32, 0xffff_ffff_ffff_fff3n, 0n, 0xffff_fff3n],
  ['or', 64, 0xf0n, -256n, 0xffff_ffff_ffff_fff0n],
  ['or', 32, 0xffff_ffff_0000_00f0n, 0xfn, 0xffn],
  ['and', 64, 0xffff_ffff_ffff_ffffn, -16n, 0xffff_ffff_ffff_fff0n],
  ['and', 32, 0xffff_ffff_ffff_ffffn, -16n, 0xffff_fff0n],
  ['xor', 64, 0xff00n, -1n, 0xffff_ffff_ffff_00ffn],
  ['xor', 32, 0xffff_ffff_0000_ff00n, -1n, 0xffff_00ffn],
  ['lsh', 64, 3n, 63n, MIN64],
  ['lsh', 64, 3n, 65n, 6n],
  ['lsh', 32, 0xffff_ffff_0000_0003n, 31n, 0x8000_0000n],
  ['lsh', 32, 3n, 33n, 6n],
  ['rsh', 64, MIN64, 63n, 1n],
  ['rsh', 64, 8n, 66n, 2n],
  ['rsh', 32, 0xffff_ffff_8000_0000n, 31n, 1n],
  ['rsh', 32, 8n, 34n, 2n],
  ['arsh', 64, MIN64, 63n, u64(-1n)],
  ['arsh', 64, u64(-8n), 65n, u64(-4n)],
  ['arsh', 32, 0x8000_0000n, 31n, 0xffff_ffffn],
  ['arsh', 32, 0xffff_ffff_7fff_fff0n, 4n, 0x07ff_ffffn],
  ['arsh', 32, 0xffff_fff8n, 33n, 0xffff_fffcn],
  ['mov', 64, 9n, -1n, 0xffff_ffff_ffff_ffffn],
  ['mov', 32, 9n, -1n, 0xffff_ffffn],
];

/** [condition, width, dst, operand, taken] */
const BRANCHES: readonly (readonly [Condition, 32 | 64, bigint, bigint, boolean])[] = [
  ['eq', 64, 5n, 5n, true],
  ['eq', 64, 0x1_0000_0005n, 5n, false],
  ['eq', 32, 0x1_0000_0005n, 5n, true],
  ['eq', 32, 4n, 5n, false],
  ['ne', 64, 0x1_0000_0005n, 5n, true],
  ['ne', 64, 5n, 5n, false],
  ['ne', 32, 0x1_0000_0005n, 5n, false],
  ['ne', 32, 4n, 5n, true],
  ['gt', 64, u64(-1n), 1n, true],
  ['gt', 64, 1n, 1n, false],
  ['gt', 64, 5n, -1n, false],
  ['gt', 32, 0xffff_ffffn, 1n, true],
  ['gt', 32, 0x1_0000_0000n, 0n, false],
  ['ge', 64, 1n, 1n, true],
  ['ge', 64, 0x1_0000_0000n, 0xffff_ffffn, true],
  ['ge', 64, 0n, 1n, false],
  ['ge', 32, 1n, 1n, true],
  ['ge', 32, 0x1_0000_0000n, 1n, false],
  ['lt', 64, 1n, -1n, true],
  ['lt', 64, 1n, 1n, false],
  ['lt', 32, 0x1_0000_0000n, 1n, true],
  ['lt', 32, 0xffff_ffffn, 1n, false],
  ['le', 64, 1n, 1n, true],
  ['le', 64, 0x1_0000_0000n, 1n, false],
  ['le', 32, 0x1_0000_0001n, 1n, true],
  ['le', 32, 2n, 1n, false],
  ['sgt', 64, 1n, -1n, true],
  ['sgt', 64, u64(-1n), 1n, false],
  ['sgt', 32, 0n, 0xffff_ffffn, true],
  ['sgt', 32, 0x8000_0000n, 0n, false],
  ['sge', 64, u64(-1n), -1n, true],
  ['sge', 64, MIN64, 0n, false],
  ['sge', 32, 0xffff_ffffn, -1n, true],
  ['sge', 32, 0xffff_ffff_8000_0000n, 0n, false],
  ['slt', 64, MIN64, 0n, true],
  ['slt', 64, 0x8000_0000n, 0n, false],
  ['slt', 32, 0x8000_0000n, 0n, true],
  ['slt', 32, 0n, 0n, false],
  ['sle', 64, u64(-1n), -1n, true],
  ['sle', 64, 1n, -1n, false],
  ['sle', 32, 0xffff_ffffn, 0n, true],
  ['sle', 32, 1n, 0n, false],
  ['set', 64, 0xff_0000_0000n, -1n, true],
  ['set', 64, 0xf0n, 0x0fn, false],
  ['set', 32, 0xff_0000_0000n, -1n, false],
  ['set', 32, 0x8000_0000n, 0x8000_0000n, true],
];

function aluCases(): InstructionCase[] {
  return ALU.flatMap(([operation, width, dst, operand, r0]) => {
    const reg = `${operation}${width}_reg` as OpName;
    const imm = `${operation}${width}_imm` as OpName;
    const cases: InstructionCase[] = [
      {
        name: `${reg} ${dst.toString(16)}, ${operand.toString(16)}`,
        insns: [
          ldImm64(0, dst),
          ldImm64(3, operand),
          insn(reg, { dst: 0, src: 3 }),
          insn('exit'),
        ].flat(),
        r0,
      },
    ];
    // The operand of a 32-bit instruction may be given in either range.
    const immediate = width === 32 ? BigInt.asIntN(32, operand) : operand;
    if (fitsImm(immediate)) {
      cases.push({
        name: `${imm} ${dst.toString(16)}, ${operand.toString(16)}`,
        insns: [ldImm64(0, dst), insn(imm, { imm: Number(immediate) }), insn('exit')].flat(),
        r0,
      });
    }
    return cases;
  });
}

function branchCases(): InstructionCase[] {
  const tail = [
    insn('mov64_imm', { imm: 0 }),
    insn('exit'),
    insn('mov64_imm', { imm: 1 }),
    insn('exit'),
  ];
  return BRANCHES.flatMap(([condition, width, dst, operand, taken]) => {
    const reg = `j${condition}${width}_reg` as OpName;
    const imm = `j${condition}${width}_imm` as OpName;
    const r0 = taken ? 1n : 0n;
    const cases: InstructionCase[] = [
      {
        name: `${reg} ${dst.toString(16)}, ${operand.toString(16)}`,
        insns: [
          ldImm64(2, dst),
          ldImm64(3, operand),
          insn(reg, { dst: 2, src: 3, off: 2 }),
          tail,
        ].flat(),
        r0,
      },
    ];
    const immediate = width === 32 ? BigInt.asIntN(32, operand) : operand;
    if (fitsImm(immediate)) {
      cases.push({
        name: `${imm} ${dst.toString(16)}, ${operand.toString(16)}`,
        insns: [
          ldImm64(2, dst),
          insn(imm, { dst: 2, off: 2, imm: Number(immediate) }),
          tail,
        ].flat(),
        r0,
      });
    }
    return cases;
  });
}

const PATTERN = 0x8192_a3b4_c5d6_e7f8n;

/** Rows without operands besides dst (and src): [row, value before, r0 after]. */
const UNARY: readonly (readonly [OpName, bigint, bigint])[] = [
  ['neg64', 1n, u64(-1n)],
  ['neg64', MIN64, MIN64],
  ['neg32', 0xffff_ffff_0000_0001n, 0xffff_ffffn],
  ['neg32', 0xffff_ffff_0000_0000n, 0n],
  ['movsx64_8', PATTERN, u64(-8n)],
  ['movsx64_8', 0x7fn, 0x7fn],
  ['movsx64_16', PATTERN, 0xffff_ffff_ffff_e7f8n],
  ['movsx64_32', PATTERN, 0xffff_ffff_c5d6_e7f8n],
  ['movsx64_32', 0xffff_ffff_7fff_ffffn, 0x7fff_ffffn],
  ['movsx32_8', PATTERN, 0xffff_fff8n],
  ['movsx32_16', PATTERN, 0xffff_e7f8n],
  ['le16', PATTERN, 0xe7f8n],
  ['le32', PATTERN, 0xc5d6_e7f8n],
  ['le64', PATTERN, PATTERN],
  ['be16', PATTERN, 0xf8e7n],
  ['be32', PATTERN, 0xf8e7_d6c5n],
  ['be64', PATTERN, 0xf8e7_d6c5_b4a3_9281n],
  ['bswap16', PATTERN, 0xf8e7n],
  ['bswap32', PATTERN, 0xf8e7_d6c5n],
  ['bswap64', PATTERN, 0xf8e7_d6c5_b4a3_9281n],
];

function unaryCases(): InstructionCase[] {
  return UNARY.map(([name, before, r0]) => ({
    name: `${name} ${before.toString(16)}`,
    insns: [
      ldImm64(0, before),
      insn(name, name.startsWith('movsx') ? { src: 0 } : {}),
      insn('exit'),
    ].flat(),
    r0,
  }));
}

/** The 16 bytes of stack below r10 hold PATTERN and then its complement. */
const withStack = (...insns: readonly Insn[]): Insn[] =>
  [
    ldImm64(1, PATTERN),
    ldImm64(2, u64(~PATTERN)),
    insn('stx64', { dst: 10, src: 1, off: -16 }),
    insn('stx64', { dst: 10, src: 2, off: -8 }),
    ...insns,
    insn('exit'),
  ].flat();

const LOADS: readonly (readonly [OpName, number, bigint])[] = [
  ['ldx8', -16, 0xf8n],
  ['ldx16', -16, 0xe7f8n],
  ['ldx32', -16, 0xc5d6_e7f8n],
  ['ldx64', -16, PATTERN],
  ['ldx64', -13, 0x2918_0781_92a3_b4c5n],
  ['ldsx8', -16, u64(-8n)],
  ['ldsx16', -16, 0xffff_ffff_ffff_e7f8n],
  ['ldsx32', -16, 0xffff_ffff_c5d6_e7f8n],
  ['ldsx8', -8, 7n],
  ['probe8', -16, 0xf8n],
  ['probe16', -16, 0xe7f8n],
  ['probe32', -16, 0xc5d6_e7f8n],
  ['probe64', -16, PATTERN],
  ['probesx8', -16, u64(-8n)],
  ['probesx16', -16, 0xffff_ffff_ffff_e7f8n],
  ['probesx32', -16, 0xffff_ffff_c5d6_e7f8n],
];

function loadCases(): InstructionCase[] {
  return LOADS.map(([name, off, r0]) => ({
    name: `${name} at r10${off}`,
    insns: withStack(insn(name, { dst: 0, src: 10, off })),
    r0,
  }));
}

/** Addresses that are no kernel memory: user space, NULL and near it, past RAM, non-canonical. */
const BAD_ADDRESSES = [
  0n,
  8n,
  0x7fff_0000_1000n,
  0xffff_8880_0000_0008n,
  0xffff_8880_0010_0000n,
  0xffff_8880_000f_fffdn,
  0xffff_8881_0002_0000n,
  0x1234_5678_9abc_def0n,
];
const PROBES = [
  'probe8',
  'probe16',
  'probe32',
  'probe64',
  'probesx8',
  'probesx16',
  'probesx32',
] as const;

/** In a RAM of 1 MiB. */
function probeCases(): InstructionCase[] {
  return PROBES.flatMap((name) =>
    BAD_ADDRESSES.filter((address) => name === 'probe64' || (address & 7n) !== 5n).map(
      (address) => ({
        name: `${name} of bad address ${address.toString(16)}`,
        insns: [
          ldImm64(0, 0x55n),
          ldImm64(1, u64(address - 4n)),
          insn(name, { dst: 0, src: 1, off: 4 }),
          insn('exit'),
        ].flat(),
        r0: 0n,
      }),
    ),
  );
}

const STORES: readonly (readonly [OpName, number, bigint])[] = [
  ['st8', -2, 0x8192_a3b4_c5d6_e7fen],
  ['st16', -2, 0x8192_a3b4_c5d6_fffen],
  ['st32', -2, 0x8192_a3b4_ffff_fffen],
  ['st64', -2, u64(-2n)],
  ['stx8', -2, 0x8192_a3b4_c5d6_e707n],
  ['stx16', -2, 0x8192_a3b4_c5d6_1807n],
  ['stx32', -2, 0x8192_a3b4_3a29_1807n],
  ['stx64', -2, u64(~PATTERN)],
];

function storeCases(): InstructionCase[] {
  return STORES.map(([name, imm, r0]) => ({
    name,
    insns: withStack(
      insn(
        name,
        name.startsWith('stx') ? { dst: 10, src: 2, off: -16 } : { dst: 10, off: -16, imm },
      ),
      insn('ldx64', { dst: 0, src: 10, off: -16 }),
    ),
    r0,
  }));
}

const U32 = 0xffff_ffffn;
const PATTERN32 = PATTERN & U32;
const HIGH = PATTERN & ~U32;
/** [operation, operand, what 64 bits of memory hold after the 64-bit and the 32-bit form] */
const ATOMICS: readonly (readonly [string, bigint, bigint, bigint])[] = [
  ['add', 0x1_7fff_ffffn, u64(PATTERN + 0x1_7fff_ffffn), HIGH | ((PATTERN + 0x7fff_ffffn) & U32)],
  ['or', 0x0fn, PATTERN | 0x0fn, PATTERN | 0x0fn],
  ['and', 0xffn, 0xf8n, HIGH | 0xf8n],
  ['xor', u64(-1n), u64(~PATTERN), HIGH | (~PATTERN & U32)],
  ['xchg', 0x1_0000_0002n, 0x1_0000_0002n, HIGH | 2n],
];

function atomicCases(): InstructionCase[] {
  return ATOMICS.flatMap(([operation, operand, after64, after32]) => {
    const forms = operation === 'xchg' ? ['xchg'] : [operation, `fetch_${operation}`];
    return forms.flatMap((form) =>
      [64, 32].flatMap((width) => {
        const name = `atomic${width}_${form}` as OpName;
        const run = [...ldImm64(3, operand), insn(name, { dst: 10, src: 3, off: -16 })];
        const fetches = form !== operation || form === 'xchg';
        return [
          {
            name: `${name}: memory`,
            insns: withStack(...run, insn('ldx64', { dst: 0, src: 10, off: -16 })),
            r0: width === 64 ? after64 : after32,
          },
          {
            name: `${name}: src afterwards`,
            insns: withStack(...run, insn('mov64_reg', { dst: 0, src: 3 })),
            r0: !fetches ? operand : width === 64 ? PATTERN : PATTERN32,
          },
        ];
      }),
    );
  });
}

function cmpxchgCases(): InstructionCase[] {
  const make = (width: 32 | 64, expected: bigint, stored: bigint): InstructionCase[] => {
    const name = `atomic${width}_cmpxchg` as OpName;
    const run = [
      ...ldImm64(0, expected),
      ...ldImm64(3, 0x77n),
      insn(name, { dst: 10, src: 3, off: -16 }),
    ];
    const about = `${name} expecting ${expected.toString(16)}`;
    return [
      {
        name: `${about}: memory`,
        insns: withStack(...run, insn('ldx64', { dst: 0, src: 10, off: -16 })),
        r0: stored,
      },
      {
        name: `${about}: r0`,
        insns: withStack(...run),
        r0: width === 64 ? PATTERN : PATTERN32,
      },
    ];
  };
  return [
    ...make(64, PATTERN, 0x77n),
    ...make(64, PATTERN32, PATTERN),
    ...make(32, PATTERN32, HIGH | 0x77n),
    // Only the low half of r0 is compared.
    ...make(32, 0x1111_1111_0000_0000n | PATTERN32, HIGH | 0x77n),
    ...make(32, 0n, PATTERN),
  ];
}

function controlCases(): InstructionCase[] {
  const one = insn('mov64_imm', { imm: 1 });
  return [
    {
      name: 'goto forward and back',
      insns: [
        insn('goto', { off: 2 }),
        insn('mov64_imm', { imm: 7 }),
        insn('exit'),
        insn('goto', { off: -3 }),
      ],
      r0: 7n,
    },
    {
      name: 'gotol',
      insns: [
        insn('gotol', { imm: 2 }),
        insn('mov64_imm', { imm: 7 }),
        insn('exit'),
        insn('gotol', { imm: -3 }),
      ],
      r0: 7n,
    },
    { name: 'nospec does nothing', insns: [one, insn('nospec'), insn('exit')], r0: 1n },
    {
      name: 'a loop of 1000 rounds',
      insns: [
        insn('mov64_imm', { dst: 0, imm: 0 }),
        insn('mov64_imm', { dst: 1, imm: 1000 }),
        insn('add64_reg', { dst: 0, src: 1 }),
        insn('add64_imm', { dst: 1, imm: -1 }),
        insn('jne64_imm', { dst: 1, imm: 0, off: -3 }),
        insn('exit'),
      ],
      r0: 500500n,
    },
    {
      name: 'a subprogram has its own r6 to r9 and stack',
      insns: [
        insn('mov64_imm', { dst: 6, imm: 60 }),
        insn('mov64_imm', { dst: 9, imm: 90 }),
        insn('st64', { dst: 10, off: -8, imm: 8 }),
        insn('mov64_imm', { dst: 1, imm: 1 }),
        insn('mov64_imm', { dst: 5, imm: 5 }),
        insn('call_subprog', { imm: 5 }),
        insn('add64_reg', { dst: 0, src: 6 }),
        insn('add64_reg', { dst: 0, src: 9 }),
        insn('ldx64', { dst: 1, src: 10, off: -8 }),
        insn('add64_reg', { dst: 0, src: 1 }),
        insn('exit'),
        insn('mov64_imm', { dst: 6, imm: 1000 }),
        insn('mov64_imm', { dst: 9, imm: 1000 }),
        insn('st64', { dst: 10, off: -8, imm: 4000 }),
        insn('mov64_reg', { dst: 0, src: 1 }),
        insn('add64_reg', { dst: 0, src: 5 }),
        insn('exit'),
      ],
      r0: 6n + 60n + 90n + 8n,
    },
    {
      name: 'a recursion 8 frames deep',
      insns: [
        insn('mov64_imm', { dst: 1, imm: 7 }),
        insn('call_subprog', { imm: 1 }),
        insn('exit'),
        insn('mov64_reg', { dst: 6, src: 1 }),
        insn('mov64_imm', { dst: 0, imm: 0 }),
        insn('add64_imm', { dst: 1, imm: -1 }),
        insn('jeq64_imm', { dst: 1, imm: 0, off: 1 }),
        insn('call_subprog', { imm: -5 }),
        insn('add64_reg', { dst: 0, src: 6 }),
        insn('exit'),
      ],
      r0: 28n,
    },
    {
      name: 'a subprogram writes its caller’s stack through a pointer',
      insns: [
        insn('mov64_reg', { dst: 1, src: 10 }),
        insn('add64_imm', { dst: 1, imm: -8 }),
        insn('call_subprog', { imm: 2 }),
        insn('ldx64', { dst: 0, src: 10, off: -8 }),
        insn('exit'),
        insn('st64', { dst: 1, off: 0, imm: -3 }),
        insn('mov64_imm', { dst: 0, imm: 0 }),
        insn('exit'),
      ],
      r0: u64(-3n),
    },
    ...(
      [
        'ld_imm64',
        'ld_map_fd',
        'ld_map_value',
        'ld_btf_id',
        'ld_map_idx',
        'ld_map_idx_value',
      ] as const
    ).map((name) => ({
      name: `${name} holds its final value`,
      insns: [ldImm64(0, PATTERN, name), insn('exit')].flat(),
      r0: PATTERN,
    })),
    {
      // Two entries into one loop: no structured program has this shape.
      name: 'a loop with two entries',
      insns: [
        insn('mov64_imm', { dst: 0, imm: 0 }),
        insn('mov64_imm', { dst: 2, imm: 5 }),
        insn('jeq64_imm', { dst: 1, imm: 0, off: 1 }),
        insn('add64_imm', { dst: 0, imm: 100 }),
        insn('add64_imm', { dst: 0, imm: 1 }),
        insn('add64_imm', { dst: 2, imm: -1 }),
        insn('jne64_imm', { dst: 2, imm: 0, off: -4 }),
        insn('exit'),
      ],
      r0: 405n,
    },
  ];
}

export const INSTRUCTION_CASES: readonly InstructionCase[] = [
  ...aluCases(),
  ...branchCases(),
  ...unaryCases(),
  ...loadCases(),
  ...probeCases(),
  ...storeCases(),
  ...atomicCases(),
  ...cmpxchgCases(),
  ...controlCases(),
];
