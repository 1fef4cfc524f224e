/** Hardware counters of a machine with simulated processors, read by a process and by a program. */
import { expect, it } from 'vitest';
import { MAP_TYPES } from '../../bpf/uapi.ts';
import { HASWELL } from '../../hw/cpu/cores/haswell.ts';
import { createProcessors } from '../../hw/cpu/processors.ts';
import { createX86Engine } from '../../hw/x86/engine.ts';
import { ARGUMENTS, RAX } from '../../hw/x86/registers.ts';
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { bpf, load } from '../support/bpf-user.ts';
import { u32 } from '../support/bpf-syscalls.ts';
import { bootProgram, type User } from '../support/programs.ts';

const PERF_TYPE_HARDWARE = 0;
const [CYCLES, INSTRUCTIONS, , , BRANCHES] = [0, 1, 2, 3, 4];
const ENABLE = 0x2400;
const DISABLE = 0x2401;
const RESET = 0x2403;

function* open(u: User, config: number, cpu: number, pid = -1): UserFlow<number> {
  const attr = new Uint8Array(128);
  const view = new DataView(attr.buffer);
  view.setUint32(0, PERF_TYPE_HARDWARE, true);
  view.setUint32(4, 128, true);
  view.setBigUint64(8, BigInt(config), true);
  return yield* u.call('perf_event_open', attr, pid, cpu, -1, 0);
}

function* count(u: User, fd: number): UserFlow<number> {
  const at = yield* u.room(8);
  yield* u.call('read', fd, at, 8);
  return Number(new DataView(u.memory.read(at, 8).buffer).getBigUint64(0, true));
}

/** 100 times round, on the CPU of the caller. */
const LOOP = `r1 = 100
r0 = 0
loop:
r0 += r1
r1 += -1
if r1 != 0 goto loop
exit`;

const processors = () =>
  createProcessors({
    engine: createX86Engine(),
    convention: { arguments: ARGUMENTS, result: RAX },
    core: HASWELL,
  });

it('counts what programs execute while it is enabled', async () => {
  const { machine, output } = await bootProgram(
    function* (u) {
      const events: number[] = [];
      for (const config of [CYCLES!, INSTRUCTIONS!, BRANCHES!]) {
        events.push(yield* open(u, config, 0));
      }
      const prog = yield* load(u, 'xdp', LOOP);
      const data = BigInt(yield* u.put(new Uint8Array(64)));
      const test = { prog_fd: prog, data_in: data, data_size_in: 64, repeat: 10 };
      const counts = function* (): UserFlow<number[]> {
        const all: number[] = [];
        for (const fd of events) all.push(yield* count(u, fd));
        return all;
      };
      const before = yield* counts();
      yield* bpf(u, 'prog_test_run', test);
      const after = yield* counts();
      const [cycles, insns, branches] = after.map((value, i) => value - before[i]!);
      yield* u.say(`branches ${branches}, instructions ${insns}`);
      // Four instructions a round, one of them a branch. A chain of 100 decrements, ten times, and what
      // it costs that each run leaves the loop.
      yield* u.say(`cycles ${cycles! > 1000 && cycles! < 1400}`);
      for (const fd of events) yield* u.call('ioctl', fd, DISABLE, 0);
      const stopped = yield* counts();
      yield* bpf(u, 'prog_test_run', test);
      yield* u.say(`disabled ${(yield* counts()).join() === stopped.join()}`);
      for (const fd of events) yield* u.call('ioctl', fd, RESET, 0);
      yield* u.say(`reset ${yield* counts()}`);
      yield* u.call('ioctl', events[1]!, ENABLE, 0);
      yield* bpf(u, 'prog_test_run', { ...test, repeat: 1 });
      yield* u.say(`again ${(yield* count(u, events[1]!)) > 300}`);
      yield* u.say(`of a task ${yield* open(u, CYCLES!, -1, 0)}, bus ${yield* open(u, 6, 0)}`);
      yield* u.powerOff();
    },
    { cpus: 1, processors: processors() },
  );
  machine.run({ untilNs: 10e9 });
  expect(output()).toBe(
    'branches 1000, instructions 4080\ncycles true\ndisabled true\nreset 0,0,0\nagain true\n' +
      `of a task ${-errno.ENOENT}, bus ${-errno.ENOENT}\n`,
  );
});

