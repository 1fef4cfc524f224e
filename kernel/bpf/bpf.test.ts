/** BPF on a running machine: loaded by a process, attached to its kernel's tracepoints. */
import { expect, test } from 'vitest';
import { assemble } from '../../bpf/asm/assemble.ts';
import type { AttrInput } from '../../bpf/attr.ts';
import { encodeAttr } from '../../bpf/attr.ts';
import { encodeInsns } from '../../bpf/isa/codec.ts';
import type { BpfCommand } from '../../bpf/uapi.ts';
import { ATTACH_TYPES, BPF_COMMANDS, MAP_TYPES, PROG_TYPES } from '../../bpf/uapi.ts';
import type { User } from '../../test/support/programs.ts';
import { bootProgram } from '../../test/support/programs.ts';
import type { UserFlow } from '../syscall/abi.ts';
import { errno } from '../types/errno.ts';
import { TaskStruct } from '../types/task.ts';

function* bpf<C extends BpfCommand>(u: User, command: C, values: AttrInput<C>): UserFlow<number> {
  const attr = encodeAttr(command, values);
  return yield* u.call('bpf', BPF_COMMANDS.indexOf(command), attr, attr.length);
}

function* load(
  u: User,
  type: (typeof PROG_TYPES)[number],
  source: string,
  more: Partial<AttrInput<'prog_load'>> = {},
): UserFlow<number> {
  const insns = encodeInsns(assemble(source));
  return yield* bpf(u, 'prog_load', {
    prog_type: PROG_TYPES.indexOf(type),
    insns: BigInt(yield* u.put(insns)),
    insn_cnt: insns.length / 8,
    license: BigInt(yield* u.put('GPL\0')),
    ...more,
  });
}

/** The text on the stack, printed with `r3` as its one argument. */
function printing(text: string, before: string): string {
  const bytes = new Uint8Array(32);
  bytes.set(new TextEncoder().encode(text));
  const view = new DataView(bytes.buffer);
  const stores = [0, 8, 16, 24].map((at) => {
    const word = view.getBigUint64(at, true);
    return `r1 = 0x${word.toString(16)} ll\n*(u64 *)(r10 ${at - 32}) = r1`;
  });
  return `${before}
${stores.join('\n')}
r1 = r10
r1 += -32
r2 = ${text.length + 1}
call trace_printk#6
r0 = 0
exit`;
}

const PERF_TYPE_TRACEPOINT = 2;
const PERF_EVENT_IOC_SET_BPF = 0x40042408;

function* perfTracepoint(u: User, id: number, program: number): UserFlow<number> {
  const attr = new Uint8Array(128);
  const view = new DataView(attr.buffer);
  view.setUint32(0, PERF_TYPE_TRACEPOINT, true);
  view.setUint32(4, 128, true);
  view.setBigUint64(8, BigInt(id), true);
  const fd = yield* u.call('perf_event_open', attr, -1, 0, -1, 0);
  const set = yield* u.call('ioctl', fd, PERF_EVENT_IOC_SET_BPF, program);
  return set < 0 ? set : fd;
}

test('programs on tracepoints print what a real 6.1 prints, flags included', async () => {
  const { machine, output } = await bootProgram(function* (u) {
    const idOf = (name: string) => machine.tracing.events(name)[0]!.id;
    // The first argument of setpgid lies at 16 of its record.
    const enter = yield* load(u, 'tracepoint', printing('enter %d', 'r3 = *(u64 *)(r1 +16)'));
    const plain = yield* load(u, 'tracepoint', printing('line %d\n', 'r3 = 7'));
    const fd = yield* perfTracepoint(u, idOf('sys_enter_setpgid'), enter);
    yield* perfTracepoint(u, idOf('sys_exit_setpgid'), plain);
    yield* perfTracepoint(u, idOf('sched_switch'), plain);
    const raw = yield* load(u, 'raw_tracepoint', printing('raw %d', 'r3 = *(u64 *)(r1 +8)'));
    const link = yield* bpf(u, 'raw_tracepoint_open', {
      name: BigInt(yield* u.put('sys_enter\0')),
      prog_fd: raw,
    });
    yield* u.call('setpgid', 0, 0);
    yield* u.call('close', link);
    yield* u.call('close', fd);
    yield* u.call('setpgid', 0, 0);
    yield* u.sleep(1e5);
    yield* u.say(`raw ${raw > 0} link ${link > 0}`);
    yield* u.powerOff();
  });
  machine.run({ untilIdle: true });
  expect(output()).toBe('raw true link true\n');
  const lines = machine.tracing
    .traceText()
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .map((line) => line.replace(/ +\d+\.\d{6}:/, ' T:').replace(/\[00\d\]/, '[C]'));
  const own = lines.slice(0, 6);
  expect(own).toEqual([
    '            init-1       [C] ...2. T: bpf_trace_printk: raw 109',
    '            init-1       [C] ...21 T: bpf_trace_printk: enter 0',
    '            init-1       [C] ...21 T: bpf_trace_printk: line 7',
    '',
    // close of the link is itself a system call.
    '            init-1       [C] ...2. T: bpf_trace_printk: raw 3',
    '            init-1       [C] ...21 T: bpf_trace_printk: line 7',
  ]);
  expect(lines).toContain('            init-1       [C] d..41 T: bpf_trace_printk: line 7');
  expect(lines).toContain('          <idle>-0       [C] d..41 T: bpf_trace_printk: line 7');
});

