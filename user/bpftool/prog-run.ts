/** bpftool prog run: BPF_PROG_TEST_RUN with data and context from files. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { JsonTree } from '../../bpf/btf/format.ts';
import { decodeAttr } from '../../bpf/attr.ts';
import { command } from '../../bpf/loader/commands.ts';
import { close, O_CREAT, O_TRUNC, O_WRONLY, readFile, writeFile } from '../libc/files.ts';
import { strerror } from '../libc/strerror.ts';
import { hexData, number, object } from './json.ts';
import { progFd } from './object-words.ts';
import { type Bpftool, FAILED } from './tool.ts';
import { isPrefix, parseUnsigned } from './words.ts';

/** Room for output where nothing else is said (32 KiB). */
const DEFAULT_OUT_BYTES = 32768;

interface Side {
  inFile?: string;
  outFile?: string;
  outBytes?: number;
}

export function* progRun(t: Bpftool): UserFlow<number> {
  if (!(yield* t.needs(4))) return FAILED;
  const fd = yield* progFd(t);
  if (fd === undefined) return FAILED;
  const data: Side = {};
  const ctx: Side = {};
  let repeat = 1;
  const { words } = t;
  while (words.left > 0) {
    for (const names of [
      ['data_in', 'data_out', 'data_size_out'],
      ['ctx_in', 'ctx_out', 'ctx_size_out'],
    ]) {
      const fits = names.filter((name) => isPrefix(words.peek(), name));
      if (fits.length > 1) {
        const could = fits.map((name) => `'${name}'`).join(' or ');
        return yield* t.fail(`ambiguous prefix: '${words.peek()}' could be ${could}`);
      }
    }
    const side = words.peek().startsWith('c') ? ctx : data;
    const what = side === ctx ? 'context' : 'data';
    if (words.accept('data_in') || words.accept('ctx_in')) side.inFile = words.next();
    else if (words.accept('data_out') || words.accept('ctx_out')) side.outFile = words.next();
    else if (words.accept('data_size_out') || words.accept('ctx_size_out')) {
      const text = words.next();
      const size = parseUnsigned(text);
      if (size === undefined) return yield* t.fail(`can't parse ${text} as output ${what} size`);
      side.outBytes = size;
    } else if (words.accept('repeat')) {
      const text = words.next();
      const count = parseUnsigned(text);
      if (count === undefined) return yield* t.fail(`can't parse ${text} as repeat number`);
      repeat = count;
    } else {
      return yield* t.fail(
        "expected no more arguments, 'data_in', 'data_out', 'data_size_out', 'ctx_in', " +
          `'ctx_out', 'ctx_size_out' or 'repeat', got: '${words.peek()}'?`,
      );
    }
  }
  if (data.inFile === '-' && ctx.inFile === '-') {
    return yield* t.fail('cannot use standard input for both data_in and ctx_in');
  }
  const dataIn = yield* input(t, data);
  const ctxIn = yield* input(t, ctx);
  if (typeof dataIn === 'number' || typeof ctxIn === 'number') return FAILED;
  const status = yield* run(t, fd, { data, ctx, dataIn, ctxIn, repeat });
  yield* close(fd);
  return status;
}

function* input(t: Bpftool, side: Side): UserFlow<Uint8Array | undefined | number> {
  if (side.inFile === undefined) return undefined;
  if (side.inFile === '-') return yield* t.p.stdin.readAll();
  const bytes = yield* readFile(t.p, side.inFile);
  if (typeof bytes !== 'number') return bytes;
  return yield* t.fail(`failed to open ${side.inFile}: ${strerror(bytes)}`);
}

interface Run {
  readonly data: Side;
  readonly ctx: Side;
  readonly dataIn: Uint8Array | undefined;
  readonly ctxIn: Uint8Array | undefined;
  readonly repeat: number;
}

function* run(t: Bpftool, fd: number, { data, ctx, dataIn, ctxIn, repeat }: Run): UserFlow<number> {
  const { user } = t;
  const outBytes = (side: Side, bytes: Uint8Array | undefined): number =>
    side.outBytes || (bytes ? DEFAULT_OUT_BYTES : 0);
  const dataBytes = outBytes(data, dataIn);
  const ctxBytes = outBytes(ctx, ctxIn);
  const place = function* (bytes: Uint8Array | undefined): UserFlow<bigint> {
    return bytes && bytes.length > 0 ? yield* user.place(bytes) : 0n;
  };
  const dataOut = yield* place(new Uint8Array(dataBytes));
  const ctxOut = yield* place(new Uint8Array(ctxBytes));
  const { result, attr } = yield* command(user, 'prog_test_run', {
    prog_fd: fd,
    data_in: yield* place(dataIn),
    data_size_in: dataIn?.length ?? 0,
    data_out: dataOut,
    data_size_out: dataOut === 0n ? 0 : dataBytes,
    ctx_in: yield* place(ctxIn),
    ctx_size_in: ctxIn?.length ?? 0,
    ctx_out: ctxOut,
    ctx_size_out: ctxOut === 0n ? 0 : ctxBytes,
    repeat,
  });
  const answer = decodeAttr('prog_test_run', attr);
  const outData =
    dataOut === 0n
      ? new Uint8Array(0)
      : user.read(dataOut, Math.min(answer.data_size_out, dataBytes));
  const outCtx =
    ctxOut === 0n ? new Uint8Array(0) : user.read(ctxOut, Math.min(answer.ctx_size_out, ctxBytes));
  yield* user.release();
  if (result < 0) return yield* t.fail(`failed to run program: ${strerror(result)}`);
  let status = 0;
  const members: (readonly [string, JsonTree])[] = [];
  for (const [side, bytes, key] of [
    [data, outData, 'data_out'],
    [ctx, outCtx, 'ctx_out'],
  ] as const) {
    if (bytes.length === 0 || side.outFile === undefined) continue;
    if (side.outFile !== '-') {
      const failed = yield* writeFile(t.p, side.outFile, bytes, O_WRONLY | O_CREAT | O_TRUNC);
      if (failed < 0) status = yield* t.fail(`failed to open ${side.outFile}: ${strerror(failed)}`);
    } else if (t.json) members.push([key, hexData(bytes)]);
    else yield* t.print(hexRows(bytes));
  }
  if (t.json) {
    const results = [
      ['retval', number(answer.retval)],
      ['duration', number(answer.duration)],
    ] as const;
    yield* t.emit(object(...members, ...results));
  } else {
    const average = repeat > 1 ? ' (average)' : '';
    yield* t.println(`Return value: ${answer.retval}, duration${average}: ${answer.duration}ns`);
  }
  return status;
}

/** Offset, bytes in pairs, and what is printable. */
function hexRows(bytes: Uint8Array): string {
  let out = '';
  for (let at = 0; at < bytes.length; at += 16) {
    let hex = '';
    let text = '';
    for (let i = 0; i < 16; i++) {
      const byte = bytes[at + i];
      hex += (byte === undefined ? '  ' : byte.toString(16).padStart(2, '0')) + (i % 2 ? ' ' : '');
      if (byte === undefined) continue;
      text += byte >= 0x20 && byte <= 0x7e ? String.fromCharCode(byte) : '.';
      if (i === 7) text += ' ';
    }
    out += `${at.toString(16).padStart(7, '0')}\t${hex}| ${text}\n`;
  }
  return out;
}
