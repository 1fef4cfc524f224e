/**
 * One line of a batch: a program with its maps and what to do with it, as JSON. The same lines are
 * answered by a real kernel (test/oracle), so names are the UAPI's.
 */
import { MAP_TYPES, PROG_TYPES, ATTACH_TYPES } from '../../../bpf/uapi.ts';

export interface MapRequest {
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
  readonly btf?: Uint8Array;
  readonly btfKeyTypeId: number;
  readonly btfValueTypeId: number;
  /** Index of the map that shows what inner maps look like. */
  readonly inner?: number;
  readonly init: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[];
  /** Programs to fill a prog_array with; `self` is the instruction whose imm gets this map. */
  readonly progs: readonly {
    readonly key: number;
    readonly insns: Uint8Array;
    readonly self?: number;
  }[];
}

export interface RunRequest {
  readonly data: Uint8Array;
  readonly context?: Uint8Array;
  readonly repeat: number;
}

export interface BatchRequest {
  readonly id: unknown;
  readonly progType: number;
  readonly expectedAttachType: number;
  readonly progFlags: number;
  /** Type of the kernel's BTF: what a tracing program attaches to. */
  readonly attachBtfId: number;
  readonly insns: Uint8Array;
  readonly license: string;
  readonly unpriv: boolean;
  readonly maps: readonly MapRequest[];
  readonly fixups: readonly { readonly insn: number; readonly map: number }[];
  readonly btf?: Uint8Array;
  readonly funcInfo?: Uint8Array;
  readonly lineInfo?: Uint8Array;
  readonly logLevel: number;
  readonly run: readonly RunRequest[];
  readonly dumpMaps: boolean;
}

/** The request says something that cannot be carried out; answered as `{"id", "error"}`. */
export class RequestError extends Error {
  override name = 'RequestError';
}

type Json = Readonly<Record<string, unknown>>;

export function parseRequest(value: unknown): BatchRequest {
  const json = object(value, 'the request');
  const insns = hex(json, 'insns');
  if (!insns || insns.length === 0 || insns.length % 8 !== 0) {
    throw new RequestError('insns: must be the hex of 8-byte instructions');
  }
  const maps = list(json, 'maps').map(mapRequest);
  const fixups = list(json, 'fixups').map((each) => {
    const fixup = object(each, 'a fixup');
    const insn = number(fixup, 'insn');
    const map = number(fixup, 'map');
    if (insn >= insns.length / 8) throw new RequestError(`fixups: there is no instruction ${insn}`);
    if (map >= maps.length) throw new RequestError(`fixups: there is no map ${map}`);
    return { insn, map };
  });
  return {
    id: json['id'],
    progType: named(json, 'prog_type', PROG_TYPES),
    expectedAttachType: named(json, 'expected_attach_type', ATTACH_TYPES, 0),
    progFlags: number(json, 'prog_flags', 0),
    attachBtfId: number(json, 'attach_btf_id', 0),
    insns,
    license: typeof json['license'] === 'string' ? json['license'] : 'GPL',
    unpriv: json['unpriv'] === true,
    maps,
    fixups,
    ...optional('btf', hex(json, 'btf')),
    ...optional('funcInfo', hex(json, 'func_info')),
    ...optional('lineInfo', hex(json, 'line_info')),
    logLevel: number(json, 'log_level', 0),
    run: list(json, 'run').map((each) => {
      const run = object(each, 'a run');
      return {
        data: hex(run, 'data_in') ?? new Uint8Array(),
        ...optional('context', hex(run, 'ctx_in')),
        repeat: number(run, 'repeat', 1),
      };
    }),
    dumpMaps: json['dump_maps'] === true,
  };
}

function mapRequest(value: unknown, index: number): MapRequest {
  const map = object(value, `map ${index}`);
  const inner = map['inner'] === undefined ? undefined : number(map, 'inner');
  if (inner !== undefined && inner >= index) {
    throw new RequestError(`map ${index}: its inner map must come before it`);
  }
  return {
    type: named(map, 'type', MAP_TYPES),
    keySize: number(map, 'key_size', 0),
    valueSize: number(map, 'value_size', 0),
    maxEntries: number(map, 'max_entries', 0),
    flags: number(map, 'map_flags', 0),
    ...optional('btf', hex(map, 'btf')),
    btfKeyTypeId: number(map, 'btf_key_type_id', 0),
    btfValueTypeId: number(map, 'btf_value_type_id', 0),
    ...optional('inner', inner),
    init: list(map, 'init').map((each) => {
      const entry = object(each, 'an init entry');
      return {
        key: hex(entry, 'key') ?? new Uint8Array(),
        value: hex(entry, 'value') ?? new Uint8Array(),
      };
    }),
    progs: list(map, 'progs').map((each) => {
      const prog = object(each, 'an entry of progs');
      const self = prog['self'] === undefined ? undefined : number(prog, 'self');
      const insns = hex(prog, 'insns');
      if (!insns) throw new RequestError('progs: an entry has no insns');
      return { key: number(prog, 'key'), insns, ...optional('self', self) };
    }),
  };
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
}

function object(value: unknown, what: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  throw new RequestError(`${what} is not an object`);
}

function list(json: Json, key: string): readonly unknown[] {
  const value = json[key];
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  throw new RequestError(`${key}: must be a list`);
}

function number(json: Json, key: string, fallback?: number): number {
  const value = json[key] ?? fallback;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 32) {
    return value;
  }
  throw new RequestError(`${key}: must be a whole number below 2^32`);
}

/** A UAPI name without its prefix, or its number. */
function named(json: Json, key: string, names: readonly string[], fallback?: number): number {
  const value = json[key];
  if (typeof value !== 'string') return number(json, key, fallback);
  const index = names.indexOf(value);
  if (index < 0) throw new RequestError(`${key}: there is no '${value}'`);
  return index;
}

function hex(json: Json, key: string): Uint8Array | undefined {
  const text = json[key];
  if (text === undefined || text === null) return undefined;
  if (typeof text !== 'string' || text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) {
    throw new RequestError(`${key}: must be hex digits, two a byte`);
  }
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(text.slice(i * 2, i * 2 + 2), 16);
  return bytes;
}
