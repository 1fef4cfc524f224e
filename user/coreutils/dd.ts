/** dd(1): blocks copied and converted. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import {
  ftruncate,
  fstat,
  lseek,
  O_APPEND,
  O_CREAT,
  O_EXCL,
  O_NONBLOCK,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
  open,
  read,
  SEEK_CUR,
  SEEK_SET,
  syscall,
  writeAll,
} from '../libc/files.ts';
import { helpText } from '../libc/getopt.ts';
import { NR } from '../libc/nr.ts';
import { parseSize } from '../libc/numbers.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { concatBytes } from '../libc/text.ts';
import { CLOCK_MONOTONIC, clockGettime } from '../libc/time.ts';

const SPEC = {
  usage: '[OPERAND]...',
  about: 'Copy a file, converting and formatting according to the operands.',
  more: [
    '  bs=BYTES        read and write up to BYTES bytes at a time (default: 512)',
    '  conv=CONVS      convert as per the comma separated list: lcase ucase swab sync notrunc',
    '                  nocreat excl noerror fsync fdatasync sparse',
    '  count=N         copy only N input blocks',
    '  ibs=BYTES obs=BYTES   block sizes of input and output',
    '  if=FILE of=FILE read from, write to FILE instead of stdin, stdout',
    '  iflag=FLAGS oflag=FLAGS   append fullblock count_bytes skip_bytes seek_bytes nonblock',
    '  seek=N skip=N   skip N blocks of output, of input',
    '  status=LEVEL    none, noxfer or progress',
    '',
    'N and BYTES may have a multiplier suffix: c 1, w 2, b 512, kB 1000, K 1024, MB, M, and so on.',
  ].join('\n'),
};
const NAMES = new Set([
  'bs',
  'ibs',
  'obs',
  'cbs',
  'conv',
  'count',
  'if',
  'iflag',
  'of',
  'oflag',
  'seek',
  'skip',
  'status',
]);
const CONVERSIONS = new Set([
  'lcase',
  'ucase',
  'swab',
  'sync',
  'notrunc',
  'nocreat',
  'excl',
  'noerror',
  'fsync',
  'fdatasync',
  'sparse',
]);
/** A block larger than this does not fit a process of this machine. */
const MAX_BLOCK_BYTES = 64 << 20;

/** '4k', '2x512', '1c'. */
function parseNumber(text: string): number | undefined {
  let product = 1;
  for (const factor of text.split('x')) {
    const plain = factor.replace(/c$/, '');
    const words = /^(\d+)w$/.exec(plain);
    const size = words ? Number(words[1]) * 2 : parseSize(plain);
    if (size === undefined) return undefined;
    product *= size;
  }
  return product;
}

export const dd: Tool = function* (p, args) {
  if (args.includes('--help')) {
    yield* p.print(helpText(p.name, SPEC));
    return 0;
  }
  const given = new Map<string, string>();
  for (const arg of args) {
    const at = arg.indexOf('=');
    const name = arg.slice(0, Math.max(0, at));
    if (!NAMES.has(name)) {
      yield* p.error(`unrecognized operand '${arg}'`);
      yield* p.stderr.write("Try 'dd --help' for more information.\n");
      return 1;
    }
    given.set(name, arg.slice(at + 1));
  }
  const number = (name: string, otherwise: number): number =>
    given.has(name) ? (parseNumber(given.get(name)!) ?? NaN) : otherwise;
  const bs = number('bs', 512);
  const sizes = { input: number('ibs', bs), output: number('obs', bs) };
  for (const name of ['bs', 'ibs', 'obs', 'count', 'seek', 'skip']) {
    if (!Number.isNaN(number(name, 1))) continue;
    yield* p.error(`invalid number: '${given.get(name)}'`);
    return 1;
  }
  if (sizes.input < 1 || sizes.output < 1) {
    yield* p.error(`invalid number: '0'`);
    return 1;
  }
  if (Math.max(sizes.input, sizes.output) > MAX_BLOCK_BYTES) {
    yield* p.error(`memory exhausted by input buffer of size ${sizes.input} bytes`);
    return 1;
  }
  const conversions = new Set((given.get('conv') ?? '').split(',').filter((word) => word !== ''));
  for (const word of conversions) {
    if (CONVERSIONS.has(word)) continue;
    yield* p.error(`invalid conversion: '${word}'`);
    return 1;
  }
  const flags = {
    input: new Set((given.get('iflag') ?? '').split(',')),
    output: new Set((given.get('oflag') ?? '').split(',')),
  };
  const files = yield* openFiles(
    p,
    given,
    conversions,
    flags,
    number('seek', 0) * (flags.output.has('seek_bytes') ? 1 : sizes.output),
  );
  if (!files) return 1;
  const copier = new Copier(p, files, sizes, conversions, flags.input.has('fullblock'));
  const started = yield* clockGettime(p, CLOCK_MONOTONIC);
  const skip = number('skip', 0) * (flags.input.has('skip_bytes') ? 1 : sizes.input);
  const limit = given.has('count')
    ? flags.input.has('count_bytes')
      ? { blocks: Infinity, bytes: number('count', 0) }
      : { blocks: number('count', 0), bytes: Infinity }
    : { blocks: Infinity, bytes: Infinity };
  yield* copier.skip(skip);
  const status = yield* copier.run(limit);
  if (conversions.has('fsync') || conversions.has('fdatasync'))
    yield* syscall(NR.fsync, files.output);
  const level = given.get('status') ?? '';
  if (level !== 'none') {
    const seconds = Number((yield* clockGettime(p, CLOCK_MONOTONIC)) - started) / 1e9;
    yield* p.stderr.write(copier.records());
    if (level !== 'noxfer') yield* p.stderr.write(summary(copier.written, seconds));
  }
  return status;
};

