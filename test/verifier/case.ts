/** A small program and what the verifier says of it, and what such programs have in common. */
import type { TextOptions } from '../support/verify-text.ts';

export interface Case {
  readonly name: string;
  readonly text: string;
  readonly options?: TextOptions;
  /** Absent: accepted. */
  readonly refused?: { readonly reason: string; readonly line: string };
  /** We refuse (or accept) on purpose what 6.1 does not; why. */
  readonly differs?: string;
}

export const ok = (name: string, text: string, options?: TextOptions): Case => ({
  name,
  text,
  ...(options && { options }),
});
export const no = (
  name: string,
  text: string,
  reason: string,
  line: string,
  options?: TextOptions,
): Case => ({ name, text, refused: { reason, line }, ...(options && { options }) });

export const unpriv: TextOptions = { unpriv: true };
export const xdp: TextOptions = { type: 'xdp' };
export const tc: TextOptions = { type: 'sched_cls' };
export const array16: TextOptions = { maps: [{ valueBytes: 16, maxEntries: 4 }] };
export const ringbuf: TextOptions = {
  type: 'xdp',
  maps: [{ type: 'ringbuf', keyBytes: 0, valueBytes: 0, maxEntries: 4096 }],
};

/** r0 = a pointer to the value of entry 0, or the program ends. */
export const LOOKUP = `
  *(u32 *)(r10 -4) = 0
  r2 = r10
  r2 += -4
  r1 = map_fd(0)
  call map_lookup_elem#1
  if r0 != 0 goto pc+1
  exit
`;
export const PACKET = `
  r2 = *(u32 *)(r1 +0)
  r3 = *(u32 *)(r1 +4)
`;
