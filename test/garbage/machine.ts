/**
 * A machine that garbage is thrown at: bpf(2) on a bare RAM, with pages around its memory that must
 * stay as they are.
 */
import type { Engine } from '../../bpf/engine.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { NO_CAPS, ALL_CAPS } from '../../bpf/syscall/caller.ts';
import { PAGE_SIZE } from '../../kernel/ram/ram.ts';
import { errnoName } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { BatchRequest } from '../../ui/cli/batch/request.ts';
import { BpfSyscalls } from '../support/bpf-syscalls.ts';

const CANARY = 0xa5;
const CANARY_PAGES = 32;
const OUT_BYTES = 16384;

export class GarbageMachine {
  readonly m: BpfSyscalls;
  readonly #canaries: RamOffset[] = [];

  constructor(core: WebAssembly.Module, engine: Engine | undefined) {
    this.m = new BpfSyscalls(core, {
      cpuCount: 1,
      host: { interpreter: engine ?? createInterpreter() },
    });
    const { ram } = this.m;
    // Between pages that are given back, so that what programs get lies next to some.
    const pages = Array.from({ length: 2 * CANARY_PAGES }, () => ram.pages.alloc());
    pages.forEach((page, i) => {
      if (i % 2 === 1) return ram.pages.free(page);
      ram.u8.fill(CANARY, page, page + PAGE_SIZE);
      this.#canaries.push(page);
    });
  }

  /** What happened, as text that both engines' machines must agree on. */
  answer(request: BatchRequest): { readonly accepted: boolean; readonly text: string } {
    const { m } = this;
    const { caller } = m;
    caller.reset();
    caller.caps = ALL_CAPS;
    const fds = request.maps.map((map) => {
      const { result } = m.call('map_create', {
        map_type: map.type,
        key_size: map.keySize,
        value_size: map.valueSize,
        max_entries: map.maxEntries,
        map_flags: map.flags,
      });
      return result;
    });
    request.maps.forEach((map, i) => {
      for (const { key, value } of map.init) m.update(fds[i]!, key, value);
    });
    if (request.unpriv) caller.caps = NO_CAPS;
    const insns = request.insns.slice();
    const view = new DataView(insns.buffer);
    for (const { insn, map } of request.fixups) view.setInt32(insn * 8 + 4, fds[map]!, true);
    const log = request.logLevel > 0 ? caller.place(1 << 16) : 0n;
    const { result: fd } = m.call('prog_load', {
      prog_type: request.progType,
      expected_attach_type: request.expectedAttachType,
      prog_flags: request.progFlags,
      insns: caller.place(insns),
      insn_cnt: insns.length / 8,
      license: caller.placeText(request.license),
      log_level: request.logLevel,
      log_buf: log,
      log_size: log === 0n ? 0 : 1 << 16,
    });
    if (fd < 0) return { accepted: false, text: errnoName(fd) ?? String(fd) };
    const runs = request.run.map((run) => this.#run(fd, run));
    const oopses = m.oopses.splice(0);
    const maps = fds.map((map, i) => this.#contents(map, request.maps[i]!));
    m.call('obj_get_info_by_fd', { bpf_fd: fd, info: caller.place(232), info_len: 232 });
    this.#checkCanaries();
    return { accepted: true, text: JSON.stringify({ runs, oopses, maps }) };
  }

  #run(fd: number, { data, context, repeat }: BatchRequest['run'][number]): string {
    const { caller } = this.m;
    const out = caller.place(OUT_BYTES);
    const { result, attr } = this.m.run(fd, {
      ...(data.length > 0 && {
        data_in: caller.place(data),
        data_size_in: data.length,
        data_out: out,
        data_size_out: OUT_BYTES,
      }),
      ...(context && { ctx_in: caller.place(context), ctx_size_in: context.length }),
      repeat: Math.min(repeat, 4),
    });
    const packet =
      data.length > 0 ? caller.bytesAt(out, Math.min(attr.data_size_out, OUT_BYTES)) : [];
    return `${result} ${attr.retval} ${Buffer.from(packet).toString('hex')}`;
  }

  #contents(fd: number, { keySize, valueSize }: BatchRequest['maps'][number]): string {
    const { caller } = this.m;
    const entries: string[] = [];
    let key = 0n;
    for (let i = 0; i < 64; i++) {
      const next = caller.place(Math.max(keySize, 1));
      if (this.m.call('map_get_next_key', { map_fd: fd, key, next_key: next }).result < 0) break;
      const value = this.m.lookup(fd, caller.bytesAt(next, keySize), valueSize);
      entries.push(typeof value === 'string' ? value : Buffer.from(value).toString('hex'));
      key = next;
    }
    return entries.join();
  }

  #checkCanaries(): void {
    const { u8 } = this.m.ram;
    for (const page of this.#canaries) {
      if (u8.subarray(page, page + PAGE_SIZE).some((byte) => byte !== CANARY)) {
        throw new Error(`a page that is nobody's was written to: ${page.toString(16)}`);
      }
    }
  }
}
