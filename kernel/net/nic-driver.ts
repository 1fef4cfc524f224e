/**
 * The driver of hw/nic: a network interface with a queue pair and an interrupt per queue, queue N
 * served by CPU N modulo the number of CPUs. Native XDP, and offload where the card can.
 * differs: the card filters no addresses, so a program sees frames for others as well; the stack
 * drops them (PACKET_OTHERHOST).
 *
 *   const device = probeNic(net, config, mac)     makes the device, registers the interface
 *   device.nic                                    the hardware, to connect sources of frames to
 */
import type { ProgObject } from '../../bpf/syscall/objects.ts';
import type { Extack } from '../../hooks/xdp-attach.ts';
import { Nic } from '../../hw/nic/nic.ts';
import { BITS_PER_SECOND } from '../../hw/nic/params.ts';
import { HARDIRQ_NS } from '../cost/net.ts';
import type { NicConfig } from '../config.ts';
import { OutOfMemory } from '../ram/page-allocator.ts';
import { PAGE_SIZE } from '../ram/ram.ts';
import { errno } from '../types/errno.ts';
import { ARPHRD_ETHER, IFF_BROADCAST, IFF_MULTICAST, NET_NAME_ENUM } from '../types/net-device.ts';
import { SKB_SHARED_INFO_BYTES, XDP_PACKET_HEADROOM } from '../types/xdp.ts';
import { NetDevice } from './device.ts';
import type { NetDriver, XdpPage } from './device.ts';
import { ETH_HLEN } from './ethernet.ts';
import type { Irq } from './host.ts';
import type { Net } from './net.ts';
import { NicOffload } from './nic-offload.ts';
import { NicQueue } from './nic-queue.ts';
import type { Skb } from './skb.ts';
import type { LinkStats } from './stats.ts';

/** Two VLAN tags on top of the Ethernet header. */
const FRAME_OVERHEAD = ETH_HLEN + 8;
/** A frame must fit a page with headroom and skb_shared_info: no multi-buffer receive here. */
const MAX_MTU = PAGE_SIZE - XDP_PACKET_HEADROOM - SKB_SHARED_INFO_BYTES - FRAME_OVERHEAD;

const ETH_MIN_MTU = 68;
const ETH_DATA_LEN = 1500;

/** One interrupt, for /proc/interrupts. */
export interface IrqLine extends Irq {
  readonly cpu: number;
  readonly count: number;
}

export class NicDriver implements NetDriver {
  readonly name = 'skepnic';
  readonly nic: Nic;
  device!: NetDevice;
  readonly queues: NicQueue[] = [];
  readonly xdp = {
    drv: (program: ProgObject | undefined): number => {
      for (const queue of this.queues) queue.program = program;
      return 0;
    },
    hw: (program: ProgObject | undefined, extack: Extack): number =>
      this.offload?.install(program, extack) ?? -errno.EINVAL,
  };
  offload: NicOffload | undefined;
  readonly #net: Net;
  readonly #firstIrq: number;

  constructor(net: Net, config: NicConfig, firstIrq: number) {
    this.#net = net;
    this.#firstIrq = firstIrq;
    const { host } = net;
    this.nic = new Nic(host.ram, host.events, {
      queues: config.queues,
      bitsPerSecond: config.bitsPerSecond,
      interrupt: (queue) => this.#interrupt(queue),
    });
  }

