/** ethtool(8), as far as drivers here answer: -i and -S. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { close, syscall } from '../libc/files.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import { layout } from '../libc/layout.ts';
import { NR } from '../libc/nr.ts';
import type { Process, Tool } from '../libc/process.ts';
import { AF_INET, socket } from '../libc/sockets.ts';
import { strerror } from '../libc/strerror.ts';
import { decodeCString, encodeText } from '../libc/text.ts';

/** UAPI linux/sockios.h, linux/ethtool.h. */
const SIOCETHTOOL = 0x8946;
const SOCK_DGRAM = 2;
const IFNAMSIZ = 16;
const ETHTOOL_GDRVINFO = 0x3;
const ETHTOOL_GSTRINGS = 0x1b;
const ETHTOOL_GSTATS = 0x1d;
const ETH_SS_STATS = 1;
const ETH_GSTRING_LEN = 32;

const Ifreq = layout({ name: IFNAMSIZ, data: 'n64', pad: 16 });
const Drvinfo = layout({
  cmd: 'u32',
  driver: 32,
  version: 32,
  fw_version: 32,
  bus_info: 32,
  erom_version: 32,
  reserved: 12,
  n_priv_flags: 'u32',
  n_stats: 'u32',
  testinfo_len: 'u32',
  eedump_len: 'u32',
  regdump_len: 'u32',
});
const Gstrings = layout({ cmd: 'u32', string_set: 'u32', len: 'u32' });
const Stats = layout({ cmd: 'u32', n_stats: 'u32' });

export const ethtool: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '-i|-S DEVNAME',
    about: 'Query a network device’s driver.',
    options: [
      { short: 'i', long: 'driver', help: 'show driver information' },
      { short: 'S', long: 'statistics', help: 'show adapter statistics' },
    ],
  });
  const [device, ...more] = o.operands;
  if (device === undefined || more.length > 0) return yield* usageError(p, 'name one device');
  if (o.has('driver') === o.has('statistics')) return yield* usageError(p, 'give -i or -S');
  const info = yield* ask(p, device, Drvinfo.encode({ cmd: ETHTOOL_GDRVINFO }));
  if (typeof info === 'number') {
    yield* p.stderr.write(`Cannot get driver information: ${strerror(info)}\n`);
    return EXIT_FAILED;
  }
  const driver = Drvinfo.decode(info);
  return o.has('driver') ? yield* showDriver(p, driver) : yield* showStats(p, device, driver);
};

/** What ethtool exits with when an ioctl fails. */
const EXIT_FAILED = 71;

function* showDriver(p: Process, info: ReturnType<typeof Drvinfo.decode>): UserFlow<number> {
  const text = (bytes: Uint8Array) => decodeCString(bytes);
  const yes = (count: number) => (count > 0 ? 'yes' : 'no');
  yield* p.print(
    `driver: ${text(info.driver)}\n` +
      `version: ${text(info.version)}\n` +
      `firmware-version: ${text(info.fw_version)}\n` +
      `expansion-rom-version: ${text(info.erom_version)}\n` +
      `bus-info: ${text(info.bus_info)}\n` +
      `supports-statistics: ${yes(info.n_stats)}\n` +
      `supports-test: ${yes(info.testinfo_len)}\n` +
      `supports-eeprom-access: ${yes(info.eedump_len)}\n` +
      `supports-register-dump: ${yes(info.regdump_len)}\n` +
      `supports-priv-flags: ${yes(info.n_priv_flags)}\n`,
  );
  return 0;
}

function* showStats(
  p: Process,
  device: string,
  { n_stats: count }: { readonly n_stats: number },
): UserFlow<number> {
  if (count === 0) {
    yield* p.stderr.write('no stats available\n');
    return 94;
  }
  const names = new Uint8Array(Gstrings.size + count * ETH_GSTRING_LEN);
  names.set(Gstrings.encode({ cmd: ETHTOOL_GSTRINGS, string_set: ETH_SS_STATS, len: count }));
  const strings = yield* ask(p, device, names);
  const values = new Uint8Array(Stats.size + count * 8);
  values.set(Stats.encode({ cmd: ETHTOOL_GSTATS, n_stats: count }));
  const stats = yield* ask(p, device, values);
  if (typeof strings === 'number' || typeof stats === 'number') {
    const failed = typeof strings === 'number' ? strings : (stats as number);
    yield* p.stderr.write(`Cannot get stats information: ${strerror(failed)}\n`);
    return EXIT_FAILED;
  }
  const view = new DataView(stats.buffer, stats.byteOffset);
  yield* p.println('NIC statistics:');
  for (let i = 0; i < count; i++) {
    const at = Gstrings.size + i * ETH_GSTRING_LEN;
    const name = decodeCString(strings.subarray(at, at + ETH_GSTRING_LEN));
    yield* p.println(`     ${name}: ${view.getBigUint64(Stats.size + i * 8, true)}`);
  }
  return 0;
}

/** One SIOCETHTOOL: the struct as the kernel left it, or a negative errno. */
function* ask(p: Process, device: string, request: Uint8Array): UserFlow<Uint8Array | number> {
  const name = encodeText(device);
  if (name.length >= IFNAMSIZ) return -errno.ENODEV;
  const fd = yield* socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) return fd;
  const mark = p.mark();
  const data = yield* p.takeBytes(request);
  const ifreq = yield* p.takeBytes(Ifreq.encode({ name, data }));
  const result = yield* syscall(NR.ioctl, fd, SIOCETHTOOL, ifreq);
  const answer = result < 0 ? result : p.memory.read(data, request.length).slice();
  p.release(mark);
  yield* close(fd);
  return answer;
}
