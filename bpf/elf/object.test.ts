import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { disasm } from '../isa/disasm.ts';
import { ObjectError } from './error.ts';
import { objectName, readObject } from './object.ts';
import { SECTION_DEFS, sectionDef } from './section-defs.ts';

const bytesOf = (name: string) => new Uint8Array(readFileSync(`test/objects/${name}`));
const read = (name: string) => readObject(bytesOf(name), name);
const program = (name: string, wanted: string) =>
  read(name).programs.find((one) => one.name === wanted)!;
const map = (name: string, wanted: string) => read(name).maps.find((one) => one.name === wanted)!;

describe('readObject', () => {
  it('reads maps, license and version', () => {
    const spec = read('counters.o');
    expect(spec).toMatchObject({ name: 'counters', license: 'GPL', version: 0x60100, notes: [] });
    expect(spec.maps.map(({ name, def }) => [name, def.type, def.maxEntries])).toEqual([
      ['protocols', 'percpu_array', 256],
      ['sources', 'hash', 1024],
      ['events', 'ringbuf', 4096],
      ['.rodata', 'array', 1],
      ['.data', 'array', 1],
      ['.bss', 'array', 1],
    ]);
    const { def } = map('counters.o', 'sources');
    expect(def).toMatchObject({ keyBytes: 4, valueBytes: 16, flags: 1 });
    expect(spec.btf!.nameOf(def.btfValueTypeId)).toBe('struct value');
    expect(spec.btf!.nameOf(def.btfKeyTypeId)).toBe('__u32');
  });

  it('reads the same from clang 14 and clang 19', () => {
    const [old, recent] = [read('counters.clang14.o'), read('counters.o')];
    const interface_ = (spec: typeof old) => ({
      maps: spec.maps.map(({ name, def }) => [name, def.type, def.keyBytes, def.valueBytes]),
      programs: spec.programs.map(({ name, type, section }) => [name, type, section]),
      functions: spec.programs.map(({ functions }) => functions.map(({ name }) => name)),
    });
    expect(interface_(old)).toEqual(interface_(recent));
  });

  it('keeps the contents of data sections', () => {
    const rodata = map('counters.o', '.rodata');
    const at = (name: string) =>
      read('counters.o')
        .dataLayouts.find(({ section }) => section === '.rodata')!
        .offsets.get(name)!;
    const view = new DataView(rodata.data!.buffer);
    expect(view.getUint16(at('blocked_port'), true)).toBe(4242);
    expect(view.getUint32(at('options'), true)).toBe(0xffffff00);
    expect(rodata.readOnly).toBe(true);
    expect(map('counters.o', '.bss').data).toEqual(new Uint8Array(16));
  });

  it('links a program with the functions that it calls, each once', () => {
    const linked = program('counters.o', 'count_packets');
    expect(linked.functions.map(({ name }) => name)).toEqual(['count_packets', 'count']);
    const lines = disasm(linked.insns);
    const end = linked.functions[1]!.start;
    expect(lines.find(({ slot }) => slot === end - 1)!.text).toBe('(95) exit');
    expect(lines.at(-1)!.text).toBe('(95) exit');
    // Rows of func_info and line_info move along: their slots are those of the linked program.
    const starts = new Uint32Array(linked.funcInfo!.records.slice().buffer);
    expect([starts[0], starts[2]]).toEqual([0, end]);
    const lineSlots = rows(linked.lineInfo!);
    expect(lineSlots.filter((slot) => slot >= end).length).toBeGreaterThan(0);
    expect(lineSlots).toEqual([...lineSlots].sort((a, b) => a - b));
  });

  it('tells relocations of maps, data and externs apart', () => {
    const { relocations, insns } = program('counters.o', 'count_packets');
    expect(new Set(relocations.map(({ kind }) => kind))).toEqual(new Set(['map', 'data']));
    for (const { insn } of relocations) expect(insns[insn]!.code).toBe(0x18);
    const externs = program('tracing.o', 'on_read').relocations.filter(
      ({ kind }) => kind === 'extern',
    );
    expect(externs.length).toBe(5);
  });

  it('reads externs with their places in .kconfig', () => {
    const { externs } = read('tracing.o');
    expect(externs.map(({ name, kind, weak, offset }) => [name, kind, weak, offset])).toEqual([
      ['CONFIG_HZ', 'kconfig', false, 0],
      ['LINUX_KERNEL_VERSION', 'kconfig', false, 4],
      ['CONFIG_BPF_SYSCALL', 'kconfig', true, 8],
      ['bpf_prog_active', 'ksym', true, 0],
      ['bpf_rcu_read_lock', 'kfunc', true, 0],
      ['init_task', 'ksym', false, 0],
    ]);
    expect(externs.map(({ typeId }) => typeId !== 0)).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
    ]);
  });

  it('reads nested maps, their first contents and pinning', () => {
    expect(map('nested_maps.o', 'outer')).toMatchObject({
      def: { type: 'array_of_maps', inner: { type: 'array', maxEntries: 4 } },
      slots: [
        { index: 0, map: 'inner_a' },
        { index: 2, map: 'inner_b' },
      ],
    });
    expect(map('nested_maps.o', 'dynamic').def.inner).toMatchObject({ type: 'hash', keyBytes: 4 });
    expect(map('nested_maps.o', 'tails').slots).toEqual([{ index: 1, program: 'tail_one' }]);
    expect(map('nested_maps.o', 'shared').pinning).toBe('by_name');
  });

  it.each(['legacy_maps.o', 'legacy_maps.clang14.o', 'legacy_maps.nobtf.o'])(
    'reads struct bpf_map_def in %s',
    (name) => {
      expect(map(name, 'calls').def).toMatchObject({ type: 'hash', valueBytes: 8, maxEntries: 64 });
      expect(map(name, 'slots').def).toMatchObject({ type: 'array', flags: 0x400 });
      const maps = program(name, 'on_write').relocations.map((one) => 'map' in one && one.map);
      expect(new Set(maps)).toEqual(new Set(['calls', 'slots']));
    },
  );

  it('reads iproute2’s maps and sections', () => {
    expect(map('iproute2_maps.o', 'jump_table')).toMatchObject({
      elfMapId: 1,
      slots: [{ index: 0, program: 'case_zero' }],
    });
    expect(map('iproute2_maps.o', 'drops').pinning).toBe('global_ns');
    expect(read('iproute2_maps.o').programs.map(({ type }) => type)).toEqual([
      'unspec',
      'sched_cls',
      'sched_act',
    ]);
  });

  it('marks what is loaded only on demand', () => {
    const optional = program('tracing.o', 'optional');
    expect(optional).toMatchObject({
      autoload: false,
      type: 'raw_tracepoint',
      target: 'sched_wakeup',
    });
  });
});

