/** Iterators over bpf(2); what is read, and what is refused, is what a real Linux 6.1.192 gave. */
import { beforeEach, describe, expect, it } from 'vitest';
import { kernelBtf } from '../../kernel/bpf/kernel-btf.ts';
import {
  bpfSyscalls,
  u32,
  u64,
  type BpfSyscalls,
  type TestMap,
} from '../../test/support/bpf-syscalls.ts';
import type { Btf } from '../btf/btf.ts';
import { BPF_LINK_INFO, BPF_LINK_INFO_BYTES } from '../info.ts';
import { ATTACH_TYPES } from '../uapi.ts';
import { ITER_ARGS, type IterTargetName } from './args.ts';

let m: BpfSyscalls;
const btf: Btf = kernelBtf([]);

beforeEach(async () => {
  m = await bpfSyscalls({ kernelBtf: btf.bytes, cpuCount: 2 });
});

const targetId = (name: string) => btf.find(`bpf_iter_${name}`, 'func')!;

function load(target: IterTargetName, text: string): number {
  return m.load('tracing', text, { attach: 'trace_iter', attach_btf_id: targetId(target) });
}

const TRACE_ITER = ATTACH_TYPES.indexOf('trace_iter');
function link(prog: number, info?: Uint8Array, more = {}) {
  return m.call('link_create', {
    prog_fd: prog,
    attach_type: TRACE_ITER,
    ...(info && { iter_info: m.caller.place(info), iter_info_len: info.length }),
    ...more,
  }).result;
}
const mapInfo = (fd: number) => u32(fd, 0, 0, 0);

function open(linkFd: number): number {
  return m.call('iter_create', { link_fd: linkFd }).result;
}

function read(fd: number, sizeBytes: number): string | number {
  const { object } = m.caller.handleOfFd(fd)!;
  if (object.kind !== 'iter') throw new Error('no iterator');
  const bytes = object.iteration.read(sizeBytes);
  return typeof bytes === 'number' ? bytes : Buffer.from(bytes).toString('hex');
}

/** Reads of that size until there is nothing more. */
function readAll(fd: number, sizeBytes: number): string[] {
  const texts: string[] = [];
  for (;;) {
    const text = read(fd, sizeBytes);
    if (typeof text === 'number') throw new Error(String(text));
    if (text === '') return texts;
    texts.push(text);
  }
}

/** Writes value, key and seq_num of each element, and seq_num alone at the end. */
const DUMP = `r6 = r1
r7 = *(u64 *)(r6 +0)
r8 = *(u64 *)(r6 +16)
r9 = *(u64 *)(r6 +24)
*(u64 *)(r10 -16) = 0
*(u64 *)(r10 -24) = 0
r1 = *(u64 *)(r7 +16)
*(u64 *)(r10 -8) = r1
r7 = *(u64 *)(r7 +0)
if r8 == 0 goto end
if r9 == 0 goto end
r1 = *(u32 *)(r8 +0)
*(u32 *)(r10 -12) = r1
r1 = *(u64 *)(r9 +0)
*(u64 *)(r10 -24) = r1
r1 = r7
r2 = r10
r2 += -24
r3 = 24
call seq_write#127
r0 = 0
exit
end:
r1 = r7
r2 = r10
r2 += -8
r3 = 8
call seq_write#127
r0 = 0
exit`;

function filled(spec: TestMap, values: readonly number[]): number {
  const fd = m.map(spec);
  values.forEach((value, i) => m.update(fd, u32(i), u64(BigInt(value))));
  return fd;
}

