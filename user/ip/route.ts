/** ip route show and get, ip neigh show. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { JsonTree } from '../../bpf/btf/format.ts';
import { attributesOf, u32Of } from '../../kernel/net/netlink/message.ts';
import {
  NDA,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTA,
  RTM_F_CLONED,
  RTM_GETNEIGH,
  RTM_GETROUTE,
} from '../../kernel/net/netlink/route-constants.ts';
import { AF_INET } from '../libc/sockets.ts';
import { hexBytes } from '../libc/text.ts';
import { allLinks } from '../net/links.ts';
import type { Netlink } from '../net/netlink.ts';
import { array, object, string } from '../bpftool/json.ts';
import { type Ip, matches } from './context.ts';
import { addressText, parsePrefix, scopeName } from './inet.ts';

export const ROUTE_HELP = `Usage: ip route { show | list } [ table { main | local | all } ]
       ip route get ADDRESS
`;
export const NEIGH_HELP = `Usage: ip neigh { show | list } [ dev DEV ]
`;

const RTMSG_BYTES = 12;
const NDMSG_BYTES = 12;
const RTA_GATEWAY = 5;
const RTN_UNICAST = 1;
/** RTN_* and RTPROT_* (UAPI linux/rtnetlink.h). */
const TYPES = ['none', 'unicast', 'local', 'broadcast', 'anycast', 'multicast', 'blackhole'];
const PROTOCOLS: Readonly<Record<number, string>> = {
  0: 'unspec',
  1: 'redirect',
  2: 'kernel',
  3: 'boot',
  4: 'static',
};
const RTPROT_BOOT = 3;
/** NUD_* (UAPI linux/neighbour.h). */
const NUD: readonly (readonly [string, number])[] = [
  ['INCOMPLETE', 1],
  ['REACHABLE', 2],
  ['STALE', 4],
  ['DELAY', 8],
  ['PROBE', 16],
  ['FAILED', 32],
  ['NOARP', 64],
  ['PERMANENT', 128],
];

interface Route {
  readonly prefixLength: number;
  readonly table: number;
  readonly protocol: number;
  readonly scope: number;
  readonly type: number;
  readonly flags: number;
  readonly attributes: Map<number, Uint8Array>;
}

function parse(body: Uint8Array): Route {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const attributes = attributesOf(body, RTMSG_BYTES);
  return {
    prefixLength: body[1]!,
    table: u32Of(attributes.get(RTA.TABLE)) ?? body[4]!,
    protocol: body[5]!,
    scope: body[6]!,
    type: body[7]!,
    flags: view.getUint32(8, true),
    attributes,
  };
}

function* deviceNames(netlink: Netlink): UserFlow<Map<number, string>> {
  const links = yield* allLinks(netlink);
  return new Map(typeof links === 'number' ? [] : links.map(({ index, name }) => [index, name]));
}

export function* routeCommand(ip: Ip, netlink: Netlink): UserFlow<number> {
  const word = ip.take() ?? 'show';
  if (word === 'help') {
    yield* ip.p.stderr.write(ROUTE_HELP);
    return 255;
  }
  if (matches(word, 'get')) return yield* get(ip, netlink);
  if (!['show', 'list', 'lst'].some((keyword) => matches(word, keyword))) {
    return yield* ip.stop(`Command "${word}" is unknown, try "ip route help".`, 255);
  }
  let table: number | 'all' = RT_TABLE_MAIN;
  while (ip.left > 0) {
    const option = yield* ip.need();
    if (!matches(option, 'table')) yield* ip.invalid(`"${option}" is not supported here.`);
    const name = yield* ip.need();
    if (name === 'all') table = 'all';
    else table = name === 'local' ? RT_TABLE_LOCAL : name === 'main' ? RT_TABLE_MAIN : Number(name);
  }
  const header = new Uint8Array(RTMSG_BYTES);
  header[0] = AF_INET;
  const answer = yield* netlink.dump(RTM_GETROUTE, header);
  if (answer.error < 0) return yield* ip.refused(answer);
  const names = yield* deviceNames(netlink);
  const routes = answer.bodies
    .map(parse)
    .filter((route) => table === 'all' || route.table === table);
  return yield* print(ip, routes, names, table === 'all');
}

function* get(ip: Ip, netlink: Netlink): UserFlow<number> {
  const text = yield* ip.need();
  const prefix = parsePrefix(text);
  if (!prefix || prefix.address.length !== 4) {
    return yield* ip.invalid(`inet prefix is expected rather than "${text}".`);
  }
  const header = new Uint8Array(RTMSG_BYTES);
  header[0] = AF_INET;
  header[1] = 32;
  const answer = yield* netlink.request(RTM_GETROUTE, 0, (message) => {
    message.raw(header).bytes(RTA.DST, prefix.address);
  });
  if (answer.error < 0) return yield* ip.refused(answer);
  return yield* print(ip, answer.bodies.map(parse), yield* deviceNames(netlink), false);
}

