/**
 * What a machine did, as a few hashes: the same module runs in Node and in a browser, and must give
 * the same ones. No host API beyond WebAssembly and digests.
 */
import { bootMachine } from '../../kernel/machine.ts';
import { readCapture } from '../../hw/nic/pcap.ts';
import { machineDefaults } from '../../user/index.ts';

export interface FingerprintInput {
  readonly core: WebAssembly.Module;
  readonly object: Uint8Array;
  readonly capture: Uint8Array;
}

/** Typed at these virtual times, whatever the machine is doing then. */
const COMMANDS = [
  'ip link set dev eth0 up',
  'bpftool prog load x.o /sys/fs/bpf/x && bpftool net attach xdp pinned /sys/fs/bpf/x dev eth0',
  'echo 1 > /sys/kernel/tracing/events/sched/enable',
  'bpftool map dump name protocols; bpftool prog dump jited name xdp_count | tail -n 20',
  'tail -n 100 /sys/kernel/tracing/trace; od -A n -t x1 -N 16 /dev/urandom; ps',
] as const;
const EVERY_NS = 2e9;

export interface Fingerprint {
  readonly consoleText: string;
  readonly ramSha256: string;
  readonly nowNs: number;
}

export async function fingerprint(input: FingerprintInput): Promise<Fingerprint> {
  const defaults = machineDefaults();
  const machine = await bootMachine(
    {
      ...defaults,
      cpus: 2,
      ramMiB: 64,
      seed: 7,
      nics: [{ name: 'eth0', queues: 2 }],
      files: { ...defaults.files, '/root/x.o': input.object },
    },
    { core: input.core },
  );
  let consoleText = '';
  const decoder = new TextDecoder();
  machine.console.onOutput((bytes) => (consoleText += decoder.decode(bytes)));
  const encoder = new TextEncoder();
  let at = EVERY_NS;
  for (const command of COMMANDS) {
    await machine.runAsync({ untilNs: at });
    machine.input({ kind: 'tty', data: encoder.encode(`${command}\r`) });
    if (command.startsWith('echo 1')) {
      const { frames } = readCapture(input.capture, 'traffic.pcap');
      machine.input({ kind: 'capture', nic: 'eth0', frames });
      at += 6 * EVERY_NS;
    }
    at += EVERY_NS;
  }
  await machine.runAsync({ untilNs: at });
  const digest = await crypto.subtle.digest('SHA-256', machine.ram.u8);
  const ramSha256 = [...new Uint8Array(digest)]
    .map((b) => b.toString(16).padStart(2, '0'))
    .join('');
  return { consoleText, ramSha256, nowNs: machine.now };
}
