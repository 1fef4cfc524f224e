/**
 * The code that skep's JITs make of XDP programs, in a form in which it can be compared with a
 * real Linux's. In the programs a ld_imm64 of a map has the map's number (init.c) as its descriptor.
 */
import type { ProgObject } from '../../bpf/syscall/objects.ts';
import type { Engine } from '../../bpf/engine.ts';
import { decodeInsn as decodeArm, type ArmInsn } from '../../hw/arm/decode.ts';
import { createArmEngine } from '../../hw/arm/engine.ts';
import { armText } from '../../hw/arm/text.ts';
import { attText } from '../../hw/x86/att.ts';
import { decodeInsn } from '../../hw/x86/decode.ts';
import { createX86Engine } from '../../hw/x86/engine.ts';
import { BareMachine } from '../../hooks/bare-machine.ts';
import { coreModule } from '../support/assets.ts';

/** As init.c makes them: UAPI BPF_MAP_TYPE_*, keys of 4 bytes, 4 entries. */
const MAPS = [
  { map_type: 2, value_size: 8 },
  { map_type: 1, value_size: 8 },
  { map_type: 9, value_size: 8 },
  { map_type: 3, value_size: 4 },
  { map_type: 2, value_size: 12 },
  { map_type: 6, value_size: 8 },
] as const;
const XDP = 6;
const LD_IMM64 = 0x18;
const PSEUDO_MAP_FD = 1;

export type Compile = (insns: Uint8Array) => Uint8Array | number;

/** A function from a program to its code, or the negative errno of its load. */
export async function compiler(engine: Engine): Promise<Compile> {
  const assets = { core: await coreModule() };
  const machine = new BareMachine(assets, { level: '6.1', engine });
  const fds = MAPS.map((map) => {
    return machine.call('map_create', { ...map, key_size: 4, max_entries: 4 }).result;
  });
  const license = machine.caller.place(Buffer.from('GPL\0'));
  return (program) => {
    const insns = program.slice();
    const view = new DataView(insns.buffer);
    for (let at = 0; at < insns.length; at += 8) {
      if (insns[at] !== LD_IMM64) continue;
      const isMap = insns[at + 1]! >> 4 === PSEUDO_MAP_FD;
      if (isMap) view.setInt32(at + 4, fds[insns[at + 4]!]!, true);
      at += 8;
    }
    const attr = { prog_type: XDP, insn_cnt: insns.length / 8, license };
    const { result } = machine.call('prog_load', { ...attr, insns: machine.caller.place(insns) });
    if (result < 0) return result;
    const { prog } = machine.caller.handleOfFd(result)!.object as ProgObject;
    return prog.executable.image!();
  };
}

/** Instructions in hex, with distances of calls and kernel pointers blotted out. */
function x86WithoutAddresses(code: Uint8Array): string[] {
  const insns: string[] = [];
  for (let at = 0; at < code.length;) {
    const { mnemonic, length, operands } = decodeInsn(code, at);
    const hex = Buffer.from(code.subarray(at, at + length)).toString('hex');
    const value = operands[1]?.kind === 'immediate' ? BigInt.asUintN(64, operands[1].value) : 0n;
    const isPointer = length === 10 && value >> 47n === 0x1_ffffn;
    insns.push(mnemonic === 'call' ? 'call' : isPointer ? hex.slice(0, 4) : hex);
    at += length;
  }
  return insns;
}

/** The same of AArch64, where an address is a run of moves to one register. */
function armWithoutAddresses(code: Uint8Array): string[] {
  const insns: string[] = [];
  for (let at = 0; at < code.length;) {
    const moves = addressAt(code, at);
    const length = 4 * (moves.length || 1);
    const hex = Buffer.from(code.subarray(at, at + length)).toString('hex');
    insns.push(moves.length > 0 ? `address x${moves[0]!.rd}` : hex);
    at += length;
  }
  return insns;
}

/** The moves that build an address there, if that is what is there. */
function addressAt(code: Uint8Array, from: number): readonly ArmInsn[] {
  const moves = movesAt(code, from);
  return moves.length > 1 && isKernelAddress(moves) ? moves : [];
}

/** A move of 16 bits and those that put more bits beside them. */
function movesAt(code: Uint8Array, from: number): readonly ArmInsn[] {
  const moves: ArmInsn[] = [];
  for (let at = from; at < code.length; at += 4) {
    const insn = decodeArm(code, at);
    const starts = insn.mnemonic === 'movn' || insn.mnemonic === 'movz';
    const goesOn = insn.mnemonic === 'movk' && insn.rd === moves[0]?.rd;
    if (!(moves.length === 0 ? starts : goesOn) || insn.widthBits !== 64) break;
    moves.push(insn);
  }
  return moves;
}

/** Of code it is built from its low bits; of data its upper 16 bits only are ones. */
function isKernelAddress(moves: readonly ArmInsn[]): boolean {
  const shifts = moves.map(({ amount }) => amount!);
  if (shifts.join() === '0,16,32') return true;
  const [first, ...others] = moves;
  let value = first!.imm! << BigInt(first!.amount!);
  if (first!.mnemonic === 'movn') value = BigInt.asUintN(64, ~value);
  for (const { imm, amount } of others) {
    const shift = BigInt(amount!);
    value = (value & ~(0xffffn << shift)) | (imm! << shift);
  }
  return value >> 48n === 0xffffn && value >> 32n !== 0xffff_ffffn;
}

/** What is compared of an architecture. */
export interface Jit {
  readonly engine: Engine;
  withoutAddresses(code: Uint8Array): string[];
  /** The instruction with that number. */
  textAt(code: Uint8Array, index: number): string;
}

const hexOffset = (to: number): string => `0x${to.toString(16)}`;

export const X86: Jit = {
  engine: createX86Engine(),
  withoutAddresses: x86WithoutAddresses,
  textAt: (code, index) => {
    let at = 0;
    for (let i = 0; i < index && at < code.length; i++) at += decodeInsn(code, at).length;
    return at >= code.length ? 'nothing' : attText(decodeInsn(code, at), hexOffset);
  },
};

/** Of a Cortex-A72, which has no FEAT_LSE, where `lse` is false. */
export const arm = (lse: boolean): Jit => ({
  engine: createArmEngine({ lse }),
  withoutAddresses: armWithoutAddresses,
  textAt: (code, index) => {
    let at = 0;
    for (let i = 0; i < index && at < code.length; i++) {
      at += 4 * (addressAt(code, at).length || 1);
    }
    return at >= code.length ? 'nothing' : armText(decodeArm(code, at), hexOffset);
  },
});
