/** ip(8): options and objects. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { Tool } from '../libc/process.ts';
import { AF_INET, AF_INET6, AF_PACKET } from '../libc/sockets.ts';
import { strerror } from '../libc/strerror.ts';
import type { Netlink } from '../net/netlink.ts';
import { openNetlink } from '../net/netlink.ts';
import { addressCommand } from './address.ts';
import { Ip, type IpOptions, matches } from './context.ts';
import { linkCommand } from './link.ts';
import { neighbourCommand, routeCommand } from './route.ts';

/** The release whose formats these are. */
const VERSION = 'ip utility, iproute2-6.1.0, libbpf 1.1.2';

const HELP = `Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }
where  OBJECT := { address | link | neighbour | route }
       OPTIONS := { -V[ersion] | -s[tatistics] | -d[etails] |
                    -f[amily] { inet | inet6 | link } | -4 | -6 | -0 |
                    -o[neline] | -br[ief] | -j[son] | -p[retty] | -c[olor] }
`;

type ObjectCommand = (ip: Ip, netlink: Netlink) => UserFlow<number>;

/** In the order in which a prefix finds them. */
const OBJECTS: readonly (readonly [string, ObjectCommand])[] = [
  ['address', addressCommand],
  ['route', routeCommand],
  ['neighbour', neighbourCommand],
  ['neighbor', neighbourCommand],
  ['link', linkCommand],
];

const FAMILIES: Readonly<Record<string, number>> = {
  inet: AF_INET,
  inet6: AF_INET6,
  link: AF_PACKET,
};

export const ip: Tool = function* (p, args) {
  const options: IpOptions = {
    json: false,
    pretty: false,
    brief: false,
    details: false,
    stats: 0,
    oneline: false,
    family: 0,
  };
  let at = 0;
  for (; at < args.length; at++) {
    const arg = args[at]!;
    if (arg === '--') {
      at++;
      break;
    }
    if (!arg.startsWith('-')) break;
    const option = arg.replace(/^--?/, '');
    if (option === '4') options.family = AF_INET;
    else if (option === '6') options.family = AF_INET6;
    else if (option === '0') options.family = AF_PACKET;
    else if (matches(option, 'family')) {
      const name = args[++at] ?? '';
      const family = FAMILIES[name];
      if (family === undefined) {
        yield* p.stderr.write(`Error: argument "${name}" is wrong: invalid protocol family\n\n`);
        return 255;
      }
      options.family = family;
    } else if (matches(option, 'statistics') || matches(option, 'stats')) options.stats++;
    else if (matches(option, 'details')) options.details = true;
    else if (matches(option, 'oneline')) options.oneline = true;
    else if (matches(option, 'json')) options.json = true;
    else if (matches(option, 'pretty')) options.pretty = true;
    else if (matches(option, 'brief')) options.brief = true;
    else if (option === 'V' || matches(option, 'Version')) {
      yield* p.println(VERSION);
      return 0;
    } else if (matches(option, 'help')) {
      yield* p.stderr.write(HELP);
      return 255;
    } else if (!matches(option, 'color') && !/^color=/.test(option) && option !== 'force') {
      yield* p.stderr.write(`Option "${arg}" is unknown, try "ip -help".\n`);
      return 255;
    }
  }
  const word = args[at];
  if (word === undefined || word === 'help') {
    yield* p.stderr.write(HELP);
    return 255;
  }
  const object = OBJECTS.find(([name]) => matches(word, name));
  if (!object) {
    yield* p.stderr.write(`Object "${word}" is unknown, try "ip help".\n`);
    return 1;
  }
  const netlink = yield* openNetlink(p);
  if (typeof netlink === 'number') {
    yield* p.stderr.write(`Cannot open netlink socket: ${strerror(netlink)}\n`);
    return 1;
  }
  const status = yield* object[1](new Ip(p, options, args.slice(at + 1)), netlink);
  yield* netlink.close();
  return status;
};
