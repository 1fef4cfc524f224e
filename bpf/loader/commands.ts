/**
 * bpf(2)'s commands as functions, like libbpf's bpf.h: values in, fd or 0 or negative errno out.
 * Buffers are placed in the caller's memory and read back.
 */
import type { AttrInput } from '../attr.ts';
import { decodeAttr, encodeAttr } from '../attr.ts';
import type { BpfCommand } from '../uapi.ts';
import { BPF_COMMANDS } from '../uapi.ts';
import type { BpfFlow, BpfUser } from './user.ts';

/** The command with these values; the attr that the kernel may have written to comes back too. */
export function* command<Y, C extends BpfCommand>(
  user: BpfUser<Y>,
  name: C,
  values: AttrInput<C>,
): BpfFlow<Y, { result: number; attr: Uint8Array }> {
  const attr = encodeAttr(name, values);
  const result = yield* user.bpf(BPF_COMMANDS.indexOf(name), attr);
  return { result, attr };
}

function* resultOf<Y, C extends BpfCommand>(
  user: BpfUser<Y>,
  name: C,
  values: AttrInput<C>,
): BpfFlow<Y, number> {
  return (yield* command(user, name, values)).result;
}

export function* mapCreate<Y>(
  user: BpfUser<Y>,
  values: AttrInput<'map_create'>,
): BpfFlow<Y, number> {
  return yield* resultOf(user, 'map_create', values);
}

export function* mapUpdate<Y>(
  user: BpfUser<Y>,
  fd: number,
  key: Uint8Array,
  value: Uint8Array,
  flags = 0,
): BpfFlow<Y, number> {
  // Maps without keys want no address of one.
  const keyAt = key.length > 0 ? yield* user.place(key) : 0n;
  const valueAt = yield* user.place(value);
  const values = { map_fd: fd, key: keyAt, value: valueAt, flags: BigInt(flags) };
  return yield* resultOf(user, 'map_update_elem', values);
}

/** The value, or a negative errno. `valueBytes`: 8-byte rounded times CPUs for per-CPU maps. */
export function* mapLookup<Y>(
  user: BpfUser<Y>,
  fd: number,
  key: Uint8Array,
  valueBytes: number,
): BpfFlow<Y, Uint8Array | number> {
  const keyAt = yield* user.place(key);
  const value = yield* user.place(new Uint8Array(valueBytes));
  const result = yield* resultOf(user, 'map_lookup_elem', { map_fd: fd, key: keyAt, value });
  return result < 0 ? result : user.read(value, valueBytes);
}

export function* mapDelete<Y>(user: BpfUser<Y>, fd: number, key: Uint8Array): BpfFlow<Y, number> {
  const keyAt = yield* user.place(key);
  return yield* resultOf(user, 'map_delete_elem', { map_fd: fd, key: keyAt });
}

/** The key after `key` (the first one without), or a negative errno: -ENOENT at the end. */
export function* mapNextKey<Y>(
  user: BpfUser<Y>,
  fd: number,
  key: Uint8Array | undefined,
  keyBytes: number,
): BpfFlow<Y, Uint8Array | number> {
  const keyAt = key === undefined ? 0n : yield* user.place(key);
  const next = yield* user.place(new Uint8Array(keyBytes));
  const values = { map_fd: fd, key: keyAt, next_key: next };
  const result = yield* resultOf(user, 'map_get_next_key', values);
  return result < 0 ? result : user.read(next, keyBytes);
}

export function* mapFreeze<Y>(user: BpfUser<Y>, fd: number): BpfFlow<Y, number> {
  return yield* resultOf(user, 'map_freeze', { map_fd: fd });
}

export function* progBindMap<Y>(
  user: BpfUser<Y>,
  progFd: number,
  mapFd: number,
): BpfFlow<Y, number> {
  return yield* resultOf(user, 'prog_bind_map', { prog_fd: progFd, map_fd: mapFd });
}

export function* objPin<Y>(user: BpfUser<Y>, fd: number, path: string): BpfFlow<Y, number> {
  const pathname = yield* user.place(new TextEncoder().encode(path));
  return yield* resultOf(user, 'obj_pin', { pathname, bpf_fd: fd });
}

export function* objGet<Y>(user: BpfUser<Y>, path: string): BpfFlow<Y, number> {
  const pathname = yield* user.place(new TextEncoder().encode(path));
  return yield* resultOf(user, 'obj_get', { pathname });
}

/** A record of BPF_OBJ_GET_INFO_BY_FD (bpf/info.ts), or a negative errno. */
export function* objInfo<Y>(
  user: BpfUser<Y>,
  fd: number,
  infoBytes: number,
): BpfFlow<Y, Uint8Array | number> {
  const info = yield* user.place(new Uint8Array(infoBytes));
  const values = { bpf_fd: fd, info_len: infoBytes, info };
  const { result, attr } = yield* command(user, 'obj_get_info_by_fd', values);
  if (result < 0) return result;
  return user.read(info, Math.min(infoBytes, decodeAttr('obj_get_info_by_fd', attr).info_len));
}

export interface Logged {
  readonly result: number;
  /** What the kernel wrote to the log buffer. */
  readonly log: string;
}

/** `log`: level and size in bytes of the buffer; none without. */
export interface LogRequest {
  readonly level: number;
  readonly sizeBytes: number;
}

export function* btfLoad<Y>(
  user: BpfUser<Y>,
  bytes: Uint8Array,
  log?: LogRequest,
): BpfFlow<Y, Logged> {
  const btf = yield* user.place(bytes);
  const buffer = log === undefined ? 0n : yield* user.place(new Uint8Array(log.sizeBytes));
  const result = yield* resultOf(user, 'btf_load', {
    btf,
    btf_size: bytes.length,
    ...(log && { btf_log_buf: buffer, btf_log_size: log.sizeBytes, btf_log_level: log.level }),
  });
  return { result, log: log === undefined ? '' : textAt(user, buffer, log.sizeBytes) };
}

/** PROG_LOAD's input with its buffers as bytes. */
export interface ProgramInput {
  readonly values: AttrInput<'prog_load'>;
  readonly insns: Uint8Array;
  readonly license: string;
  readonly funcInfo?: Uint8Array | undefined;
  readonly lineInfo?: Uint8Array | undefined;
}

export function* progLoad<Y>(
  user: BpfUser<Y>,
  { values, insns, license, funcInfo, lineInfo }: ProgramInput,
  log?: LogRequest,
): BpfFlow<Y, Logged> {
  const buffer = log === undefined ? 0n : yield* user.place(new Uint8Array(log.sizeBytes));
  const result = yield* resultOf(user, 'prog_load', {
    ...values,
    insn_cnt: insns.length / 8,
    insns: yield* user.place(insns),
    license: yield* user.place(new TextEncoder().encode(license)),
    ...(funcInfo && { func_info: yield* user.place(funcInfo) }),
    ...(lineInfo && { line_info: yield* user.place(lineInfo) }),
    ...(log && { log_buf: buffer, log_size: log.sizeBytes, log_level: log.level }),
  });
  return { result, log: log === undefined ? '' : textAt(user, buffer, log.sizeBytes) };
}

function textAt<Y>(user: BpfUser<Y>, address: bigint, sizeBytes: number): string {
  const bytes = user.read(address, sizeBytes);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
