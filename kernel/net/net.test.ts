/** A packet's way through the kernel: NIC, NAPI, XDP, protocols and back out. */
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Redirect } from '../../bpf/runtime.ts';
import { XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX } from '../../bpf/uapi.ts';
import { changeXdpProgram } from '../../hooks/xdp-attach.ts';
import { CaptureSource, FrameQueue, GeneratorSource } from '../../hw/nic/frames.ts';
import { readCapture } from '../../hw/nic/pcap.ts';
import { TestNetHost } from '../../test/support/net-host.ts';
import { fakeXdp } from '../../test/support/xdp-program.ts';
import { errno } from '../types/errno.ts';
import { NetDeviceStruct } from '../types/net-device.ts';
import type { RamOffset } from '../types/units.ts';
import { XdpRxqInfo, XdpTxqInfo } from '../types/xdp.ts';
import { checksum } from './checksum.ts';
import type { NetDevice } from './device.ts';
import { Net } from './net.ts';
import type { NicDriver } from './nic-driver.ts';
import { probeNic } from './nic-driver.ts';

const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
const PEER = Uint8Array.of(2, 0, 0, 0, 0, 2);
const SECOND = 1e9;
const traffic = readCapture(
  new Uint8Array(
    readFileSync(new URL('../../scenarios/first-light/traffic.pcap', import.meta.url)),
  ),
  'traffic.pcap',
).frames;

let host: TestNetHost;
let net: Net;
let driver: NicDriver;
let eth0: NetDevice;
let wire: FrameQueue;
let sent: Uint8Array[];

beforeEach(() => {
  host = new TestNetHost();
  net = new Net(host);
  driver = probeNic(net, { name: 'eth0', queues: 2 }, MAC, 24);
  eth0 = driver.device;
  wire = new FrameQueue();
  driver.nic.connect(wire);
  sent = [];
  driver.nic.onTransmit = (_, at, length) => sent.push(host.ram.bytes(at, length).slice());
  host.on(0, () => {
    net.loopback.open();
    eth0.open();
  });
  net.ipv4.addAddress(eth0, {
    family: 'inet',
    local: Uint8Array.of(10, 0, 0, 1),
    prefixLength: 24,
    scope: 0,
    createdCs: 0,
  });
  net.ipv4.addAddress(net.loopback, {
    family: 'inet',
    local: Uint8Array.of(127, 0, 0, 1),
    prefixLength: 8,
    scope: 254,
    createdCs: 0,
  });
});

const attach = (program: ReturnType<typeof fakeXdp>, device = eth0, flags = 0) =>
  changeXdpProgram(device, { program, flags }, {});

/** A frame of the capture that satisfies `match`. */
const frameWhere = (match: (frame: Uint8Array) => boolean): Uint8Array =>
  traffic.find(({ data }) => match(data))!.data;
const isArpRequest = (frame: Uint8Array) =>
  frame[12] === 8 && frame[13] === 6 && frame[21] === 1 && frame[41] === 1;
const isEchoRequest = (frame: Uint8Array) =>
  frame[12] === 8 && frame[13] === 0 && frame[23] === 1 && frame[34] === 8 && frame[20] === 0x40;
const udpTo = (port: number) => (frame: Uint8Array) =>
  frame[12] === 8 && frame[13] === 0 && frame[23] === 17 && (frame[36]! << 8) + frame[37]! === port;

const deliver = (...frames: Uint8Array[]) => {
  frames.forEach((frame) => wire.push(frame, host.events.now));
  host.runUntil(host.events.now + SECOND / 100);
};

