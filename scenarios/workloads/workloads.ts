/**
 * The classic XDP programs, each with the contents of its maps and the packets that it is measured
 * with. Sources and objects lie beside this file; the program of NAME.bpf.o is called NAME.
 */
import { frame, ip, type FrameOptions } from './frames.ts';

/** Fills maps by name, as user space does before traffic. */
export type PutElement = (map: string, key: Uint8Array, value: Uint8Array) => void;

export interface OfferedPacket {
  readonly data: Uint8Array;
  /** Index into `ports`. */
  readonly port: number;
}

export interface MixOptions {
  /** Different flows, at least 1. */
  readonly flows: number;
  /** Bytes of a frame without its check sequence, at least 60. */
  readonly bytes: number;
}

export interface Workload {
  readonly name: string;
  /** What it does, in a line. */
  readonly title: string;
  /** Interfaces that packets come in by; where absent, one. */
  readonly ports?: readonly { readonly ifindex: number; readonly queue: number }[];
  prepare?(put: PutElement, options: MixOptions): void;
  /** Packets that are offered in turn, again and again. */
  packets(options: MixOptions): readonly OfferedPacket[];
}

/** Interfaces that packets may be redirected to. */
export const OUT_IFINDEX = 2;

/** 32-bit words, little-endian as maps hold integers. */
const words = (...values: number[]): Uint8Array => {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => view.setUint32(4 * i, value, true));
  return bytes;
};

/** Numbers of so many bits in network order. */
const packed = (...parts: readonly (readonly [bits: 8 | 16 | 32, value: number])[]): Uint8Array => {
  const bytes: number[] = [];
  for (const [bits, value] of parts) {
    for (let shift = bits - 8; shift >= 0; shift -= 8) bytes.push((value >>> shift) & 255);
  }
  return Uint8Array.from(bytes);
};

const PUBLIC = ip(203, 0, 113, 1);
const UDP = 17;
const TCP = 6;

/** Where the packets of flow `i` are from. */
const client = (i: number): { readonly source: number; readonly sourcePort: number } => ({
  source: ip(198, 18, (i >>> 8) & 255, i & 255),
  sourcePort: 1024 + (i % 60000),
});

/** A packet of each flow; those that do not say come in by the first port. */
const each = (
  { flows }: MixOptions,
  build: (flow: number) => FrameOptions & { readonly port?: number },
): readonly OfferedPacket[] =>
  Array.from({ length: flows }, (_, flow) => {
    const { port = 0, ...options } = build(flow);
    return { data: frame(options), port };
  });

const udp = (options: MixOptions): readonly OfferedPacket[] =>
  each(options, (flow) => ({ ...client(flow), bytes: options.bytes }));

const mac = (last: number): readonly number[] => [2, 0, 0, 0, 1, last & 255];

/** The key of struct flow in workload.h: addresses and ports as on the wire, protocol as an int. */
const flowKey = (source: number, destination: number, ports: readonly number[], protocol: number) =>
  Uint8Array.from([
    ...packed([32, source], [32, destination], [16, ports[0]!], [16, ports[1]!]),
    ...words(protocol),
  ]);

/** As a little-endian machine compares words in network order: by the last byte first. */
const ascending = ([a, b]: readonly Uint8Array[]): readonly [Uint8Array, Uint8Array] => {
  const value = (bytes: Uint8Array): number =>
    bytes.reduceRight((sum, byte) => sum * 256 + byte, 0);
  return value(a!) <= value(b!) ? [a!, b!] : [b!, a!];
};

