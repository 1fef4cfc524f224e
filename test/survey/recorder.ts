/**
 * The loader's calls of bpf(2), written down instead of made, so that a real kernel and skep can be
 * given exactly the same: CO-RE done, maps filled, externs resolved. Every call seems to succeed.
 *
 *   const recorder = new Recorder('biolatency.o');
 *   runDirect(loadObject(recorder, spec, { logLevel: 4, … }));
 *   recorder.script                      to run in Linux and in skep (test/syscall-script)
 *   recorder.programs                    which step loads which program, and where its log goes
 */
import { decodeAttr } from '../../bpf/attr.ts';
import type { BpfFlow, BpfUser } from '../../bpf/loader/user.ts';
import { BPF_COMMANDS, type BpfCommand } from '../../bpf/uapi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { GIVES_FD, type Script, type Step, type Value, toHex } from '../syscall-script/script.ts';

/** Descriptors and addresses that nothing else in a program or an attr looks like. */
const FIRST_FD = 0x5ce0_0000;
const FIRST_ADDRESS = 0x5ce1_0000_0000_0000n;

export interface RecordedProgram {
  readonly step: number;
  /** Step that gives the log. */
  readonly logStep: number;
  readonly insns: Uint8Array;
}

export class Recorder implements BpfUser<never> {
  readonly #name: string;
  readonly #steps: Step[] = [];
  readonly #placed: Uint8Array[] = [];
  /** Buffers that are already among the steps. */
  readonly #written = new Set<number>();
  readonly programs: RecordedProgram[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  get script(): Script {
    return { name: this.#name, steps: this.#steps };
  }

  *bpf(command: number, attr: Uint8Array): BpfFlow<never, number> {
    const name = BPF_COMMANDS[command]!;
    // Objects are judged each for itself: nothing is pinned, and nothing stays.
    if (name === 'obj_get') return -errno.ENOENT;
    if (name === 'obj_pin') return 0;
    const values = decodeAttr(name, attr) as Readonly<Record<string, number | bigint | string>>;
    const given: Record<string, Value> = {};
    for (const [field, value] of Object.entries(values)) {
      if (value === 0 || value === 0n || value === '') continue;
      given[field] = this.#reference(name, field, value);
    }
    const step = this.#steps.length;
    this.#steps.push({ call: name, attr: given });
    if (name === 'prog_load') this.#note(step, values);
    return GIVES_FD.has(name) ? FIRST_FD + step : 0;
  }

  *close(): BpfFlow<never, void> {}

  *place(bytes: Uint8Array): BpfFlow<never, bigint> {
    this.#placed.push(bytes.slice());
    return FIRST_ADDRESS + BigInt(this.#placed.length - 1);
  }

  read(_address: bigint, sizeBytes: number): Uint8Array {
    return new Uint8Array(sizeBytes);
  }

  *release(): BpfFlow<never, void> {}

  #note(step: number, values: Readonly<Record<string, number | bigint | string>>): void {
    const at = (field: string) => Number((values[field] as bigint) - FIRST_ADDRESS);
    this.programs.push({
      step,
      logStep: this.#steps.length,
      insns: this.#placed[at('insns')]!,
    });
    this.#steps.push({ text: `b${at('log_buf')}` });
  }

  /** A value as scripts have it: descriptors by the step that gave them, addresses by buffer. */
  #reference(command: BpfCommand, field: string, value: number | bigint | string): Value {
    if (typeof value === 'string') return value;
    if (typeof value === 'number') return this.#fd(value) ?? value;
    const index = Number(value - FIRST_ADDRESS);
    const bytes = value < FIRST_ADDRESS ? undefined : this.#placed[index];
    if (bytes === undefined) return String(value);
    if (!this.#written.has(index)) {
      this.#written.add(index);
      const fds = this.#fdsIn(command, field, bytes);
      const clean = bytes.slice();
      for (const [at] of fds) clean.fill(0, at, at + 4);
      let end = clean.length;
      while (end > 0 && clean[end - 1] === 0) end--;
      const hex = toHex(clean.subarray(0, end));
      this.#steps.push({ buf: `b${index}`, size: clean.length + 1, hex, fds });
    }
    return `@b${index}`;
  }

  /** Places in a buffer that hold a descriptor: immediates of map loads, values of maps of maps. */
  #fdsIn(command: BpfCommand, field: string, bytes: Uint8Array): (readonly [number, string])[] {
    const isCode = command === 'prog_load' && field === 'insns';
    const isSlot = command === 'map_update_elem' && field === 'value' && bytes.length === 4;
    if (!isCode && !isSlot) return [];
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const found: (readonly [number, string])[] = [];
    for (let at = isCode ? 4 : 0; at + 4 <= bytes.length; at += isCode ? 8 : 4) {
      const fd = this.#fd(view.getUint32(at, true));
      if (fd !== undefined) found.push([at, fd]);
    }
    return found;
  }

  #fd(value: number): string | undefined {
    const step = value - FIRST_FD;
    return step >= 0 && step < this.#steps.length ? `$${step}` : undefined;
  }
}
