/** What programs get from the kernel around them: timers, stacks, signals, cookies, live frames. */
import { expect, test } from 'vitest';
import { BtfBuilder } from '../../bpf/btf/builder.ts';
import { intType } from '../../bpf/btf/structs.ts';
import { ATTACH_TYPES, MAP_TYPES } from '../../bpf/uapi.ts';
import { bpf, load } from '../../test/support/bpf-user.ts';
import { u32 } from '../../test/support/bpf-syscalls.ts';
import type { User } from '../../test/support/programs.ts';
import { bootProgram } from '../../test/support/programs.ts';
import type { UserFlow } from '../syscall/abi.ts';
import { errno } from '../types/errno.ts';

function* map(
  u: User,
  type: (typeof MAP_TYPES)[number],
  keyBytes: number,
  valueBytes: number,
  more = {},
) {
  return yield* bpf(u, 'map_create', {
    map_type: MAP_TYPES.indexOf(type),
    key_size: keyBytes,
    value_size: valueBytes,
    max_entries: 4,
    ...more,
  });
}

function* lookup(u: User, fd: number, key: number, valueBytes: number): UserFlow<DataView> {
  const value = yield* u.room(valueBytes);
  yield* bpf(u, 'map_lookup_elem', {
    map_fd: fd,
    key: BigInt(yield* u.put(u32(key))),
    value: BigInt(value),
  });
  return new DataView(u.memory.read(value, valueBytes).buffer);
}

/** A link of a tracepoint by name, through a perf event. */
function* attach(u: User, id: number, prog: number, cookie = 0n): UserFlow<number> {
  const attr = new Uint8Array(128);
  const view = new DataView(attr.buffer);
  view.setUint32(0, 2, true); // PERF_TYPE_TRACEPOINT
  view.setUint32(4, 128, true);
  view.setBigUint64(8, BigInt(id), true);
  const event = yield* u.call('perf_event_open', attr, -1, 0, -1, 0);
  return yield* bpf(u, 'link_create', {
    prog_fd: prog,
    target_fd: event,
    attach_type: ATTACH_TYPES.indexOf('perf_event'),
    perf_event_cookie: cookie,
  });
}

/** struct { struct bpf_timer timer; u64 count; u64 at; } */
function timerBtf() {
  const builder = new BtfBuilder();
  const u64 = builder.intern(intType('unsigned long', 8, false));
  const key = builder.intern(intType('int', 4, true));
  const member = (name: string, type: number, at: number) => ({
    name,
    type,
    bitOffset: at * 8,
    bitSize: 0,
  });
  const timer = builder.add({
    kind: 'struct',
    name: 'bpf_timer',
    size: 16,
    members: [member('a', u64, 0), member('b', u64, 8)],
    kindFlag: false,
  });
  const value = builder.add({
    kind: 'struct',
    name: 'value',
    size: 32,
    members: [member('timer', timer, 0), member('count', u64, 16), member('at', u64, 24)],
    kindFlag: false,
  });
  return { bytes: builder.build().bytes, key, value };
}

test('timers expire in softirq context of the CPU that started them, when they are due', async () => {
  const { machine, output } = await bootProgram(
    function* (u) {
      const { bytes, key, value } = timerBtf();
      const btf = yield* bpf(u, 'btf_load', {
        btf: BigInt(yield* u.put(bytes)),
        btf_size: bytes.length,
      });
      const timers = yield* map(u, 'array', 4, 32, {
        btf_fd: btf,
        btf_key_type_id: key,
        btf_value_type_id: value,
      });
      const prog = yield* load(
        u,
        'syscall',
        `*(u32 *)(r10 -4) = 1
r1 = map_fd(${timers})
r2 = r10
r2 += -4
call map_lookup_elem#1
if r0 == 0 goto out
r6 = r0
call ktime_get_ns#5
*(u64 *)(r6 +24) = r0
r1 = r6
r2 = map_fd(${timers})
r3 = 1
call timer_init#169
r1 = r6
r2 = func(cb)
call timer_set_callback#170
r1 = r6
r2 = 3000000
r3 = 0
call timer_start#171
out:
r0 = 0
exit
cb:
r6 = r3
call ktime_get_ns#5
r1 = *(u64 *)(r6 +24)
r0 -= r1
*(u64 *)(r6 +24) = r0
call get_smp_processor_id#8
r0 += 1
*(u64 *)(r6 +16) = r0
r0 = 0
exit`,
        { prog_flags: 0x10 },
      );
      yield* u.say(`run ${yield* bpf(u, 'prog_test_run', { prog_fd: prog })}`);
      yield* u.sleep(2.9e6);
      yield* u.say(`early ${(yield* lookup(u, timers, 1, 32)).getBigUint64(16, true)}`);
      yield* u.sleep(1e6);
      const view = yield* lookup(u, timers, 1, 32);
      const late = Number(view.getBigUint64(24, true)) - 3e6;
      yield* u.say(`cpu ${view.getBigUint64(16, true) - 1n} late ${late >= 0 && late < 2e5}`);
      yield* u.powerOff();
    },
    { cpus: 1 },
  );
  machine.run({ untilNs: 10e9 });
  expect(output()).toBe('run 0\nearly 0\ncpu 0 late true\n');
});

