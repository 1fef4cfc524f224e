/**
 * The code that skep's x86 JIT makes of XDP programs, in a form in which it can be compared with a
 * real Linux's. In the programs a ld_imm64 of a map has the map's number (init.c) as its descriptor.
 */
import type { ProgObject } from '../../bpf/syscall/objects.ts';
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
export async function compiler(): Promise<Compile> {
  const assets = { core: await coreModule() };
  const machine = new BareMachine(assets, { level: '6.1', engine: createX86Engine() });
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
export function withoutAddresses(code: Uint8Array): string[] {
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