test('programs and what they are attached to go with the process', async () => {
  const { machine } = await bootProgram(function* (u) {
    yield* u.fork(function* (c) {
      const program = yield* load(c, 'tracepoint', 'r0 = 0\nexit');
      const { id } = machine.tracepoints.schedSwitch;
      const fd = yield* perfTracepoint(c, id, program);
      expect(machine.tracepoints.schedSwitch.enabled).toBe(true);
      expect(machine.bpf.progs.after(0)).toBe(1);
      return fd;
    });
    yield* u.wait();
    yield* u.powerOff();
  });
  machine.run({ untilIdle: true });
  expect(machine.tracepoints.schedSwitch.enabled).toBe(false);
  expect(machine.bpf.progs.after(0)).toBeUndefined();
});

test('a mapping keeps its map alive, and gives it back', async () => {
  const { machine } = await bootProgram(function* (u) {
    yield* u.fork(function* (c) {
      const ring = yield* bpf(c, 'map_create', {
        map_type: MAP_TYPES.indexOf('ringbuf'),
        max_entries: 4096,
      });
      const area = yield* c.call('mmap', 0, 4096, 3, 1, ring, 0);
      yield* c.call('close', ring);
      expect(machine.bpf.maps.after(0)).toBe(1);
      c.memory.writeU32(area as never, 0);
      const grandchild = yield* c.fork(function* (g) {
        g.memory.writeU32(area as never, 0);
        return 0;
      });
      yield* c.wait(grandchild);
      yield* c.call('munmap', area, 4096);
      expect(machine.bpf.maps.after(0)).toBeUndefined();
      return 0;
    });
    yield* u.wait();
    yield* u.powerOff();
  });
  expect(machine.run({ untilIdle: true })).toEqual({ reason: 'halted', how: 'poweroff' });
});

test('a program reads user memory, and a ring buffer wakes who polls it', async () => {
  const { machine, output } = await bootProgram(function* (u) {
    const ring = yield* bpf(u, 'map_create', {
      map_type: MAP_TYPES.indexOf('ringbuf'),
      max_entries: 4096,
    });
    // The comm of whoever opens a file, and the first 8 bytes of its name.
    const program = yield* load(
      u,
      'tracepoint',
      `r6 = r1
r1 = map_fd(${ring})
r2 = 24
r3 = 0
call ringbuf_reserve#131
if r0 == 0 goto done
r7 = r0
r1 = r7
r2 = 16
call get_current_comm#16
r1 = r7
r1 += 16
r2 = 8
r3 = *(u64 *)(r6 +24)
call probe_read_user#112
r1 = r7
r2 = 0
call ringbuf_submit#132
done: r0 = 0
exit`,
    );
    yield* u.say(`program ${program > 0}`);
    const id = machine.tracing.events('sys_enter_openat')[0]!.id;
    yield* perfTracepoint(u, id, program);
    yield* u.fork(function* (c) {
      yield* c.sleep(5e6);
      yield* c.call('prctl', 15, 'opener');
      yield* c.call('openat', -100, '/etc/hostname', 0, 0);
      return 0;
    });
    const poll = yield* u.put(new Uint8Array(new Uint32Array([ring, 1]).buffer));
    const before = yield* u.call('clock_gettime', 1, yield* u.room(16));
    yield* u.say(`polled ${yield* u.call('poll', poll, 1, 1000)} ${before}`);
    const consumer = yield* u.call('mmap', 0, 4096, 3, 1, ring, 0);
    const producer = yield* u.call('mmap', 0, 4096 + 2 * 4096, 1, 1, ring, 4096);
    yield* u.say(`produced ${u.memory.readU64(producer as never)}`);
    const record = producer + 4096;
    yield* u.say(`header ${u.memory.readU32(record as never)}`);
    yield* u.say(u.memory.readString((record + 8) as never, 16));
    yield* u.say(u.memory.readString((record + 24) as never, 8));
    u.memory.writeU64(consumer as never, u.memory.readU64(producer as never));
    yield* u.say(`read-only ${yield* u.call('mmap', 0, 4096, 3, 1, ring, 4096)}`);
    yield* u.powerOff();
  });
  machine.run({ untilNs: 10e9 });
  expect(output()).toBe(
    `program true\npolled 1 0\nproduced 32\nheader 24\nopener\n/etc/hos\nread-only ${-errno.EPERM}\n`,
  );
});

