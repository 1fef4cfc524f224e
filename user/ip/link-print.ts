/** An interface as `ip link show` and `ip addr show` print it. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { JsonTree } from '../../bpf/btf/format.ts';
import { stringOf, u32Of } from '../../kernel/net/netlink/message.ts';
import { IFLA, XDP_ATTACHED } from '../../kernel/net/netlink/route-constants.ts';
import {
  ARPHRD_ETHER,
  ARPHRD_LOOPBACK,
  IFF_POINTOPOINT,
  IFF_RUNNING,
  IFF_UP,
} from '../../kernel/types/net-device.ts';
import { progInfo, withId } from '../bpf/objects.ts';
import { bpfUser } from '../bpf/user.ts';
import { hexBytes } from '../libc/text.ts';
import type { Link } from '../net/links.ts';
import { array, number, object, string } from '../bpftool/json.ts';
import type { Ip } from './context.ts';
import { linkStats, statsJson, statsText } from './link-stats.ts';

/** In the order in which ip lists them (UAPI linux/if.h). */
const FLAGS: readonly (readonly [string, number])[] = [
  ['LOOPBACK', 0x8],
  ['BROADCAST', 0x2],
  ['POINTOPOINT', 0x10],
  ['MULTICAST', 0x1000],
  ['NOARP', 0x80],
  ['ALLMULTI', 0x200],
  ['PROMISC', 0x100],
  ['MASTER', 0x400],
  ['SLAVE', 0x800],
  ['DEBUG', 0x4],
  ['DYNAMIC', 0x8000],
  ['AUTOMEDIA', 0x4000],
  ['PORTSEL', 0x2000],
  ['NOTRAILERS', 0x20],
  ['UP', 0x1],
  ['LOWER_UP', 0x10000],
  ['DORMANT', 0x20000],
  ['ECHO', 0x40000],
];
const OPER_STATES = ['UNKNOWN', 'NOTPRESENT', 'DOWN', 'LOWERLAYERDOWN', 'TESTING', 'DORMANT', 'UP'];
const LINK_MODES = ['DEFAULT', 'DORMANT'];

export function flagNames(flags: number): string[] {
  const names: string[] = [];
  if (flags & IFF_UP && !(flags & IFF_RUNNING)) names.push('NO-CARRIER');
  let rest = flags & ~IFF_RUNNING;
  for (const [name, bit] of FLAGS) {
    if ((rest & bit) === 0) continue;
    rest &= ~bit;
    names.push(name);
  }
  if (rest !== 0) names.push((rest >>> 0).toString(16));
  return names;
}

