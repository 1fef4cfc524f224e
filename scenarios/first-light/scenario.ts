/**
 * first-light: boot, load a real program, run real packets through it, trace, and be refused.
 * What each check of the document means.
 */
import { readCapture } from '../../hw/nic/pcap.ts';
import type { Machine } from '../../kernel/machine.ts';
import { machineDefaults } from '../../user/index.ts';
import { mapContents } from '../map-contents.ts';
import {
  all,
  contains,
  expectEqual,
  type Scenario,
  type ScenarioFiles,
  type World,
} from '../scenario.ts';
import { connectionAttempts, type Counter, linuxAnswers, type Syn } from './expected.ts';

const OBJECTS = ['xdp_count.bpf.o', 'trace_hello.bpf.o', 'bad_bounds.bpf.o'] as const;
const SOURCES = ['xdp_count.bpf.c', 'trace_hello.bpf.c', 'bad_bounds.bpf.c'] as const;
const CAPTURE = 'traffic.pcap';
const ANSWERS = 'linux-6.1/expected.json';
/** After the last frame, time for interrupts and NAPI to settle. */
const SETTLE_NS = 10e6;
const XDP_DROP = '1';
/** Where xdp_count's blocked_port is initialised to. */
const BLOCKED_PORT = 2323;

const captureOf = (files: ScenarioFiles) => readCapture(files.get(CAPTURE)!, CAPTURE);
const answersOf = ({ files }: World) => linuxAnswers(files.get(ANSWERS)!);

export const firstLight: Scenario = {
  name: 'first-light',
  summary: 'boot, run a real program on real packets, trace, and be refused',
  document: 'scenario.md',
  files: [...OBJECTS, ...SOURCES, CAPTURE, ANSWERS],

  configure(files) {
    const defaults = machineDefaults();
    const home = [...OBJECTS, ...SOURCES].map((name) => [`/root/${name}`, files.get(name)!]);
    return {
      ...defaults,
      cpus: 2,
      ramMiB: 256,
      nics: [{ name: 'eth0', queues: 2 }],
      files: { ...defaults.files, ...Object.fromEntries(home) },
    };
  },

  stimuli: {
    'play-capture': ({ machine, files }) => {
      const { frames } = captureOf(files);
      machine.input({ kind: 'capture', nic: 'eth0', frames });
      return machine.now + frames.at(-1)!.timeNs + SETTLE_NS;
    },
  },

  checks: {
    'boot-log': (world) => {
      const log = world.output('dmesg');
      const times = [...log.matchAll(/^\[ *(\d+\.\d{6})\]/gm)].map((match) => Number(match[1]));
      const ordered = times.every((time, i) => i === 0 || time >= times[i - 1]!);
      return all([
        expectEqual('first time stamp', times[0]?.toFixed(6), '0.000000'),
        expectEqual('times in order', ordered, true),
        contains(log, /Brought up 1 node, 2 CPUs/),
        contains(log, /262144K/),
        contains(log, /eth0: 2 queue pairs/),
      ]);
    },

    'eth0-down': (world) =>
      contains(world.output('ip link show'), /^\d+: eth0: <BROADCAST,MULTICAST>.* state DOWN/m),

    objects: (world) => {
      const listing = world.output('ls -l');
      return all(
        [...OBJECTS, ...SOURCES].map((name) => contains(listing, new RegExp(`${name}$`, 'm'))),
      );
    },

    loaded: (world) => {
      const shown = world.output('bpftool prog show name xdp_count');
      return expectEqual(
        'tag',
        /tag ([0-9a-f]{16})/.exec(shown)?.[1],
        answersOf(world).tags['xdp_count'],
      );
    },

    maps: (world) => {
      const shown = world.output('bpftool map show');
      return all(
        [
          /percpu_array {2}name protocols/,
          /hash {2}name sources/,
          /ringbuf {2}name syns/,
          /array {2}name xdp_coun\.rodata/,
          /array {2}name xdp_coun\.data/,
          /array {2}name xdp_coun\.bss/,
        ].map((line) => contains(shown, line)),
      );
    },

    xlated: (world) =>
      contains(
        world.output('bpftool prog dump xlated'),
        /^ +\d+: \(79\) r\d = \*\(u64 \*\)\(r1 \+8\)$/m,
      ),

    jited: (world) => {
      const text = world.output('bpftool prog dump jited');
      return all([
        contains(text, /^bpf_prog_[0-9a-f]{16}_xdp_count:/m),
        contains(text, /local\.get \d+/),
      ]);
    },

    attached: (world) =>
      all([
        contains(world.output('bpftool net show'), /^eth0\(\d+\) driver id \d+/m),
        contains(
          world.output('ip link show dev eth0'),
          /^ +prog\/xdp id \d+ name xdp_count tag [0-9a-f]{16} jited/m,
        ),
      ]),

    'every-packet': (world) => {
      const { frames } = captureOf(world.files);
      const received = /RX:.*\n +\d+ +(\d+)/.exec(world.output('ip -s link show dev eth0'))?.[1];
      return expectEqual('packets received', received, frames.length);
    },

    protocols: (world) => {
      const wanted = Object.values(answersOf(world).protocols);
      const counters = mapNamed(world.machine, 'protocols');
      return all(
        wanted.map((counter, index) =>
          expectEqual(`protocol ${index}`, text(counters.get(hexOfIndex(index))), text(counter)),
        ),
      );
    },

    sources: (world) => {
      const { sources } = answersOf(world);
      const counters = mapNamed(world.machine, 'sources');
      return all([
        expectEqual('senders', counters.size, Object.keys(sources).length),
        ...Object.entries(sources).map(([address, counter]) =>
          expectEqual(address, text(counters.get(address)), text(counter)),
        ),
      ]);
    },

    syns: (world) => {
      const wanted = connectionAttempts(captureOf(world.files));
      const events = synEvents(world.output('rbdump name syns'));
      const ports = (syns: readonly Syn[]) =>
        syns.map(({ sourcePort, destinationPort }) => `${sourcePort}>${destinationPort}`).join(' ');
      return all([
        expectEqual('source>destination ports', ports(events), ports(wanted)),
        expectEqual(
          'marked as blocked',
          ports(events.filter((event) => event.blocked)),
          ports(wanted.filter((syn) => syn.destinationPort === BLOCKED_PORT)),
        ),
      ]);
    },

    blocked: (world) => {
      const { verdicts, blocked_packets } = answersOf(world);
      const shown = world.output('bpftool map dump name xdp_coun.bss');
      const counted = /"blocked_packets": (\d+)/.exec(shown)?.[1];
      const dropped = [...verdicts].filter((verdict) => verdict === XDP_DROP).length;
      return all([
        expectEqual('counted by the program', counted, blocked_packets),
        expectEqual('dropped by the driver', xdpDrops(world.machine), dropped),
      ]);
    },

    hello: (world) => {
      const shown = world.output('cat /sys/kernel/debug/tracing/trace_pipe');
      const line = (name: string) =>
        new RegExp(
          `^ +cat-\\d+ +\\[00[01]\\] \\S{5} +\\d+\\.\\d{6}: bpf_trace_printk: hello, cat opens ${name}$`,
          'm',
        );
      return all([contains(shown, line('/etc/hostname')), contains(shown, line('/no/such/file'))]);
    },

    format: (world) => {
      const shown = world.output(
        'cat /sys/kernel/debug/tracing/events/syscalls/sys_enter_openat/format',
      );
      return all(
        [
          /^name: sys_enter_openat$/m,
          /^\tfield:int __syscall_nr;\toffset:8;\tsize:4;\tsigned:1;$/m,
          /^\tfield:int dfd;\toffset:16;\tsize:8;\tsigned:0;$/m,
          /^\tfield:const char \* filename;\toffset:24;\tsize:8;\tsigned:0;$/m,
        ].map((line) => contains(shown, line)),
      );
    },

    refused: (world) => {
      const shown = world.output('bpftool prog load bad_bounds.bpf.o');
      return all([
        contains(shown, /^invalid access to packet, off=12 size=1, R1\(id=0,off=12,r=0\)$/m),
        contains(shown, /^R1 offset is outside of the packet$/m),
        contains(shown, /Permission denied/),
        expectEqual('exit status', world.output('echo $?'), 255),
      ]);
    },

    clean: ({ machine }) =>
      all([
        expectEqual('programs', [...machine.bpf.progs.values()].length, 0),
        expectEqual('maps', [...machine.bpf.maps.values()].length, 0),
      ]),
  },
};

