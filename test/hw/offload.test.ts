/** A program offloaded to a card of the machine, by the tools that one uses on Linux. */
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { createHxdp } from '../../hw/fpga/hxdp/target.ts';
import { readCapture } from '../../hw/nic/pcap.ts';
import { bootSession, type ConsoleSession } from '../../user/testing/console.ts';
import { coreModule } from '../support/assets.ts';

const asset = (path: string) => readFileSync(new URL(`../../scenarios/${path}`, import.meta.url));
const { frames } = readCapture(asset('first-light/traffic.pcap'), 'traffic.pcap');

let session: ConsoleSession;
const run = (line: string): Promise<string> => session.run(line);

beforeEach(async () => {
  const workloads = ['xdp1', 'xdp2', 'tx_iptunnel'].map((name) => `workloads/${name}.bpf.o`);
  const objects = [...workloads, 'first-light/xdp_count.bpf.o', 'offload/random_drop.bpf.o'];
  const files = Object.fromEntries(
    objects.map((path) => [path.replace(/.*\//, '/root/'), asset(path)]),
  );
  const nics = [
    { name: 'eth0', queues: 2 },
    { name: 'eth1', queues: 2, offload: createHxdp() },
  ];
  session = await bootSession({ core: await coreModule() }, { files, nics });
});

/** The capture on eth1's wire, until the last frame has been dealt with. */
async function play(): Promise<void> {
  const first = frames[0]!.timeNs;
  session.machine.input({
    kind: 'capture',
    nic: 'eth1',
    frames: frames.map(({ timeNs, data }) => ({ timeNs: timeNs - first, data })),
  });
  await session.pass(frames.at(-1)!.timeNs - first + 1e9);
}

const load = (name: string) =>
  run(`bpftool prog load ${name}.bpf.o /sys/fs/bpf/${name} dev eth1 && ip link set dev eth1 up \
xdpoffload pinned /sys/fs/bpf/${name}`);

async function counters(): Promise<Record<string, number>> {
  const rows = [...(await run('ethtool -S eth1')).matchAll(/(offload_\w+|rx_packets): (\d+)/g)];
  const sums: Record<string, number> = {};
  for (const [, name, value] of rows) sums[name!] = (sums[name!] ?? 0) + Number(value);
  return sums;
}

describe('a card that runs programs', () => {
  it('has the program and its map, as bpftool and ip show', async () => {
    expect(await load('xdp1')).toBe('');
    expect(await run('bpftool prog show')).toMatch(/^\d+: xdp {2}name xdp1 .* offloaded_to eth1\n/);
    expect(await run('bpftool map show')).toMatch(
      /percpu_array {2}name rxcnt .* offloaded_to eth1/,
    );
    expect(await run('ip link show dev eth1')).toMatch(
      /xdpoffload.*\n.*\n.*prog\/xdp id 1 name xdp1/,
    );
    const listing = await run('bpftool prog dump jited pinned /sys/fs/bpf/xdp1');
    expect(listing).toMatch(/lane 0: exit drop/);
    expect(listing).toBe(await run('cat /sys/kernel/debug/skepnic/*/bpf_bound_progs/1/listing'));
    expect(await run('bpftool prog dump xlated pinned /sys/fs/bpf/xdp1')).toContain(
      'r2 = *(u32 *)(r1 +4)',
    );
  });

  it('drops frames before the host sees them, and counts them in its map', async () => {
    await load('xdp1');
    await play();
    expect(await counters()).toMatchObject({ offload_drop: frames.length, rx_packets: 0 });
    const dump = await run('bpftool map dump name rxcnt');
    const values = [...dump.matchAll(/"value": (\d+)/g)].map(([, value]) => Number(value));
    const counted = values.reduce((sum, value) => sum + value, 0);
    expect(counted).toBe(frames.length);
  });

  it('sends frames back and hands frames on', async () => {
    let sent = 0;
    session.machine.network.nic('eth1')!.onTransmit = () => void sent++;
    await load('xdp2');
    await play();
    const { offload_tx: tx, offload_drop: drop } = await counters();
    expect(tx! + drop!).toBe(frames.length);
    expect(sent).toBeGreaterThanOrEqual(tx!);
    await run('ip link set dev eth1 xdpoffload off');
    await run('bpftool prog load tx_iptunnel.bpf.o /sys/fs/bpf/t dev eth1');
    await run('ip link set dev eth1 xdpoffload pinned /sys/fs/bpf/t');
    const before = await counters();
    await play();
    const after = await counters();
    expect(after.offload_pass! - before.offload_pass!).toBe(frames.length);
    expect(after.rx_packets! - before.rx_packets!).toBe(frames.length);
  });

  it('refuses with the C line, the instruction and what there is instead', async () => {
    const text = await run('bpftool prog load random_drop.bpf.o /sys/fs/bpf/x dev eth1 2>&1');
    expect(text).toContain(
      '; if (bpf_get_prandom_u32() % 16 == 0)\n0: hxdp: helper bpf_get_prandom_u32 is not supported\n',
    );
    expect(text).toContain('failed to load: -95');
    expect(await run('bpftool prog show')).toBe('');
  });

  it('refuses a map, and the log tells why', async () => {
    const text = await run('bpftool prog load xdp_count.bpf.o /sys/fs/bpf/x dev eth1 2>&1');
    expect(text).toContain("map 'syns': failed to create: Operation not supported(-95)");
    expect(await run('dmesg | tail -1')).toContain(
      'skepnic: hxdp: maps of type ringbuf are not supported',
    );
  });

  it('may be pulled out while frames come', async () => {
    await load('xdp1');
    await run('bpftool map pin name rxcnt /sys/fs/bpf/m');
    const start = frames[0]!.timeNs;
    const queued = frames.map(({ timeNs, data }) => ({ timeNs: timeNs - start, data }));
    session.machine.input({ kind: 'capture', nic: 'eth1', frames: queued });
    await session.pass(queued[100]!.timeNs);
    const dropped = (await counters()).offload_drop!;
    expect(dropped).toBeGreaterThan(0);
    expect(dropped).toBeLessThan(frames.length);
    expect(await run('echo 1 > /sys/class/net/eth1/device/remove')).toBe('');
    await session.pass(queued.at(-1)!.timeNs);
    expect(await run('ip -br link show')).not.toContain('eth1');
    const { nic } = session.machine.network.drivers[1]!;
    expect(nic.stats.rxWhileDown).toBeGreaterThan(0);
    for (const what of ['map dump', 'map show', 'map lookup']) {
      const key = what === 'map lookup' ? 'key 0 0 0 0' : '';
      const text = await run(`bpftool ${what} pinned /sys/fs/bpf/m ${key} 2>&1`);
      expect(text, what).toContain('No such device');
    }
    expect(await run('bpftool prog show pinned /sys/fs/bpf/xdp1 2>&1')).toContain('No such device');
    expect(
      await run('rm /sys/fs/bpf/xdp1 /sys/fs/bpf/m; bpftool prog show; bpftool map show'),
    ).toBe('');
  });

  it('is the only one that takes them', async () => {
    expect(await run('bpftool prog load xdp1.bpf.o /sys/fs/bpf/p dev eth0 2>&1')).toContain(
      'Invalid argument(-22)',
    );
    expect(await run('bpftool prog load xdp1.bpf.o /sys/fs/bpf/p dev lo 2>&1')).toContain(
      'Operation not supported(-95)',
    );
    await load('xdp1');
    expect(await run('ip link set dev eth1 xdp pinned /sys/fs/bpf/xdp1 2>&1')).toBe(
      'Error: Using offloaded program without HW_MODE flag is not supported.\n',
    );
    await run('bpftool prog load xdp1.bpf.o /sys/fs/bpf/host');
    expect(await run('ip link set dev eth0 xdpoffload pinned /sys/fs/bpf/xdp1 2>&1')).toContain(
      'Invalid argument',
    );
    expect(await run('ip link set dev eth1 xdpoffload pinned /sys/fs/bpf/host 2>&1')).toContain(
      'Error: the program was not loaded for this device.',
    );
    expect(await run('bpftool prog run pinned /sys/fs/bpf/xdp1 data_in xdp1.bpf.o 2>&1')).toContain(
      'Unknown error 524',
    );
  });
});
