/** What each decoded instruction reads, writes and does, for hw/cpu/events.ts. */
import { FLAGS, type InsnDescriptor, type InsnKind, type MemoryOperand } from '../cpu/events.ts';
import type { ArmInsn } from './decode.ts';
import { X30, ZR } from './registers.ts';

const KINDS: Readonly<Record<string, InsnKind>> = {
  nop: 'nop',
  'bti c': 'nop',
  'bti j': 'nop',
  'bti jc': 'nop',
  // Of a core without FEAT_PAuth, as the simulated one.
  paciasp: 'nop',
  autiasp: 'nop',
  movn: 'move',
  movz: 'move',
  lslv: 'shift',
  lsrv: 'shift',
  asrv: 'shift',
  rorv: 'shift',
  sbfm: 'shift',
  ubfm: 'shift',
  madd: 'multiply',
  msub: 'multiply',
  udiv: 'divide',
  sdiv: 'divide',
  rev: 'byte-swap',
  rev16: 'byte-swap',
  rev32: 'byte-swap',
  ldr: 'load',
  ldp: 'load',
  str: 'store',
  stp: 'store',
  ldxr: 'atomic',
  stxr: 'atomic',
  cas: 'atomic',
  swp: 'atomic',
  ldadd: 'atomic',
  ldclr: 'atomic',
  ldeor: 'atomic',
  ldset: 'atomic',
  b: 'jump',
  'b.cond': 'branch',
  cbz: 'branch',
  cbnz: 'branch',
  br: 'jump-indirect',
  bl: 'call',
  blr: 'call-indirect',
  ret: 'return',
  brk: 'barrier',
  'dmb ish': 'barrier',
};

const SETS_FLAGS = new Set(['adds', 'subs', 'ands', 'bics']);

export function describe(insn: ArmInsn, address: bigint, slot?: number): InsnDescriptor {
  const { mnemonic, widthBits } = insn;
  const { reads, writes } = registersOf(insn);
  if (SETS_FLAGS.has(mnemonic)) writes.add(FLAGS);
  if (mnemonic === 'b.cond') reads.add(FLAGS);
  return {
    address,
    bytes: insn.length,
    mnemonic,
    kind: kindOf(insn),
    widthBits,
    reads: [...reads],
    writes: [...writes],
    memory: memoryOf(insn),
    ...(slot !== undefined && { slot }),
  };
}

/** Moves between registers are aliases of an or and an addition. */
function kindOf({ mnemonic, rn, imm, amount }: ArmInsn): InsnKind {
  if (mnemonic === 'orr' && rn === ZR && (amount ?? 0) === 0) return 'move';
  if (mnemonic === 'add' && imm === 0n) return 'move';
  return KINDS[mnemonic] ?? 'alu';
}

interface Registers {
  readonly reads: Set<number>;
  readonly writes: Set<number>;
}

function registersOf(insn: ArmInsn): Registers {
  const { mnemonic, rd, rn, rm, ra, rs, addressing } = insn;
  const reads: (number | undefined)[] = [rn, rm];
  const writes: (number | undefined)[] = [];
  switch (mnemonic) {
    case 'str':
      reads.push(rd);
      break;
    case 'stp':
      reads.push(rd, ra);
      break;
    case 'stxr':
      reads.push(rd);
      writes.push(rs);
      break;
    case 'ldp':
      writes.push(rd, ra);
      break;
    case 'cas':
      reads.push(rd, rs);
      writes.push(rs);
      break;
    case 'movk':
      reads.push(rd);
      writes.push(rd);
      break;
    case 'bl':
    case 'blr':
      writes.push(X30);
      break;
    default:
      reads.push(ra, rs);
      writes.push(rd);
  }
  if (addressing === 'pre' || addressing === 'post') writes.push(rn);
  return { reads: known(reads), writes: known(writes) };
}

const known = (registers: readonly (number | undefined)[]): Set<number> =>
  new Set(registers.filter((each): each is number => each !== undefined && each !== ZR));

/** Of a pair, each register's. A literal lies in the code, not in RAM. */
function memoryOf({ mnemonic, bytes, rn, rm, addressing }: ArmInsn): readonly MemoryOperand[] {
  if (bytes === undefined || addressing === 'literal') return [];
  const registers = [...known([rn, rm])];
  const access = /^(ldr|ldp|ldxr)$/.test(mnemonic)
    ? 'load'
    : /^(str|stp|stxr)$/.test(mnemonic)
      ? 'store'
      : 'load-store';
  const operand: MemoryOperand = { access, bytes, registers };
  return mnemonic === 'ldp' || mnemonic === 'stp' ? [operand, operand] : [operand];
}
