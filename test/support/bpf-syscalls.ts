/**
 * bpf(2) on a bare RAM, for tests: one process (BareCaller), a bare kernel, both engines at hand.
 *
 *   const m = await bpfSyscalls();
 *   const { result, attr } = m.call('map_create', {…});   as the system call gives them
 *   m.map({ type: 'hash', … }), m.load('xdp', 'r0 = 0\nexit')   descriptors, or a thrown error
 *   m.update(fd, key, value), m.lookup(fd, key)
 */
import { assemble } from '../../bpf/asm/assemble.ts';
import { type AttrInput, type AttrOf, decodeAttr, encodeAttr } from '../../bpf/attr.ts';
import { parseBtf } from '../../bpf/btf/btf.ts';
import { BtfBuilder } from '../../bpf/btf/builder.ts';
import { intType } from '../../bpf/btf/structs.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { encodeInsns } from '../../bpf/isa/codec.ts';
import type { Insn } from '../../bpf/isa/insn.ts';
import { rowOf } from '../../bpf/isa/table.ts';
import { createMap } from '../../bpf/maps/table.ts';
import type { NativeCore } from '../../bpf/native/core.ts';
import { CORE_RESERVED_BYTES, instantiateCore } from '../../bpf/native/core.ts';
import { createRuntime, type BpfRuntime } from '../../bpf/runtime.ts';
import { BareCaller } from '../../bpf/syscall/bare-caller.ts';
import { ALL_CAPS } from '../../bpf/syscall/caller.ts';
import { BpfSubsystem, type BpfHost } from '../../bpf/syscall/subsystem.ts';
import { bareKernel, type BareKernel } from '../../bpf/testing/bare-kernel.ts';
import {
  ATTACH_TYPES,
  BPF_COMMANDS,
  mapTypeNumber,
  PROG_TYPES,
  type AttachType,
  type BpfCommand,
  type MapType,
  type ProgType,
} from '../../bpf/uapi.ts';
import { progTypeOps } from '../../hooks/prog-types.ts';
import { testRunOf } from '../../hooks/test-runs.ts';
import { errnoName } from '../../kernel/types/errno.ts';
import { Ram } from '../../kernel/ram/ram.ts';
import { coreModule } from './assets.ts';

export interface TestMap {
  readonly type: MapType;
  readonly keyBytes?: number;
  readonly valueBytes?: number;
  readonly maxEntries?: number;
  readonly flags?: number;
  readonly more?: AttrInput<'map_create'>;
}

export class BpfSyscalls {
  readonly ram: Ram;
  readonly core: NativeCore;
  readonly kernel: BareKernel;
  readonly runtime: BpfRuntime;
  readonly bpf: BpfSubsystem;
  readonly caller = new BareCaller(ALL_CAPS);
  /** What unprivilegedDisabled answers. */
  unprivilegedDisabled = false;
  readonly oopses: string[] = [];

  constructor(core: WebAssembly.Module, options: BpfSyscallOptions = {}) {
    this.ram = new Ram(64 << 20, CORE_RESERVED_BYTES);
    this.core = instantiateCore(core, this.ram);
    this.kernel = bareKernel(this.ram, { cpuCount: options.cpuCount ?? 2 });
    Object.assign(this.kernel, options.kernel);
    this.runtime = createRuntime(this.ram, this.core, this.kernel, {
      executableOf: (id) => this.bpf.progs.byId(id)?.prog.executable,
    });
    this.bpf = new BpfSubsystem(
      {
        runtime: this.runtime,
        interpreter: createInterpreter(),
        jit: () => undefined,
        level: options.level ?? '6.1',
        progType: progTypeOps,
        createMap: (spec, caps) => createMap(this.runtime, spec, caps),
        nowNs: () => this.kernel.nowNs(),
        unprivilegedDisabled: () => this.unprivilegedDisabled,
        reportOops: (_prog, oops) => this.oopses.push(oops.message),
        testRun: (type) => testRunOf(type, () => undefined),
        ...options.host,
      },
      options.kernelBtf && parseBtf(options.kernelBtf),
    );
  }

  call<C extends BpfCommand>(
    command: C,
    values: AttrInput<C>,
  ): { readonly result: number; readonly attr: AttrOf<C> } {
    const { result, bytes } = this.raw(command, encodeAttr(command, values));
    return { result, attr: decodeAttr(command, bytes) };
  }

  /** The same with bytes of one's own making. */
  raw(command: BpfCommand | number, attr: Uint8Array, sizeBytes = attr.length) {
    const address = this.caller.place(attr);
    const number = typeof command === 'number' ? command : BPF_COMMANDS.indexOf(command);
    const result = this.bpf.command(number, address, sizeBytes, this.caller);
    return { result, bytes: this.caller.bytesAt(address, attr.length) };
  }

  /** Only the result, as a name where it is an error: 'EINVAL'. */
  why<C extends BpfCommand>(command: C, values: AttrInput<C>): number | string {
    const { result } = this.call(command, values);
    return result < 0 ? errnoName(result)! : result;
  }

