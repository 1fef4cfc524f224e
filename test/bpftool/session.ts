/** What is asked of bpftool beside user/bpftool/linux-6.1.recorded.jsonl, and with which files. */
import { readFileSync } from 'node:fs';

export interface Ran {
  readonly command: string;
  /** Both streams. */
  readonly output: string;
  readonly status: number;
}

const file = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url));

/** By their names in the root directory. */
export const FILES: Readonly<Record<string, Uint8Array>> = {
  'counts.bpf.o': file('user/bpftool/testing/counts.bpf.o'),
  'maps_iter.bpf.o': file('user/bpftool/testing/maps_iter.bpf.o'),
  'counters.o': file('test/objects/counters.o'),
  'linked_main.o': file('test/objects/linked_main.o'),
  'linked_parse.o': file('test/objects/linked_parse.o'),
};

export const COMMANDS: readonly string[] = [
  'bpftool prog loadall /counts.bpf.o /sys/fs/bpf/t type xdp',
  'bpftool prog loadall /counters.o /sys/fs/bpf/u type xdp',
  'bpftool prog dump xlated name pass visual',
  'bpftool -j prog dump xlated name pass visual',
  'bpftool prog dump xlated name sum_head visual',
  'bpftool prog dump xlated name count_packets',
  'bpftool prog dump xlated name sum_head linum',
  'bpftool prog show name count_packets',
  'bpftool prog profile name pass duration 1 cycles',
  'bpftool prog profile name pass cycles foo',
  'bpftool prog profile name pass',
  'bpftool gen object /tmp/one.o /counts.bpf.o',
  'bpftool prog loadall /tmp/one.o /sys/fs/bpf/v type xdp',
  'bpftool prog show pinned /sys/fs/bpf/v/pass',
  'bpftool gen object /tmp/two.o /linked_main.o /linked_parse.o',
  'bpftool gen object /tmp/again.o /tmp/two.o',
  'bpftool btf dump file /tmp/one.o format c',
  'bpftool gen object',
  'bpftool gen object /tmp/three.o',
  'bpftool gen object /tmp/three.o /none',
  'bpftool gen object /none/three.o /counts.bpf.o',
  'bpftool gen skeleton',
  'bpftool gen min_core_btf /sys/kernel/btf/vmlinux /tmp/min.btf',
  'bpftool gen help',
  'bpftool gen foo',
  'bpftool gen',
  'bpftool feature probe kernel',
  'bpftool -j feature probe kernel',
  'bpftool feature probe full',
];
