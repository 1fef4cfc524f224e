import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { RecordingKernel, hex } from '../../test/support/recording-kernel.ts';
import { parseBtf } from '../btf/btf.ts';
import { BtfBuilder } from '../btf/builder.ts';
import { CORE_POISON } from '../btf/core-relo.ts';
import { readObject } from '../elf/object.ts';
import { disasm } from '../isa/disasm.ts';
import { kernelConfigOf } from './kconfig.ts';
import type { LoadOptions } from './load.ts';
import { loadObject } from './load.ts';
import { runDirect } from './user.ts';

const read = (name: string) =>
  readObject(new Uint8Array(readFileSync(`test/objects/${name}`)), name);
const load = (name: string, options: LoadOptions = {}, kernel = new RecordingKernel()) => {
  const outcome = runDirect(loadObject(kernel, read(name), options));
  return { kernel, outcome };
};
const loaded = (name: string, options: LoadOptions = {}, kernel = new RecordingKernel()) => {
  const { outcome } = load(name, options, kernel);
  if (outcome.kind === 'failed') throw new Error(outcome.messages.join('\n'));
  const program = (wanted: string) =>
    kernel.programs.get(outcome.programs.find((one) => one.name === wanted)!.fd)!;
  const map = (wanted: string) =>
    kernel.maps.get(outcome.maps.find((one) => one.name === wanted)!.fd)!;
  const fdOf = (wanted: string) => outcome.maps.find((one) => one.name === wanted)!.fd;
  return { kernel, outcome, program, map, fdOf };
};
const text = (insns: Parameters<typeof disasm>[0]) => disasm(insns).map((line) => line.text);
/** The kernel that tracing.o is loaded into. */
const target = parseBtf(new Uint8Array(readFileSync('test/objects/core_target.btf')));

describe('a program for another program', () => {
  // tracing.o has a fentry program for vfs_read.
  const btf = new BtfBuilder();
  const proto = btf.add({ kind: 'func_proto', name: '', returnType: 0, params: [] });
  const id = btf.add({ kind: 'func', name: 'vfs_read', type: proto, linkage: 'global' });
  const target7 = { progFd: 7, btf: btf.build() };
  const options = {
    kernel: { btf: target, config: kernelConfigOf('CONFIG_HZ=250\n', '6.1.0'), symbol: () => 1n },
    wanted: ({ section }: { readonly section: string }) => section === 'fentry/vfs_read',
  };

  it('names the function by the other program’s BTF', () => {
    const { outcome, kernel } = loaded('tracing.o', { ...options, replaces: target7 });
    const [program] = outcome.programs;
    const { attr } = kernel.programs.get(program!.fd)!;
    expect(attr).toMatchObject({ attach_btf_id: id, attach_prog_fd: 7 });
  });

  it('says what was looked for in it', () => {
    const empty = { progFd: 7, btf: new BtfBuilder().build() };
    const { outcome } = load('tracing.o', { ...options, replaces: empty });
    expect(outcome.messages[0]).toMatch(/failed to find BPF program \(FD 7\) BTF ID of 'vfs_read'/);
  });
});

