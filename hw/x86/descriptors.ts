/** What each decoded instruction reads, writes and does, for hw/cpu/events.ts. */
import { FLAGS, type InsnDescriptor, type InsnKind, type MemoryOperand } from '../cpu/events.ts';
import type { Operand, X86Insn } from './decode.ts';
import { RAX, RBP, RDX, RSP } from './registers.ts';

const KINDS: Readonly<Record<string, InsnKind>> = {
  nop: 'nop',
  mov: 'move',
  movzx: 'move',
  movsx: 'move',
  movsxd: 'move',
  lea: 'address',
  shl: 'shift',
  shr: 'shift',
  sar: 'shift',
  ror: 'shift',
  imul: 'multiply',
  mul: 'multiply',
  div: 'divide',
  idiv: 'divide',
  bswap: 'byte-swap',
  push: 'store',
  pop: 'load',
  leave: 'load',
  xadd: 'atomic',
  xchg: 'atomic',
  cmpxchg: 'atomic',
  jcc: 'branch',
  jmp: 'jump',
  'jmp-indirect': 'jump-indirect',
  call: 'call',
  ret: 'return',
  lfence: 'barrier',
};

/** Read, written or both by the first operand. */
const FIRST_OPERAND: Readonly<Record<string, 'read' | 'write' | 'none'>> = {
  mov: 'write',
  movzx: 'write',
  movsx: 'write',
  movsxd: 'write',
  lea: 'write',
  pop: 'write',
  nop: 'none',
  cmp: 'read',
  test: 'read',
  push: 'read',
  div: 'read',
  idiv: 'read',
  mul: 'read',
  'jmp-indirect': 'read',
};

/** Registers besides the operands; memory at the stack pointer. */
interface Implied {
  readonly reads?: readonly number[];
  readonly writes?: readonly number[];
  readonly stack?: 'load' | 'store';
}
const IMPLIED: Readonly<Record<string, Implied>> = {
  push: { reads: [RSP], writes: [RSP], stack: 'store' },
  pop: { reads: [RSP], writes: [RSP], stack: 'load' },
  call: { reads: [RSP], writes: [RSP], stack: 'store' },
  ret: { reads: [RSP], writes: [RSP], stack: 'load' },
  leave: { reads: [RBP], writes: [RSP, RBP], stack: 'load' },
  cqo: { reads: [RAX], writes: [RDX] },
  mul: { reads: [RAX], writes: [RAX, RDX] },
  div: { reads: [RAX, RDX], writes: [RAX, RDX] },
  idiv: { reads: [RAX, RDX], writes: [RAX, RDX] },
  cmpxchg: { reads: [RAX], writes: [RAX] },
};

const WRITES_FLAGS = new Set([
  'add', 'or', 'and', 'sub', 'xor', 'cmp', 'test', 'imul', 'mul', 'div', 'idiv', 'neg',
  'shl', 'shr', 'sar', 'ror', 'xadd', 'cmpxchg',
]); // prettier-ignore

export function describe(insn: X86Insn, address: bigint, slot?: number): InsnDescriptor {
  const { mnemonic, operands, widthBits } = insn;
  const reads = new Set<number>();
  const writes = new Set<number>();
  const memory: MemoryOperand[] = [];
  const [first, second] = operands;
  const zeroing =
    (mnemonic === 'xor' || mnemonic === 'sub') &&
    first?.kind === 'register' &&
    second?.kind === 'register' &&
    first.register === second.register;
  operands.forEach((operand, i) => {
    // A zeroing idiom depends on nothing.
    const use = i === 0 ? (zeroing ? 'write' : firstUse(insn)) : swaps(insn) ? 'both' : 'read';
    if (zeroing && i > 0) return;
    addOperand(operand, use, mnemonic, { reads, writes, memory });
  });
  const { reads: alsoReads, writes: alsoWrites, stack } = IMPLIED[mnemonic] ?? {};
  for (const register of alsoReads ?? []) reads.add(register);
  for (const register of alsoWrites ?? []) writes.add(register);
  if (stack !== undefined) {
    memory.push({ access: stack, bytes: 8, registers: [mnemonic === 'leave' ? RBP : RSP] });
  }
  if (mnemonic === 'jcc') reads.add(FLAGS);
  if (WRITES_FLAGS.has(mnemonic)) writes.add(FLAGS);
  const immediate = operands.at(-1);
  const isWide =
    immediate?.kind === 'immediate' && BigInt.asIntN(32, immediate.value) !== immediate.value;
  return {
    address,
    bytes: insn.length,
    mnemonic: mnemonic === 'jmp-indirect' ? 'jmp' : mnemonic,
    kind: kindOf(insn, memory),
    widthBits,
    reads: [...reads],
    writes: [...writes],
    memory,
    ...(isWide && { wideImmediate: true }),
    ...(zeroing && { zeroing: true }),
    ...(slot !== undefined && { slot }),
  };
}

/** xadd and xchg write their second operand too. */
const swaps = ({ mnemonic }: X86Insn): boolean => mnemonic === 'xadd' || mnemonic === 'xchg';

type Use = 'read' | 'write' | 'both' | 'none';

function firstUse({ mnemonic, operands }: X86Insn): Use {
  // imul with three operands does not read the first.
  if (mnemonic === 'imul' && operands.length === 3) return 'write';
  return FIRST_OPERAND[mnemonic] ?? 'both';
}

interface Uses {
  readonly reads: Set<number>;
  readonly writes: Set<number>;
  readonly memory: MemoryOperand[];
}

function addOperand(operand: Operand, use: Use, mnemonic: string, into: Uses): void {
  const { reads, writes, memory } = into;
  if (operand.kind === 'immediate' || use === 'none') return;
  if (operand.kind === 'register') {
    if (use !== 'write') reads.add(operand.register);
    if (use !== 'read') writes.add(operand.register);
    return;
  }
  const { base, index, bits } = operand;
  const registers = index === undefined ? [base] : [base, index];
  for (const register of registers) reads.add(register);
  if (mnemonic === 'lea') return;
  const access = use === 'read' ? 'load' : use === 'write' ? 'store' : 'load-store';
  memory.push({ access, bytes: bits / 8, registers });
}

function kindOf({ mnemonic, lock }: X86Insn, memory: readonly MemoryOperand[]): InsnKind {
  if (lock) return 'atomic';
  const kind = KINDS[mnemonic] ?? 'alu';
  if (kind !== 'move' || memory.length === 0) return kind;
  return memory[0]!.access === 'load' ? 'load' : 'store';
}