test('stacks: entry points of the kernel, text of the program', async () => {
  const { machine, output } = await bootProgram(function* (u) {
    const stacks = yield* map(u, 'stack_trace', 4, 80);
    const ids = yield* map(u, 'array', 4, 8);
    const prog = yield* load(
      u,
      'tracepoint',
      `r6 = r1
r2 = map_fd(${stacks})
r3 = 0
call get_stackid#27
r7 = r0
r1 = r6
r2 = map_fd(${stacks})
r3 = 256
call get_stackid#27
r7 <<= 32
r0 <<= 32
r0 >>= 32
r7 |= r0
*(u64 *)(r10 -16) = r7
*(u32 *)(r10 -4) = 0
r1 = map_fd(${ids})
r2 = r10
r2 += -4
r3 = r10
r3 += -16
r4 = 0
call map_update_elem#2
r0 = 0
exit`,
    );
    const { id } = machine.tracing.events('sys_enter_getpgid')[0]!;
    yield* u.say(`attached ${(yield* attach(u, id, prog)) > 0}`);
    yield* u.call('getpgid', 0);
    const view = yield* lookup(u, ids, 0, 8);
    for (const at of [4, 0]) {
      const stack = yield* lookup(u, stacks, view.getInt32(at, true), 80);
      const names: string[] = [];
      for (let i = 0; i < 10 && stack.getBigUint64(i * 8, true) !== 0n; i++) {
        const address = stack.getBigUint64(i * 8, true);
        names.push(machine.kallsyms.at(address)?.name ?? `0x${address.toString(16)}`);
      }
      yield* u.say(names.join(' '));
    }
    yield* u.powerOff();
  });
  machine.run({ untilNs: 10e9 });
  expect(output()).toBe(
    'attached true\n__x64_sys_getpgid do_syscall_64 entry_SYSCALL_64_after_hwframe\n0x400000\n',
  );
});

test('cookies tell attachments of one program apart; a signal reaches its task', async () => {
  const { machine, output } = await bootProgram(function* (u) {
    const seen = yield* map(u, 'hash', 8, 8);
    const prog = yield* load(
      u,
      'tracepoint',
      `call get_attach_cookie#174
*(u64 *)(r10 -8) = r0
*(u64 *)(r10 -16) = r0
r1 = map_fd(${seen})
r2 = r10
r2 += -8
r3 = r10
r3 += -16
r4 = 0
call map_update_elem#2
r0 = 0
exit`,
    );
    const idOf = (name: string) => machine.tracing.events(name)[0]!.id;
    yield* attach(u, idOf('sys_enter_getpgid'), prog, 0x1234n);
    yield* attach(u, idOf('sys_enter_getsid'), prog, 0x5678n);
    yield* u.call('getpgid', 0);
    yield* u.call('getsid', 0);
    for (const cookie of [0x1234n, 0x5678n, 0n]) {
      const key = new Uint8Array(new BigUint64Array([cookie]).buffer);
      const found = yield* bpf(u, 'map_lookup_elem', {
        map_fd: seen,
        key: BigInt(yield* u.put(key)),
        value: BigInt(yield* u.room(8)),
      });
      yield* u.say(`${cookie.toString(16)} ${found}`);
    }
    const killer = yield* load(u, 'tracepoint', 'r1 = 10\ncall send_signal#109\nr0 = 0\nexit');
    yield* attach(u, idOf('sys_enter_getpgrp'), killer);
    yield* u.call('getpgrp'); // init itself is spared
    yield* u.fork(function* (c) {
      yield* c.call('getpgrp');
      return 0;
    });
    yield* u.say(`status ${(yield* u.wait()).status}`);
    yield* u.powerOff();
  });
  machine.run({ untilNs: 10e9 });
  expect(output()).toBe(`1234 0\n5678 0\n0 ${-errno.ENOENT}\nstatus 10\n`);
});

