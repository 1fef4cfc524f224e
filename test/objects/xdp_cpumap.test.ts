/**
 * XDP hands frames to other CPUs: a cpumap filled by a program in C, on a machine of two CPUs whose
 * one queue interrupts the first.
 */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readObject } from '../../bpf/elf/object.ts';
import * as bpf from '../../bpf/loader/commands.ts';
import { ATTACH_TYPES, uapi } from '../../bpf/uapi.ts';
import type { Machine } from '../../kernel/machine.ts';
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { SkBuff } from '../../kernel/types/skbuff.ts';
import { loadSpec } from '../../user/bpf/object-file.ts';
import { bpfUser } from '../../user/bpf/user.ts';
import type { Process } from '../../user/libc/process.ts';
import { nanosleep } from '../../user/libc/time.ts';
import { bootSession } from '../../user/testing/console.ts';
import { coreModule } from '../support/assets.ts';
import { onMachine } from '../support/on-machine.ts';

const object = new Uint8Array(readFileSync('test/objects/xdp_cpumap.o'));
const spec = readObject(object, 'xdp_cpumap.o');
const config = {
  cpus: 2,
  nics: [
    { name: 'eth0', queues: 1, mac: '02:00:00:00:00:01' },
    { name: 'eth1', queues: 1, mac: '02:00:00:00:00:02' },
  ],
};
const [DROP, PASS, TX, REDIRECT, ABORTED] = [1, 2, 3, 4, 0];
const SKB_MODE = 2;
const { BPF_F_TEST_XDP_LIVE_FRAMES } = uapi;
const [SOURCE_PORT_AT, TARGET_PORT_AT, NUMBER_AT] = [34, 36, 42];

/** A UDP frame to eth0: the flow is told by its source port, the action by its target port. */
function frame(flow: number, number: number, action = PASS): Uint8Array {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  bytes.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0, 0x45, 0, 0, 50, 0, 0, 0, 0, 64, 17]);
  view.setUint16(SOURCE_PORT_AT, flow);
  view.setUint16(TARGET_PORT_AT, 1000 + action);
  view.setUint16(NUMBER_AT, number);
  return bytes;
}

const u32 = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer);
/** A cpumap's value. */
const value = (queueSize: number, progFd = 0) => u32(queueSize, progFd);

/** The object loaded, and what the machine's network did. */
function* setUp(p: Process, machine: Machine, flags = 0) {
  const { net } = machine.network;
  const user = bpfUser(p);
  const loaded = yield* loadSpec(p, user, spec);
  if (loaded.kind !== 'loaded') throw new Error(loaded.messages.join('\n'));
  const fds = new Map([...loaded.maps, ...loaded.programs].map(({ name, fd }) => [name, fd]));
  const fd = (name: string) => fds.get(name)!;
  const put = (cpu: number, bytes: Uint8Array, updateFlags = 0) =>
    bpf.mapUpdate(user, fd('cpus'), u32(cpu), bytes, updateFlags);
  for (const device of net.devices) net.up(device);
  const eth0 = net.byName('eth0')!;
  const attached = yield* bpf.command(user, 'link_create', {
    prog_fd: fd('spread'),
    target_fd: eth0.ifindex,
    attach_type: ATTACH_TYPES.indexOf('xdp'),
    flags,
  });
  const received: { cpu: number; number: number }[] = [];
  net.tracepoints.netifReceiveSkb.subscribe(({ offset }) => {
    const { head, mac_header: header } = SkBuff.at(machine.ram, offset);
    const number = machine.ram.view.getUint16(head + header + NUMBER_AT);
    received.push({ cpu: machine.sched.cpu.id, number });
  });
  const enqueued: Record<'processed' | 'drops' | 'to' | 'cpu', number>[] = [];
  const batches: Record<'processed' | 'sched' | 'cpu' | 'pass' | 'drop' | 'redirect', number>[] =
    [];
  net.tracepoints.xdpCpumapEnqueue.subscribe((_map, processed, drops, to, cpu) =>
    enqueued.push({ processed, drops, to, cpu }),
  );
  net.tracepoints.xdpCpumapKthread.subscribe((_map, processed, _drops, sched, stats, cpu) => {
    const { pass, drop, redirect } = stats;
    batches.push({ processed, sched, cpu, pass, drop, redirect });
  });
  /** Frames one behind the other on the wire, and time before and for what becomes of them. */
  function* deliver(frames: readonly Uint8Array[], ns = 1e6) {
    yield* nanosleep(p, 1e5);
    for (const bytes of frames) machine.network.inject('eth0', bytes);
    yield* nanosleep(p, ns);
  }
  const link = attached.result;
  return { user, fd, put, net, link, received, enqueued, batches, deliver };
}