const rows = ({ records, recordBytes }: { records: Uint8Array; recordBytes: number }) => {
  const view = new DataView(records.buffer, records.byteOffset);
  return Array.from({ length: records.length / recordBytes }, (_, row) =>
    view.getUint32(row * recordBytes, true),
  );
};

describe('a bad object', () => {
  const spoil = (change: (bytes: Uint8Array, view: DataView) => Uint8Array | void) => {
    const bytes = bytesOf('counters.o');
    const changed = change(bytes, new DataView(bytes.buffer)) ?? bytes;
    return () => readObject(changed, 'bad.o');
  };

  it.each<[string, RegExp, ReturnType<typeof spoil>]>([
    ['text', /^bad\.o: not an ELF file$/, () => readObject(Buffer.from('#!/bin/sh'), 'bad.o')],
    ['nothing', /not an ELF file/, () => readObject(new Uint8Array(0), 'bad.o')],
    ['a truncated file', /section table is outside the file/, spoil((b) => b.subarray(0, 5000))],
    ['only a header', /truncated ELF header/, spoil((b) => b.subarray(0, 40))],
    ['x86 code', /not a BPF object \(ELF machine 62\)/, spoil((_, v) => v.setUint16(18, 62, true))],
    ['a big-endian file', /big-endian/, spoil((b) => void (b[5] = 2))],
    ['32 bits', /not a 64-bit/, spoil((b) => void (b[4] = 1))],
    ['an executable', /not a relocatable object/, spoil((_, v) => v.setUint16(16, 2, true))],
    [
      'broken BTF',
      /^bad\.o: section \.BTF: Invalid magic$/,
      spoil((b) => void (b[indexOf(b, [0x9f, 0xeb, 1, 0])] = 0)),
    ],
  ])('of %s is named', (_, message, attempt) => {
    expect(attempt).toThrow(ObjectError);
    expect(attempt).toThrow(message);
  });

  it('without programs is an object without programs', () => {
    const bytes = bytesOf('counters.o');
    // All function symbols become plain ones.
    for (let at = 0; at + 24 <= bytes.length; at++) {
      const isSymbol = bytes[at + 4] === 0x12 && bytes[at + 5] === 0 && bytes[at + 7] === 0;
      if (isSymbol && at % 8 === 0) bytes[at + 4] = 0x10;
    }
    expect(readObject(bytes, 'none.o').programs).toEqual([]);
  });
});

