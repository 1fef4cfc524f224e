/**
 * The network at boot: lo, and a driver for each NIC of the configuration.
 *
 *   const network = bootNetwork(kernel);
 *   network.net                              interfaces and protocols
 *   network.nic('eth0')                      its hardware: nic.connect(source)
 *   network.inject('eth0', frame)            one frame on the wire, now
 *   network.play('eth0', frames, {startNs})  a capture at its recorded times
 */
import { CaptureSource, FrameQueue } from '../../hw/nic/frames.ts';
import type { FrameSource } from '../../hw/nic/frames.ts';
import type { Nic } from '../../hw/nic/nic.ts';
import type { Kernel } from '../machine-types.ts';
import { Bug } from '../types/units.ts';
import { macText } from './ethernet.ts';
import { netHost } from './host.ts';
import { Net } from './net.ts';
import type { NicDriver } from './nic-driver.ts';
import { probeNic } from './nic-driver.ts';

/** First of the message-signalled interrupts, as on a PC whose IO-APIC has 24 lines. */
const FIRST_MSI = 24;
/** Locally administered, unicast. */
const MAC_PREFIX = [0x02, 0x00] as const;

export interface PlayOptions {
  /** When the first frame is due; now by default. */
  readonly startNs?: number;
}

export class Network {
  readonly net: Net;
  readonly drivers: readonly NicDriver[];
  readonly #injected = new Map<string, FrameQueue>();

  constructor(kernel: Kernel) {
    const net = new Net(netHost(kernel));
    this.net = net;
    let irq = FIRST_MSI;
    this.drivers = kernel.config.nics.map((config) => {
      const mac = config.mac ? parseMac(config.mac) : generatedMac(() => net.host.random32());
      const driver = probeNic(net, config, mac, irq);
      irq += config.queues;
      const { init } = driver.device;
      net.host.printk(
        `${driver.name} ${init.parent!.name} ${config.name}: ${config.queues} queue pairs, ` +
          `${init.speedMbps} Mb/s, ${macText(mac)}`,
      );
      const queue = new FrameQueue();
      driver.nic.connect(queue);
      this.#injected.set(config.name, queue);
      return driver;
    });
  }

  nic(name: string): Nic | undefined {
    return this.drivers.find((driver) => driver.device.init.name === name)?.nic;
  }

  /** False if there is no such NIC. `name` is the one of the configuration. */
  inject(name: string, frame: Uint8Array): boolean {
    const queue = this.#injected.get(name);
    queue?.push(frame, this.net.host.events.now);
    return queue !== undefined;
  }

  /** Connect a capture to a NIC; returns the source, or undefined without such a NIC. */
  play(
    name: string,
    frames: readonly { readonly timeNs: number; readonly data: Uint8Array }[],
    options: PlayOptions = {},
  ): FrameSource | undefined {
    const nic = this.nic(name);
    if (!nic) return undefined;
    const source = new CaptureSource(frames, {
      startNs: options.startNs ?? this.net.host.events.now,
    });
    nic.connect(source);
    return source;
  }
}

export const bootNetwork = (kernel: Kernel): Network => new Network(kernel);

function generatedMac(random32: () => number): Uint8Array {
  const value = random32();
  return Uint8Array.of(...MAC_PREFIX, ...[24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff));
}

function parseMac(text: string): Uint8Array {
  const bytes = text.split(':').map((part) => parseInt(part, 16));
  if (bytes.length !== 6 || !bytes.every((byte) => byte >= 0 && byte < 256)) {
    throw new Bug(`not a MAC address: ${text}`);
  }
  return Uint8Array.from(bytes);
}