const numbered = (count: number, flow: (i: number) => number, action = PASS) =>
  Array.from({ length: count }, (_, i) => frame(flow(i), i, action));
const threads = ({ processes }: Machine) =>
  processes.all.map(({ leader }) => leader.comm).filter((name) => name.startsWith('cpumap'));

type Rig = FlowValue<ReturnType<typeof setUp>>;
type FlowValue<T> = T extends Generator<unknown, infer V, never> ? V : never;

/** On a machine; what the body throws is the test's failure and not its process's end. */
async function onRig(
  body: (rig: Rig, machine: Machine, p: Process) => UserFlow<void>,
  flags = 0,
): Promise<void> {
  const failure = await onMachine(function* (p, machine) {
    try {
      yield* body(yield* setUp(p, machine, flags), machine, p);
      return undefined;
    } catch (error) {
      return { error };
    }
  }, config);
  if (failure) throw failure.error;
}

it('spreads flows over CPUs, each in its order', async () => {
  await onRig(function* (rig, machine) {
    expect(rig.link).toBeGreaterThan(0);
    expect(yield* rig.put(0, value(64))).toBe(0);
    expect(yield* rig.put(1, value(64))).toBe(0);
    const { id } = [...machine.bpf.maps.values()].find(
      ({ map }) => map.spec.type === 'cpumap',
    )!.map;
    expect(threads(machine)).toEqual([`cpumap/0/map:${id}`, `cpumap/1/map:${id}`]);
    yield* rig.deliver(numbered(40, (i) => i));
    for (const cpu of [0, 1]) {
      const numbers = rig.received.filter((one) => one.cpu === cpu).map(({ number }) => number);
      expect(numbers).toEqual(Array.from({ length: 20 }, (_, i) => 2 * i + cpu));
    }
    // Eight at a time; what is left at the poll's end goes with the last used entry first.
    const bulk = (to: number, processed = 8) => ({ processed, drops: 0, to, cpu: 0 });
    const rest = [bulk(1, 4), bulk(0, 4)];
    expect(rig.enqueued).toEqual([bulk(0), bulk(1), bulk(0), bulk(1), ...rest]);
    const none = { pass: 0, drop: 0, redirect: 0 };
    const batch = (cpu: number, processed: number, sched: number) => ({
      processed,
      sched,
      cpu,
      ...none,
    });
    for (const cpu of [0, 1]) {
      const own = rig.batches.filter((one) => one.cpu === cpu);
      expect(own).toEqual([batch(cpu, 8, 1), batch(cpu, 8, 0), batch(cpu, 4, 0)]);
    }
    expect(rig.net.skbs.live).toBe(0);
  });
});