describe('iterating over the elements of a map', () => {
  it('an array, whole and in pieces', () => {
    const map = filled({ type: 'array', maxEntries: 3 }, [100, 101, 102]);
    const iter = link(load('bpf_map_elem', DUMP), mapInfo(map));
    const whole =
      '640000000000000000000000000000000000000000000000' +
      '650000000000000000000000010000000100000000000000' +
      '660000000000000000000000020000000200000000000000' +
      '0200000000000000';
    expect(readAll(open(iter), 4096)).toEqual([whole]);
    const pieces = readAll(open(iter), 10);
    expect(pieces.map((piece) => piece.length / 2)).toEqual([10, 10, 4, 10, 10, 4, 10, 10, 10, 2]);
    expect(pieces.join('')).toBe(whole);
    expect(readAll(open(iter), 24).map((piece) => piece.length / 2)).toEqual([24, 24, 24, 8]);
  });

  it('a hash table in its order, also while elements go', () => {
    const map = filled(
      { type: 'hash', maxEntries: 8, flags: 0x40 },
      [200, 201, 202, 203, 204, 205],
    );
    const iter = link(load('bpf_map_elem', DUMP), mapInfo(map));
    const [all] = readAll(open(iter), 4096);
    expect(all!.length / 2).toBe(152);
    expect(all!.match(/.{48}/g)!.slice(0, 3)).toEqual([
      'c80000000000000000000000000000000000000000000000',
      'cc0000000000000000000000040000000100000000000000',
      'ca0000000000000000000000020000000200000000000000',
    ]);
    const fd = open(iter);
    read(fd, 24);
    for (let i = 0; i < 6; i++) {
      m.why('map_delete_elem', { map_fd: map, key: m.caller.place(u32(i)) });
    }
    expect(readAll(fd, 4096)).toEqual(['0100000000000000']);
  });

  it('a per-CPU array has all CPUs’ values side by side', () => {
    const map = m.map({ type: 'percpu_array', maxEntries: 1 });
    m.update(map, u32(0), u64(7n, 8n));
    const second = DUMP.replace('r1 = *(u64 *)(r9 +0)', 'r1 = *(u64 *)(r9 +8)');
    const iter = link(load('bpf_map_elem', second), mapInfo(map));
    expect(readAll(open(iter), 4096)[0]!.slice(0, 16)).toBe('0800000000000000');
  });

  it('an element may be deleted by the program that looks at it', () => {
    const map = filled({ type: 'hash', maxEntries: 8, flags: 0x40 }, [1, 2, 3, 4, 5, 6]);
    const prog = load(
      'bpf_map_elem',
      `r6 = *(u64 *)(r1 +16)
r7 = *(u64 *)(r1 +0)
r7 = *(u64 *)(r7 +0)
if r6 == 0 goto out
r1 = *(u32 *)(r6 +0)
*(u32 *)(r10 -4) = r1
r1 = map_fd(${map})
r2 = r10
r2 += -4
call map_delete_elem#3
r1 = r7
r2 = r10
r2 += -4
r3 = 4
call seq_write#127
out:
r0 = 0
exit`,
    );
    const [keys] = readAll(open(link(prog, mapInfo(map))), 4096);
    expect(keys!.match(/.{8}/g)!.sort()).toEqual([0, 1, 2, 3, 4, 5].map((key) => `0${key}000000`));
    expect(m.lookup(map, u32(3), 8)).toBe('ENOENT');
  });

  it('refuses what the program would not get', () => {
    const prog = load('bpf_map_elem', DUMP);
    const why = (info?: Uint8Array, more = {}) =>
      m.why('link_create', {
        prog_fd: prog,
        attach_type: TRACE_ITER,
        ...(info && { iter_info: m.caller.place(info), iter_info_len: info.length }),
        ...more,
      });
    const array = m.map({ type: 'array' });
    expect(why()).toBe('EBADF');
    expect(why(undefined, { iter_info_len: 16 })).toBe('EINVAL');
    expect(why(mapInfo(array), { iter_info_len: 0 })).toBe('EINVAL');
    expect(why(mapInfo(array), { flags: 1 })).toBe('EINVAL');
    expect(why(mapInfo(array), { target_fd: 1 })).toBe('EINVAL');
    expect(why(mapInfo(array), { iter_info: 1n })).toBe('EFAULT');
    expect(why(mapInfo(999))).toBe('EBADF');
    expect(why(mapInfo(prog))).toBe('EINVAL');
    const lpm = m.map({ type: 'lpm_trie', keyBytes: 8, flags: 1 });
    expect(why(mapInfo(lpm))).toBe('EINVAL');
    expect(why(mapInfo(m.map({ type: 'array', valueBytes: 4 })))).toBe('EACCES');
    expect(why(mapInfo(m.map({ type: 'hash', keyBytes: 2 })))).toBe('EACCES');
    const long = new Uint8Array(40);
    long.set(mapInfo(array));
    expect(why(long)).toBeGreaterThan(0);
    long[39] = 1;
    expect(why(long)).toBe('E2BIG');
    expect(why(mapInfo(array).subarray(0, 4))).toBeGreaterThan(0);
    expect(why(mapInfo(array), { attach_type: ATTACH_TYPES.indexOf('trace_fentry') })).toBe(
      'EINVAL',
    );
    const iter = link(prog, mapInfo(array));
    expect(m.why('iter_create', { link_fd: iter, flags: 1 })).toBe('EINVAL');
    expect(m.why('iter_create', { link_fd: array })).toBe('EINVAL');
    expect(m.why('iter_create', { link_fd: 999 })).toBe('EBADF');
    expect(m.why('link_detach', { link_fd: iter })).toBe('EOPNOTSUPP');
  });

  it('holds its map as user space would, and lets everything go at the end', () => {
    m.caller.reset();
    const before = m.ram.usedBytes;
    const map = filled({ type: 'hash' }, [1, 2]);
    const prog = load('bpf_map_elem', DUMP);
    const iter = link(prog, mapInfo(map));
    const fd = open(iter);
    for (const each of [map, prog, iter]) m.caller.close(each);
    expect(readAll(fd, 4096)).toHaveLength(1);
    m.caller.close(fd);
    expect([m.bpf.maps, m.bpf.progs, m.bpf.links].flatMap((t) => [...t.values()])).toEqual([]);
    m.caller.reset();
    // The engines' stack stays.
    expect(m.ram.usedBytes - before).toBeLessThan(300_000);
    const again = m.ram.usedBytes;
    const second = filled({ type: 'hash' }, [1, 2]);
    open(link(load('bpf_map_elem', DUMP), mapInfo(second)));
    m.caller.reset();
    expect(m.ram.usedBytes).toBe(again);
  });
});

