/** Files of /proc/net in the formats that a real Linux 6.1 printed for the same situation. */
import { expect, it } from 'vitest';
import { TestNetHost } from '../../test/support/net-host.ts';
import { Net } from './net.ts';
import { probeNic } from './nic-driver.ts';
import { PROC_NET_FILES } from './proc-files.ts';

it('shows what 6.1 shows', () => {
  const host = new TestNetHost();
  const net = new Net(host);
  const driver = probeNic(net, { name: 'eth0', queues: 2 }, Uint8Array.of(2, 0, 0, 0, 0, 1), 24);
  host.on(0, () => net.up(driver.device));
  net.ipv4.addAddress(driver.device, {
    family: 'inet',
    local: Uint8Array.of(10, 0, 2, 15),
    prefixLength: 24,
    scope: 0,
    createdCs: 0,
  });
  const reply = new Uint8Array(42);
  reply.set([2, 0, 0, 0, 0, 1, 0x52, 0x55, 10, 0, 2, 2, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
  reply.set([0x52, 0x55, 10, 0, 2, 2, 10, 0, 2, 2, 0, 0, 0, 0, 0, 0, 10, 0, 2, 15], 22);
  const skb = net.skbs.alloc(42, 64);
  host.ram.u8.set(reply, skb.put(42));
  skb.dev = driver.device;
  skb.pull(14);
  skb.view.mac_header = skb.data - skb.view.head - 14;
  skb.protocol = 0x0806;
  host.on(1, () => net.receive(skb));
  host.runUntil(1e6);

  const text = (name: string) => PROC_NET_FILES[name]!(net);
  expect(text('arp')).toBe(
    'IP address       HW type     Flags       HW address            Mask     Device\n' +
      '10.0.2.2         0x1         0x2         52:55:0a:00:02:02     *        eth0\n',
  );
  const [head, row] = text('route').split('\n');
  expect(head!.trimEnd()).toBe(
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
  );
  expect(row!.trimEnd()).toBe('eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0');
  expect([head!.length, row!.length]).toEqual([127, 127]);
  expect(text('ptype')).toBe(
    'Type Device      Function\n0800          ip_rcv\n0806          arp_rcv\n86dd          ipv6_rcv\n',
  );
  const zero = '00000000';
  expect(text('softnet_stat').split('\n')[1]).toBe([...Array(12).fill(zero), '00000001'].join(' '));
  expect(text('snmp')).toMatch(/^Ip: Forwarding DefaultTTL InReceives .*\nIp: 2 64 0 /);
});