function summary(bytes: number, seconds: number): string {
  const plain = `${bytes} byte${bytes === 1 ? '' : 's'}`;
  const human =
    bytes < 1000 ? '' : ` (${unit(bytes, 1000)}${bytes >= 1024 ? `, ${unit(bytes, 1024)}` : ''})`;
  const time =
    seconds >= 0.001 ? seconds.toPrecision(6).replace(/\.?0+$/, '') : `${seconds.toExponential(5)}`;
  const rate = seconds > 0 ? `${unit(bytes / seconds, 1000)}/s` : 'Infinity B/s';
  return `${plain}${human} copied, ${time} s, ${rate}\n`;
}

function unit(value: number, base: number): string {
  const units = base === 1000 ? ['B', 'kB', 'MB', 'GB', 'TB'] : ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  let rest = value;
  while (rest >= base && at < units.length - 1) {
    rest /= base;
    at++;
  }
  return `${rest < 10 ? rest.toFixed(1) : Math.round(rest)} ${units[at]}`;
}

interface Files {
  readonly input: number;
  readonly output: number;
}

function* openFiles(
  p: Process,
  given: ReadonlyMap<string, string>,
  conversions: ReadonlySet<string>,
  flags: { readonly input: ReadonlySet<string>; readonly output: ReadonlySet<string> },
  seek: number,
): UserFlow<Files | undefined> {
  let input = 0;
  let output = 1;
  const from = given.get('if');
  const to = given.get('of');
  if (from !== undefined) {
    input = yield* open(p, from, O_RDONLY | (flags.input.has('nonblock') ? O_NONBLOCK : 0));
    if (input < 0) {
      yield* p.error(`failed to open '${from}': ${strerror(input)}`);
      return undefined;
    }
  }
  if (to !== undefined) {
    const keeps = conversions.has('notrunc') || seek > 0;
    const how =
      O_WRONLY |
      (conversions.has('nocreat') ? 0 : O_CREAT) |
      (conversions.has('excl') ? O_EXCL : 0) |
      (keeps ? 0 : O_TRUNC) |
      (flags.output.has('append') ? O_APPEND : 0);
    output = yield* open(p, to, how);
    if (output < 0) {
      yield* p.error(`failed to open '${to}': ${strerror(output)}`);
      return undefined;
    }
    if (seek > 0 && !conversions.has('notrunc')) {
      const status = yield* fstat(p, output);
      if (typeof status !== 'number' && (status.mode & 0o170000) === 0o100000) {
        yield* ftruncate(output, seek);
      }
    }
  }
  if (seek > 0) yield* lseek(output, seek, to === undefined ? SEEK_CUR : SEEK_SET);
  return { input, output };
}

class Copier {
  written = 0;
  readonly #p: Process;
  readonly #files: Files;
  readonly #sizes: { readonly input: number; readonly output: number };
  readonly #conversions: ReadonlySet<string>;
  readonly #fullBlocks: boolean;
  #read = { full: 0, partial: 0 };
  #wrote = { full: 0, partial: 0 };
  #pending: Uint8Array = new Uint8Array(0);