describe('without a program', () => {
  it('answers ARP and echo requests as the server of the capture did', () => {
    const request = frameWhere(isArpRequest);
    const ping = frameWhere(isEchoRequest);
    deliver(request, ping);
    expect(sent.length).toBe(2);
    const [arpReply, echoReply] = sent as [Uint8Array, Uint8Array];
    expect(traffic.map(({ data }) => data)).toContainEqual(arpReply);
    // The real reply, but for the IP identification (and so its checksum).
    const real = frameWhere((frame) => frame[23] === 1 && frame[34] === 0 && frame[29] === 1);
    expect(echoReply.subarray(34)).toEqual(real.subarray(34));
    expect(echoReply.subarray(0, 18)).toEqual(real.subarray(0, 18));
    expect(echoReply.subarray(26, 34)).toEqual(real.subarray(26, 34));
    expect(checksum(echoReply, 14, 20)).toBe(0);
    expect(net.icmp.stats).toMatchObject({ InMsgs: 1, InEchos: 1, OutEchoReps: 1, OutMsgs: 1 });
    expect(net.skbs.live).toBe(0);
  });

  it('asks for an address that it does not know, and sends what waited', () => {
    const ping = frameWhere(isEchoRequest);
    deliver(ping);
    expect(sent.length).toBe(1);
    expect(Array.from(sent[0]!.subarray(0, 22))).toEqual([
      ...[255, 255, 255, 255, 255, 255, ...MAC, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1],
    ]);
    const answer = sent[0]!.slice();
    answer.set([...MAC, ...PEER], 0);
    answer.set([0, 2, ...PEER, 10, 0, 0, 2, ...MAC, 10, 0, 0, 1], 20);
    deliver(answer);
    expect(sent.length).toBe(2);
    expect(sent[1]!.subarray(0, 6)).toEqual(PEER);
    expect(sent[1]![34]).toBe(0);
  });

  it('gives up on an address after three requests', () => {
    deliver(frameWhere(isEchoRequest));
    host.runUntil(10 * SECOND);
    expect(sent.length).toBe(3);
    expect(net.neighbours.entries(host.clock()).map((entry) => entry.state)).toEqual([0x20]);
  });

  it('tells a UDP sender that nobody listens, in the words of the real server', () => {
    deliver(frameWhere(isArpRequest), frameWhere(udpTo(9999)));
    const real = frameWhere((frame) => frame[23] === 1 && frame[34] === 3);
    const ours = sent.at(-1)!;
    expect(ours.subarray(34)).toEqual(real.subarray(34));
    expect(ours[15]).toBe(real[15]);
    expect(net.icmp.stats.OutDestUnreachs).toBe(1);
  });

  it('counts the whole capture, and where each frame ended', () => {
    driver.nic.connect(new CaptureSource(traffic, { startNs: 1000 }));
    host.runUntil(20 * SECOND);
    const stats = eth0.linkStats();
    expect(stats.rx_packets).toBe(237);
    expect(stats.rx_bytes).toBe(traffic.reduce((sum, { data }) => sum + data.length, 0));
    const toUs = traffic.filter(({ data }) => data.subarray(0, 6).every((b, i) => b === MAC[i]));
    const ipv4ToUs = toUs.filter(({ data }) => data[12] === 8 && data[13] === 0);
    expect(net.ipv4.stats.InReceives).toBe(ipv4ToUs.length);
    expect(net.ipv4.stats.InHdrErrors).toBe(0);
    // From the server, and tagged: nobody's here.
    const others = traffic.filter(
      ({ data }) =>
        (data[12] === 0x81 && !(data[16] === 8 && data[17] === 6)) ||
        (data[12] === 8 && data[13] === 0 && data[5] !== 1),
    );
    expect(stats.rx_otherhost_dropped).toBe(others.length);
    const ipv6 = traffic.filter(({ data }) => data[12] === 0x86);
    expect(net.ipv4.ipv6Stats.InReceives).toBe(ipv6.length);
    expect(net.icmp.stats.InEchos).toBe(
      ipv4ToUs.filter(({ data }) => isEchoRequest(data) || (data[23] === 1 && data[34] === 8))
        .length -
        2 * 2 +
        2,
    );
  });

  it('drops broken IP headers and counts them', () => {
    const ping = frameWhere(isEchoRequest);
    const broken = (at: number, value: number) => {
      const copy = ping.slice();
      copy[at] = value;
      return copy;
    };
    deliver(broken(14, 0x44), broken(14, 0x55), broken(17, 255), broken(24, 1), broken(40, 1));
    expect(net.ipv4.stats).toMatchObject({ InReceives: 5, InHdrErrors: 4, InDelivers: 1 });
    expect(net.icmp.stats).toMatchObject({ InErrors: 1, InCsumErrors: 1 });
    expect(net.skbs.live).toBe(0);
  });
});