describe('loadObject', () => {
  it.each(['counters.o', 'counters.clang14.o'])('loads maps, data and programs of %s', (name) => {
    const { outcome, program, map, fdOf } = loaded(name);
    expect(
      outcome.programs.map(({ kind, section }) => [kind.type, kind.attachType, section]),
    ).toEqual([
      ['xdp', 'xdp', 'xdp'],
      ['xdp', 'xdp', 'xdp.frags'],
    ]);
    const { attr, insns, license, funcInfo } = program('count_packets');
    expect(attr).toMatchObject({ prog_type: 6, expected_attach_type: 37, kern_version: 0x60100 });
    expect(license).toBe('GPL');
    expect(funcInfo.length).toBe(16);
    expect(program('sum_head').attr).toMatchObject({ prog_flags: 32 });
    const lookups = insns.filter(
      ({ code, src, imm }) => code === 0x18 && src === 1 && imm === fdOf('protocols'),
    );
    expect(lookups.length).toBe(1);
    expect(map('protocols').attr).toMatchObject({ map_type: 6, map_name: 'protocols' });
    expect(map('.rodata').attr).toMatchObject({ map_name: 'counters.rodata', map_flags: 0x480 });
    expect(map('.rodata').frozen).toBe(true);
    expect(map('.rodata').values.get('00000000')!.subarray(0, 2)).toEqual(
      Uint8Array.of(4242 & 255, 4242 >> 8),
    );
    expect(map('.data').frozen).toBe(false);
    expect(hex(map('.data').values.get('00000000')!)).toBe('e803000000000000');
  });

  it('binds each program to the constants, as libbpf does once it is loaded', () => {
    const { kernel, outcome, fdOf } = loaded('counters.o');
    const binds = kernel.calls.filter(({ command }) => command === 'prog_bind_map');
    expect(binds.map(({ attr }) => [attr['prog_fd'], attr['map_fd'], attr['flags']])).toEqual(
      outcome.programs.map(({ fd }) => [fd, fdOf('.rodata'), 0]),
    );
  });

  it('puts subprograms behind the program and resolves the calls', () => {
    const { program } = loaded('counters.o');
    const { insns } = program('count_packets');
    const calls = insns.flatMap(({ code, src, imm }, slot) =>
      code === 0x85 && src === 1 ? [slot + 1 + imm] : [],
    );
    const spec = read('counters.o').programs.find(({ name }) => name === 'count_packets')!;
    const start = spec.functions.find(({ name }) => name === 'count')!.start;
    expect(calls).toEqual([start, start]);
  });

  it('gives the kernel BTF that it accepts', () => {
    for (const name of [
      'counters.o',
      'nested_maps.o',
      'isa_v4.o',
      'legacy_maps.o',
      'iproute2_maps.o',
    ]) {
      const wanted = () => true;
      const kindOf = () => ({ type: 'xdp', attachType: 'xdp' }) as const;
      const { outcome } = loaded(name, { wanted, kindOf });
      expect([name, outcome.messages]).toEqual([name, []]);
      expect(outcome.btfFd).toBeGreaterThan(0);
    }
  });

  it('fills maps of maps and prog arrays, and takes addresses of functions', () => {
    const { outcome, map, program, fdOf, kernel } = loaded('nested_maps.o');
    expect(map('outer').values.get('00000000')![0]).toBe(fdOf('inner_a'));
    expect(map('outer').values.get('02000000')![0]).toBe(fdOf('inner_b'));
    const tailFd = outcome.programs.find(({ name }) => name === 'tail_one')!.fd;
    expect(map('tails').values.get('01000000')![0]).toBe(tailFd);
    expect(map('outer').attr['inner_map_fd']).not.toBe(0);
    expect(kernel.open.has(Number(map('outer').attr['inner_map_fd']))).toBe(false);
    const { insns } = program('tail_one');
    const slot = insns.findIndex(({ code, src }) => code === 0x18 && src === 4);
    const spec = read('nested_maps.o').programs.find(({ name }) => name === 'tail_one')!;
    expect(slot + 1 + insns[slot]!.imm).toBe(
      spec.functions.find(({ name }) => name === 'add_up')!.start,
    );
    expect(map('.data.tuning').attr['map_name']).toBe('.data.tuning');
  });

  it('pins what asks for it, and takes it from there the next time', () => {
    const first = loaded('nested_maps.o', { pinDirectory: '/sys/fs/bpf/x' });
    expect([...first.kernel.pins]).toEqual([['/sys/fs/bpf/x/shared', first.fdOf('shared')]]);
    const created = first.kernel.callsOf('map_create').length;
    const again = loaded('nested_maps.o', { pinDirectory: '/sys/fs/bpf/x' }, first.kernel);
    expect(again.fdOf('shared')).toBe(first.fdOf('shared'));
    expect(first.kernel.callsOf('map_create').length).toBe(2 * created - 1);
  });

  it('uses given maps, other types and changed data', () => {
    const { outcome, map } = loaded('counters.o', {
      reuseMaps: new Map([['sources', 77]]),
      kindOf: () => ({ type: 'sched_cls', attachType: undefined }),
      editData: (section, bytes) => section === '.rodata' && bytes.fill(9),
    });
    expect(outcome.maps.find(({ name }) => name === 'sources')!.fd).toBe(77);
    expect(outcome.programs[0]!.kind.type).toBe('sched_cls');
    expect(
      map('.rodata')
        .values.get('00000000')!
        .every((byte) => byte === 9),
    ).toBe(true);
  });

  it('loads objects from before BTF-defined maps', () => {
    const { map } = loaded('legacy_maps.nobtf.o');
    expect(map('calls').attr).toMatchObject({ map_type: 1, key_size: 4, max_entries: 64 });
    expect(map('slots').attr).toMatchObject({ map_type: 2, map_flags: 0x400, btf_fd: 0 });
    const kindOf = () => ({ type: 'sched_cls', attachType: undefined }) as const;
    const { map: tcMap, outcome } = loaded('iproute2_maps.o', { kindOf });
    const fd = outcome.programs.find(({ section }) => section === '1/0')!.fd;
    expect(tcMap('jump_table').values.get('00000000')![0]).toBe(fd);
  });

  it('retries a map without BTF where the kernel does not take it with', () => {
    class Picky extends RecordingKernel {
      override *bpf(number: number, attr: Uint8Array): Generator<never, number, number> {
        const { length } = this.calls;
        const result = yield* super.bpf(number, attr);
        const call = this.calls[length]!;
        return call.command === 'map_create' && call.attr['btf_value_type_id'] !== 0
          ? -524
          : result;
      }
    }
    const { outcome } = load('counters.o', {}, new Picky());
    expect(outcome.kind).toBe('loaded');
    expect(outcome.messages[0]).toBe(
      'libbpf: Error in bpf_create_map_xattr(protocols):ENOTSUPP(-524). Retrying without BTF.',
    );
  });
});