it('is there for bpf_perf_event_read_value', async () => {
  const { machine, output } = await bootProgram(
    function* (u) {
      const event = yield* open(u, INSTRUCTIONS!, 0);
      const map = yield* bpf(u, 'map_create', {
        map_type: MAP_TYPES.indexOf('perf_event_array'),
        key_size: 4,
        value_size: 4,
        max_entries: 1,
      });
      yield* bpf(u, 'map_update_elem', {
        map_fd: map,
        key: BigInt(yield* u.put(u32(0))),
        value: BigInt(yield* u.put(u32(event))),
      });
      const results = yield* bpf(u, 'map_create', {
        map_type: MAP_TYPES.indexOf('array'),
        key_size: 4,
        value_size: 32,
        max_entries: 1,
      });
      const prog = yield* load(
        u,
        'raw_tracepoint',
        `*(u32 *)(r10 -4) = 0
r1 = map_fd(${results})
r2 = r10
r2 += -4
call map_lookup_elem#1
if r0 == 0 goto out
r6 = r0
r1 = map_fd(${map})
r2 = 0xffffffff ll
r3 = r6
r4 = 24
call perf_event_read_value#55
*(u64 *)(r6 +24) = r0
out:
r0 = 0
exit`,
      );
      const loop = yield* load(u, 'xdp', LOOP);
      const read = function* (): UserFlow<readonly number[]> {
        yield* bpf(u, 'prog_test_run', { prog_fd: prog });
        const value = yield* u.room(32);
        const key = BigInt(yield* u.put(u32(0)));
        yield* bpf(u, 'map_lookup_elem', { map_fd: results, key, value: BigInt(value) });
        const words = new BigUint64Array(u.memory.read(value, 32).slice().buffer);
        return [...words].map(Number);
      };
      const [first] = yield* read();
      const data = BigInt(yield* u.put(new Uint8Array(64)));
      yield* bpf(u, 'prog_test_run', { prog_fd: loop, data_in: data, data_size_in: 64 });
      const [second, enabled, running, result] = yield* read();
      // The loop, and the program that read the first time.
      yield* u.say(`${second! - first! > 408 && second! - first! < 500}, result ${result}`);
      yield* u.say(`times ${enabled! > 0 && enabled === running}`);
      yield* u.powerOff();
    },
    { cpus: 1, processors: processors() },
  );
  machine.run({ untilNs: 10e9 });
  expect(output()).toBe('true, result 0\ntimes true\n');
});

it('gives programs the last branches that were taken', async () => {
  const { machine, output } = await bootProgram(
    function* (u) {
      const results = yield* bpf(u, 'map_create', {
        map_type: MAP_TYPES.indexOf('array'),
        key_size: 4,
        value_size: 392,
        max_entries: 1,
      });
      const prog = yield* load(
        u,
        'raw_tracepoint',
        `*(u32 *)(r10 -4) = 0
r1 = map_fd(${results})
r2 = r10
r2 += -4
call map_lookup_elem#1
if r0 == 0 goto out
r6 = r0
r1 = r6
r2 = 384
r3 = 0
call get_branch_snapshot#176
*(u64 *)(r6 +384) = r0
out:
r0 = 0
exit`,
      );
      const loop = yield* load(u, 'xdp', LOOP);
      const data = BigInt(yield* u.put(new Uint8Array(64)));
      yield* bpf(u, 'prog_test_run', { prog_fd: loop, data_in: data, data_size_in: 64 });
      yield* bpf(u, 'prog_test_run', { prog_fd: prog });
      const value = yield* u.room(392);
      const key = BigInt(yield* u.put(u32(0)));
      yield* bpf(u, 'map_lookup_elem', { map_fd: results, key, value: BigInt(value) });
      const words = new BigUint64Array(u.memory.read(value, 392).slice().buffer);
      yield* u.say(`${words[48]} bytes`);
      // Sixteen entries, of which the return led out of what programs have; the others go round and
      // round, predicted.
      const backwards = words[0]! > words[1]! && words[0]! - words[1]! < 64n;
      yield* u.say(
        `back ${backwards}, the same ${words[0] === words[3]}, flags ${words[2]! & 15n}`,
      );
      yield* u.powerOff();
    },
    { cpus: 1, processors: processors() },
  );
  machine.run({ untilNs: 10e9 });
  expect(output()).toBe('360 bytes\nback true, the same true, flags 2\n');
});