function* print(
  ip: Ip,
  routes: readonly Route[],
  names: ReadonlyMap<number, string>,
  withTable: boolean,
): UserFlow<number> {
  if (ip.options.json) {
    yield* ip.emit(routes.map((route) => routeJson(route, names)));
    return 0;
  }
  for (const route of routes) yield* ip.p.print(routeText(ip, route, names, withTable));
  return 0;
}

function destination({ attributes, prefixLength }: Route): string {
  const dst = attributes.get(RTA.DST);
  if (!dst) return prefixLength > 0 ? `0/${prefixLength}` : 'default';
  return prefixLength === dst.length * 8 ? addressText(dst) : `${addressText(dst)}/${prefixLength}`;
}

const tableName = (table: number): string => (table === RT_TABLE_LOCAL ? 'local' : String(table));

function routeText(
  ip: Ip,
  route: Route,
  names: ReadonlyMap<number, string>,
  withTable: boolean,
): string {
  const { attributes, type, table, protocol, scope, flags } = route;
  const { details } = ip.options;
  let out = type !== RTN_UNICAST || details ? `${TYPES[type] ?? type} ` : '';
  out += `${destination(route)} `;
  const gateway = attributes.get(RTA_GATEWAY);
  if (gateway) out += `via ${addressText(gateway)} `;
  const oif = u32Of(attributes.get(RTA.OIF));
  if (oif) out += `dev ${names.get(oif) ?? `if${oif}`} `;
  const isCloned = (flags & RTM_F_CLONED) !== 0;
  const showsTable = withTable || isCloned;
  if (showsTable && (table !== RT_TABLE_MAIN || details)) out += `table ${tableName(table)} `;
  if (!isCloned) {
    if (protocol !== RTPROT_BOOT || details) out += `proto ${PROTOCOLS[protocol] ?? protocol} `;
    if (scope !== 0 || details) out += `scope ${scopeName(scope)} `;
  }
  const source = attributes.get(RTA.PREFSRC);
  if (source) out += `src ${addressText(source)} `;
  const uid = u32Of(attributes.get(RTA.UID));
  if (uid !== undefined && uid !== null) out += `uid ${uid} `;
  if (isCloned) out += `${ip.newline}    cache ${type === 2 ? '<local> ' : ''}`;
  return `${out}\n`;
}

function routeJson(route: Route, names: ReadonlyMap<number, string>): JsonTree {
  const { attributes, type, protocol, scope } = route;
  const gateway = attributes.get(RTA_GATEWAY);
  const oif = u32Of(attributes.get(RTA.OIF));
  const source = attributes.get(RTA.PREFSRC);
  return object(
    type !== RTN_UNICAST && ['type', string(TYPES[type] ?? String(type))],
    ['dst', string(destination(route))],
    gateway && ['gateway', string(addressText(gateway))],
    !!oif && ['dev', string(names.get(oif) ?? `if${oif}`)],
    protocol !== RTPROT_BOOT && ['protocol', string(PROTOCOLS[protocol] ?? String(protocol))],
    scope !== 0 && ['scope', string(scopeName(scope))],
    source && ['prefsrc', string(addressText(source))],
    ['flags', array([])],
  );
}

export function* neighbourCommand(ip: Ip, netlink: Netlink): UserFlow<number> {
  const word = ip.take() ?? 'show';
  if (word === 'help') {
    yield* ip.p.stderr.write(NEIGH_HELP);
    return 255;
  }
  if (!['show', 'list', 'lst'].some((keyword) => matches(word, keyword))) {
    return yield* ip.stop(`Command "${word}" is unknown, try "ip neigh help".`, 255);
  }
  let device: string | undefined;
  while (ip.left > 0) {
    const option = yield* ip.need();
    device = option === 'dev' ? yield* ip.need() : option;
  }
  const header = new Uint8Array(NDMSG_BYTES);
  header[0] = ip.options.family;
  const answer = yield* netlink.dump(RTM_GETNEIGH, header);
  if (answer.error < 0) return yield* ip.refused(answer);
  const names = yield* deviceNames(netlink);
  const items: JsonTree[] = [];
  for (const body of answer.bodies) {
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    const name = names.get(view.getInt32(4, true)) ?? '?';
    if (device !== undefined && name !== device) continue;
    const state = view.getUint16(8, true);
    const tb = attributesOf(body, NDMSG_BYTES);
    const address = addressText(tb.get(NDA.DST) ?? new Uint8Array(4));
    const mac = tb.get(NDA.LLADDR);
    const states = NUD.filter(([, bit]) => (state & bit) !== 0).map(([word_]) => word_);
    if (ip.options.json) {
      items.push(
        object(
          ['dst', string(address)],
          ['dev', string(name)],
          mac && ['lladdr', string(hexBytes(mac, ':'))],
          ['state', array(states.map(string))],
        ),
      );
      continue;
    }
    const hardware = mac ? `lladdr ${hexBytes(mac, ':')} ` : '';
    const dev = device === undefined ? `dev ${name} ` : '';
    yield* ip.p.println(`${address} ${dev}${hardware}${states.join(',')} `);
  }
  if (ip.options.json) yield* ip.emit(items);
  return 0;
}