it('runs the program of an entry on its CPU, and does as it says', async () => {
  await onRig(function* (rig, machine) {
    const sent: Uint8Array[] = [];
    machine.network.nic('eth1')!.onTransmit = (_, at, length) =>
      sent.push(machine.ram.bytes(at, length).slice());
    const eth1 = rig.net.byName('eth1')!;
    const exceptions: number[] = [];
    rig.net.tracepoints.xdpException.subscribe((_dev, _prog, act) => exceptions.push(act));
    expect(yield* bpf.mapUpdate(rig.user, rig.fd('out'), u32(0), u32(eth1.ifindex))).toBe(0);
    expect(yield* rig.put(1, value(64, rig.fd('on_cpu')))).toBe(0);
    const actions = [PASS, DROP, REDIRECT, TX, ABORTED, PASS];
    const frames = actions.map((action, i) => frame(1, i, action));
    yield* rig.deliver(frames);
    expect(rig.received).toEqual([
      { cpu: 1, number: 0 },
      { cpu: 1, number: 5 },
    ]);
    expect(sent).toEqual([frames[2]]);
    expect(rig.batches).toEqual([
      { processed: 6, sched: 1, cpu: 1, pass: 2, drop: 3, redirect: 1 },
    ]);
    const seen = yield* bpf.mapLookup(rig.user, rig.fd('seen'), u32(1), 8);
    expect(seen).toEqual(u32(6, 0));
    // As 6.1: no trace of an exception here, and a warning for the first one only.
    expect(exceptions).toEqual([]);
    const warnings = machine.log.text().match(/.*XDP return value.*/g);
    expect(warnings).toHaveLength(1);
    expect(warnings![0]).toMatch(
      /Driver unsupported XDP return value 3 on prog on_cpu \(id \d+\) dev N\/A, expect packet loss!$/,
    );
    expect(rig.net.skbs.live).toBe(0);
  });
});

it('drops what a full ring has no room for, and counts it', async () => {
  await onRig(function* (rig) {
    expect(yield* rig.put(0, value(1))).toBe(0);
    expect(yield* rig.put(1, value(12))).toBe(0);
    yield* rig.deliver(numbered(32, () => 1));
    const numbers = rig.received.map(({ number }) => number);
    const drops = rig.enqueued.map((one) => one.drops);
    // While the thread wakes up, the ring of 12 takes 8 and 4; the poll goes on regardless.
    expect(numbers).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(drops).toEqual([0, 4, 8, 8]);
    yield* rig.deliver(numbered(32, () => 2));
    expect(rig.enqueued.slice(4).map((one) => one.drops)).toEqual([7, 8, 8, 8]);
    expect(rig.received.slice(12)).toEqual([{ cpu: 0, number: 0 }]);
    expect(rig.net.skbs.live).toBe(0);
  });
});

it.each(['replaced', 'deleted', 'emptied'])(
  'works off what an entry has that is %s',
  async (how) => {
    await onRig(function* (rig, machine, p) {
      const { on_cpu: program } = Object.fromEntries(
        [...machine.bpf.progs.values()].map((one) => [one.prog.name, one]),
      );
      const references = program!.references;
      expect(yield* rig.put(1, value(64, rig.fd('on_cpu')))).toBe(0);
      expect(program!.references).toBe(references + 1);
      yield* nanosleep(p, 1e5);
      for (const bytes of numbered(32, () => 1)) machine.network.inject('eth0', bytes);
      // Until they are in the ring, and the thread has not come to them.
      while (rig.enqueued.length === 0) yield { kind: 'compute', ns: 100 };
      expect(rig.received).toEqual([]);
      const change = {
        replaced: () => rig.put(1, value(16)),
        deleted: () => bpf.mapDelete(rig.user, rig.fd('cpus'), u32(1)),
        emptied: () => rig.put(1, value(0)),
      }[how]!;
      expect(yield* change()).toBe(0);
      const left = how === 'replaced' ? 1 : 0;
      expect(threads(machine)).toHaveLength(1 + left);
      yield* nanosleep(p, 2e7);
      expect(rig.received.map(({ number }) => number)).toEqual(
        Array.from({ length: 32 }, (_, i) => i),
      );
      expect(threads(machine)).toHaveLength(left);
      expect(program!.references).toBe(references);
      const found = yield* bpf.mapLookup(rig.user, rig.fd('cpus'), u32(1), 8);
      expect(found).toEqual(how === 'replaced' ? value(16) : -errno.ENOENT);
    });
  },
);

