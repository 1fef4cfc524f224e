/** offload: the same program on the host and in a card that can run it. What each check means. */
import { createHxdp } from '../../hw/fpga/hxdp/target.ts';
import { readCapture } from '../../hw/nic/pcap.ts';
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

const FILES = ['udp_filter', 'random_drop'].flatMap((name) => [`${name}.bpf.c`, `${name}.bpf.o`]);
const CAPTURE = '../first-light/traffic.pcap';
/** After the last frame, time for interrupts and NAPI to settle. */
const SETTLE_NS = 10e6;
const ETH_P_IP = 0x0800;
const IPPROTO_UDP = 17;

const framesOf = (files: ScenarioFiles) => readCapture(files.get(CAPTURE)!, CAPTURE).frames;

const play =
  (nic: string) =>
  ({ machine, files }: World): number => {
    const frames = framesOf(files);
    machine.input({ kind: 'capture', nic, frames });
    return machine.now + frames.at(-1)!.timeNs + SETTLE_NS;
  };

/** Frames of the capture that the program drops: IPv4 with protocol UDP, no VLAN tag before it. */
function udpFrames(files: ScenarioFiles): number {
  return framesOf(files).filter(({ data }) => {
    const type = (data[12]! << 8) | data[13]!;
    return data.length >= 34 && type === ETH_P_IP && data[23] === IPPROTO_UDP;
  }).length;
}

/** A counter of `ethtool -S`, summed over the queues. */
function counter(world: World, device: string, name: RegExp): number {
  const rows = world.output(`ethtool -S ${device}`).matchAll(/^ +(\S+): (\d+)$/gm);
  let sum = 0;
  for (const [, key, value] of rows) if (name.test(key!)) sum += Number(value);
  return sum;
}

export const offload: Scenario = {
  name: 'offload',
  summary: 'the same program on the host and in a card, and what a card cannot do',
  document: 'scenario.md',
  files: [...FILES, CAPTURE],

  configure(files) {
    const defaults = machineDefaults();
    const home = FILES.map((name) => [`/root/${name}`, files.get(name)!]);
    return {
      ...defaults,
      nics: [
        { name: 'eth0', queues: 2 },
        { name: 'eth1', queues: 2, offload: createHxdp() },
      ],
      files: { ...defaults.files, ...Object.fromEntries(home) },
    };
  },

  stimuli: { 'play-on-eth0': play('eth0'), 'play-on-eth1': play('eth1') },

  checks: {
    cards: (world) =>
      all([
        contains(world.output('ethtool -i eth0'), /^firmware-version: $/m),
        contains(world.output('ethtool -i eth1'), /^firmware-version: hXDP/m),
      ]),

    'host-drops': (world) =>
      all([
        expectEqual('received', counter(world, 'eth0', /rx_packets/), framesOf(world.files).length),
        expectEqual('dropped', counter(world, 'eth0', /xdp_drop/), udpFrames(world.files)),
      ]),

    offloaded: (world) =>
      all([
        contains(world.output('bpftool prog show pinned /sys/fs/bpf/card'), /offloaded_to eth1/),
        contains(world.output('bpftool map show pinned'), /offloaded_to eth1/),
        contains(world.output('ip link show dev eth1'), /xdpoffload/),
      ]),

    rows: (world) =>
      contains(world.output('bpftool prog dump jited'), /^ +\d+: .*\n(?: {6}lane [1-3]: .*)/m),

    'card-drops': (world) => {
      const sent = framesOf(world.files).length;
      const udp = udpFrames(world.files);
      return all([
        expectEqual('dropped in the card', counter(world, 'eth1', /offload_drop/), udp),
        expectEqual('received', counter(world, 'eth1', /rx_packets/), sent - udp),
      ]);
    },

    'same-counts': ({ machine }) => {
      const counts = (inCard: boolean) =>
        mapContents(
          machine,
          ({ spec }) => spec.name === 'packets' && (spec.ifindex !== undefined) === inCard,
        );
      const card = counts(true);
      const host = counts(false);
      return all([
        expectEqual('protocols counted', card.size, host.size),
        ...[...host].map(([key, value]) => expectEqual(`packets[${key}]`, card.get(key), value)),
      ]);
    },

    refused: (world) => {
      const shown = world.output('bpftool prog load random_drop.bpf.o');
      return all([
        contains(shown, /^; if \(bpf_get_prandom_u32\(\) % 16 == 0\)$/m),
        contains(shown, /^\d+: hxdp: helper bpf_get_prandom_u32 is not supported$/m),
        contains(shown, /there is hardware for bpf_map_lookup_elem/),
        expectEqual('exit status', world.output('echo $?'), 255),
      ]);
    },

    plain: (world) =>
      all([
        contains(world.output('bpftool prog load udp_filter.bpf.o /sys/fs/bpf/plain'), /\(-22\)/),
        contains(world.output('ip link set dev eth0 xdpoffload'), /Invalid argument/),
      ]),

    clean: ({ machine }) =>
      all([
        expectEqual('programs', [...machine.bpf.progs.values()].length, 0),
        expectEqual('maps', [...machine.bpf.maps.values()].length, 0),
      ]),
  },
};
