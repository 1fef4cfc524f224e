/**
 * Scripts of bpf(2) calls, which skep and a real Linux both run: what each call returned, which
 * words of its attr it changed, and what stands in buffers afterwards.
 *
 *   {call: 'map_create', attr: {map_type: 1, …}}    values: numbers, '$3' (what step 3 returned),
 *       '@name' (address of a buffer), '^name:4' (the word there), '%func:name', '%typedef:name'
 *       (type of the kernel's BTF), '%tp:system/name' (id of a tracepoint)
 *   {buf: 'key', hex: '00000000'} | {buf: 'value', size: 8} | {buf: 'prog', asm: 'r0 = 0\nexit'}
 *   {dump: 'value'}, {text: 'log'}, {close: '$3'}, {caps: 'bpf+net_admin'}, {uid: 1000}, {sysctl: …, value: …}
 *   {call: …, size: 20}    that many bytes of the attr;  {raw: 5, hex: …}    a command by number
 *   {call: …, base: '^name:4'}    changed words are told as their distance from that one
 *   {sys: 'dup', args: ['$3']}    another system call
 *
 * Answers: 'fd' or a number for what was returned, `changed` words by offset, hex for a dump.
 */
import { assemble } from '../../bpf/asm/assemble.ts';
import { ATTR, encodeAttr } from '../../bpf/attr.ts';
import { encodeInsns } from '../../bpf/isa/codec.ts';
import type { BpfCommand } from '../../bpf/uapi.ts';
import { BPF_COMMANDS } from '../../bpf/uapi.ts';
import { syscallRows } from '../../kernel/syscall/rows.ts';

export type Value = number | string;
/** 'all', 'none', or names with + between. */
export type Caps = string;

export type Step =
  | {
      readonly call: BpfCommand;
      readonly attr?: Readonly<Record<string, Value>>;
      readonly size?: number;
      readonly base?: string;
    }
  | { readonly raw: number; readonly hex: string }
  | { readonly sys: string; readonly args: readonly Value[] }
  | {
      readonly buf: string;
      readonly hex?: string;
      readonly size?: number;
      readonly asm?: string;
      /** Values by slot, whose imm they become, or by offset. */
      readonly fds?: readonly (readonly [at: number, value: string])[];
    }
  /** Words at the offsets in `mask` are each kernel's own. */
  | { readonly dump: string; readonly mask?: readonly number[] }
  /** Zero-terminated text in a buffer: a log. */
  | { readonly text: string }
  | { readonly close: string }
  | { readonly caps: Caps }
  | { readonly uid: number }
  | { readonly sysctl: string; readonly value: string };

export interface Script {
  readonly name: string;
  /** It needs more of a kernel than bpf(2) alone. */
  readonly needsMachine?: boolean;
  readonly steps: readonly Step[];
}

/** By step; steps that ask nothing have none. */
export interface Answer {
  readonly r?: number | 'fd';
  readonly changed?: Readonly<Record<number, number>>;
  readonly hex?: string;
  readonly text?: string;
}

/** Commands whose result is a descriptor. */
export const GIVES_FD: ReadonlySet<BpfCommand> = new Set<BpfCommand>([
  'map_create',
  'prog_load',
  'obj_get',
  'prog_get_fd_by_id',
  'map_get_fd_by_id',
  'btf_get_fd_by_id',
  'link_get_fd_by_id',
  'btf_load',
  'raw_tracepoint_open',
  'link_create',
  'iter_create',
  'enable_stats',
]);

/** A word of an attr, or a double word where it is an address, filled in when the step runs. */
export interface Reference {
  readonly at: number;
  readonly to: string;
}

/** Other system calls that give descriptors. */
const SYS_GIVES_FD: ReadonlySet<string> = new Set([
  'openat',
  'open',
  'dup',
  'socket',
  'perf_event_open',
  'epoll_create1',
]);

const numbers = new Map(syscallRows.map((row) => [row.name, row.nr]));

export function sysOf(step: Extract<Step, { sys: string }>): {
  readonly number: number;
  readonly givesFd: boolean;
} {
  const number = numbers.get(step.sys);
  if (number === undefined) throw new Error(`no system call ${step.sys}`);
  return { number, givesFd: SYS_GIVES_FD.has(step.sys) };
}

const CAPABILITIES: Readonly<Record<string, number>> = {
  dac_override: 1,
  net_admin: 12,
  sys_ptrace: 19,
  sys_admin: 21,
  perfmon: 38,
  bpf: 39,
};
const ALL_CAPABILITIES = (1n << 41n) - 1n;

/** As a mask. */
export function capabilities(caps: Caps): bigint {
  if (caps === 'all') return ALL_CAPABILITIES;
  if (caps === 'none') return 0n;
  return caps.split('+').reduce((mask, name) => mask | (1n << BigInt(CAPABILITIES[name]!)), 0n);
}

export interface Call {
  readonly number: number;
  readonly attr: Uint8Array;
  readonly references: readonly Reference[];
  readonly givesFd: boolean;
}

export function callOf(step: Extract<Step, { call: string } | { raw: number }>): Call {
  if ('raw' in step) {
    return { number: step.raw, attr: fromHex(step.hex), references: [], givesFd: false };
  }
  const values: Record<string, unknown> = {};
  const references: Reference[] = [];
  const layout = ATTR[step.call] as unknown as {
    readonly offsets: Readonly<Record<string, number>>;
    readonly fields: Readonly<Record<string, { readonly kind: string; readonly bytes: number }>>;
  };
  for (const [name, value] of Object.entries(step.attr ?? {})) {
    const field = layout.fields[name];
    if (!field) throw new Error(`${step.call} has no ${name}`);
    const isReference = typeof value === 'string' && /^[$@^%]/.test(value);
    if (isReference) references.push({ at: layout.offsets[name]!, to: value });
    else if (field.kind !== 'int') values[name] = value;
    else values[name] = field.bytes === 8 ? BigInt(value) : Number(value) >>> 0;
  }
  const whole = encodeAttr(step.call, values as never);
  const attr = new Uint8Array(step.size ?? whole.length);
  attr.set(whole.subarray(0, attr.length));
  return {
    number: BPF_COMMANDS.indexOf(step.call),
    attr,
    references: references.filter(({ at }) => at < attr.length),
    givesFd: GIVES_FD.has(step.call),
  };
}

/** Contents of a buffer before its descriptors are filled in, and where they go. */
export function bufferOf(step: Extract<Step, { buf: string }>): {
  readonly bytes: Uint8Array;
  readonly fds: readonly (readonly [at: number, fd: string])[];
} {
  const fds = step.fds ?? [];
  if (step.asm !== undefined) {
    const bytes = encodeInsns(assemble(step.asm));
    return { bytes, fds: fds.map(([slot, fd]) => [slot * 8 + 4, fd]) };
  }
  const given = fromHex(step.hex ?? '');
  const bytes = new Uint8Array(step.size ?? given.length);
  bytes.set(given);
  return { bytes, fds };
}

/** A dump's bytes without what is masked. */
export function masked(bytes: Uint8Array, mask: readonly number[] = []): string {
  const kept = bytes.slice();
  for (const at of mask) kept.fill(0, at, at + 4);
  return toHex(kept);
}

export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