test('what an unprivileged process may not do', async () => {
  const { machine, output } = await bootProgram(function* (u) {
    yield* u.fork(function* (c) {
      yield* c.call('setuid', 1000);
      yield* c.say(`prog ${yield* load(c, 'socket_filter', 'r0 = 0\nexit')}`);
      const attr = new Uint8Array(128);
      attr[0] = PERF_TYPE_TRACEPOINT;
      attr[4] = 128;
      yield* c.say(`perf ${yield* c.call('perf_event_open', attr, -1, 0, -1, 0)}`);
      return 0;
    });
    yield* u.wait();
    yield* u.powerOff();
  });
  machine.run({ untilIdle: true });
  expect(output()).toBe(`prog ${-errno.EPERM}\nperf ${-errno.EACCES}\n`);
});

test("the kernel's BTF has what tracing programs are written against", async () => {
  const { machine } = await bootProgram(function* () {});
  const { btf } = machine.bpf.kernelBtf!;
  const task = btf.typeAs(btf.find('task_struct', 'struct')!, 'struct')!;
  const members = task.members.map(({ name }) => name);
  expect(members).toEqual(
    expect.arrayContaining(['__state', 'pid', 'tgid', 'comm', 'real_parent']),
  );
  for (const name of [
    'trace_event_raw_sched_switch',
    'trace_event_raw_sched_wakeup_template',
    'trace_event_raw_sys_enter',
    'syscall_trace_enter',
    'pt_regs',
    'sk_buff',
    'net_device',
    'xdp_buff',
  ]) {
    expect(btf.find(name, 'struct'), name).toBeDefined();
  }
  const record = btf.typeAs(btf.find('trace_event_raw_sched_process_exec', 'struct')!, 'struct')!;
  expect(record.members.map(({ name, bitOffset }) => [name, bitOffset / 8])).toEqual([
    ['ent', 0],
    ['__data_loc_filename', 8],
    ['pid', 12],
    ['old_pid', 16],
    ['__data', 20],
  ]);
  const fd = await machine.vfs.readFile('/sys/kernel/btf/vmlinux');
  expect(fd).toEqual(btf.bytes);
});

test('a BTF-typed raw tracepoint follows pointers of the kernel', async () => {
  const { machine, output } = await bootProgram(function* (u) {
    const { btf } = machine.bpf.kernelBtf!;
    const offset = TaskStruct.offsets;
    const id = btf.find('btf_trace_sched_process_fork', 'typedef')!;
    const program = yield* load(
      u,
      'tracing',
      printing(
        'pid %d parent %d',
        `r2 = *(u64 *)(r1 +8)
r3 = *(u32 *)(r2 +${offset.pid})
r4 = *(u64 *)(r2 +${offset.real_parent})
r4 = *(u32 *)(r4 +${offset.tgid})`,
      ),
      { expected_attach_type: ATTACH_TYPES.indexOf('trace_raw_tp'), attach_btf_id: id },
    );
    yield* u.say(
      `wrong ${yield* bpf(u, 'raw_tracepoint_open', {
        name: BigInt(yield* u.put('sys_enter\0')),
        prog_fd: program,
      })}`,
    );
    const link = yield* bpf(u, 'raw_tracepoint_open', { prog_fd: program });
    yield* u.say(`attached ${link > 0}`);
    const pid = yield* u.fork(function* () {
      return 0;
    });
    yield* u.say(`child ${pid}`);
    yield* u.powerOff();
  });
  machine.run({ untilIdle: true });
  const pid = /child (\d+)/.exec(output())![1];
  expect(output()).toBe(`wrong ${-errno.EINVAL}\nattached true\nchild ${pid}\n`);
  expect(machine.tracing.traceText()).toMatch(
    new RegExp(`bpf_trace_printk: pid ${pid} parent 1\\n`),
  );
});

