/**
 * A bpf(2) that only takes down what it was asked: for tests of the loader without a kernel. Files
 * get descriptors from 3 on, maps keep their values, BTF is checked as the kernel checks it.
 */
import { decodeAttr } from '../../bpf/attr.ts';
import { checkBtf } from '../../bpf/btf/check/check.ts';
import { BPF_MAP_INFO } from '../../bpf/info.ts';
import { decodeInsns } from '../../bpf/isa/codec.ts';
import type { Insn } from '../../bpf/isa/insn.ts';
import type { BpfFlow, BpfUser } from '../../bpf/loader/user.ts';
import type { BpfCommand } from '../../bpf/uapi.ts';
import { BPF_COMMANDS } from '../../bpf/uapi.ts';

export type Call = { readonly command: BpfCommand; readonly attr: Record<string, unknown> };
export interface RecordedMap {
  readonly attr: Record<string, unknown>;
  readonly values: Map<string, Uint8Array>;
  frozen: boolean;
}
export interface RecordedProgram {
  readonly attr: Record<string, unknown>;
  readonly insns: readonly Insn[];
  readonly license: string;
  readonly funcInfo: Uint8Array;
  readonly lineInfo: Uint8Array;
}

/** An address that was never placed. */
class Fault extends Error {}

export class RecordingKernel implements BpfUser<never> {
  readonly calls: Call[] = [];
  readonly maps = new Map<number, RecordedMap>();
  readonly programs = new Map<number, RecordedProgram>();
  readonly btfs = new Map<number, Uint8Array>();
  readonly pins = new Map<string, number>();
  readonly open = new Set<number>();
  /** Decides over a program: 0, or a negative errno with a log. */
  verifier: (program: RecordedProgram, attr: Record<string, unknown>) => [number, string] = () => [
    0,
    '',
  ];
  #memory = new Map<bigint, Uint8Array>();
  #nextAddress = 0x7f00_0000_0000n;
  #nextFd = 3;

  *bpf(number: number, attrBytes: Uint8Array): BpfFlow<never, number> {
    try {
      return this.#answer(number, attrBytes);
    } catch (error) {
      if (error instanceof Fault) return -14;
      throw error;
    }
  }

  #answer(number: number, attrBytes: Uint8Array): number {
    const command = BPF_COMMANDS[number]!;
    const attr = decodeAttr(command, attrBytes) as Record<string, unknown>;
    this.calls.push({ command, attr });
    const num = (field: string) => Number(attr[field]);
    const bytes = (field: string, size: number) => this.#at(attr[field] as bigint, size);
    switch (command) {
      case 'btf_load': {
        const data = bytes('btf', num('btf_size'));
        const wanted = attr['btf_log_buf'] as bigint;
        const verdict = checkBtf(data, { log: wanted !== 0n });
        if (verdict.errno !== 0) {
          this.#log(wanted, verdict.log);
          return -verdict.errno;
        }
        return this.#fd(this.btfs, data);
      }
      case 'map_create':
        return this.#fd(this.maps, { attr, values: new Map(), frozen: false });
      case 'map_update_elem': {
        const map = this.maps.get(num('map_fd'))!;
        const key = bytes('key', Number(map.attr['key_size']));
        map.values.set(hex(key), bytes('value', Number(map.attr['value_size'])));
        return 0;
      }
      case 'map_freeze':
        this.maps.get(num('map_fd'))!.frozen = true;
        return 0;
      case 'obj_pin':
        this.pins.set(this.#text(attr['pathname'] as bigint), num('bpf_fd'));
        return 0;
      case 'obj_get':
        return this.pins.get(this.#text(attr['pathname'] as bigint)) ?? -2;
      case 'obj_get_info_by_fd': {
        const map = this.maps.get(num('bpf_fd'))!.attr as never as Record<string, number>;
        const info = BPF_MAP_INFO.encode({
          type: map['map_type'],
          key_size: map['key_size'],
          value_size: map['value_size'],
          max_entries: map['max_entries'],
          map_flags: map['map_flags'],
        });
        this.#memory.get(attr['info'] as bigint)!.set(info);
        return 0;
      }
      case 'prog_bind_map':
        return 0;
      case 'prog_load':
        return this.#progLoad(attr, bytes, num);
      default:
        return -22;
    }
  }

  #progLoad(
    attr: Record<string, unknown>,
    bytes: (field: string, size: number) => Uint8Array,
    num: (field: string) => number,
  ): number {
    const program: RecordedProgram = {
      attr,
      insns: decodeInsns(bytes('insns', num('insn_cnt') * 8)),
      license: this.#text(attr['license'] as bigint),
      funcInfo: bytes('func_info', num('func_info_cnt') * num('func_info_rec_size')),
      lineInfo: bytes('line_info', num('line_info_cnt') * num('line_info_rec_size')),
    };
    const [result, log] = this.verifier(program, attr);
    if (num('log_level') > 0) {
      const fits = log.length < num('log_size');
      this.#log(attr['log_buf'] as bigint, log.slice(0, num('log_size') - 1));
      if (!fits) return -28;
    }
    return result < 0 ? result : this.#fd(this.programs, program);
  }

  *close(fd: number): BpfFlow<never, void> {
    this.open.delete(fd);
  }

  *place(bytes: Uint8Array): BpfFlow<never, bigint> {
    const address = this.#nextAddress;
    const copy = new Uint8Array(bytes.length + 1);
    copy.set(bytes);
    this.#memory.set(address, copy);
    this.#nextAddress += BigInt(copy.length + 4096);
    return address;
  }

  read(address: bigint, sizeBytes: number): Uint8Array {
    return this.#at(address, sizeBytes).slice();
  }

  *release(): BpfFlow<never, void> {
    this.#memory = new Map();
  }

  /** Calls of one command, decoded. */
  callsOf(command: BpfCommand): Record<string, unknown>[] {
    return this.calls.filter((call) => call.command === command).map(({ attr }) => attr);
  }

  #fd<T>(table: Map<number, T>, value: T): number {
    const fd = this.#nextFd++;
    table.set(fd, value);
    this.open.add(fd);
    return fd;
  }

  #at(address: bigint, sizeBytes: number): Uint8Array {
    if (sizeBytes === 0) return new Uint8Array(0);
    const block = this.#memory.get(address);
    if (block === undefined || block.length < sizeBytes) {
      throw new Fault();
    }
    return block.subarray(0, sizeBytes);
  }

  #text(address: bigint): string {
    const block = this.#memory.get(address)!;
    return new TextDecoder().decode(block.subarray(0, block.indexOf(0)));
  }

  #log(address: bigint, text: string): void {
    if (address === 0n) return;
    this.#memory.get(address)!.set(new TextEncoder().encode(`${text}\0`));
  }
}

export const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