export const WORKLOADS: readonly Workload[] = [
  { name: 'drop', title: 'drops every packet unread', packets: udp },
  { name: 'drop_read', title: 'reads the Ethernet type, drops', packets: udp },
  { name: 'tx', title: 'sends every packet back', packets: udp },
  { name: 'redirect', title: 'sends every packet out of another port', packets: udp },
  { name: 'xdp1', title: 'counts by IP protocol, drops', packets: udp },
  { name: 'xdp2', title: 'counts by IP protocol, swaps MACs, sends back', packets: udp },
  {
    name: 'adjust_tail',
    title: 'answers IPv4 packets over 600 bytes with an ICMP error',
    packets: (options) =>
      each(options, (flow) => ({ ...client(flow), bytes: Math.max(options.bytes, 700) })),
  },
  {
    name: 'router_ipv4',
    title: 'routes IPv4 by neighbour or longest prefix',
    prepare(put) {
      put('ports', words(0), words(OUT_IFINDEX));
      const hop = (last: number): Uint8Array =>
        Uint8Array.from([...mac(last), ...mac(0), ...words(0)]);
      for (let i = 0; i < 64; i++) {
        const gateway = ip(10, 0, 0, i + 1);
        put('neighbours', packed([32, gateway]), hop(i + 1));
        const prefix = Uint8Array.from([...words(24), ...packed([32, ip(203, 0, i, 0)])]);
        put('routes', prefix, packed([32, gateway]));
      }
      // Half of the destinations were looked up before.
      for (let i = 0; i < 128; i += 2) {
        put('neighbours', packed([32, ip(203, 0, i % 64, i)]), hop(1));
      }
    },
    packets: (options) =>
      each(options, (flow) => ({
        ...client(flow),
        destination: ip(203, 0, flow % 64, flow % 128),
        bytes: options.bytes,
      })),
  },
  {
    name: 'rxq_info',
    title: 'counts by receive queue, drops',
    ports: [{ ifindex: 1, queue: 0 }],
    // Drop, interface 1, nothing read.
    prepare: (put) => put('configuration', words(0), words(1, 1, 0)),
    packets: udp,
  },
  {
    name: 'tx_iptunnel',
    title: 'wraps packets to virtual addresses in IPv4, sends them on',
    prepare(put) {
      const key = Uint8Array.from([...packed([32, PUBLIC], [16, 80]), UDP, 0]);
      const value = [...packed([32, ip(10, 0, 0, 1)], [32, ip(10, 0, 0, 2)]), ...mac(1), 0, 0];
      put('vip2tunnel', key, Uint8Array.from(value));
    },
    packets: (options) =>
      each(options, (flow) => ({ ...client(flow), destination: PUBLIC, bytes: options.bytes })),
  },
  {
    name: 'redirect_map',
    title: 'counts, swaps MACs, sends out of another port',
    prepare: (put) => put('tx_port', words(0), words(OUT_IFINDEX)),
    packets: udp,
  },
  {
    name: 'firewall',
    title: 'lets in what somebody inside has opened',
    ports: [
      { ifindex: 1, queue: 0 },
      { ifindex: 2, queue: 0 },
    ],
    prepare(put, options) {
      put('tx_port', words(1), words(1));
      put('tx_port', words(2), words(OUT_IFINDEX));
      for (let i = 0; i < Math.min(options.flows, 1024); i += 2) {
        const { source, sourcePort } = client(i);
        const ends = [packed([32, source]), packed([32, PUBLIC])];
        const ports = [packed([16, sourcePort]), packed([16, 80])];
        const [first, second] = ascending(ends);
        const [low, high] = ascending(ports);
        const key = [...words(TCP), ...low, ...high, ...first, ...second];
        put('flows', Uint8Array.from(key), words(1));
      }
    },
    // Out and back again.
    packets: (options) =>
      each(options, (flow) => {
        const { source, sourcePort } = client(flow & ~1);
        const common = { transport: 'tcp', bytes: options.bytes } as const;
        if (flow % 2 === 0) return { ...common, source, sourcePort, destination: PUBLIC };
        const inside = { destination: source, destinationPort: sourcePort };
        return { ...common, ...inside, source: PUBLIC, sourcePort: 80, port: 1 };
      }),
  },
  {
    name: 'balancer',
    title: 'spreads connections over servers, in IPv4 tunnels',
    prepare(put) {
      const key = Uint8Array.from([...packed([32, PUBLIC], [16, 80]), TCP, 0]);
      put('vips', key, words(0));
      for (let i = 0; i < 1021; i++) put('rings', words(i), words((i * 7) % 16));
      for (let i = 0; i < 16; i++) {
        put(
          'reals',
          words(i),
          Uint8Array.from([...packed([32, ip(10, 1, 0, i)]), ...mac(i), 0, 0]),
        );
      }
    },
    packets: (options) =>
      each(options, (flow) => ({
        ...client(flow),
        transport: 'tcp',
        destination: PUBLIC,
        bytes: options.bytes,
      })),
  },
  {
    name: 'dnat',
    title: 'gives packets to a public address another destination',
    prepare(put) {
      for (let i = 0; i < 64; i++) {
        const key = Uint8Array.from([...packed([32, PUBLIC], [16, 80 + i]), UDP, 0]);
        const target = [...packed([32, ip(10, 2, 0, i)], [16, 8080]), ...mac(i)];
        put('services', key, Uint8Array.from(target));
      }
    },
    packets: (options) =>
      each(options, (flow) => ({
        ...client(flow),
        destination: PUBLIC,
        destinationPort: 80 + (flow % 64),
        bytes: options.bytes,
      })),
  },
  {
    name: 'l2_acl',
    title: 'drops frames from listed MAC addresses',
    prepare(put) {
      for (let i = 0; i < 128; i++) put('denied', Uint8Array.from([...mac(i), 0, 0]), words(0, 0));
    },
    packets: (options) =>
      each(options, (flow) => ({
        ...client(flow),
        sourceMac: flow % 2 === 0 ? mac(flow) : [2, 0, 0, 0, 2, flow & 255],
        bytes: options.bytes,
      })),
  },
  {
    name: 'suricata',
    title: 'drops flows that the detection is done with, IPv4 and IPv6',
    prepare(put, options) {
      for (let i = 0; i < Math.min(options.flows, 4096); i += 2) {
        const { source, sourcePort } = client(i);
        const key = flowKey(source, ip(198, 19, 0, 1), [sourcePort, 80], UDP);
        put('flow_table_v4', key, words(0, 0, 0, 0, 0, 0));
      }
    },
    packets: (options) =>
      each(options, (flow) => ({
        ...client(flow),
        version: flow % 8 === 7 ? 6 : 4,
        bytes: options.bytes,
      })),
  },
  ...[4, 16].map((bytes): Workload => ({
    name: `lookup${bytes}`,
    title: `one hash lookup with a key of ${bytes} bytes`,
    packets: udp,
  })),
  ...[1, 10, 40].map((calls): Workload => ({
    name: `csum${calls}`,
    title: `${calls} call${calls === 1 ? '' : 's'} of the checksum helper`,
    packets: udp,
  })),
];

/** Programs that published figures of x86 are of, where they differ from those of other devices. */
export const X86_MEASURED: readonly Workload[] = [
  { name: 'tx_swap', title: 'swaps MACs, sends every packet back', packets: udp },
  ...[4, 16].map((bytes): Workload => ({
    name: `hit${bytes}`,
    title: `one element with a key of ${bytes} bytes found and counted, drops`,
    packets: udp,
  })),
  ...[1, 10, 40].map((calls): Workload => ({
    name: `sum${calls}`,
    title: `${calls} call${calls === 1 ? '' : 's'} of the checksum helper, drops`,
    packets: udp,
  })),
];

/** For devices that have no memory of each CPU, as offload's have none. */
export const SHARED_COUNTERS: readonly Workload[] = [
  { name: 'xdp1_shared', title: 'counts by IP protocol in shared counters, drops', packets: udp },
  {
    name: 'xdp2_shared',
    title: 'counts by IP protocol in shared counters, swaps MACs, sends back',
    packets: udp,
  },
];

export function workloadNamed(name: string): Workload | undefined {
  return [...WORKLOADS, ...X86_MEASURED, ...SHARED_COUNTERS].find(
    (workload) => workload.name === name,
  );
}
