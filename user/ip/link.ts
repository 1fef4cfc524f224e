/** ip link show and set. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { IFLA, RTM_NEWLINK } from '../../kernel/net/netlink/route-constants.ts';
import { IFF_ALLMULTI, IFF_NOARP, IFF_PROMISC, IFF_UP } from '../../kernel/types/net-device.ts';
import { strerror } from '../libc/strerror.ts';
import { allLinks, ifinfomsg, type Link, linkByName, setXdp } from '../net/links.ts';
import type { Netlink } from '../net/netlink.ts';
import { object } from '../bpftool/json.ts';
import { type Ip, matches, parseNumber } from './context.ts';
import { briefMembers, briefText, linkMembers, linkText } from './link-print.ts';
import { parseXdp, XDP_WORDS, type XdpChange } from './xdp.ts';

export const LINK_HELP = `Usage: ip link show [ DEVICE | dev DEVICE ] [up] [type TYPE]
       ip link set [ dev ] DEVICE [ { up | down } ] [ arp { on | off } ]
                   [ promisc { on | off } ] [ allmulticast { on | off } ]
                   [ txqueuelen PACKETS ] [ name NEWNAME ] [ mtu MTU ]
                   [ { xdp | xdpgeneric | xdpdrv | xdpoffload } { off |
                         object FILE [ { section | program } NAME ] [ verbose ] |
                         pinned FILE } ]
       ip link help
`;

export function* linkCommand(ip: Ip, netlink: Netlink): UserFlow<number> {
  const word = ip.take() ?? 'show';
  if (['show', 'list', 'lst'].some((keyword) => matches(word, keyword))) {
    return yield* show(ip, netlink);
  }
  if (matches(word, 'set')) return yield* set(ip, netlink);
  if (word === 'help') {
    yield* ip.p.stderr.write(LINK_HELP);
    return 255;
  }
  return yield* ip.stop(`Command "${word}" is unknown, try "ip link help".`, 255);
}

/** The links that the words select: `DEV`, `dev DEV`, `up`. */
export function* selectedLinks(ip: Ip, netlink: Netlink): UserFlow<Link[]> {
  let name: string | undefined;
  let onlyUp = false;
  while (ip.left > 0) {
    const word = yield* ip.need();
    if (word === 'up') onlyUp = true;
    else if (word === 'dev') name = yield* ip.need();
    else if (name === undefined) name = word;
    else {
      yield* ip.invalid(`either "dev" is duplicate, or "${word}" is a garbage.`);
    }
  }
  if (name !== undefined) {
    const link = yield* linkByName(netlink, name);
    if (typeof link === 'number') return yield* ip.stop(`Device "${name}" does not exist.`, 1);
    return [link];
  }
  const links = yield* allLinks(netlink);
  if (typeof links === 'number')
    return yield* ip.stop(`Cannot talk to rtnetlink: ${strerror(links)}`, 1);
  return onlyUp ? links.filter((link) => (link.flags & IFF_UP) !== 0) : links;
}

function* show(ip: Ip, netlink: Netlink): UserFlow<number> {
  const links = yield* selectedLinks(ip, netlink);
  if (ip.options.json) {
    const items = [];
    for (const link of links) {
      const members = ip.options.brief ? briefMembers(link) : yield* linkMembers(ip, link, true);
      items.push(object(...members));
    }
    yield* ip.emit(items);
    return 0;
  }
  for (const link of links) {
    yield* ip.p.print(ip.options.brief ? briefText(link) : yield* linkText(ip, link, true));
  }
  return 0;
}

interface Changes {
  flags: number;
  change: number;
  mtu?: number;
  name?: string;
  txQueueLength?: number;
  xdp?: XdpChange;
}

const ON_OFF: Readonly<Record<string, readonly [bit: number, inverted: boolean]>> = {
  arp: [IFF_NOARP, true],
  promisc: [IFF_PROMISC, false],
  allmulticast: [IFF_ALLMULTI, false],
};

function* set(ip: Ip, netlink: Netlink): UserFlow<number> {
  const changes: Changes = { flags: 0, change: 0 };
  let device: string | undefined;
  while (ip.left > 0) {
    const word = yield* ip.need();
    const xdp = XDP_WORDS[word];
    if (word === 'up') setFlag(changes, IFF_UP, true);
    else if (word === 'down') setFlag(changes, IFF_UP, false);
    else if (word in ON_OFF) {
      const [bit, inverted] = ON_OFF[word]!;
      const value = yield* ip.need();
      if (value !== 'on' && value !== 'off') {
        yield* ip.invalid(`argument of "${word}" must be "on" or "off", not "${value}"`);
      }
      setFlag(changes, bit, (value === 'on') !== inverted);
    } else if (word === 'mtu' || matches(word, 'txqueuelen') || word === 'qlen') {
      const text = yield* ip.need();
      const value = parseNumber(text);
      if (value === undefined) {
        yield* ip.invalid(`argument "${text}" is wrong: Invalid "${word}" value\n`);
      } else if (word === 'mtu') changes.mtu = value;
      else changes.txQueueLength = value;
    } else if (word === 'name') changes.name = yield* ip.need();
    else if (xdp !== undefined) {
      device ??= undefined;
      changes.xdp = yield* parseXdp(ip, xdp, device);
    } else if (word === 'dev') device = yield* ip.need();
    else if (device === undefined) device = word;
    else yield* ip.invalid(`either "dev" is duplicate, or "${word}" is a garbage.`);
  }
  if (device === undefined) {
    return yield* ip.stop('Not enough information: "dev" argument is required.', 255);
  }
  const link = yield* linkByName(netlink, device);
  if (typeof link === 'number') return yield* ip.stop(`Cannot find device "${device}"`, 1);
  return yield* apply(ip, netlink, link, changes);
}

function setFlag(changes: Changes, bit: number, on: boolean): void {
  changes.change |= bit;
  if (on) changes.flags |= bit;
  else changes.flags &= ~bit;
}

function* apply(ip: Ip, netlink: Netlink, link: Link, changes: Changes): UserFlow<number> {
  const { xdp } = changes;
  if (xdp) {
    const answer = yield* setXdp(netlink, link.index, xdp.fd, xdp.flags);
    if (answer.error < 0) return yield* ip.refused(answer);
  }
  const { flags, change, mtu, name, txQueueLength } = changes;
  const isNothing = [mtu, name, txQueueLength].every((value) => value === undefined);
  if (isNothing && change === 0) return 0;
  const answer = yield* netlink.request(RTM_NEWLINK, 0, (message) => {
    message.raw(ifinfomsg(link.index, flags, change));
    if (mtu !== undefined) message.u32(IFLA.MTU, mtu);
    if (txQueueLength !== undefined) message.u32(IFLA.TXQLEN, txQueueLength);
    if (name !== undefined) message.string(IFLA.IFNAME, name);
  });
  if (answer.error < 0 && answer.error !== -errno.EALREADY) return yield* ip.refused(answer);
  return 0;
}