  attach(device: NetDevice): void {
    this.device = device;
    const { host, napi } = this.#net;
    for (let index = 0; index < device.init.queues; index++) {
      const queue = new NicQueue(this.#net, this.nic, device, index);
      queue.napi = napi.add(device, index % host.cpuCount, (budget) => queue.poll(budget));
      this.queues.push(queue);
    }
  }

  open(): number {
    try {
      for (const queue of this.queues) {
        queue.napi.enabled = true;
        queue.start();
      }
    } catch (error) {
      if (error instanceof OutOfMemory) return -errno.ENOMEM;
      throw error;
    }
    this.nic.start(this.device.mtu + FRAME_OVERHEAD, this.#net.host.clock());
    for (const queue of this.queues) queue.arm();
    return 0;
  }

  stop(): void {
    this.nic.stop(this.#net.host.clock());
    for (const queue of this.queues) {
      this.#net.napi.disable(queue.napi);
      queue.stop();
    }
  }

  removed(): void {
    this.offload?.unplug();
  }

  xmit(skb: Skb): boolean {
    const queue = this.queues[this.#net.host.cpu() % this.queues.length]!;
    return queue.xmit(skb);
  }

  xdpXmit(frame: XdpPage): boolean {
    const queue = this.queues[this.#net.host.cpu() % this.queues.length]!;
    return this.device.isUp && queue.xmitPage(frame);
  }

  changeMtu(mtu: number, _extack: Extack): number {
    if (this.device.isUp) this.nic.start(mtu + FRAME_OVERHEAD, this.#net.host.clock());
    return 0;
  }

  get firmware(): string | undefined {
    return this.offload?.target.name;
  }

  addStats(stats: LinkStats): void {
    for (const queue of this.queues) {
      stats.rx_packets += queue.stats.rx_packets;
      stats.rx_bytes += queue.stats.rx_bytes;
      stats.tx_packets += queue.stats.tx_packets;
      stats.tx_bytes += queue.stats.tx_bytes;
      stats.tx_dropped += queue.stats.tx_busy;
    }
    for (const rx of this.nic.rx) stats.rx_missed_errors += rx.stats.missed;
    stats.rx_length_errors += this.nic.stats.rxOversize;
    stats.rx_errors += this.nic.stats.rxOversize;
  }

  ethtoolStats(): readonly (readonly [name: string, value: number])[] {
    const rows: (readonly [string, number])[] = [];
    this.queues.forEach((queue, i) => {
      for (const [name, value] of Object.entries(queue.stats)) rows.push([`q${i}_${name}`, value]);
      rows.push([`q${i}_rx_missed`, this.nic.rx[i]!.stats.missed]);
    });
    rows.push(['rx_oversize', this.nic.stats.rxOversize]);
    rows.push(['interrupts', this.nic.stats.interrupts]);
    rows.push(...(this.offload?.stats() ?? []));
    return rows;
  }

  #irqOf(queue: number): Irq {
    return { irq: this.#firstIrq + queue, name: `${this.device.name}-TxRx-${queue}` };
  }

  irqLines(): readonly IrqLine[] {
    return this.queues.map((queue, i) => ({
      ...this.#irqOf(i),
      cpu: queue.napi.cpu,
      count: this.nic.interruptsOf(i),
    }));
  }

  #interrupt(queue: number): void {
    const { napi } = this.queues[queue]!;
    const { host } = this.#net;
    const handler = () => {
      host.charge(HARDIRQ_NS);
      this.#net.napi.schedule(napi);
    };
    host.interrupt(napi.cpu, handler, this.#irqOf(queue));
  }
}

/** Make the device and its interface; `mac` where the configuration names none. */
export function probeNic(net: Net, config: NicConfig, mac: Uint8Array, firstIrq: number) {
  const driver = new NicDriver(net, config, firstIrq);
  const device = new NetDevice(
    net.host.ram,
    {
      name: config.name,
      type: ARPHRD_ETHER,
      flags: IFF_BROADCAST | IFF_MULTICAST,
      mac,
      broadcast: new Uint8Array(6).fill(0xff),
      mtu: ETH_DATA_LEN,
      minMtu: ETH_MIN_MTU,
      maxMtu: MAX_MTU,
      queues: config.queues,
      nameAssignType: NET_NAME_ENUM,
      qdisc: 'mq',
      parent: { bus: 'pci', name: `0000:00:${(3 + net.nicCount).toString(16).padStart(2, '0')}.0` },
      speedMbps: (config.bitsPerSecond ?? BITS_PER_SECOND) / 1e6,
    },
    driver,
  );
  driver.attach(device);
  net.register(device);
  if (config.offload) {
    driver.offload = new NicOffload(net.host, driver.nic, config.offload, device.ifindex);
  }
  return driver;
}
