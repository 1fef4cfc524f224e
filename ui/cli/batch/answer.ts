/**
 * Answers batch requests with skep's BPF on a bare RAM: no kernel, one CPU, and bpf(2) all the way,
 * as a process would call it.
 *
 *   new BatchMachine(assets)       boots nothing: a RAM, the C core, bpf(2)
 *   machine.answer(request)        the response, ready for JSON
 */
import { errnoName } from '../../../kernel/types/errno.ts';
import { kernelBtf } from '../../../kernel/bpf/kernel-btf.ts';
import type { HostAssets } from '../../../kernel/config.ts';
import { BPF_PROG_INFO } from '../../../bpf/info.ts';
import type { BpfRuntime } from '../../../bpf/runtime.ts';
import type { BareCaller } from '../../../bpf/syscall/bare-caller.ts';
import { ALL_CAPS, NO_CAPS } from '../../../bpf/syscall/caller.ts';
import { MAP_TYPES } from '../../../bpf/uapi.ts';
import { BARE_CPUS, BareMachine, type BareOptions } from '../../../hooks/bare-machine.ts';
import { type BatchRequest, type MapRequest, RequestError } from './request.ts';

/** Large enough for the log of a million instructions at level 1 to be cut, as the judge's is. */
const LOG_BYTES = 4 * 2 ** 20;
const PACKET_ROOM = 4096 * 16;

interface RunAnswer {
  readonly retval: number;
  readonly errno: string | null;
  readonly data_out: string;
}

export interface BatchAnswer {
  readonly id: unknown;
  readonly ok: boolean;
  readonly errno: string | null;
  readonly log: string;
  readonly verified_insns: number;
  readonly run?: readonly RunAnswer[];
  readonly maps?: readonly (readonly { readonly key: string; readonly value: string }[])[];
}

export class BatchMachine {
  readonly #machine: BareMachine;
  readonly #caller: BareCaller;

  constructor(assets: HostAssets, options: Omit<BareOptions, 'level'> = {}) {
    const types = kernelBtf([]);
    this.#machine = new BareMachine(assets, { level: '6.1', kernelBtf: types, ...options });
    this.#caller = this.#machine.caller;
  }

  get runtime(): BpfRuntime {
    return this.#machine.bpf.host.runtime;
  }

