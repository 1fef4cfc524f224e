/** Iterators over open files and memory of tasks, on a booted machine. */
import { expect, test } from 'vitest';
import { assemble } from '../../bpf/asm/assemble.ts';
import { type AttrInput, encodeAttr } from '../../bpf/attr.ts';
import { encodeInsns } from '../../bpf/isa/codec.ts';
import { ATTACH_TYPES, BPF_COMMANDS, type BpfCommand, PROG_TYPES } from '../../bpf/uapi.ts';
import { bootProgram, type User } from '../../test/support/programs.ts';
import type { UserFlow } from '../syscall/abi.ts';

function* bpf<C extends BpfCommand>(u: User, command: C, values: AttrInput<C>): UserFlow<number> {
  const attr = encodeAttr(command, values);
  return yield* u.call('bpf', BPF_COMMANDS.indexOf(command), attr, attr.length);
}

const TRACE_ITER = ATTACH_TYPES.indexOf('trace_iter');

/** What the program writes for the process `pid`, 16 bytes an object. */
function* read(u: User, text: string, target: number, pid: number): UserFlow<Uint8Array> {
  const insns = encodeInsns(assemble(text));
  const prog = yield* bpf(u, 'prog_load', {
    prog_type: PROG_TYPES.indexOf('tracing'),
    expected_attach_type: TRACE_ITER,
    attach_btf_id: target,
    insns: BigInt(yield* u.put(insns)),
    insn_cnt: insns.length / 8,
    license: BigInt(yield* u.put('GPL\0')),
  });
  const info = yield* u.put(new Uint8Array(Uint32Array.of(0, pid, 0, 0).buffer));
  const link = yield* bpf(u, 'link_create', {
    prog_fd: prog,
    attach_type: TRACE_ITER,
    iter_info: BigInt(info),
    iter_info_len: 16,
  });
  const iter = yield* bpf(u, 'iter_create', { link_fd: link });
  const to = yield* u.room(4096);
  const got = yield* u.call('read', iter, to, 4096);
  for (const fd of [iter, link, prog]) yield* u.call('close', fd);
  return u.memory.read(to, Math.max(got, 0)).slice();
}

/** Writes a descriptor or 0, and a member of the object at `memberAt`, for each object. */
const dump = (
  objectAt: number,
  fdAt: number | undefined,
  memberAt: number,
  bits: number,
) => `r6 = r1
r7 = *(u64 *)(r6 +${objectAt})
if r7 == 0 goto out
r1 = ${fdAt === undefined ? 0 : `*(u32 *)(r6 +${fdAt})`}
*(u64 *)(r10 -16) = r1
r1 = *(u${bits} *)(r7 +${memberAt})
*(u64 *)(r10 -8) = r1
r1 = *(u64 *)(r6 +0)
r1 = *(u64 *)(r1 +0)
r2 = r10
r2 += -16
r3 = 16
call seq_write#127
out:
r0 = 0
exit`;

test('open files: descriptor and flags; areas: where they start', async () => {
  const { machine, output } = await bootProgram(function* (u) {
    const id = (name: string) => machine.bpf.kernelBtf!.btf.find(`bpf_iter_${name}`, 'func')!;
    yield* u.call('open', '/dev/null', 1, 0);
    const files = pairs(yield* read(u, dump(24, 16, 0, 32), id('task_file'), 1));
    yield* u.say(`files ${files.map(([fd, flags]) => `${fd}:${flags! & 3n}`).join(' ')}`);
    const areas = pairs(yield* read(u, dump(16, undefined, 0, 64), id('task_vma'), 1));
    const starts = areas.map(([, start]) => start!.toString(16).padStart(8, '0'));
    const fd = yield* u.call('open', '/proc/self/maps', 0, 0);
    const at = yield* u.room(4096);
    const got = yield* u.call('read', fd, at, 4096);
    const maps = new TextDecoder().decode(u.memory.read(at, got)).trim().split('\n');
    yield* u.say(`areas ${starts.join()}`);
    yield* u.say(`maps  ${maps.map((line) => line.split('-')[0]).join()}`);
    yield* u.powerOff();
  });
  machine.run({ untilNs: 10e9 });
  const [files, areas, maps] = output().split('\n');
  // The console three times, /dev/null for writing, then the program and its link.
  expect(files).toMatch(/^files 0:\d 1:\d 2:\d 3:1 4:2 5:2 6:0$/);
  expect(areas!.split(',').length).toBeGreaterThan(2);
  expect(areas!.slice(6)).toBe(maps!.slice(6));
});

function pairs(bytes: Uint8Array): (readonly (bigint | undefined)[])[] {
  const words = new BigUint64Array(bytes.buffer);
  return Array.from({ length: words.length / 2 }, (_, i) => [words[2 * i], words[2 * i + 1]]);
}