/** struct syn_event of xdp_count.bpf.c, as rbdump prints its bytes. */
const SYN_EVENT = { bytes: 48, sourcePort: 40, destinationPort: 42, blocked: 46 } as const;

function synEvents(dump: string): (Syn & { blocked: boolean })[] {
  const bytes = Uint8Array.from(dump.match(/\b[0-9a-f]{2}\b/g) ?? [], (hex) => parseInt(hex, 16));
  const view = new DataView(bytes.buffer);
  return Array.from({ length: Math.floor(bytes.length / SYN_EVENT.bytes) }, (_, i) => {
    const at = i * SYN_EVENT.bytes;
    return {
      sourcePort: view.getUint16(at + SYN_EVENT.sourcePort, true),
      destinationPort: view.getUint16(at + SYN_EVENT.destinationPort, true),
      blocked: view.getUint8(at + SYN_EVENT.blocked) === 1,
    };
  });
}

const xdpDrops = ({ network }: Machine) =>
  network.drivers[0]!.queues.reduce((sum, { stats }) => sum + stats.xdp_drop, 0);

const text = (counter: Counter | undefined) =>
  counter ? `${counter.packets} packets, ${counter.bytes} bytes` : 'absent';

const hexOfIndex = (index: number) => index.toString(16).padStart(2, '0').padEnd(8, '0');

/** The counters of the map of that name, {u64 packets, u64 bytes} summed over CPUs, by key. */
function mapNamed(machine: Machine, name: string): Map<string, Counter> {
  const counters = new Map<string, Counter>();
  for (const [key, value] of mapContents(machine, ({ spec }) => spec.name === name)) {
    const words = new BigUint64Array(value.buffer);
    let packets = 0;
    let bytes = 0;
    for (let i = 0; i < words.length; i += 2) {
      packets += Number(words[i]);
      bytes += Number(words[i + 1]);
    }
    counters.set(key, { packets, bytes });
  }
  return counters;
}