function indexOf(bytes: Uint8Array, pattern: readonly number[]): number {
  return bytes.findIndex((_, at) => pattern.every((byte, index) => bytes[at + index] === byte));
}

describe('section names', () => {
  it.each([
    ['xdp', 'xdp', 'xdp', ''],
    ['xdp.frags/cpumap', 'xdp', 'xdp_cpumap', ''],
    ['kprobe/do_sys_openat2', 'kprobe', undefined, 'do_sys_openat2'],
    ['tp/sched/sched_switch', 'tracepoint', undefined, 'sched/sched_switch'],
    ['fentry.s/vfs_read', 'tracing', 'trace_fentry', 'vfs_read'],
    ['iter/task', 'tracing', 'trace_iter', 'task'],
    ['uprobe//bin/bash:readline', 'kprobe', undefined, '/bin/bash:readline'],
    ['cgroup/connect4', 'cgroup_sock_addr', 'cgroup_inet4_connect', ''],
    ['sk_skb/stream_parser', 'sk_skb', 'sk_skb_stream_parser', ''],
    ['lsm_cgroup/socket_bind', 'lsm', 'lsm_cgroup', 'socket_bind'],
    ['struct_ops/cong_avoid', 'struct_ops', undefined, 'cong_avoid'],
  ])('%s', (section, type, attachType, target) => {
    const match = sectionDef(section)!;
    expect([match.def.type, match.def.attachType, match.target, match.legacy]).toEqual([
      type,
      attachType,
      target,
      false,
    ]);
  });

  it('take what began right before libbpf 1.0, the longest beginning first', () => {
    expect(sectionDef('xdp_prog_simple')).toMatchObject({ def: { name: 'xdp' }, legacy: true });
    expect(sectionDef('socket1')).toMatchObject({ def: { name: 'socket' }, legacy: true });
    expect(sectionDef('sockops_main')).toMatchObject({ def: { name: 'sockops' }, legacy: true });
    expect(sectionDef('something')).toBeUndefined();
  });

  it('each match themselves', () => {
    for (const def of SECTION_DEFS) expect(sectionDef(def.name.replace('+', ''))!.def).toBe(def);
  });
});

describe('objectName', () => {
  it('is the file’s name up to its first dot', () => {
    expect(objectName('/lib/bpf/xdp_count.bpf.o')).toBe('xdp_count');
    expect(objectName('plain')).toBe('plain');
  });
});