it('shows the id of its program, and refuses what 6.1 refuses', async () => {
  await onRig(function* (rig, machine) {
    const program = rig.fd('on_cpu');
    expect(yield* rig.put(0, value(192, program))).toBe(0);
    const shown = yield* bpf.mapLookup(rig.user, rig.fd('cpus'), u32(0), 8);
    const { id } = [...machine.bpf.progs.values()].find(({ prog }) => prog.name === 'on_cpu')!;
    expect(shown).toEqual(value(192, id));
    const refused = [
      yield* rig.put(2, value(64)),
      yield* rig.put(4, value(64)),
      yield* rig.put(0, value(16385)),
      yield* rig.put(0, value(64), 1),
      yield* rig.put(0, value(64), 4),
      // Any fault of the program.
      yield* rig.put(0, value(64, 99)),
      yield* rig.put(0, value(64, rig.fd('cpus'))),
      yield* rig.put(0, value(64, rig.fd('spread'))),
    ];
    const { ENODEV, E2BIG, EOVERFLOW, EEXIST, EINVAL, ENOMEM } = errno;
    const expected = [ENODEV, E2BIG, EOVERFLOW, EEXIST, EINVAL, ENOMEM, ENOMEM, ENOMEM];
    expect(refused).toEqual(expected.map((number) => -number));
    expect(threads(machine)).toHaveLength(1);
    const [attached, run] = [
      yield* bpf.command(rig.user, 'link_create', {
        prog_fd: program,
        target_fd: rig.net.loopback.ifindex,
        attach_type: ATTACH_TYPES.indexOf('xdp_cpumap'),
      }),
      yield* bpf.command(rig.user, 'prog_test_run', { prog_fd: program, data_size_in: 64 }),
    ];
    expect([attached.result, run.result]).toEqual([-EINVAL, -EINVAL]);
  });
});

it('takes sk_buffs from generic XDP, which are not run through it again', async () => {
  await onRig(function* (rig) {
    const exceptions: number[] = [];
    rig.net.tracepoints.xdpException.subscribe((_dev, _prog, act) => exceptions.push(act));
    const errors: number[] = [];
    rig.net.tracepoints.xdpRedirectErr.subscribe((...args) => errors.push(args[3]));
    expect(yield* rig.put(1, value(8))).toBe(0);
    const numbers = (from: number) =>
      rig.received.slice(from).map(({ cpu, number }) => [cpu, number]);
    yield* rig.deliver(numbered(4, () => 1));
    // Each is seen twice by the stack: on the CPU that received it, and on that of the map.
    expect(numbers(0).filter(([cpu]) => cpu === 1)).toEqual([0, 1, 2, 3].map((i) => [1, i]));
    expect(numbers(0)).toHaveLength(8);
    expect(rig.enqueued.slice(0, 4)).toEqual(
      Array(4).fill({ processed: 1, drops: 0, to: 1, cpu: 0 }),
    );
    // A ring that is full is an error of the redirect here.
    yield* rig.deliver(numbered(24, () => 1));
    const dropped = rig.enqueued.filter(({ drops }) => drops > 0);
    expect(dropped.length).toBeGreaterThan(0);
    expect(errors).toEqual(dropped.map(() => -errno.ENOSPC));

    expect(yield* rig.put(1, value(64, rig.fd('on_cpu')))).toBe(0);
    const before = rig.received.length;
    // As in 6.1, the program's first verdict but XDP_PASS ends its look at a batch.
    const actions = [PASS, ABORTED, DROP, DROP];
    yield* rig.deliver(actions.map((action, i) => frame(1, i, action)));
    const onTarget = numbers(before).filter(([cpu]) => cpu === 1);
    expect(exceptions).toEqual([ABORTED]);
    expect(onTarget).toEqual([0, 2, 3].map((i) => [1, i]));
    expect(rig.net.skbs.live).toBe(0);
  }, SKB_MODE);
});

it('takes the live frames of a test run', async () => {
  await onRig(function* (rig, _machine, p) {
    expect(yield* rig.put(0, value(64))).toBe(0);
    expect(yield* rig.put(1, value(64))).toBe(0);
    const bytes = frame(1, 77);
    const { result } = yield* bpf.command(rig.user, 'prog_test_run', {
      prog_fd: rig.fd('spread'),
      data_in: yield* rig.user.place(bytes),
      data_size_in: bytes.length,
      repeat: 12,
      batch_size: 5,
      flags: BPF_F_TEST_XDP_LIVE_FRAMES,
    });
    expect(result).toBe(0);
    yield* nanosleep(p, 1e6);
    expect(rig.received).toEqual(Array(12).fill({ cpu: 1, number: 77 }));
    expect(rig.enqueued.map(({ processed }) => processed)).toEqual([5, 5, 2]);
    expect(rig.net.skbs.live).toBe(0);
  });
});

