/** The shape of a program: encodings, context, BTF. */
import type { Example } from './example.ts';
import { unpriv } from './parts.ts';
import { functions, kernel, lines, words } from './types.ts';

const CORE_TYPE_ID_LOCAL = 6;

const TAIL_CALL = `
      call func
      exit
      func: r2 = map_fd(0)
      r3 = 0
      call tail_call#12
      r0 = 0
      exit`;

const CALL = `
      r1 = 1
      call func
      exit
      func: r0 = 0
      exit`;

const RETURN = `
      r0 = 0
      exit`;

const progArray = { maps: [{ type: 'prog_array' as const, valueBytes: 4 }] };

export const programShape: readonly Example[] = [
  {
    code: 'unknown-opcode',
    about: 'A byte swap of the ISA’s version 4, which Linux 6.1 does not know.',
    refused: `
      r0 = 1
      (d7) r0 = bswap16 r0
      exit`,
    mended: `
      r0 = 1
      r0 = be16 r0
      exit`,
  },
  {
    code: 'reserved-field',
    about: 'A division with an offset: signed division, which came with version 4.',
    refused: `
      r0 = 8
      r0 s/= 2
      exit`,
    mended: `
      r0 = 8
      r0 /= 2
      exit`,
  },
  {
    code: 'division-by-zero',
    about: 'Division by the constant 0.',
    refused: `
      r0 = 8
      r0 /= 0
      exit`,
    mended: `
      r0 = 8
      r0 /= 2
      exit`,
  },
  {
    code: 'invalid-shift',
    about: 'A 32-bit register has no bit 32.',
    refused: `
      r0 = 1
      w0 <<= 32
      exit`,
    mended: `
      r0 = 1
      r0 <<= 32
      exit`,
  },
  {
    code: 'bad-ldimm64',
    about: 'A 64-bit load whose src stands for nothing.',
    edit: { insn: 0, src: 9 },
    note: 'no assembler writes this: src of instruction 0 is set to 9',
    refused: `
      r1 = 0x1 ll
      r0 = 0
      exit`,
    mended: `
      r1 = 0x1 ll
      r0 = 0
      exit`,
  },
  {
    code: 'invalid-context-access',
    about: 'Two members of the context in one load.',
    refused: `
      r0 = *(u64 *)(r1 +0)
      exit`,
    mended: `
      r0 = *(u32 *)(r1 +0)
      exit`,
  },
  {
    code: 'ld-packet',
    about: 'A packet load of classic BPF in an XDP program.',
    setup: { type: 'xdp' },
    mendedSetup: { type: 'socket_filter' },
    refused: `
      r6 = r1
      r0 = *(u8 *)skb[23]
      exit`,
    mended: `
      r6 = r1
      r0 = *(u8 *)skb[23]
      exit`,
  },
  {
    code: 'missing-btf',
    about: 'A tail call in a function whose return type nobody knows.',
    setup: progArray,
    mendedSetup: { ...progArray, ...functions(2, 'static') },
    note: 'the mended one has BTF and func_info, as `clang -g` makes them',
    refused: TAIL_CALL,
    mended: TAIL_CALL,
  },
  {
    code: 'bad-func-info',
    about: 'A row of func_info that points at the wrong instruction.',
    setup: functions(4, 'static', 'number'),
    mendedSetup: functions(3, 'static', 'number'),
    note: 'the second row is for instruction 4; mended, for instruction 3, where the function is',
    refused: CALL,
    mended: CALL,
  },
  {
    code: 'bad-line-info',
    about: 'A row of line_info behind the end of the program.',
    setup: lines(0, 9),
    mendedSetup: lines(0, 1),
    note: 'rows are for instructions 0 and 9; mended, for 0 and 1',
    refused: RETURN,
    mended: RETURN,
  },
  {
    code: 'bad-core-relo',
    about: 'A CO-RE relocation of an instruction behind the end of the program.',
    setup: { ...lines(0), coreRelos: words(9 * 8, 1, 0, CORE_TYPE_ID_LOCAL) },
    mendedSetup: lines(0),
    note: 'the relocation is of instruction 9; mended, there is none',
    refused: RETURN,
    mended: RETURN,
  },
  {
    code: 'global-function',
    about: 'A global function that takes a pointer to something without a size.',
    setup: functions(3, 'global', 'pointer to a function'),
    mendedSetup: functions(3, 'global', 'number'),
    note: 'BTF has `int func(int (**)(void))`; mended, `int func(int)`',
    refused: CALL,
    mended: CALL,
  },
  {
    code: 'subprograms-need-cap-bpf',
    about: 'A function in a program that is loaded without CAP_BPF.',
    setup: unpriv,
    refused: `
      call func
      exit
      func: r0 = 0
      exit`,
    mended: RETURN,
  },
  {
    code: 'attach-target',
    about: 'An fentry program on something that is no function.',
    setup: {
      type: 'tracing',
      attach: 'trace_fentry',
      kernelBtf: kernel.btf,
      attachBtfId: kernel.task,
    },
    mendedSetup: {
      type: 'tracing',
      attach: 'trace_fentry',
      kernelBtf: kernel.btf,
      attachBtfId: kernel.func,
    },
    note: 'attach_btf_id is `struct task_struct`; mended, the function `wake_up_task`',
    refused: RETURN,
    mended: RETURN,
  },
];