describe('a refused program', () => {
  const kernel = () => {
    const recording = new RecordingKernel();
    const log = `0: (95) exit\nR0 !read_ok\n${'x'.repeat(100_000)}\nprocessed 1 insns\n`;
    recording.verifier = (_, attr) => [-13, attr['log_level'] === 0 ? '' : log];
    return { recording, log };
  };

  it('is told as libbpf tells it, with the whole log', () => {
    const { recording, log } = kernel();
    const strerror = (code: number) => (code === 13 ? 'Permission denied' : `${code}`);
    const { outcome } = load('counters.o', { strerror }, recording);
    expect(outcome).toMatchObject({ kind: 'failed', errno: 13, program: 'count_packets', log });
    expect(outcome.messages).toEqual([
      "libbpf: prog 'count_packets': BPF program load failed: Permission denied",
      `libbpf: prog 'count_packets': -- BEGIN PROG LOAD LOG --\n${log}-- END PROG LOAD LOG --`,
      "libbpf: prog 'count_packets': failed to load: -13",
      "libbpf: failed to load object 'counters.o'",
    ]);
  });

  it('is first tried without a log, then with buffers that grow', () => {
    const { recording } = kernel();
    load('counters.o', {}, recording);
    const attempts = recording
      .callsOf('prog_load')
      .map(({ log_level, log_size }) => [log_level, log_size]);
    expect(attempts).toEqual([
      [0, 0],
      [1, 65536],
      [1, 131072],
    ]);
  });

  it('leaves nothing open', () => {
    const { recording } = kernel();
    load('nested_maps.o', {}, recording);
    expect([...recording.open]).toEqual([]);
  });

  it('has a reason where its section says nothing', () => {
    const { outcome } = load('iproute2_maps.o');
    expect(outcome.messages[0]).toBe(
      "libbpf: prog 'case_zero': missing BPF prog type, check ELF section name '1/0'",
    );
  });
});