test('perf buffers: records, wake-ups, and what was lost', async () => {
  const PAGES = 2;
  const { machine, output } = await bootProgram(
    function* (u) {
      const map = yield* bpf(u, 'map_create', {
        map_type: MAP_TYPES.indexOf('perf_event_array'),
        key_size: 4,
        value_size: 4,
        max_entries: 1,
      });
      const attr = new Uint8Array(128);
      const view = new DataView(attr.buffer);
      view.setUint32(0, 1, true); // PERF_TYPE_SOFTWARE
      view.setUint32(4, 128, true);
      view.setBigUint64(8, 10n, true); // PERF_COUNT_SW_BPF_OUTPUT
      view.setBigUint64(16, 1n, true);
      view.setBigUint64(24, 1n << 10n, true); // PERF_SAMPLE_RAW
      view.setUint32(48, 1, true);
      const event = yield* u.call('perf_event_open', attr, -1, 0, -1, 8);
      yield* u.say(`odd size ${yield* u.call('mmap', 0, 4096 * 4, 3, 1, event, 0)}`);
      const ring = yield* u.call('mmap', 0, 4096 * (1 + PAGES), 3, 1, event, 0);
      yield* bpf(u, 'map_update_elem', {
        map_fd: map,
        key: BigInt(yield* u.put(new Uint8Array(4))),
        value: BigInt(yield* u.put(new Uint8Array(new Uint32Array([event]).buffer))),
      });
      const program = yield* load(
        u,
        'tracepoint',
        `r6 = r1
r1 = *(u64 *)(r6 +16)
*(u64 *)(r10 -16) = r1
*(u64 *)(r10 -8) = r1
r1 = r6
r2 = map_fd(${map})
w3 = -1
r4 = r10
r4 += -16
r5 = 16
call perf_event_output#25
r0 = 0
exit`,
      );
      yield* u.say(`program ${program > 0}`);
      const id = machine.tracing.events('sys_enter_getpgid')[0]!.id;
      yield* perfTracepoint(u, id, program);
      const poll = yield* u.put(new Uint8Array(new Uint32Array([event, 1]).buffer));
      yield* u.say(`nothing ${yield* u.call('poll', poll, 1, 0)}`);
      yield* u.fork(function* (c) {
        yield* c.sleep(1e6);
        yield* c.call('getpgid', 77);
        return 0;
      });
      yield* u.say(`something ${yield* u.call('poll', poll, 1, 1000)}`);
      const word = (at: number) => u.memory.readU32((ring + 4096 + at) as never);
      // header: PERF_RECORD_SAMPLE, its size; then the raw size and the data.
      yield* u.say(`${word(0)} ${word(4) >>> 16} ${word(8)} ${word(12)} ${word(20)}`);
      yield* u.wait();
      for (let i = 0; i < 1000; i++) yield* u.call('getpgid', 1);
      const head = Number(u.memory.readU64((ring + 1024) as never));
      yield* u.say(`full ${head <= 4096 * PAGES && head > 4096 * PAGES - 40}`);
      u.memory.writeU64((ring + 1032) as never, BigInt(head));
      yield* u.call('getpgid', 5);
      const at = head % (4096 * PAGES);
      yield* u.say(`lost ${word(at)} ${word(at + 16)} of ${1001 - head / 32}`);
      yield* u.powerOff();
    },
    { cpus: 1 },
  );
  machine.run({ untilNs: 10e9 });
  expect(output()).toContain(
    `odd size ${-errno.EINVAL}\nprogram true\nnothing 0\nsomething 1\n9 32 20 77 77\nfull true\n`,
  );
  const [, type, lost, missing] = /lost (\d+) (\d+) of (\d+)/.exec(output())!;
  expect([type, lost]).toEqual(['2', missing]);
});