describe('links of iterators', () => {
  it('tell their target and its map', () => {
    const map = m.map({ type: 'array' });
    const iter = link(load('bpf_map_elem', DUMP), mapInfo(map));
    const info = (ask: { tp_name?: bigint; tp_name_len?: number }) => {
      const at = m.caller.place(BPF_LINK_INFO_BYTES);
      m.caller.copyToUser(at, BPF_LINK_INFO.encode(ask));
      const result = m.why('obj_get_info_by_fd', {
        bpf_fd: iter,
        info: at,
        info_len: BPF_LINK_INFO_BYTES,
      });
      return [result, BPF_LINK_INFO.decode(m.caller.bytesAt(at, BPF_LINK_INFO_BYTES))] as const;
    };
    const [, plain] = info({});
    const ids = [plain.type, plain.iter_target_name_len, plain.iter_map_id];
    expect(ids).toEqual([4, 13, m.bpf.maps.after(0)]);
    const name = m.caller.place(32);
    expect(info({ tp_name: name, tp_name_len: 32 })[0]).toBe(0);
    expect(new TextDecoder().decode(m.caller.bytesAt(name, 13))).toBe('bpf_map_elem\0');
    expect(info({ tp_name: name, tp_name_len: 5 })[0]).toBe('ENOSPC');
    expect(new TextDecoder().decode(m.caller.bytesAt(name, 5))).toBe('bpf_\0');
    expect(info({ tp_name: name })[0]).toBe('EINVAL');
  });

  it('take another program of the same kind', () => {
    const map = m.map({ type: 'array' });
    const [first, second] = [load('bpf_map_elem', DUMP), load('bpf_map_elem', DUMP)];
    const other = load('bpf_map', 'r0 = 0\nexit');
    const iter = link(first, mapInfo(map));
    const update = (to: number, more = {}) =>
      m.why('link_update', { link_fd: iter, new_prog_fd: to, ...more });
    expect(update(second)).toBe(0);
    expect(update(first, { flags: 4, old_prog_fd: first })).toBe('EPERM');
    expect(update(first, { flags: 4, old_prog_fd: second })).toBe(0);
    expect(update(first, { old_prog_fd: second })).toBe('EINVAL');
    expect(update(other)).toBe('EINVAL');
    expect(update(first, { flags: 8 })).toBe('EINVAL');
  });
});