describe('native XDP', () => {
  const ping = frameWhere(isEchoRequest);

  it('shows the program the frame, its queue and its device, and drops it', () => {
    const seen: unknown[] = [];
    const program = fakeXdp(host.ram, (xdp) => {
      const rxq = host.ram.view;
      const at = xdp.rxq;
      seen.push(
        host.ram.bytes(xdp.data, xdp.data_end - xdp.data).slice(),
        xdp.data - xdp.data_hard_start,
        xdp.data_meta - xdp.data,
        xdp.frame_sz,
        host.ram.readPointer(at),
        rxq.getUint32(at + 8, true),
        host.cpu(),
      );
      return XDP_DROP;
    });
    expect(attach(program)).toBe(0);
    deliver(ping);
    const queue = driver.nic.rss.queueOf(driver.nic.rss.hash(ping, 0, ping.length));
    expect(seen).toEqual([ping, 256, 0, 4096, eth0.offset, queue, queue]);
    expect(sent).toEqual([]);
    expect(driver.queues[queue]!.stats).toMatchObject({ xdp_packets: 1, xdp_drop: 1 });
    expect(eth0.linkStats()).toMatchObject({ rx_packets: 1, rx_bytes: ping.length, rx_dropped: 0 });
  });

  it('passes on what the program left of the frame', () => {
    // A VLAN tag put in front is taken off by the program, which moves the addresses up.
    const tagged = new Uint8Array(ping.length + 4);
    tagged.set(ping.subarray(0, 12));
    tagged.set([0x81, 0, 0, 10], 12);
    tagged.set(ping.subarray(12), 16);
    attach(
      fakeXdp(host.ram, (xdp) => {
        if (host.ram.u8[xdp.data + 12] !== 0x81) return XDP_PASS;
        host.ram.u8.copyWithin(xdp.data + 4, xdp.data, xdp.data + 12);
        xdp.data = (xdp.data + 4) as RamOffset;
        return XDP_PASS;
      }),
    );
    deliver(frameWhere(isArpRequest), tagged);
    expect(sent.length).toBe(2);
    expect(net.icmp.stats.InEchos).toBe(1);
  });

  it('sends back with XDP_TX, changed and longer at both ends', () => {
    attach(
      fakeXdp(host.ram, (xdp) => {
        xdp.data = (xdp.data - 2) as RamOffset;
        xdp.data_end = (xdp.data_end + 3) as RamOffset;
        host.ram.u8[xdp.data] = 0xaa;
        host.ram.u8[xdp.data_end - 1] = 0xbb;
        return XDP_TX;
      }),
    );
    deliver(ping);
    expect(sent.length).toBe(1);
    expect(sent[0]!.length).toBe(ping.length + 5);
    expect(sent[0]!.subarray(2, 2 + ping.length)).toEqual(ping);
    expect([sent[0]![0], sent[0]!.at(-1)]).toEqual([0xaa, 0xbb]);
    expect(eth0.linkStats()).toMatchObject({ rx_packets: 1, tx_packets: 1 });
  });

  it('reports ABORTED and verdicts that are none, and drops', () => {
    const exceptions: [number, number, number][] = [];
    net.tracepoints.xdpException.subscribe((device, program, act) =>
      exceptions.push([device.ifindex, program.id, act]),
    );
    let verdict = XDP_ABORTED;
    attach(fakeXdp(host.ram, () => verdict, { id: 42 }));
    deliver(ping);
    verdict = 99;
    deliver(ping);
    verdict = 4;
    deliver(ping);
    expect(exceptions).toEqual([
      [2, 42, 0],
      [2, 42, 99],
      [2, 42, 4],
    ]);
    expect(host.log).toEqual([
      'Illegal XDP return value 99 on prog fake (id 42) dev eth0, expect packet loss!',
    ]);
    expect(driver.queues[0]!.stats.xdp_aborted + driver.queues[1]!.stats.xdp_aborted).toBe(3);
  });

  it('redirects to another interface, by index and through a devmap', () => {
    const other = probeNic(net, { name: 'eth1', queues: 2 }, PEER, 26);
    const out: Uint8Array[] = [];
    other.nic.onTransmit = (_, at, length) => out.push(host.ram.bytes(at, length).slice());
    host.on(0, () => other.device.open());
    const seen: unknown[] = [];
    const note = (...args: readonly unknown[]) =>
      seen.push([args[3], (args[2] as NetDevice).name ?? args[2], args[5], args[6]]);
    net.tracepoints.xdpRedirect.subscribe(note);
    net.tracepoints.xdpRedirectErr.subscribe(note);
    const devmap = {
      id: 5,
      spec: { type: 'devmap' },
      ifindexAt: (index: number) => (index === 1 ? other.device.ifindex : 0),
    } as unknown as Redirect['map'];
    const wants: Redirect[] = [
      { index: 3, map: undefined, flags: 0 },
      { index: 1, map: devmap, flags: 0 },
      { index: 2, map: devmap, flags: 0 },
      { index: 1, map: undefined, flags: 0 },
    ];
    attach(
      fakeXdp(host.ram, () => {
        host.redirect = wants.shift();
        return XDP_REDIRECT;
      }),
    );
    for (let i = 0; i < 4; i++) deliver(ping);
    expect(out).toEqual([ping, ping]);
    expect(seen).toEqual([
      [0, 'eth1', 0, 3],
      [0, 'eth1', 5, 1],
      [-errno.EINVAL, 0, 5, 2],
      [-errno.EOPNOTSUPP, 'lo', 0, 1],
    ]);
    host.on(0, () => {
      other.device.close();
      eth0.close();
    });
    expect(other.device.linkStats().tx_packets).toBe(2);
  });

  it('asks the program of a devmap entry, which may change or drop the frame', () => {
    const other = probeNic(net, { name: 'eth1', queues: 2 }, PEER, 26);
    const out: Uint8Array[] = [];
    other.nic.onTransmit = (_, at, length) => out.push(host.ram.bytes(at, length).slice());
    host.on(0, () => other.device.open());
    const between: number[][] = [];
    const verdicts = [XDP_PASS, XDP_DROP, XDP_TX];
    const entry = fakeXdp(host.ram, (xdp) => {
      const [from, to] = [
        XdpRxqInfo.at(host.ram, xdp.rxq).dev,
        XdpTxqInfo.at(host.ram, xdp.txq).dev,
      ].map((dev) => NetDeviceStruct.at(host.ram, dev).ifindex);
      between.push([from!, to!]);
      host.ram.u8[xdp.data] = 0xaa;
      return verdicts.shift()!;
    });
    const devmap = {
      id: 5,
      spec: { type: 'devmap' },
      ifindexAt: () => other.device.ifindex,
      programAt: () => entry,
    } as unknown as Redirect['map'];
    attach(
      fakeXdp(host.ram, () => {
        host.redirect = { index: 0, map: devmap, flags: 0 };
        return XDP_REDIRECT;
      }),
    );
    const logged = host.log.length;
    for (let i = 0; i < 3; i++) deliver(ping);
    expect(out).toEqual([Uint8Array.of(0xaa, ...ping.subarray(1))]);
    expect(between).toEqual(Array(3).fill([eth0.ifindex, other.device.ifindex]));
    expect(host.log.slice(logged)).toEqual([
      'Driver unsupported XDP return value 3 on prog fake (id 7) dev eth1, expect packet loss!',
    ]);
    host.on(0, () => {
      other.device.close();
      eth0.close();
    });
  });

  it('spreads flows over queues and CPUs', () => {
    const cpus = new Map<number, number>();
    const program = fakeXdp(host.ram, () => {
      cpus.set(host.cpu(), (cpus.get(host.cpu()) ?? 0) + 1);
      return XDP_DROP;
    });
    attach(program);
    driver.nic.connect(new CaptureSource(traffic, { startNs: 0 }));
    host.runUntil(10 * SECOND);
    expect(program.runs).toBe(237);
    expect([...cpus.keys()].sort()).toEqual([0, 1]);
    expect(cpus.get(1)).toBeGreaterThan(40);
  });

  it('gives every page back when the interface goes down', () => {
    const free = host.ram.pages.freeBytes;
    for (const verdict of [XDP_DROP, XDP_PASS, XDP_TX]) {
      attach(fakeXdp(host.ram, () => verdict));
      driver.nic.connect(new CaptureSource(traffic, { startNs: host.events.now }));
      host.runUntil(host.events.now + 20 * SECOND);
      host.on(0, () => eth0.close());
      expect(net.skbs.live).toBe(0);
      host.on(0, () => eth0.open());
    }
    // The slab may keep a run of pages it has grown by, no more.
    expect(Math.abs(free - host.ram.pages.freeBytes)).toBeLessThan(300 * 4096);
  });
});

