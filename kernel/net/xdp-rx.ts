/**
 * The xdp_buff of one receive queue and the run of a program over it. One struct serves all packets
 * of the queue: what does not change from packet to packet is written once.
 */
import type { ProgObject } from '../../bpf/syscall/objects.ts';
import { PAGE_SIZE } from '../ram/ram.ts';
import type { Ram } from '../ram/ram.ts';
import type { RamOffset } from '../types/units.ts';
import { MEM_TYPE_PAGE_POOL, XdpBuff, XdpMemInfo, XdpRxqInfo } from '../types/xdp.ts';
import type { XdpBuffView } from '../types/xdp.ts';
import type { NetDevice } from './device.ts';

/** REG_STATE_REGISTERED of xdp_rxq_info.reg_state. */
const REG_STATE_REGISTERED = 1;

export class XdpRx {
  readonly buff: XdpBuffView;
  readonly #ram: Ram;
  /** Word indices of the pointers' low halves. */
  readonly #dataWord: number;
  readonly #endWord: number;
  readonly #metaWord: number;
  readonly #hardStartWord: number;

  constructor(ram: Ram, device: NetDevice, queue: number, napiId: number) {
    this.#ram = ram;
    const rxq = XdpRxqInfo.alloc(ram);
    rxq.dev = device.offset;
    rxq.queue_index = queue;
    rxq.reg_state = REG_STATE_REGISTERED;
    rxq.napi_id = napiId;
    XdpMemInfo.at(ram, rxq.mem).type = MEM_TYPE_PAGE_POOL;
    const buff = XdpBuff.alloc(ram);
    this.buff = buff;
    buff.rxq = rxq.offset;
    buff.frame_sz = PAGE_SIZE;
    const word = (member: keyof typeof XdpBuff.offsets) =>
      (buff.offset + XdpBuff.offsets[member]) >>> 2;
    this.#dataWord = word('data');
    this.#endWord = word('data_end');
    this.#metaWord = word('data_meta');
    this.#hardStartWord = word('data_hard_start');
    // The high halves of kernel pointers are all the same: set once.
    const anywhere = buff.offset;
    buff.data = anywhere;
    buff.data_end = anywhere;
    buff.data_meta = anywhere;
    buff.data_hard_start = anywhere;
  }

  /** Run over the frame of `length` bytes at `data` in the page at `page`; the verdict. */
  run(program: ProgObject, page: number, data: number, length: number): number {
    const { u32 } = this.#ram;
    u32[this.#dataWord] = data;
    u32[this.#endWord] = data + length;
    u32[this.#metaWord] = data;
    u32[this.#hardStartWord] = page;
    return program.prog.run(this.buff.offset);
  }

  /** The frame as the program left it. */
  get data(): RamOffset {
    return this.#ram.u32[this.#dataWord] as RamOffset;
  }

  get dataEnd(): number {
    return this.#ram.u32[this.#endWord]!;
  }

  free(): void {
    this.#ram.kfree(this.buff.rxq);
    this.#ram.kfree(this.buff.offset);
  }
}