  /** The response, ready for JSON. Throws RequestError where the maps cannot be made. */
  answer(request: BatchRequest): BatchAnswer {
    const caller = this.#caller;
    caller.reset();
    caller.caps = ALL_CAPS;
    const fds: number[] = [];
    for (const map of request.maps) fds.push(this.#createMap(map, fds));
    request.maps.forEach((map, i) => this.#fillMap(request, map, fds[i]!));
    caller.caps = request.unpriv ? NO_CAPS : ALL_CAPS;
    const insns = request.insns.slice();
    for (const { insn, map } of request.fixups) setImm(insns, insn, fds[map]!);
    const loaded = this.#load(request, insns);
    const ok = loaded.fd >= 0;
    return {
      id: request.id,
      run: ok ? request.run.map((run) => this.#run(loaded.fd, run)) : [],
      ok,
      errno: ok ? null : errnoText(loaded.fd),
      log: loaded.log,
      verified_insns: ok ? this.#verifiedInsns(loaded.fd) : processedInsns(loaded.log),
      ...(request.dumpMaps && {
        maps: request.maps.map((map, i) => this.#dumpMap(map, fds[i]!)),
      }),
    };
  }

  #createMap(map: MapRequest, fds: readonly number[]): number {
    const btfFd = map.btf && this.#loadBtf(map.btf);
    const { result } = this.#machine.call('map_create', {
      map_type: map.type,
      key_size: map.keySize,
      value_size: map.valueSize,
      max_entries: map.maxEntries,
      map_flags: map.flags,
      inner_map_fd: map.inner === undefined ? 0 : fds[map.inner]!,
      btf_fd: btfFd ?? 0,
      btf_key_type_id: map.btfKeyTypeId,
      btf_value_type_id: map.btfValueTypeId,
    });
    if (result < 0) throw new RequestError(`map_create: ${errnoText(result)}`);
    return result;
  }

  #loadBtf(btf: Uint8Array): number {
    const { result } = this.#machine.call('btf_load', {
      btf: this.#caller.place(btf),
      btf_size: btf.length,
    });
    if (result < 0) throw new RequestError(`btf_load: ${errnoText(result)}`);
    return result;
  }

  #fillMap(request: BatchRequest, map: MapRequest, fd: number): void {
    for (const { key, value } of map.init) {
      const whole = new Uint8Array(userValueBytes(map));
      whole.set(value.subarray(0, whole.length));
      this.#update(fd, key, whole);
    }
    for (const { key, insns, self } of map.progs) {
      const code = insns.slice();
      if (self !== undefined) setImm(code, self, fd);
      const { fd: progFd, log } = this.#load({ ...request, logLevel: 0 }, code);
      if (progFd < 0) throw new RequestError(`progs: ${errnoText(progFd)} ${log}`);
      this.#update(fd, word(key), word(progFd));
    }
  }

  #update(fd: number, key: Uint8Array, value: Uint8Array): void {
    const { result } = this.#machine.call('map_update_elem', {
      map_fd: fd,
      key: key.length > 0 ? this.#caller.place(key) : 0n,
      value: this.#caller.place(value),
    });
    if (result < 0) throw new RequestError(`map_update_elem: ${errnoText(result)}`);
  }

  #load(request: BatchRequest, insns: Uint8Array): { fd: number; log: string } {
    const caller = this.#caller;
    const wantsLog = request.logLevel !== 0;
    const logAt = wantsLog ? caller.place(LOG_BYTES) : 0n;
    const { btf, funcInfo, lineInfo } = request;
    const { result } = this.#machine.call('prog_load', {
      prog_type: request.progType,
      expected_attach_type: request.expectedAttachType,
      prog_flags: request.progFlags,
      attach_btf_id: request.attachBtfId,
      insns: caller.place(insns),
      insn_cnt: insns.length / 8,
      license: caller.placeText(request.license),
      log_level: request.logLevel,
      log_size: wantsLog ? LOG_BYTES : 0,
      log_buf: logAt,
      ...(btf && { prog_btf_fd: this.#loadBtf(btf) }),
      ...(funcInfo && {
        func_info: caller.place(funcInfo),
        func_info_cnt: funcInfo.length / 8,
        func_info_rec_size: 8,
      }),
      ...(lineInfo && {
        line_info: caller.place(lineInfo),
        line_info_cnt: lineInfo.length / 16,
        line_info_rec_size: 16,
      }),
    });
    return { fd: result, log: wantsLog ? caller.textAt(logAt, LOG_BYTES) : '' };
  }

  #run(fd: number, run: BatchRequest['run'][number]): RunAnswer {
    const caller = this.#caller;
    const { data, context } = run;
    const out = caller.place(PACKET_ROOM);
    const { result, attr } = this.#machine.call('prog_test_run', {
      prog_fd: fd,
      data_in: data.length > 0 ? caller.place(data) : 0n,
      data_size_in: data.length,
      data_out: data.length > 0 ? out : 0n,
      data_size_out: data.length > 0 ? PACKET_ROOM : 0,
      ctx_in: context ? caller.place(context) : 0n,
      ctx_size_in: context?.length ?? 0,
      repeat: run.repeat,
    });
    if (result < 0) return { retval: 0, errno: errnoText(result), data_out: '' };
    const size = data.length > 0 ? attr.data_size_out : 0;
    return { retval: attr.retval, errno: null, data_out: toHex(caller.bytesAt(out, size)) };
  }

  #verifiedInsns(fd: number): number {
    const info = this.#caller.place(BPF_PROG_INFO.sizeBytes);
    this.#machine.call('obj_get_info_by_fd', {
      bpf_fd: fd,
      info_len: BPF_PROG_INFO.sizeBytes,
      info,
    });
    return BPF_PROG_INFO.decode(this.#caller.bytesAt(info, BPF_PROG_INFO.sizeBytes)).verified_insns;
  }

  #dumpMap(map: MapRequest, fd: number): { key: string; value: string }[] {
    const caller = this.#caller;
    const entries: { key: string; value: string }[] = [];
    let key = 0n;
    for (;;) {
      const next = caller.place(map.keySize);
      const step = this.#machine.call('map_get_next_key', {
        map_fd: fd,
        key,
        next_key: next,
      });
      if (step.result < 0) return entries;
      const value = caller.place(userValueBytes(map));
      const found = this.#machine.call('map_lookup_elem', {
        map_fd: fd,
        key: next,
        value,
      });
      if (found.result >= 0) {
        entries.push({
          key: toHex(caller.bytesAt(next, map.keySize)),
          value: toHex(caller.bytesAt(value, userValueBytes(map))),
        });
      }
      key = next;
    }
  }
}

function userValueBytes(map: MapRequest): number {
  const perCpu = (MAP_TYPES[map.type] ?? '').includes('percpu');
  return perCpu ? Math.ceil(map.valueSize / 8) * 8 * BARE_CPUS : map.valueSize;
}

function setImm(insns: Uint8Array, index: number, imm: number): void {
  new DataView(insns.buffer, insns.byteOffset).setInt32(index * 8 + 4, imm, true);
}

function word(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

function errnoText(result: number): string {
  return errnoName(result) ?? String(-result);
}

/** What the log's last line says, for a program that was refused. */
function processedInsns(log: string): number {
  return Number(/^processed (\d+) insns/m.exec(log)?.[1] ?? 0);
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