class Attributes {
  readonly #link: Link;
  constructor(link: Link) {
    this.#link = link;
  }
  u32(type: number): number | undefined {
    return u32Of(this.#link.attributes.get(type)) ?? undefined;
  }
  u8(type: number): number | undefined {
    return this.#link.attributes.get(type)?.[0];
  }
  string(type: number): string | undefined {
    const payload = this.#link.attributes.get(type);
    return payload && stringOf(payload);
  }
  mac(type: number): string | undefined {
    const payload = this.#link.attributes.get(type);
    return payload && hexBytes(payload, ':');
  }
}

export function typeName(type: number): string {
  if (type === ARPHRD_ETHER) return 'ether';
  return type === ARPHRD_LOOPBACK ? 'loopback' : `[${type}]`;
}

export const operState = (link: Link): string =>
  OPER_STATES[new Attributes(link).u8(IFLA.OPERSTATE) ?? 0] ?? 'UNKNOWN';

/** `asLink`: for ip link, which shows more of the link than ip addr does. */
export function* linkText(ip: Ip, link: Link, asLink: boolean): UserFlow<string> {
  const { options } = ip;
  const a = new Attributes(link);
  const flags = `<${flagNames(link.flags).join(',')}>`;
  let out = `${link.index}: ${link.name}: ${flags} `;
  const mtu = a.u32(IFLA.MTU);
  if (mtu !== undefined) out += `mtu ${mtu} `;
  out += xdpMode(link, asLink);
  const qdisc = a.string(IFLA.QDISC);
  if (qdisc !== undefined) out += `qdisc ${qdisc} `;
  out += `state ${operState(link)} `;
  const mode = a.u8(IFLA.LINKMODE);
  if (asLink && mode !== undefined) out += `mode ${LINK_MODES[mode] ?? mode} `;
  const group = a.u32(IFLA.GROUP);
  if (group !== undefined) out += `group ${group === 0 ? 'default' : group} `;
  const length = a.u32(IFLA.TXQLEN);
  if (length !== undefined && length !== 0) out += `qlen ${length}`;
  if (options.family === 0 || asLink || options.details) out += hardwareText(ip, link, a);
  if (options.details) out += detailsText(link, a, asLink);
  if (asLink || options.details) out += yield* xdpPrograms(ip, link);
  if (asLink && options.stats > 0) out += statsText(ip, linkStats(link));
  return `${out}\n`;
}

function hardwareText(ip: Ip, link: Link, a: Attributes): string {
  let out = `${ip.newline}    link/${typeName(link.type)} `;
  out += a.mac(IFLA.ADDRESS) ?? '';
  const broadcast = a.mac(IFLA.BROADCAST);
  if (broadcast !== undefined) {
    out += `${link.flags & IFF_POINTOPOINT ? ' peer ' : ' brd '}${broadcast}`;
  }
  const permanent = a.mac(IFLA.PERM_ADDRESS);
  if (permanent !== undefined && permanent !== a.mac(IFLA.ADDRESS)) out += ` permaddr ${permanent}`;
  return out;
}

const DETAILS: readonly (readonly [text: string, json: string, type: number])[] = [
  ['numtxqueues', 'num_tx_queues', IFLA.NUM_TX_QUEUES],
  ['numrxqueues', 'num_rx_queues', IFLA.NUM_RX_QUEUES],
  ['gso_max_size', 'gso_max_size', IFLA.GSO_MAX_SIZE],
  ['gso_max_segs', 'gso_max_segs', IFLA.GSO_MAX_SEGS],
  ['tso_max_size', 'tso_max_size', IFLA.TSO_MAX_SIZE],
  ['tso_max_segs', 'tso_max_segs', IFLA.TSO_MAX_SEGS],
  ['gro_max_size', 'gro_max_size', IFLA.GRO_MAX_SIZE],
];

function detailsText(link: Link, a: Attributes, _asLink: boolean): string {
  let out = '';
  const add = (text: string, type: number, before = ''): void => {
    const value = a.u32(type);
    if (value !== undefined) out += `${before}${text} ${value} `;
  };
  add('promiscuity', IFLA.PROMISCUITY, ' ');
  add('allmulti', IFLA.ALLMULTI, ' ');
  add('minmtu', IFLA.MIN_MTU);
  add('maxmtu', IFLA.MAX_MTU);
  for (const [text, , type] of DETAILS) add(text, type);
  const bus = a.string(IFLA.PARENT_DEV_BUS_NAME);
  const parent = a.string(IFLA.PARENT_DEV_NAME);
  if (bus !== undefined) out += `parentbus ${bus} `;
  if (parent !== undefined) out += `parentdev ${parent} `;
  return out;
}

/** The word after the MTU. */
function xdpMode({ xdp }: Link, asLink: boolean): string {
  const words = { none: '', drv: 'xdp', skb: 'xdpgeneric', hw: 'xdpoffload', multi: 'xdpmulti' };
  const word = words[xdp.mode] || (xdp.modeNumber > 0 ? `xdp[${xdp.modeNumber}]` : '');
  if (word === '') return '';
  return `${word}${!asLink && xdp.progId ? `/id:${xdp.progId}` : ''} `;
}

/** `    prog/xdp id 7 name … tag … jited `, one line a program. */
function* xdpPrograms(ip: Ip, { xdp }: Link): UserFlow<string> {
  const rows: (readonly [string, number | undefined])[] = [['', xdp.progId]];
  if (xdp.mode === 'multi') {
    rows.push(['generic', xdp.skbProgId], ['drv', xdp.drvProgId], ['offload', xdp.hwProgId]);
  }
  let out = '';
  for (const [suffix, id] of rows) {
    if (id === undefined || id === 0) continue;
    out += `${ip.newline}    prog/xdp${suffix} ${yield* programText(ip, id)}`;
  }
  return out;
}

function* programText(ip: Ip, id: number): UserFlow<string> {
  const user = bpfUser(ip.p);
  const info = yield* withId(user, 'prog', id, (fd) => progInfo(user, fd));
  if (typeof info === 'number') return `id ${id} `;
  let out = `id ${id} name ${info.name} tag ${hexBytes(info.tag)} `;
  if (info.jited_prog_len > 0) out += 'jited ';
  if (!ip.options.details) return out;
  if (info.load_time !== 0n) {
    out += `load_time ${info.load_time} created_by_uid ${info.created_by_uid} `;
  }
  return info.btf_id === 0 ? out : `${out}btf_id ${info.btf_id} `;
}

function* programJson(ip: Ip, id: number): UserFlow<readonly [string, JsonTree]> {
  const user = bpfUser(ip.p);
  const info = yield* withId(user, 'prog', id, (fd) => progInfo(user, fd));
  if (typeof info === 'number') return ['prog', object(['id', number(id)])];
  const { details } = ip.options;
  return [
    'prog',
    object(
      ['id', number(id)],
      ['name', string(info.name)],
      ['tag', string(hexBytes(info.tag))],
      ['jited', number(info.jited_prog_len > 0 ? 1 : 0)],
      details && info.load_time !== 0n && ['load_time', number(info.load_time)],
      details && info.load_time !== 0n && ['created_by_uid', number(info.created_by_uid)],
      details && info.btf_id !== 0 && ['btf_id', number(info.btf_id)],
    ),
  ];
}

function* xdpJson(ip: Ip, { xdp }: Link): UserFlow<readonly [string, JsonTree] | undefined> {
  if (xdp.mode === 'none') return undefined;
  const attached: JsonTree[] = [];
  for (const [mode, id] of [
    ['skb', xdp.skbProgId],
    ['drv', xdp.drvProgId],
    ['hw', xdp.hwProgId],
  ] as const) {
    if (id === undefined) continue;
    attached.push(object(['mode', number(XDP_ATTACHED[mode])], yield* programJson(ip, id)));
  }
  const prog = xdp.progId ? yield* programJson(ip, xdp.progId) : undefined;
  return ['xdp', object(['mode', number(xdp.modeNumber)], prog, ['attached', array(attached)])];
}

/** Members of the JSON object of one interface. */
export function* linkMembers(
  ip: Ip,
  link: Link,
  asLink: boolean,
): UserFlow<(readonly [string, JsonTree] | undefined | false)[]> {
  const a = new Attributes(link);
  const { options } = ip;
  const u32 = (name: string, type: number): readonly [string, JsonTree] | undefined => {
    const value = a.u32(type);
    return value === undefined ? undefined : [name, number(value)];
  };
  const text = (
    name: string,
    value: string | undefined,
  ): readonly [string, JsonTree] | undefined =>
    value === undefined ? undefined : [name, string(value)];
  const mode = a.u8(IFLA.LINKMODE);
  const group = a.u32(IFLA.GROUP) ?? 0;
  return [
    ['ifindex', number(link.index)],
    ['ifname', string(link.name)],
    ['flags', array(flagNames(link.flags).map(string))],
    u32('mtu', IFLA.MTU),
    yield* xdpJson(ip, link),
    text('qdisc', a.string(IFLA.QDISC)),
    ['operstate', string(operState(link))],
    asLink && mode !== undefined && ['linkmode', string(LINK_MODES[mode] ?? String(mode))],
    ['group', string(group === 0 ? 'default' : String(group))],
    u32('txqlen', IFLA.TXQLEN),
    ['link_type', string(typeName(link.type))],
    text('address', a.mac(IFLA.ADDRESS)),
    text('broadcast', a.mac(IFLA.BROADCAST)),
    ...(options.details
      ? [
          u32('promiscuity', IFLA.PROMISCUITY),
          u32('allmulti', IFLA.ALLMULTI),
          u32('min_mtu', IFLA.MIN_MTU),
          u32('max_mtu', IFLA.MAX_MTU),
          ...DETAILS.map(([, name, type]) => u32(name, type)),
          text('parentbus', a.string(IFLA.PARENT_DEV_BUS_NAME)),
          text('parentdev', a.string(IFLA.PARENT_DEV_NAME)),
        ]
      : []),
    asLink && options.stats > 0 && ['stats64', statsJson(linkStats(link))],
  ];
}

/** One line of -br. */
export function briefText(link: Link): string {
  const a = new Attributes(link);
  const flags = `<${flagNames(link.flags).join(',')}>`;
  const state = operState(link).padEnd(14);
  return `${link.name.padEnd(16)} ${state} ${a.mac(IFLA.ADDRESS) ?? ''} ${flags} \n`;
}

export function briefMembers(link: Link): (readonly [string, JsonTree] | undefined)[] {
  const address = new Attributes(link).mac(IFLA.ADDRESS);
  return [
    ['ifname', string(link.name)],
    ['operstate', string(operState(link))],
    address === undefined ? undefined : ['address', string(address)],
    ['flags', array(flagNames(link.flags).map(string))],
  ];
}
