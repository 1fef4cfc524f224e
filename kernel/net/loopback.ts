/**
 * The loopback interface, and the per-CPU backlog by which frames that a CPU sends to itself are
 * received (netif_rx and process_backlog).
 */
import { ARPHRD_LOOPBACK, IFF_LOOPBACK, NET_NAME_PREDICTABLE } from '../types/net-device.ts';
import { NetDevice } from './device.ts';
import type { NetDriver } from './device.ts';
import { ethTypeTrans } from './ethernet.ts';
import { DROP_REASON } from './net-events.ts';
import type { Napi } from './napi.ts';
import type { Net } from './net.ts';
import type { Skb } from './skb.ts';
import type { LinkStats } from './stats.ts';

/** net.core.netdev_max_backlog */
const MAX_BACKLOG = 1000;
const LOOPBACK_MTU = 65536;

class Loopback implements NetDriver {
  readonly name = 'loopback';
  readonly #net: Net;
  device!: NetDevice;
  #packets = 0;
  #bytes = 0;

  constructor(net: Net) {
    this.#net = net;
  }

  open(): number {
    return 0;
  }

  stop(): void {}

  xmit(skb: Skb): boolean {
    this.#packets++;
    this.#bytes += skb.len;
    ethTypeTrans(skb, this.device);
    this.#net.backlog.push(skb);
    return true;
  }

  addStats(stats: LinkStats): void {
    stats.rx_packets += this.#packets;
    stats.tx_packets += this.#packets;
    stats.rx_bytes += this.#bytes;
    stats.tx_bytes += this.#bytes;
  }
}

export function addLoopback(net: Net): NetDevice {
  const driver = new Loopback(net);
  const device = new NetDevice(
    net.host.ram,
    {
      name: 'lo',
      type: ARPHRD_LOOPBACK,
      flags: IFF_LOOPBACK,
      mac: new Uint8Array(6),
      broadcast: new Uint8Array(6),
      mtu: LOOPBACK_MTU,
      minMtu: 0,
      maxMtu: 0,
      queues: 1,
      nameAssignType: NET_NAME_PREDICTABLE,
      qdisc: 'noqueue',
    },
    driver,
  );
  driver.device = device;
  net.register(device);
  return device;
}

/** softnet_data's input queues. */
export class Backlog {
  readonly #net: Net;
  readonly #queues: Skb[][];
  readonly #napis: Napi[];

  constructor(net: Net, loopback: NetDevice) {
    this.#net = net;
    const cpus = Array.from({ length: net.host.cpuCount }, (_, cpu) => cpu);
    this.#queues = cpus.map(() => []);
    this.#napis = cpus.map((cpu) =>
      net.napi.add(loopback, cpu, (budget) => this.#poll(cpu, budget)),
    );
    for (const napi of this.#napis) napi.enabled = true;
  }

  /** netif_rx: receive on this CPU, soon. */
  push(skb: Skb): void {
    const net = this.#net;
    const { netifRx } = net.tracepoints;
    if (netifRx.enabled) netifRx.fire(skb, skb.dev.name);
    const cpu = net.host.cpu();
    const queue = this.#queues[cpu]!;
    if (queue.length > MAX_BACKLOG) {
      net.napi.stats[cpu]!.dropped++;
      skb.dev.coreStats.rx_dropped++;
      net.skbs.drop(skb, DROP_REASON.NOT_SPECIFIED);
      return;
    }
    queue.push(skb);
    net.napi.schedule(this.#napis[cpu]!);
  }

  lengthOf(cpu: number): number {
    return this.#queues[cpu]!.length;
  }

  #poll(cpu: number, budget: number): number {
    const queue = this.#queues[cpu]!;
    let work = 0;
    while (work < budget) {
      const skb = queue.shift();
      if (!skb) break;
      work++;
      this.#net.receive(skb);
    }
    return work;
  }
}
