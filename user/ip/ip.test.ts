import { beforeAll, describe, expect, it } from 'vitest';
import { coreModule } from '../../test/support/assets.ts';
import { bootSession, type ConsoleSession } from '../testing/console.ts';

let session: ConsoleSession;
const MAC = '02:00:00:00:00:07';

beforeAll(async () => {
  const nics = [{ name: 'eth0', queues: 2, mac: MAC }];
  session = await bootSession({ core: await coreModule() }, { nics });
});

/** In order: each line finds what the ones before it left. Formats are iproute2 6.1's. */
const LINES: readonly [line: string, output: string][] = [
  [
    'ip link show dev eth0',
    '2: eth0: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN mode DEFAULT group default qlen 1000\n' +
      `    link/ether ${MAC} brd ff:ff:ff:ff:ff:ff\n`,
  ],
  ['ip link set lo up; ip link set dev eth0 up mtu 1400', ''],
  [
    'ip l',
    '1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN mode DEFAULT group default qlen 1000\n' +
      '    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n' +
      '2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1400 qdisc mq state UP mode DEFAULT group default qlen 1000\n' +
      `    link/ether ${MAC} brd ff:ff:ff:ff:ff:ff\n`,
  ],
  [
    'ip -br link',
    'lo               UNKNOWN        00:00:00:00:00:00 <LOOPBACK,UP,LOWER_UP> \n' +
      `eth0             UP             ${MAC} <BROADCAST,MULTICAST,UP,LOWER_UP> \n`,
  ],
  [
    'ip -s link show lo | tail -4',
    '    RX:  bytes packets errors dropped  missed   mcast           \n' +
      '             0       0      0       0       0       0 \n' +
      '    TX:  bytes packets errors dropped carrier collsns           \n' +
      '             0       0      0       0       0       0 \n',
  ],
  ['ip addr add 192.0.2.2/24 brd + dev eth0', ''],
  [
    'ip -4 addr show',
    '1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000\n' +
      '    inet 127.0.0.1/8 scope host lo\n       valid_lft forever preferred_lft forever\n' +
      '2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1400 qdisc mq state UP group default qlen 1000\n' +
      '    inet 192.0.2.2/24 brd 192.0.2.255 scope global eth0\n       valid_lft forever preferred_lft forever\n',
  ],
  [
    'ip -br a',
    'lo               UNKNOWN        127.0.0.1/8 \neth0             UP             192.0.2.2/24 \n',
  ],
  ['ip route', '192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.2 \n'],
  ['ip route get 192.0.2.9', '192.0.2.9 dev eth0 src 192.0.2.2 uid 0 \n    cache \n'],
  [
    'ip -j route',
    '[{"dst":"192.0.2.0/24","dev":"eth0","protocol":"kernel","scope":"link","prefsrc":"192.0.2.2","flags":[]}]\n',
  ],
  [
    'ip -j link show lo',
    '[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP","LOWER_UP"],"mtu":65536,"qdisc":"noqueue",' +
      '"operstate":"UNKNOWN","linkmode":"DEFAULT","group":"default","txqlen":1000,"link_type":"loopback",' +
      '"address":"00:00:00:00:00:00","broadcast":"00:00:00:00:00:00"}]\n',
  ],
  ['ip addr add 192.0.2.2/24 dev eth0; echo $?', 'RTNETLINK answers: File exists\n2\n'],
  ['ip addr del 192.0.2.2/24 dev eth0; ip route', ''],
  ['ip link set eth0 mtu 70000; echo $?', 'Error: mtu greater than device maximum.\n2\n'],
  ['ip link show nope; echo $?', 'Device "nope" does not exist.\n1\n'],
  ['ip link set dev nope up; echo $?', 'Cannot find device "nope"\n1\n'],
  ['ip frob; echo $?', 'Object "frob" is unknown, try "ip help".\n1\n'],
  ['ip link frob; echo $?', 'Command "frob" is unknown, try "ip link help".\n255\n'],
  ['ip link set dev eth0 xdp', 'Command line is not complete. Try option "help"\n'],
  [
    'ip link set dev eth0 xdp obj /nope; echo $?',
    'libbpf: elf: failed to open /nope: No such file or directory\nERROR: opening BPF object file failed\n255\n',
  ],
  ['ip -V', 'ip utility, iproute2-6.1.0, libbpf 1.1.2\n'],
];

describe('ip', () => {
  it.each(LINES)('%s', async (line, output) => {
    expect(await session.run(line)).toBe(output);
  });
});
