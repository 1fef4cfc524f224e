/** A ternary map as a program sees it, in each engine; and that Linux 6.1's level has none. */
import { describe, expect, it } from 'vitest';
import { assemble } from '../../bpf/asm/assemble.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { createWasmJit } from '../../bpf/jit/jit.ts';
import { encodeInsns } from '../../bpf/isa/codec.ts';
import { mapTypeNumber, PROG_TYPES } from '../../bpf/uapi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { BareMachine } from '../../hooks/bare-machine.ts';
import { coreModule } from '../support/assets.ts';

const attr = {
  map_type: mapTypeNumber('tcam'),
  key_size: 12,
  value_size: 8,
  max_entries: 16,
  map_flags: 0,
};

/** The packet's first four bytes choose; what is found counts its packets in its upper half. */
const program = (fd: number): string => `
  r0 = 0
  r2 = *(u32 *)(r1 +0)
  r3 = *(u32 *)(r1 +4)
  r4 = r2
  r4 += 4
  if r4 > r3 goto out
  r4 = *(u32 *)(r2 +0)
  *(u32 *)(r10 -16) = 0
  *(u32 *)(r10 -12) = r4
  *(u32 *)(r10 -8) = 0
  r2 = r10
  r2 += -16
  r1 = map_fd(${fd})
  call map_lookup_elem#1
  if r0 == 0 goto out
  r1 = 1
  lock *(u32 *)(r0 +4) += r1
  r0 = *(u32 *)(r0 +0)
out:
  exit`;

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

async function machineOf(engine: 'interpreter' | 'jit', level: '6.1' | 'latest' = 'latest') {
  const options = { level, engine: engine === 'jit' ? createWasmJit() : createInterpreter() };
  return new BareMachine({ core: await coreModule() }, options);
}

describe.each(['interpreter', 'jit'] as const)('a ternary map in the %s', (engine) => {
  it('gives a program the match of the lowest priority', async () => {
    const machine = await machineOf(engine);
    const { caller } = machine;
    const { result: map } = machine.call('map_create', attr);
    const add = (key: string, value: string) =>
      machine.call('map_update_elem', {
        map_fd: map,
        key: caller.place(hex(key)),
        value: caller.place(hex(value)),
      }).result;
    expect(add('05000000' + '0a000000' + 'ff000000', '0100000000000000')).toBe(0);
    expect(add('01000000' + '0a010000' + 'ffff0000', '0200000000000000')).toBe(0);
    expect(add('09000000' + '00000000' + '00000000', '0300000000000000')).toBe(0);
    const { result: fd } = machine.call('prog_load', {
      prog_type: PROG_TYPES.indexOf('xdp'),
      insns: caller.place(encodeInsns(assemble(program(map)))),
      insn_cnt: assemble(program(map)).length,
      license: caller.placeText('GPL'),
    });
    expect(fd).toBeGreaterThan(0);
    const run = (start: string) =>
      machine.call('prog_test_run', {
        prog_fd: fd,
        data_in: caller.place(hex(start.padEnd(28, '0'))),
        data_size_in: 14,
      }).attr.retval;
    expect(['0a010203', '0a020203', '0b010203', '0a01ffff'].map(run)).toEqual([2, 1, 3, 2]);
    const value = caller.place(8);
    const key = caller.place(hex('01000000' + '0a010000' + 'ffff0000'));
    expect(machine.call('map_lookup_elem', { map_fd: map, key, value }).result).toBe(0);
    expect(Buffer.from(caller.bytesAt(value, 8)).toString('hex')).toBe('0200000002000000');
  });
});

it('there is none on a machine of level 6.1', async () => {
  const machine = await machineOf('interpreter', '6.1');
  expect(machine.call('map_create', attr).result).toBe(-errno.EINVAL);
});