describe('what a program gives back', () => {
  const run = (text: string, sizeBytes = 100) => read(open(link(load('bpf_map', text))), sizeBytes);

  it('1 asks for the object again: the reader is told to', () => {
    m.map({ type: 'array' });
    expect(run('r0 = 1\nexit')).toBe(-11);
  });

  it('an object that writes more than fits is too big', () => {
    const map = m.map({ type: 'array', valueBytes: 32768, maxEntries: 2 });
    const write = (bytes: number) => `r6 = r1
r8 = *(u64 *)(r6 +24)
r7 = *(u64 *)(r6 +0)
r7 = *(u64 *)(r7 +0)
if r8 == 0 goto out
r1 = r7
r2 = r8
r3 = ${bytes}
call seq_write#127
out:
r0 = 0
exit`;
    const tooBig = open(link(load('bpf_map_elem', write(32768)), mapInfo(map)));
    expect([read(tooBig, 70000), read(tooBig, 70000)]).toEqual([-7, -7]);
    const fits = open(link(load('bpf_map_elem', write(20000)), mapInfo(map)));
    const sizes = [70000, 30000, 70000].map((size) => String(read(fits, size)).length / 2);
    expect(sizes).toEqual([20000, 20000, 0]);
  });
});

describe('other targets', () => {
  /** Prints one 32-bit member of the object, a line each. */
  const print = (offsets: readonly number[]) => `r6 = r1
r7 = *(u64 *)(r6 +0)
r7 = *(u64 *)(r7 +0)
r8 = *(u64 *)(r6 +8)
if r8 == 0 goto out
${offsets
  .slice(0, -1)
  .map((offset) => `r8 = *(u64 *)(r8 +${offset})`)
  .join('\n')}
r1 = *(u32 *)(r8 +${offsets.at(-1)})
*(u64 *)(r10 -8) = r1
r1 = 0x000a7525 ll
*(u64 *)(r10 -16) = r1
r1 = r7
r2 = r10
r2 += -16
r3 = 4
r4 = r10
r4 += -8
r5 = 8
call seq_printf#126
out:
r0 = 0
exit`;
  const text = (target: IterTargetName, offsets: readonly number[]) => {
    const [hex] = readAll(open(link(load(target, print(offsets)))), 4096);
    return Buffer.from(hex!, 'hex').toString();
  };

  it('maps, programs and links by id', () => {
    m.map({ type: 'array', valueBytes: 12 });
    m.map({ type: 'hash', valueBytes: 34 });
    // value_size of struct bpf_map; id of prog->aux and of struct bpf_link.
    expect(text('bpf_map', [32])).toBe('12\n34\n');
    expect(text('bpf_prog', [56, 32])).toBe('1\n2\n');
    expect(text('bpf_link', [8])).toBe('1\n2\n3\n');
  });

  it('tasks by pid, all or chosen', () => {
    const tasks = [3, 5, 9].map((pid) => ({
      pid,
      tgid: pid === 5 ? 3 : pid,
      offset: m.ram.kzalloc(64),
    }));
    m.kernel.taskAfter = (after) => tasks.find(({ pid }) => pid > after);
    const prog = load(
      'task',
      `r2 = *(u64 *)(r1 +8)
r1 = *(u64 *)(r1 +0)
r1 = *(u64 *)(r1 +0)
if r2 == 0 goto out
*(u64 *)(r10 -8) = 1
r2 = r10
r2 += -8
r3 = 1
call seq_write#127
out:
r0 = 0
exit`,
    );
    const count = (...info: number[]) => {
      const fd = open(link(prog, u32(...info, 0, 0, 0).subarray(0, 16) as Uint8Array));
      return String(read(fd, 100)).length / 2;
    };
    expect(String(read(open(link(prog)), 100)).length / 2).toBe(3);
    expect([count(5), count(0, 3), count(77)]).toEqual([1, 2, 0]);
    const why = (...info: number[]) =>
      m.why('link_create', {
        prog_fd: prog,
        attach_type: TRACE_ITER,
        iter_info: m.caller.place(u32(...info)),
        iter_info_len: info.length * 4,
      });
    expect([why(5, 3), why(0, 0, 5)]).toEqual(['EINVAL', 'EBADF']);
  });

  it('only functions of iterators are attached to', () => {
    const attach = (id: number) => () =>
      m.load('tracing', 'r0 = 0\nexit', { attach: 'trace_iter', attach_btf_id: id });
    expect(attach(btf.find('task_struct', 'struct')!)).toThrow('is not a function');
    expect(() => load('bpf_map', 'r0 = 2\nexit')).toThrow('should have been in (0x0; 0x1)');
    expect(Object.keys(ITER_ARGS).every((name) => targetId(name) !== undefined)).toBe(true);
  });
});