  constructor(
    p: Process,
    files: Files,
    sizes: { input: number; output: number },
    conversions: ReadonlySet<string>,
    fullBlocks: boolean,
  ) {
    this.#p = p;
    this.#files = files;
    this.#sizes = sizes;
    this.#conversions = conversions;
    this.#fullBlocks = fullBlocks;
  }

  records(): string {
    const show = ({ full, partial }: { full: number; partial: number }): string =>
      `${full}+${partial}`;
    return `${show(this.#read)} records in\n${show(this.#wrote)} records out\n`;
  }

  *skip(bytes: number): UserFlow<void> {
    if (bytes === 0) return;
    if ((yield* lseek(this.#files.input, bytes, SEEK_CUR)) >= 0) return;
    for (let left = bytes; left > 0;) {
      const got = yield* read(this.#p, this.#files.input, Math.min(left, 16384));
      if (typeof got === 'number' || got.length === 0) return;
      left -= got.length;
    }
  }

  *run(limit: { blocks: number; bytes: number }): UserFlow<number> {
    const sameSize = this.#sizes.input === this.#sizes.output;
    let bytes = 0;
    for (let block = 0; block < limit.blocks && bytes < limit.bytes; block++) {
      const wanted = Math.min(this.#sizes.input, limit.bytes - bytes);
      const got = yield* this.#block(wanted);
      if (typeof got === 'number') {
        yield* this.#p.error(`error reading: ${strerror(got)}`);
        return 1;
      }
      if (got.length === 0) break;
      bytes += got.length;
      if (got.length === this.#sizes.input) this.#read.full++;
      else this.#read.partial++;
      const failed = yield* this.#put(this.#converted(got), sameSize);
      if (failed < 0) return yield* this.#writeError(failed);
    }
    const failed = this.#pending.length > 0 ? yield* this.#write(this.#pending) : 0;
    return failed < 0 ? yield* this.#writeError(failed) : 0;
  }

  *#writeError(failed: number): UserFlow<number> {
    yield* this.#p.error(`error writing: ${strerror(failed)}`);
    return 1;
  }

  /** One read(2)'s worth; all of a block where fullblock asks for it. */
  *#block(size: number): UserFlow<Uint8Array | number> {
    const parts: Uint8Array[] = [];
    let length = 0;
    while (length < size) {
      const want = Math.min(size - length, 16384);
      const got = yield* read(this.#p, this.#files.input, want);
      if (typeof got === 'number') return parts.length > 0 ? concatBytes(parts) : got;
      if (got.length === 0) break;
      parts.push(got);
      length += got.length;
      // A short read ends the block, as one read(2) of its size would.
      if (got.length < want && !this.#fullBlocks) break;
    }
    return concatBytes(parts);
  }

  #converted(block: Uint8Array): Uint8Array {
    let out = block.slice();
    if (this.#conversions.has('swab')) {
      for (let at = 0; at + 1 < out.length; at += 2)
        [out[at], out[at + 1]] = [out[at + 1]!, out[at]!];
    }
    if (this.#conversions.has('ucase'))
      out = out.map((byte) => (byte >= 97 && byte <= 122 ? byte - 32 : byte));
    if (this.#conversions.has('lcase'))
      out = out.map((byte) => (byte >= 65 && byte <= 90 ? byte + 32 : byte));
    if (!this.#conversions.has('sync') || out.length === this.#sizes.input) return out;
    const padded = new Uint8Array(this.#sizes.input);
    padded.set(out);
    return padded;
  }

  *#put(block: Uint8Array, sameSize: boolean): UserFlow<number> {
    if (sameSize) return yield* this.#write(block);
    let data = concatBytes([this.#pending, block]);
    while (data.length >= this.#sizes.output) {
      const failed = yield* this.#write(data.subarray(0, this.#sizes.output));
      if (failed < 0) return failed;
      data = data.subarray(this.#sizes.output);
    }
    this.#pending = data;
    return 0;
  }

  *#write(block: Uint8Array): UserFlow<number> {
    const failed = yield* writeAll(this.#p, this.#files.output, block);
    if (failed < 0) return failed;
    this.written += block.length;
    if (block.length === this.#sizes.output) this.#wrote.full++;
    else this.#wrote.partial++;
    return 0;
  }
}