describe('externs and CO-RE', () => {
  const kernelWith = (options: Record<string, string>) => ({
    btf: target,
    config: { options: new Map(Object.entries(options)), versionCode: 0x60100 },
    symbol: (name: string) => (name === 'init_task' ? 0xffff_8880_0000_1234n : undefined),
  });
  const kernel = kernelWith({ CONFIG_HZ: '250', CONFIG_BPF_SYSCALL: 'y' });
  /** core_target.btf has no vfs_read, so the fentry program stays out. */
  const wanted = (program: { name: string }) => program.name !== 'on_read';

  it('relocates fields, bit-fields, types and enumerators', () => {
    const { program } = loaded('tracing.o', { kernel, wanted });
    const open = text(program('on_open').insns);
    const offsetOf = (name: string) =>
      target.member(target.find('task_struct')!, name)!.bitOffset / 8;
    // &task->pid, as an addition to the pointer.
    expect(open).toContain(`(b7) r1 = ${offsetOf('pid')}`);
    const inTask = target.find('in_task')!;
    const inside = offsetOf('inside') * 8;
    const flagB = inside + target.member(inTask, 'flag_b')!.bitOffset;
    const unit = Math.floor(flagB / 32) * 32;
    const stored = storedResults(open);
    expect(stored.get(1)).toBe(64 - (flagB + 9 - unit)); // left shift of flag_b
    expect(stored.get(2)).toBe(64 - 9); // right shift
    expect(stored.get(3)).toBe(1); // flag_a is signed
    expect(stored.get(4)).toBe((inside + target.member(inTask, 'deep')!.bitOffset) / 8 + 16);
    expect(stored.get(5)).toBe(32); // comm has grown
    expect(stored.get(6)).toBe(0); // no such field
    const types = storedResults(text(program('on_switch').insns));
    expect(types.get(7)).toBe(1);
    expect(types.get(8)).toBe(target.sizeOf(target.find('task_struct')!));
    expect(types.get(9)).toBe(read('tracing.o').btf!.find('in_task', 'struct'));
    expect(types.get(10)).toBe(inTask);
    expect(types.get(11)).toBe(9); // STATE_RUNNING of the kernel's enum
    expect(types.get(12)).toBe(0); // STATE_GONE is gone
  });

  it('fills kconfig values, symbol addresses and weak externs', () => {
    const { map } = loaded('tracing.o', { kernel, wanted });
    const values = map('.kconfig').values.get('00000000')!;
    expect(hex(values)).toBe('fa000000' + '00010600' + '01');
    expect(map('.kconfig').frozen).toBe(true);
  });

  it.each([
    [{ CONFIG_BPF_SYSCALL: 'y' }, "extern 'CONFIG_HZ' (strong): not resolved"],
    [
      { CONFIG_HZ: 'y' },
      "extern (kcfg) 'CONFIG_HZ': value 'y' implies bool, tristate, or char type",
    ],
  ])('says which of %j is missing', (options, message) => {
    const { outcome } = load('tracing.o', { kernel: kernelWith(options as never), wanted });
    expect(outcome.kind).toBe('failed');
    expect(outcome.messages[0]).toBe(`libbpf: ${message}`);
  });

  it('names the function that the kernel does not have', () => {
    const { outcome } = load('tracing.o', { kernel });
    expect(outcome.messages[0]).toBe(
      "libbpf: prog 'on_read': failed to find kernel BTF type ID of 'vfs_read': -3",
    );
  });

  it('poisons what cannot be relocated and explains the verifier’s answer', () => {
    const recording = new RecordingKernel();
    recording.verifier = ({ insns }, attr) => {
      const slot = insns.findIndex(({ imm }) => imm === CORE_POISON);
      if (slot < 0) return [0, ''];
      const call = `${slot}: (85) call unknown#${CORE_POISON}`;
      const log = `${call}\ninvalid func unknown#${CORE_POISON}\nprocessed 1 insns\n`;
      return [-22, attr['log_level'] === 0 ? '' : log];
    };
    const { outcome } = load(
      'tracing.o',
      { kernel: { ...kernel, btf: withoutMember('comm') }, wanted },
      recording,
    );
    expect(outcome.kind).toBe('failed');
    expect(outcome.kind === 'failed' && outcome.log).toMatch(
      /^\d+: <invalid CO-RE relocation>\nfailed to resolve CO-RE relocation <byte_sz> \[\d+\] struct task_struct\.comm \(0:2 @ offset 8\)\nprocessed/,
    );
  });
});

/** A kernel whose task_struct has no such member. */
function withoutMember(wanted: string) {
  const builder = new BtfBuilder(target);
  const id = target.find('task_struct', 'struct')!;
  const task = target.typeAs(id, 'struct')!;
  builder.replace(id, { ...task, members: task.members.filter(({ name }) => name !== wanted) });
  return builder.build();
}

/** `result[n] = value` of the tracing object: stores of constants by index. */
function storedResults(lines: readonly string[]): Map<number, number> {
  const registers = new Map<string, number>();
  const stored = new Map<number, number>();
  for (const line of lines) {
    const set = /\) [rw](\d+) = (-?\d+|0x[0-9a-f]+)$/.exec(line);
    if (set !== null) registers.set(set[1]!, Number(set[2]));
    const store = /\*\(u64 \*\)\(r\d+ \+(\d+)\) = (?:r(\d+)|(-?\d+))$/.exec(line);
    if (store === null) continue;
    const value = store[2] === undefined ? Number(store[3]) : registers.get(store[2]);
    if (value !== undefined) stored.set(Number(store[1]) / 8, value);
  }
  return stored;
}
