/** Pieces that many examples start with. */
import type { Setup } from './example.ts';

/** r0 = a pointer to the value of entry 0; where there is none, the program ends. */
export const LOOKUP = `*(u32 *)(r10 -4) = 0
      r2 = r10
      r2 += -4
      r1 = map_fd(0)
      call map_lookup_elem#1
      if r0 != 0 goto pc+1
      exit`;

/** XDP: r2 = the start of the packet, r3 = its end. */
export const PACKET = `r2 = *(u32 *)(r1 +0)
      r3 = *(u32 *)(r1 +4)`;

/** r0 = a record of 8 bytes, or NULL. */
export const RESERVE = `r1 = map_fd(0)
      r2 = 8
      r3 = 0
      call ringbuf_reserve#131`;

/** r0 = a socket, or NULL; the context stays in r6. */
export const SOCKET = `r6 = r1
      *(u64 *)(r10 -8) = 0
      *(u64 *)(r10 -16) = 0
      r2 = r10
      r2 += -16
      r3 = 12
      r4 = -1
      r5 = 0
      call sk_lookup_tcp#84`;

export const xdp: Setup = { type: 'xdp' };
export const tc: Setup = { type: 'sched_cls' };
export const unpriv: Setup = { unpriv: true };
export const array16: Setup = { maps: [{ valueBytes: 16, maxEntries: 4 }] };
export const ringbuf: Setup = {
  type: 'xdp',
  maps: [{ type: 'ringbuf', keyBytes: 0, valueBytes: 0, maxEntries: 4096 }],
};