describe('load', () => {
  const frames = [1, 2, 3, 4].map((n) => {
    const frame = traffic[1]!.data.slice(0, 42);
    const udp = new Uint8Array(60);
    udp.set([...MAC, ...PEER, 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, n]);
    udp.set([10, 0, 0, 1, 0, n, 0, 53], 30);
    return frame.length > 0 ? udp : frame;
  });

  it('drops at line rate in XDP on one CPU, by the costs; nothing is missed', () => {
    const program = fakeXdp(host.ram, () => XDP_DROP);
    attach(program);
    const count = 100_000;
    driver.nic.connect(
      new GeneratorSource([frames[0]!], { startNs: 0, packetsPerSecond: Infinity, count }),
    );
    host.runUntil(SECOND);
    // 14.88 Mpps arrive, and a CPU can drop about 24.
    expect(program.runs).toBe(count);
    expect(eth0.linkStats().rx_missed_errors).toBe(0);
    const cpu = driver.nic.rss.queueOf(driver.nic.rss.hash(frames[0]!, 0, 60));
    const softnet = net.napi.stats[cpu]!;
    expect(softnet.processed).toBe(count);
    // Polling, not an interrupt a packet.
    expect(driver.nic.stats.interrupts).toBeLessThan(count / 50);
  });

  it('misses what the stack has no time for, and counts every frame once', () => {
    const count = 100_000;
    driver.nic.connect(
      new GeneratorSource(frames, { startNs: 0, packetsPerSecond: Infinity, count }),
    );
    host.runUntil(SECOND);
    const stats = eth0.linkStats();
    expect(stats.rx_packets + stats.rx_missed_errors).toBe(count);
    expect(stats.rx_missed_errors).toBeGreaterThan(count / 3);
    expect(net.ipv4.stats.InReceives).toBe(stats.rx_packets);
    const polled = net.napi.stats.reduce((sum, cpu) => sum + cpu.processed, 0);
    expect(polled).toBe(stats.rx_packets);
  });

  it('runs the same twice, to the nanosecond', () => {
    const run = () => {
      const other = new TestNetHost();
      const otherNet = new Net(other);
      const nic = probeNic(otherNet, { name: 'eth0', queues: 2 }, MAC, 24);
      other.on(0, () => nic.device.open());
      nic.nic.connect(new CaptureSource(traffic, { startNs: 0 }));
      nic.nic.connect(
        new GeneratorSource(frames, { startNs: 5, packetsPerSecond: 3e6, count: 30_000 }),
      );
      other.runUntil(10 * SECOND);
      return [nic.ethtoolStats(), other.busyUntil(0), other.busyUntil(1), otherNet.napi.stats];
    };
    expect(run()).toEqual(run());
  });
});

