/** ip addr show, add, del. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { JsonTree } from '../../bpf/btf/format.ts';
import {
  attributesOf,
  NLM_F_CREATE,
  NLM_F_EXCL,
  stringOf,
} from '../../kernel/net/netlink/message.ts';
import {
  IFA,
  IFA_F_PERMANENT,
  RTM_DELADDR,
  RTM_GETADDR,
  RTM_NEWADDR,
} from '../../kernel/net/netlink/route-constants.ts';
import { AF_INET, AF_INET6 } from '../libc/sockets.ts';
import { linkByName } from '../net/links.ts';
import type { Netlink } from '../net/netlink.ts';
import { array, bool, number, object, string } from '../bpftool/json.ts';
import { type Ip, matches } from './context.ts';
import { addressText, parsePrefix, scopeName } from './inet.ts';
import { selectedLinks } from './link.ts';
import { linkMembers, linkText, operState } from './link-print.ts';

export const ADDRESS_HELP = `Usage: ip address {add|change|replace} IFADDR dev IFNAME [ broadcast ADDR ] [ scope SCOPE ]
       ip address del IFADDR dev IFNAME
       ip address [ show [ dev IFNAME ] [ up ] ]
IFADDR := PREFIX
SCOPE := [ host | link | global | NUMBER ]
`;

interface Address {
  readonly family: number;
  readonly prefixLength: number;
  readonly flags: number;
  readonly scope: number;
  readonly index: number;
  readonly local: Uint8Array;
  readonly peer: Uint8Array | undefined;
  readonly broadcast: Uint8Array | undefined;
  readonly label: string | undefined;
}

const IFADDRMSG_BYTES = 8;
const FOREVER = 0xffffffff;

export function* addressCommand(ip: Ip, netlink: Netlink): UserFlow<number> {
  const word = ip.take() ?? 'show';
  if (['show', 'list', 'lst'].some((keyword) => matches(word, keyword))) {
    return yield* show(ip, netlink);
  }
  if (matches(word, 'add') || matches(word, 'change') || matches(word, 'replace')) {
    return yield* change(ip, netlink, RTM_NEWADDR, word);
  }
  if (matches(word, 'delete')) return yield* change(ip, netlink, RTM_DELADDR, word);
  if (word === 'help') {
    yield* ip.p.stderr.write(ADDRESS_HELP);
    return 255;
  }
  return yield* ip.stop(`Command "${word}" is unknown, try "ip address help".`, 255);
}

function* show(ip: Ip, netlink: Netlink): UserFlow<number> {
  const links = yield* selectedLinks(ip, netlink);
  const header = new Uint8Array(IFADDRMSG_BYTES);
  header[0] = ip.options.family;
  const answer = yield* netlink.dump(RTM_GETADDR, header);
  if (answer.error < 0) return yield* ip.refused(answer);
  const all = answer.bodies.map(parse);
  const { family, brief, json } = ip.options;
  const items: JsonTree[] = [];
  for (const link of links) {
    const addresses = all.filter((address) => address.index === link.index);
    if (family !== 0 && addresses.length === 0) continue;
    if (json) {
      const members = brief
        ? ([
            ['ifname', string(link.name)],
            ['operstate', string(operState(link))],
          ] as const)
        : yield* linkMembers(ip, link, false);
      items.push(object(...members, ['addr_info', array(addresses.map(addressJson))]));
    } else if (brief) {
      const list = addresses.map((a) => `${addressText(a.local)}/${a.prefixLength} `);
      yield* ip.p.println(`${link.name.padEnd(16)} ${operState(link).padEnd(14)} ${list.join('')}`);
    } else {
      yield* ip.p.print(yield* linkText(ip, link, false));
      for (const address of addresses) yield* ip.p.print(addressLines(ip, link.name, address));
    }
  }
  if (json) yield* ip.emit(items);
  return 0;
}

function parse(body: Uint8Array): Address {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const tb = attributesOf(body, IFADDRMSG_BYTES);
  const address = tb.get(IFA.ADDRESS);
  const local = tb.get(IFA.LOCAL) ?? address ?? new Uint8Array(4);
  const label = tb.get(IFA.LABEL);
  return {
    family: body[0]!,
    prefixLength: body[1]!,
    flags: body[2]!,
    scope: body[3]!,
    index: view.getInt32(4, true),
    local,
    peer: address && address.join() !== local.join() ? address : undefined,
    broadcast: tb.get(IFA.BROADCAST),
    label: label && stringOf(label),
  };
}

function addressLines(ip: Ip, _device: string, a: Address): string {
  let out = `    ${a.family === AF_INET6 ? 'inet6' : 'inet'} ${addressText(a.local)}`;
  if (a.peer) out += ` peer ${addressText(a.peer)}`;
  out += `/${a.prefixLength} `;
  if (a.broadcast) out += `brd ${addressText(a.broadcast)} `;
  out += `scope ${scopeName(a.scope)} `;
  if ((a.flags & IFA_F_PERMANENT) === 0) out += 'dynamic ';
  out += a.label ?? '';
  return `${out}${ip.newline}       valid_lft forever preferred_lft forever\n`;
}

function addressJson(a: Address): JsonTree {
  return object(
    ['family', string(a.family === AF_INET6 ? 'inet6' : 'inet')],
    ['local', string(addressText(a.local))],
    a.peer && ['address', string(addressText(a.peer))],
    ['prefixlen', number(a.prefixLength)],
    a.broadcast && ['broadcast', string(addressText(a.broadcast))],
    ['scope', string(scopeName(a.scope))],
    (a.flags & IFA_F_PERMANENT) === 0 && ['dynamic', bool(true)],
    a.label !== undefined && ['label', string(a.label)],
    ['valid_life_time', number(FOREVER)],
    ['preferred_life_time', number(FOREVER)],
  );
}

const SCOPES: Readonly<Record<string, number>> = { global: 0, site: 200, link: 253, host: 254 };

function* change(ip: Ip, netlink: Netlink, type: number, command: string): UserFlow<number> {
  let prefixText: string | undefined;
  let device: string | undefined;
  let broadcastText: string | undefined;
  let scope: number | undefined;
  while (ip.left > 0) {
    const word = yield* ip.need();
    if (word === 'dev') device = yield* ip.need();
    else if (word === 'brd' || matches(word, 'broadcast')) broadcastText = yield* ip.need();
    else if (matches(word, 'scope')) {
      const text = yield* ip.need();
      scope = SCOPES[text] ?? (/^\d+$/.test(text) ? Number(text) : undefined);
      if (scope === undefined)
        yield* ip.invalid(`argument "${text}" is wrong: invalid scope value.\n`);
    } else if (word === 'local') prefixText = yield* ip.need();
    else if (prefixText === undefined) prefixText = word;
    else yield* ip.invalid(`either "local" is duplicate, or "${word}" is a garbage.`);
  }
  if (device === undefined) {
    return yield* ip.stop('Not enough information: "dev" argument is required.', 255);
  }
  const prefix = prefixText === undefined ? undefined : parsePrefix(prefixText);
  if (!prefix) {
    return yield* ip.invalid(`any valid prefix is expected rather than "${prefixText ?? ''}".`);
  }
  const link = yield* linkByName(netlink, device);
  if (typeof link === 'number') return yield* ip.stop(`Cannot find device "${device}"`, 1);
  const isHost = prefix.address.length === 4 && prefix.address[0] === 127;
  const header = new Uint8Array(IFADDRMSG_BYTES);
  header[0] = prefix.address.length === 4 ? AF_INET : AF_INET6;
  header[1] = prefix.length;
  header[3] = scope ?? (isHost ? SCOPES.host! : SCOPES.global!);
  new DataView(header.buffer).setInt32(4, link.index, true);
  const broadcast = broadcastOf(prefix.address, prefix.length, broadcastText);
  if (broadcastText !== undefined && !broadcast) {
    return yield* ip.invalid(`inet address is expected rather than "${broadcastText}".`);
  }
  const flags =
    type === RTM_DELADDR ? 0 : command.startsWith('a') ? NLM_F_CREATE | NLM_F_EXCL : NLM_F_CREATE;
  const answer = yield* netlink.request(type, flags, (message) => {
    message.raw(header).bytes(IFA.LOCAL, prefix.address).bytes(IFA.ADDRESS, prefix.address);
    if (broadcast) message.bytes(IFA.BROADCAST, broadcast);
  });
  return answer.error < 0 ? yield* ip.refused(answer) : 0;
}

/** `+` sets the host bits, `-` clears them. */
function broadcastOf(
  address: Uint8Array,
  length: number,
  text: string | undefined,
): Uint8Array | undefined {
  if (text === undefined) return undefined;
  if (text !== '+' && text !== '-') return parsePrefix(text)?.address;
  return address.map((byte, index) => {
    const hostBits = Math.max(0, Math.min(8, 8 * (index + 1) - length));
    const mask = (1 << hostBits) - 1;
    return text === '+' ? byte | mask : byte & ~mask;
  });
}
