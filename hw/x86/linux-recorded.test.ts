/**
 * The code of a real Linux 6.1.0-57 (Debian, under QEMU, mitigations=off) for programs by hand and
 * random ones: ours is the same, byte for byte but for addresses. Left out are programs with what a
 * `differs:` comment names: the end of an indirect tail call, and `mov eax, eax` behind a cmpxchg of
 * 32 bits, which Linux makes only where the upper half is read.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, expect, it } from 'vitest';
import type { ProgObject } from '../../bpf/syscall/objects.ts';
import { BareMachine } from '../../hooks/bare-machine.ts';
import { coreModule } from '../../test/support/assets.ts';
import { decodeInsn } from './decode.ts';
import { createX86Engine } from './engine.ts';

interface Recorded {
  /** A ld_imm64 of a map has the map's index in MAPS as its descriptor. */
  readonly insns: string;
  readonly jited: string;
}

/** UAPI BPF_MAP_TYPE_*, bytes of key and value; 4 entries each. */
const MAPS = [
  { map_type: 2, key_size: 4, value_size: 8 },
  { map_type: 1, key_size: 4, value_size: 8 },
  { map_type: 9, key_size: 4, value_size: 8 },
  { map_type: 3, key_size: 4, value_size: 4 },
  { map_type: 2, key_size: 4, value_size: 12 },
  { map_type: 6, key_size: 4, value_size: 8 },
] as const;
const XDP = 6;
const LD_IMM64 = 0x18;

const recorded = readFileSync(new URL('linux-6.1.recorded.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded);

let machine: BareMachine;
let fds: readonly number[];
beforeAll(async () => {
  const assets = { core: await coreModule() };
  machine = new BareMachine(assets, { level: '6.1', engine: createX86Engine() });
  fds = MAPS.map((map) => machine.call('map_create', { ...map, max_entries: 4 }).result);
});

it.each(recorded.map((row, index) => [index, row] as const))('program %d', (_, row) => {
  const insns = Uint8Array.from(Buffer.from(row.insns, 'hex'));
  const view = new DataView(insns.buffer);
  for (let at = 0; at < insns.length; at += 8) {
    if (insns[at] !== LD_IMM64) continue;
    if (insns[at + 1]! >> 4 === 1) view.setInt32(at + 4, fds[insns[at + 4]!]!, true);
    at += 8;
  }
  const { result } = machine.call('prog_load', {
    prog_type: XDP,
    insns: machine.caller.place(insns),
    insn_cnt: insns.length / 8,
    license: machine.caller.place(Buffer.from('GPL\0')),
  });
  expect(result).toBeGreaterThan(0);
  const { prog } = machine.caller.handleOfFd(result)!.object as ProgObject;
  const ours = prog.executable.image!();
  expect(withoutAddresses(ours)).toEqual(
    withoutAddresses(Uint8Array.from(Buffer.from(row.jited, 'hex'))),
  );
});

/** Instructions in hex, with distances of calls and kernel pointers blotted out. */
function withoutAddresses(code: Uint8Array): string[] {
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