  map(spec: TestMap): number {
    return checked(this.call('map_create', this.mapAttr(spec)).result, 'map_create');
  }

  mapAttr({ type, keyBytes = 4, valueBytes = 8, maxEntries = 4, flags = 0, more }: TestMap) {
    return {
      map_type: mapTypeNumber(type),
      key_size: keyBytes,
      value_size: valueBytes,
      max_entries: maxEntries,
      map_flags: flags,
      ...more,
    };
  }

  progAttr(
    type: ProgType,
    text: string,
    { attach, ...more }: AttrInput<'prog_load'> & { readonly attach?: AttachType } = {},
  ): AttrInput<'prog_load'> {
    const program = assemble(text);
    const insns = encodeInsns(program);
    const starts = functionStarts(program);
    const debug = starts.length > 1 ? this.#functions(starts) : {};
    return {
      ...debug,
      prog_type: PROG_TYPES.indexOf(type),
      insns: this.caller.place(insns),
      insn_cnt: insns.length / 8,
      license: this.caller.placeText('GPL'),
      expected_attach_type: attach === undefined ? 0 : ATTACH_TYPES.indexOf(attach),
      ...more,
    };
  }

  #functions(starts: readonly number[]): AttrInput<'prog_load'> {
    const { btf, rows } = functionBtf(starts);
    return {
      prog_btf_fd: this.btf(btf),
      func_info: this.caller.place(rows),
      func_info_cnt: starts.length,
      func_info_rec_size: 8,
    };
  }

  /** Loads with the verifier's log in the error. */
  load(
    type: ProgType,
    text: string,
    more: AttrInput<'prog_load'> & { readonly attach?: AttachType } = {},
  ): number {
    const log = this.caller.place(1 << 16);
    const { result } = this.call('prog_load', {
      ...this.progAttr(type, text, more),
      log_level: 1,
      log_buf: log,
      log_size: 1 << 16,
    });
    const logged = this.caller.bytesAt(log, 1 << 16);
    return checked(result, new TextDecoder().decode(logged.subarray(0, logged.indexOf(0))));
  }

  btf(bytes: Uint8Array): number {
    const attr = { btf: this.caller.place(bytes), btf_size: bytes.length };
    return checked(this.call('btf_load', attr).result, 'btf_load');
  }

  update(fd: number, key: Uint8Array | undefined, value: Uint8Array, flags = 0n): number | string {
    return this.why('map_update_elem', {
      map_fd: fd,
      key: key ? this.caller.place(key) : 0n,
      value: this.caller.place(value),
      flags,
    });
  }

  /** The value, or the error's name. */
  lookup(fd: number, key: Uint8Array, valueBytes: number): Uint8Array | string {
    const value = this.caller.place(valueBytes);
    const result = this.why('map_lookup_elem', { map_fd: fd, key: this.caller.place(key), value });
    return typeof result === 'string' ? result : this.caller.bytesAt(value, valueBytes);
  }

  run(fd: number, more: AttrInput<'prog_test_run'> = {}) {
    return this.call('prog_test_run', { prog_fd: fd, ...more });
  }
}

export interface BpfSyscallOptions {
  readonly level?: '6.1' | 'latest';
  readonly cpuCount?: number;
  readonly kernelBtf?: Uint8Array;
  readonly kernel?: Partial<BareKernel>;
  readonly host?: Partial<BpfHost>;
}

export async function bpfSyscalls(options: BpfSyscallOptions = {}): Promise<BpfSyscalls> {
  return new BpfSyscalls(await coreModule(), options);
}

/** Slots at which functions start: the first, and what calls and addresses of functions name. */
export function functionStarts(insns: readonly Insn[]): readonly number[] {
  const starts = new Set([0]);
  insns.forEach((insn, slot) => {
    const name = rowOf(insn)?.name;
    if (name === 'ld_func' || name === 'call_subprog') starts.add(slot + insn.imm + 1);
  });
  return [...starts].sort((a, b) => a - b);
}

/** BTF of static functions at those slots, which callbacks must have, and their func_info. */
export function functionBtf(starts: readonly number[]): { btf: Uint8Array; rows: Uint8Array } {
  const builder = new BtfBuilder();
  const int = builder.intern(intType('int', 4, true));
  const proto = builder.add({ kind: 'func_proto', name: '', returnType: int, params: [] });
  const rows = starts.flatMap((slot, i) => {
    const name = i === 0 ? 'main' : `f${i}`;
    return [slot, builder.add({ kind: 'func', name, type: proto, linkage: 'static' })];
  });
  return { btf: builder.build().bytes, rows: u32(...rows) };
}

function checked(result: number, what: string): number {
  if (result < 0) throw new Error(`${errnoName(result)}: ${what}`);
  return result;
}

export const u32 = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer);
export const u64 = (...values: bigint[]) => new Uint8Array(BigUint64Array.from(values).buffer);