test('frames of a live XDP run are received by the interface, or sent', async () => {
  const { machine, output } = await bootProgram(function* (u) {
    const frame = new Uint8Array(60);
    frame.set([8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 254], 12); // IPv4 of an unknown protocol
    const live = function* (verdict: number, repeat: number): UserFlow<number> {
      const prog = yield* load(u, 'xdp', `r0 = ${verdict}\nexit`);
      return yield* bpf(u, 'prog_test_run', {
        prog_fd: prog,
        data_in: BigInt(yield* u.put(frame)),
        data_size_in: frame.length,
        flags: 2,
        repeat,
      });
    };
    yield* u.say(`${yield* live(1, 5)} ${yield* live(2, 7)}`);
    yield* u.powerOff();
  });
  const received = () => machine.network.net.ipv4.stats.InReceives;
  machine.run({ untilNs: 10e9 });
  expect(output()).toBe('0 0\n');
  expect(received()).toBe(7);
});

test('iterators are files, pinned or not', async () => {
  const { machine, output } = await bootProgram(function* (u) {
    const { btf } = machine.bpf.kernelBtf!;
    const prog = yield* load(
      u,
      'tracing',
      `r6 = r1
r7 = *(u64 *)(r6 +0)
r7 = *(u64 *)(r7 +0)
r8 = *(u64 *)(r6 +8)
if r8 == 0 goto out
r1 = *(u32 *)(r8 +${
        machine.bpf
          .kernelBtf!.btf.typeAs(btf.find('task_struct', 'struct')!, 'struct')!
          .members.find(({ name }) => name === 'pid')!.bitOffset / 8
      })
*(u64 *)(r10 -8) = r1
r1 = 0x00207525 ll
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
exit`,
      {
        expected_attach_type: ATTACH_TYPES.indexOf('trace_iter'),
        attach_btf_id: btf.find('bpf_iter_task', 'func')!,
      },
    );
    const link = yield* bpf(u, 'link_create', {
      prog_fd: prog,
      attach_type: ATTACH_TYPES.indexOf('trace_iter'),
    });
    const text = function* (fd: number): UserFlow<string> {
      const at = yield* u.room(256);
      const count = yield* u.call('read', fd, at, 256);
      return count < 0 ? String(count) : new TextDecoder().decode(u.memory.read(at, count));
    };
    const iter = yield* bpf(u, 'iter_create', { link_fd: link });
    const first = yield* text(iter);
    yield* u.say(`${first.split(' ').includes('1')} ${(yield* text(iter)).length}`);
    yield* bpf(u, 'obj_pin', { bpf_fd: link, pathname: BigInt(yield* u.put('/sys/fs/bpf/it\0')) });
    const pinned = yield* u.call('open', '/sys/fs/bpf/it', 0);
    yield* u.say(String((yield* text(pinned)) === first));
    yield* u.say(`a map is not read: ${yield* text(yield* map(u, 'array', 4, 4))}`);
    yield* u.powerOff();
  });
  machine.run({ untilNs: 10e9 });
  expect(output()).toBe(`true 0\ntrue\na map is not read: ${-errno.EINVAL}\n`);
});