it('gives back every page', async () => {
  await onRig(function* (rig, machine, p) {
    const { pages } = machine.ram;
    const eth0 = rig.net.byName('eth0')!;
    const left: number[] = [];
    for (let round = 0; round < 4; round++) {
      rig.net.up(eth0);
      expect(yield* rig.put(0, value(64))).toBe(0);
      expect(yield* rig.put(1, value(2, rig.fd('on_cpu')))).toBe(0);
      yield* rig.deliver(numbered(60, (i) => i, [PASS, DROP, ABORTED, REDIRECT][round]));
      // The interface goes down with frames still in the rings.
      for (const bytes of numbered(20, (i) => i)) machine.network.inject('eth0', bytes);
      const count = rig.enqueued.length;
      while (rig.enqueued.length === count) yield { kind: 'compute', ns: 100 };
      rig.net.down(eth0);
      for (const cpu of [0, 1]) yield* bpf.mapDelete(rig.user, rig.fd('cpus'), u32(cpu));
      yield* nanosleep(p, 3e7);
      expect(threads(machine)).toEqual([]);
      expect(rig.net.skbs.live).toBe(0);
      left.push(pages.freeBytes);
    }
    expect(left.slice(1)).toEqual(Array(3).fill(left[0]));
  });
});

it('is seen by ps, bpftool and the trace', async () => {
  const files = { '/root/c.o': object };
  const session = await bootSession({ core: await coreModule() }, { ...config, files });
  const run = (line: string) => session.run(line);
  const map = 'pinned /sys/fs/bpf/m/cpus';
  expect(await run('bpftool prog loadall c.o /sys/fs/bpf/c pinmaps /sys/fs/bpf/m')).toBe('');
  const update = (cpu: number) =>
    run(`bpftool map update ${map} key ${cpu} 0 0 0 value 192 0 0 0 0 0 0 0`);
  expect(await update(1)).toBe('');
  expect(await update(3)).toBe('Error: update failed: No such device\n');
  expect(await run(`bpftool map dump ${map} | grep -v entry`)).toBe(
    'key: 01 00 00 00  value: c0 00 00 00 00 00 00 00\nFound 1 element\n',
  );
  expect(await run('ps -eo stat,comm | grep cpumap/ | grep -v grep')).toMatch(
    /^S +cpumap\/1\/map:1\n$/,
  );
  await run(
    'for e in enqueue kthread; do echo 1 > /sys/kernel/tracing/events/xdp/xdp_cpumap_$e/enable; done',
  );
  expect(await run('ip link set dev eth0 up xdp pinned /sys/fs/bpf/c/spread')).toBe('');
  for (const bytes of numbered(12, () => 1)) session.machine.network.inject('eth0', bytes);
  await run('sleep 0.1');
  const trace = await run('grep -v "^#" /sys/kernel/tracing/trace');
  const lines = trace
    .trim()
    .split('\n')
    .map((line) => line.trim().replace(/ +[\d.]+: /, ' '));
  const [enqueue, kthread] = [
    'xdp_cpumap_enqueue: enqueue cpu=0',
    'xdp_cpumap_kthread: kthread cpu=1',
  ];
  const what = (processed: number) => `map_id=1 action=REDIRECT processed=${processed} drops=0`;
  const stats = 'xdp_pass=0 xdp_drop=0 xdp_redirect=0';
  expect(lines.map((line) => line.replace(/^\S+ +\[/, '['))).toEqual([
    `[000] ..s.. ${enqueue} ${what(8)} to_cpu=1`,
    `[000] ..s.. ${enqueue} ${what(4)} to_cpu=1`,
    `[001] b.... ${kthread} ${what(8)} sched=1 ${stats}`,
    `[001] b.... ${kthread} ${what(4)} sched=0 ${stats}`,
  ]);
});