describe('loopback', () => {
  const pingSelf = () => {
    const skb = net.skbs.alloc(16, 64);
    const message = Uint8Array.of(8, 0, 0, 0, 0, 1, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8);
    const sum = checksum(message, 0, 16);
    message.set([sum >> 8, sum & 255], 2);
    host.ram.u8.set(message, skb.put(16));
    host.on(1, () =>
      net.ipv4.send(skb, { protocol: 1, source: 0x7f000001, destination: 0x7f000001 }),
    );
    host.runUntil(host.events.now + SECOND);
  };

  it('receives what it sends, on the CPU that sent it', () => {
    pingSelf();
    expect(net.icmp.stats).toMatchObject({ InEchos: 1, InEchoReps: 1, OutEchoReps: 1 });
    expect(net.loopback.linkStats()).toMatchObject({ rx_packets: 2, tx_packets: 2, rx_bytes: 100 });
    expect(net.napi.stats.map((cpu) => cpu.processed)).toEqual([0, 2]);
    expect(net.skbs.live).toBe(0);
  });

  it('takes generic XDP, which sees the Ethernet header and enough headroom', () => {
    const seen: number[][] = [];
    const program = fakeXdp(host.ram, (xdp) => {
      seen.push([xdp.data - xdp.data_hard_start, xdp.data_end - xdp.data]);
      const type = host.ram.u8[xdp.data + 34];
      return type === 0 ? XDP_DROP : XDP_PASS;
    });
    expect(attach(program, net.loopback)).toBe(0);
    pingSelf();
    expect(seen).toEqual([
      [256, 50],
      [256, 50],
    ]);
    expect(net.icmp.stats).toMatchObject({ InEchos: 1, OutEchoReps: 1, InEchoReps: 0 });
    expect(net.skbs.live).toBe(0);
  });
});