test('areas of the current task’s memory, and its ids in the pid namespace', async () => {
  const { machine, output } = await bootProgram(function* (u) {
    const results = yield* map(u, 'array', 4, 48);
    const word = yield* u.put(u32(7));
    const prog = yield* load(
      u,
      'raw_tracepoint',
      `*(u32 *)(r10 -4) = 0
r1 = map_fd(${results})
r2 = r10
r2 += -4
call map_lookup_elem#1
if r0 == 0 goto out
r9 = r0
call get_current_task_btf#158
r6 = r0
r1 = r6
r2 = 0x${word.toString(16)} ll
r3 = func(seen)
*(u64 *)(r10 -40) = 0
*(u64 *)(r10 -32) = 0
*(u64 *)(r10 -24) = 0
r4 = r10
r4 += -40
r5 = 0
call find_vma#180
*(u64 *)(r9 +0) = r0
r1 = *(u64 *)(r10 -40)
*(u64 *)(r9 +8) = r1
r1 = *(u64 *)(r10 -32)
*(u64 *)(r9 +16) = r1
r1 = *(u64 *)(r10 -24)
*(u64 *)(r9 +24) = r1
r1 = r6
r2 = 0x10
r3 = func(seen)
r4 = r10
r4 += -40
r5 = 0
call find_vma#180
*(u32 *)(r9 +32) = r0
r1 = r6
r2 = 0x10
r3 = func(seen)
r4 = r10
r4 += -40
r5 = 1
call find_vma#180
*(u32 *)(r9 +36) = r0
r1 = 4
r2 = 0xeffffffc ll
r3 = r9
r3 += 40
r4 = 8
call get_ns_current_pid_tgid#120
out:
exit
seen:
r1 = *(u64 *)(r2 +0)
*(u64 *)(r3 +0) = r1
r1 = *(u64 *)(r2 +8)
*(u64 *)(r3 +8) = r1
r1 = *(u64 *)(r2 +32)
*(u64 *)(r3 +16) = r1
r0 = 0
exit`,
    );
    yield* u.say(`run ${yield* bpf(u, 'prog_test_run', { prog_fd: prog })}`);
    const view = yield* lookup(u, results, 0, 48);
    const [start, end] = [8, 16].map((at) => Number(view.getBigUint64(at, true)));
    const inside = start! <= word && word < end! && start! % 4096 === 0;
    yield* u.say(`found ${view.getBigInt64(0, true)} ${inside}`);
    yield* u.say(`flags ${(Number(view.getBigUint64(24, true)) & 7).toString()}`);
    yield* u.say(`nowhere ${view.getInt32(32, true)} flags ${view.getInt32(36, true)}`);
    yield* u.say(`pid ${view.getUint32(40, true)} ${view.getUint32(44, true)}`);
    yield* u.powerOff();
  });
  machine.run({ untilNs: 10e9 });
  expect(output()).toBe(
    `run 0\nfound 0 true\nflags 3\nnowhere ${-errno.ENOENT} flags ${-errno.EINVAL}\npid 1 1\n`,
  );
});

test('entries of a devmap take programs that are made for it, and show their ids', async () => {
  const { machine, output } = await bootProgram(function* (u) {
    const plain = yield* load(u, 'xdp', 'r0 = 2\nexit');
    const entry = yield* load(u, 'xdp', 'r0 = 2\nexit', {
      expected_attach_type: ATTACH_TYPES.indexOf('xdp_devmap'),
    });
    for (const type of ['devmap', 'devmap_hash'] as const) {
      const devices = yield* map(u, type, 4, 8);
      const put = function* (ifindex: number, fd: number) {
        const value = new Uint8Array([...u32(ifindex), ...u32(fd)]);
        return yield* bpf(u, 'map_update_elem', {
          map_fd: devices,
          key: BigInt(yield* u.put(u32(1))),
          value: BigInt(yield* u.put(value)),
        });
      };
      yield* u.say(`other kind ${yield* put(1, plain)} no program ${yield* put(1, 99)}`);
      yield* u.say(`put ${yield* put(1, entry)}`);
      const view = yield* lookup(u, devices, 1, 8);
      yield* u.say(`interface ${view.getUint32(0, true)} id ${view.getUint32(4, true)}`);
      yield* u.say(`without ${yield* put(1, 0)}`);
      yield* u.say(`id ${(yield* lookup(u, devices, 1, 8)).getUint32(4, true)}`);
    }
    yield* u.powerOff();
  });
  machine.run({ untilNs: 10e9 });
  const each =
    `other kind ${-errno.EINVAL} no program ${-errno.EINVAL}\nput 0\ninterface 1 id 2\n` +
    'without 0\nid 0\n';
  expect(output()).toBe(each + each);
});
