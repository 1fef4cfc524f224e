/** Builds scripts step by step. */
import { mapTypeNumber, PROG_TYPES } from '../../bpf/uapi.ts';
import type { BpfCommand, MapType, ProgType } from '../../bpf/uapi.ts';
import type { Caps, Script, Step, Value } from './script.ts';

/** Each method adds a step, calls return '$N' for later ones. */
export class Writer {
  readonly steps: Step[] = [];
  #buffers = 0;

  call(call: BpfCommand, attr: Readonly<Record<string, Value>> = {}, size?: number): string {
    return this.#add({ call, attr, ...(size !== undefined && { size }) });
  }

  /** Changed words are told as distances from what `base` refers to. */
  callFrom(base: string, call: BpfCommand, attr: Readonly<Record<string, Value>>): string {
    return this.#add({ call, attr, base });
  }

  sys(sys: string, ...args: readonly Value[]): string {
    return this.#add({ sys, args });
  }

  #add(step: Step): string {
    this.steps.push(step);
    return `$${this.steps.length - 1}`;
  }

  raw(raw: number, hex: string): void {
    this.steps.push({ raw, hex });
  }

  /** '@name' of a buffer with these bytes, or of that many zeros. */
  buf(content: string | number, fds: readonly (readonly [number, string])[] = []): string {
    const name = `b${this.#buffers++}`;
    const bytes = typeof content === 'string' ? { hex: content } : { size: content };
    this.steps.push({ buf: name, ...bytes, ...(fds.length > 0 && { fds }) });
    return `@${name}`;
  }

  text(text: string): string {
    return this.buf(Buffer.from(`${text}\0`).toString('hex'));
  }

  asm(asm: string, fds: readonly (readonly [number, string])[] = []): string {
    const name = `b${this.#buffers++}`;
    this.steps.push({ buf: name, asm, ...(fds.length > 0 && { fds }) });
    return `@${name}`;
  }

  dump(buffer: string, mask?: readonly number[]): void {
    this.steps.push({ dump: buffer.slice(1), ...(mask && { mask }) });
  }

  /** Tell the zero-terminated text in a buffer. */
  log(buffer: string): void {
    this.steps.push({ text: buffer.slice(1) });
  }

  close(fd: string): void {
    this.steps.push({ close: fd });
  }

  caps(caps: Caps): void {
    this.steps.push({ caps });
  }

  uid(uid: number): void {
    this.steps.push({ uid });
  }

  sysctl(name: string, value: number): void {
    this.steps.push({ sysctl: `/proc/sys/${name}`, value: String(value) });
  }

  map(
    type: MapType,
    key = 4,
    value = 8,
    entries = 4,
    more: Readonly<Record<string, Value>> = {},
  ): string {
    return this.call('map_create', {
      map_type: mapTypeNumber(type),
      key_size: key,
      value_size: value,
      max_entries: entries,
      ...more,
    });
  }

  prog(
    type: ProgType,
    asm = 'r0 = 0\nexit',
    more: Readonly<Record<string, Value>> = {},
    fds: readonly (readonly [number, string])[] = [],
  ): string {
    return this.call('prog_load', {
      prog_type: PROG_TYPES.indexOf(type),
      insns: this.asm(asm, fds),
      insn_cnt:
        asm.trim().split('\n').length + (asm.match(/map_fd|map_value|\bll$/gm) ?? []).length,
      license: this.text('GPL'),
      ...more,
    });
  }

  update(fd: string, key: string | 0, value: string, flags = 0): void {
    this.call('map_update_elem', { map_fd: fd, key, value, flags });
  }

  lookup(fd: string, key: string | 0, bytes: number, flags = 0): void {
    const value = this.buf(bytes);
    this.call('map_lookup_elem', { map_fd: fd, key, value, flags });
    this.dump(value);
  }

  remove(fd: string, key: string | 0): void {
    this.call('map_delete_elem', { map_fd: fd, key });
  }

  next(fd: string, key: string | 0, bytes: number): void {
    const next = this.buf(bytes);
    this.call('map_get_next_key', { map_fd: fd, key, next_key: next });
    this.dump(next);
  }
}

/** A word or double word in hex, little endian. */
export const word = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes.toString('hex');
};
export const quad = (value: number) => word(value) + word(Math.floor(value / 2 ** 32));

/** A list that `script` adds to. @param needsMachine they run as process 1 of a booted machine */
export function scriptList(needsMachine: boolean): {
  readonly scripts: readonly Script[];
  readonly script: (name: string, write: (w: Writer) => void) => void;
} {
  const scripts: Script[] = [];
  return {
    scripts,
    script(name, write) {
      const writer = new Writer();
      write(writer);
      scripts.push({ name, steps: writer.steps, needsMachine });
    },
  };
}
