/** Loads, stores and atomic accesses of AArch64 as WebAssembly. */
import { I32, I64, type IntOp } from '../../bpf/jit/code-writer.ts';
import { Undecodable, type ArmInsn } from './decode.ts';
import type { ArmFunction } from './wasm-function.ts';

const LOADS = {
  1: { signed: I64.load8_s, unsigned: I64.load8_u },
  2: { signed: I64.load16_s, unsigned: I64.load16_u },
  4: { signed: I64.load32_s, unsigned: I64.load32_u },
  8: { signed: I64.load, unsigned: I64.load },
} as const;
const STORES = { 1: I64.store8, 2: I64.store16, 4: I64.store32, 8: I64.store } as const;

/** @param zeroes the register that becomes 0 where a load faults */
export function translateAccess(f: ArmFunction, insn: ArmInsn, zeroes: number | undefined): void {
  switch (insn.mnemonic) {
    case 'ldr':
      return load(f, insn, zeroes);
    case 'str':
      return store(f, insn, insn.rd!, 0n);
    case 'stp':
      store(f, insn, insn.rd!, 0n);
      store(f, insn, insn.ra!, 8n);
      return f.writeBack(insn);
    case 'ldp':
      return loadPair(f, insn);
    case 'ldxr':
      return loadExclusive(f, insn);
    case 'stxr':
      return storeExclusive(f, insn);
    case 'cas':
      return compareAndSwap(f, insn);
    case 'swp':
      return fetch(f, insn, undefined);
    case 'ldadd':
      return fetch(f, insn, 'add');
    case 'ldclr':
      return fetch(f, insn, 'and', 'negated');
    case 'ldeor':
      return fetch(f, insn, 'xor');
    case 'ldset':
      return fetch(f, insn, 'or');
    default:
      return unknown(insn, 'not simulated');
  }
}

function unknown({ offset, mnemonic }: ArmInsn, what: string): never {
  throw new Undecodable(`offset ${offset.toString(16)}: ${mnemonic}, ${what}`);
}

/** Push the RAM offset of the access. */
function address(f: ArmFunction, insn: ArmInsn, further = 0n): void {
  f.checked(() => f.effectiveAddress(insn, further), insn.bytes!, insn.offset);
}

function load(f: ArmFunction, insn: ArmInsn, zeroes: number | undefined): void {
  const { bytes, signed, widthBits, rd, addressing } = insn;
  if (addressing === 'literal') return unknown(insn, 'a load from the code');
  const read = (): void => {
    f.memory(LOADS[bytes!][signed ? 'signed' : 'unsigned'], 0);
    if (signed && widthBits === 32) f.op(I32.wrap);
    f.setValue(signed ? widthBits : 64, rd!);
  };
  if (zeroes === undefined) {
    address(f, insn);
    return read();
  }
  const zero = (): void => {
    f.i64(0n);
    f.set(zeroes);
  };
  f.checkedOr(() => f.effectiveAddress(insn), bytes!, read, zero);
}

function store(f: ArmFunction, insn: ArmInsn, register: number, further: bigint): void {
  address(f, insn, further);
  f.value(64, register);
  f.memory(STORES[insn.bytes!], 0);
}

/** Both are read before either register is written, which may be the base. */
function loadPair(f: ArmFunction, insn: ArmInsn): void {
  const first = f.temporary('first', 'i64');
  address(f, insn);
  f.memory(I64.load, 0);
  f.localSet(first);
  address(f, insn, 8n);
  f.memory(I64.load, 0);
  f.setValue(64, insn.ra!);
  f.writeBack(insn);
  f.localGet(first);
  f.setValue(64, insn.rd!);
}

/** RAM offset that the exclusive monitor watches, 0 for none: exclusives come in pairs. */
const monitor = (f: ArmFunction): number => f.temporary('monitor', 'i32');

function loadExclusive(f: ArmFunction, insn: ArmInsn): void {
  address(f, insn);
  f.localTee(monitor(f));
  f.memory(LOADS[insn.bytes!].unsigned, 0);
  f.setValue(64, insn.rd!);
}

/** Nobody else runs: it fails only where no load of that place came before. */
function storeExclusive(f: ArmFunction, insn: ArmInsn): void {
  const at = f.temporary('at', 'i32');
  address(f, insn);
  f.localTee(at);
  f.localGet(monitor(f));
  f.op(I32.eq);
  f.if();
  f.localGet(at);
  f.value(64, insn.rd!);
  f.memory(STORES[insn.bytes!], 0);
  f.end();
  f.localGet(at);
  f.localGet(monitor(f));
  f.op(I32.ne);
  f.setValue(32, insn.rs!);
  f.i32(0);
  f.localSet(monitor(f));
}

/** rd = memory; memory = memory `op` rs, or rs. */
function fetch(f: ArmFunction, insn: ArmInsn, op: IntOp | undefined, negated?: 'negated'): void {
  const { bytes, rd, rs } = insn;
  const at = f.temporary('at', 'i32');
  const old = f.temporary('old', 'i64');
  address(f, insn);
  f.localTee(at);
  f.memory(LOADS[bytes!].unsigned, 0);
  f.localSet(old);
  f.localGet(at);
  if (op !== undefined) f.localGet(old);
  f.value(64, rs!);
  if (negated) {
    f.i64(-1n);
    f.op(I64.xor);
  }
  if (op !== undefined) f.op(I64[op]);
  f.memory(STORES[bytes!], 0);
  f.localGet(old);
  f.setValue(64, rd!);
}

/** memory = rd if it is rs; rs = what it was. */
function compareAndSwap(f: ArmFunction, insn: ArmInsn): void {
  const { bytes, widthBits, rd, rs } = insn;
  const at = f.temporary('at', 'i32');
  const old = f.temporary('old', 'i64');
  address(f, insn);
  f.localTee(at);
  f.memory(LOADS[bytes!].unsigned, 0);
  f.localTee(old);
  if (widthBits === 32) f.op(I32.wrap);
  f.op(f.value(widthBits, rs!).eq);
  f.if();
  f.localGet(at);
  f.value(64, rd!);
  f.memory(STORES[bytes!], 0);
  f.end();
  f.localGet(old);
  f.setValue(64, rs!);
}
