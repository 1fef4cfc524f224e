/**
 * Scripts of bpf(2) calls, which skep and a real Linux both run: what each call returned, which
 * words of its attr it changed, and what stands in buffers afterwards.
 *
 *   {call: 'map_create', attr: {map_type: 1, …}}    values: numbers, '$3' (descriptor that step 3
 *                                                   returned), '@name' (address of a buffer)
 *   {buf: 'key', hex: '00000000'} | {buf: 'value', size: 8} | {buf: 'prog', asm: 'r0 = 0\nexit'}
 *   {dump: 'value'}, {close: '$3'}, {caps: 'none' | 'bpf' | 'perfmon' | 'net_admin' | 'all'}
 *   {call: …, size: 20}    that many bytes of the attr;  {raw: 5, hex: …}    a command by number
 *
 * Answers: 'fd' or a number for what was returned, `changed` words by offset, hex for a dump.
 */
import { assemble } from '../../bpf/asm/assemble.ts';
import { ATTR, encodeAttr } from '../../bpf/attr.ts';
import { encodeInsns } from '../../bpf/isa/codec.ts';
import type { BpfCommand } from '../../bpf/uapi.ts';
import { BPF_COMMANDS } from '../../bpf/uapi.ts';

export type Value = number | string;
export type Caps = 'none' | 'bpf' | 'perfmon' | 'net_admin' | 'all';

export type Step =
  | {
      readonly call: BpfCommand;
      readonly attr?: Readonly<Record<string, Value>>;
      readonly size?: number;
    }
  | { readonly raw: number; readonly hex: string }
  | {
      readonly buf: string;
      readonly hex?: string;
      readonly size?: number;
      readonly asm?: string;
      /** Slots whose imm is a descriptor; words (by offset) that are one. */
      readonly fds?: readonly (readonly [at: number, fd: string])[];
    }
  /** Words at the offsets in `mask` are each kernel's own. */
  | { readonly dump: string; readonly mask?: readonly number[] }
  | { readonly close: string }
  | { readonly caps: Caps };

export interface Script {
  readonly name: string;
  readonly steps: readonly Step[];
}

/** By step; steps that ask nothing have none. */
export interface Answer {
  readonly r?: number | 'fd';
  readonly changed?: Readonly<Record<number, number>>;
  readonly hex?: string;
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

/** A word (4 bytes) or double word of an attr that is filled in when the step runs. */
export interface Reference {
  readonly at: number;
  /** '$3' or '@name'. */
  readonly to: string;
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
    const isReference = typeof value === 'string' && /^[$@]/.test(value);
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
