/**
 * Files of /proc/net that the network itself knows: name and text, in the formats of Linux 6.1.
 * (`dev` is in kernel/fs/proc/net.ts.)
 */
import { be32, ipv4Text, maskOf } from './address.ts';
import { ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, macText } from './ethernet.ts';
import type { Net } from './net.ts';
import { NUD_FAILED, NUD_INCOMPLETE } from './neighbour.ts';

export type ProcNetFile = (net: Net) => string;

export const PROC_NET_FILES: Readonly<Record<string, ProcNetFile>> = {
  arp: arpText,
  ptype: ptypeText,
  route: routeText,
  snmp: snmpText,
  softnet_stat: softnetText,
};

/** Complete entry (UAPI linux/if_arp.h). */
const ATF_COM = 0x02;

function arpText(net: Net): string {
  const header = 'IP address       HW type     Flags       HW address            Mask     Device\n';
  const rows = net.neighbours.entries(net.host.clock()).map((entry) => {
    const flags = entry.state & (NUD_INCOMPLETE | NUD_FAILED) ? 0 : ATF_COM;
    const ip = ipv4Text(be32(entry.ip)).padEnd(16);
    const words = `0x${entry.device.view.type.toString(16).padEnd(10)}0x${flags.toString(16).padEnd(10)}`;
    return `${ip} ${words}${macText(entry.mac).padEnd(17)}     *        ${entry.device.name}\n`;
  });
  return header + rows.join('');
}

const HANDLER_NAMES = new Map([
  [ETH_P_IP, 'ip_rcv'],
  [ETH_P_ARP, 'arp_rcv'],
  [ETH_P_IPV6, 'ipv6_rcv'],
]);

function ptypeText(net: Net): string {
  const rows = net.rx.protocols.map(
    (type) => `${type.toString(16).padStart(4, '0')} ${' '.repeat(8)} ${HANDLER_NAMES.get(type)}\n`,
  );
  return `Type Device      Function\n${rows.join('')}`;
}

/** RTF_UP */
const RTF_UP = 1;
const ROUTE_WIDTH = 127;

function routeText(net: Net): string {
  const header =
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT';
  const rows = net.ipv4
    .routes()
    .filter((route) => route.table === 'main')
    .map(({ device, destination, prefixLength }) => {
      const flags = RTF_UP.toString(16).padStart(4, '0').toUpperCase();
      const mask = littleHex(maskOf(prefixLength));
      return `${device.name}\t${littleHex(destination)}\t00000000\t${flags}\t0\t0\t0\t${mask}\t0\t0\t0`;
    });
  return [header, ...rows].map((row) => `${row.padEnd(ROUTE_WIDTH)}\n`).join('');
}

/** An address in network order, printed as a little-endian machine's integer. */
function littleHex(ip: number): string {
  const text = [...be32(ip)].reverse().map((byte) => byte.toString(16).padStart(2, '0'));
  return text.join('').toUpperCase();
}

/** net.ipv4.ip_default_ttl */
const DEFAULT_TTL = 64;
/** 2: not forwarding (RFC 4293). */
const NOT_FORWARDING = 2;

function snmpText(net: Net): string {
  const { ipv4, icmp } = net;
  const ip: Record<string, number> = {
    Forwarding: NOT_FORWARDING,
    DefaultTTL: DEFAULT_TTL,
    InReceives: ipv4.stats.InReceives,
    InHdrErrors: ipv4.stats.InHdrErrors,
    InAddrErrors: ipv4.stats.InAddrErrors,
    ForwDatagrams: 0,
    InUnknownProtos: ipv4.stats.InUnknownProtos,
    InDiscards: ipv4.stats.InDiscards,
    InDelivers: ipv4.stats.InDelivers,
    OutRequests: ipv4.stats.OutRequests,
    OutDiscards: 0,
    OutNoRoutes: ipv4.stats.OutNoRoutes,
    ReasmTimeout: 0,
    ReasmReqds: ipv4.stats.ReasmReqds,
    ReasmOKs: 0,
    ReasmFails: ipv4.stats.ReasmFails,
    FragOKs: 0,
    FragFails: 0,
    FragCreates: 0,
  };
  const icmpRow = Object.fromEntries(
    ICMP_COLUMNS.map((name) => [name, icmp.stats[name as keyof typeof icmp.stats] ?? 0]),
  );
  const table = (name: string, row: Record<string, number>) =>
    `${name}: ${Object.keys(row).join(' ')}\n${name}: ${Object.values(row).join(' ')}\n`;
  return table('Ip', ip) + table('Icmp', icmpRow);
}

const ICMP_COLUMNS = [
  'InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs InSrcQuenchs InRedirects',
  'InEchos InEchoReps InTimestamps InTimestampReps InAddrMasks InAddrMaskReps',
  'OutMsgs OutErrors OutDestUnreachs OutTimeExcds OutParmProbs OutSrcQuenchs OutRedirects',
  'OutEchos OutEchoReps OutTimestamps OutTimestampReps OutAddrMasks OutAddrMaskReps',
].flatMap((line) => line.split(' '));

/** softnet_seq_show: thirteen columns, of which these are not always zero. */
function softnetText(net: Net): string {
  return net.napi.stats
    .map(({ processed, dropped, timeSqueeze }, cpu) => {
      const columns = new Array<number>(13).fill(0);
      columns[0] = processed;
      columns[1] = dropped;
      columns[2] = timeSqueeze;
      columns[11] = net.backlog.lengthOf(cpu);
      columns[12] = cpu;
      return `${columns.map((value) => (value >>> 0).toString(16).padStart(8, '0')).join(' ')}\n`;
    })
    .join('');
}
