/**
 * A processor in the card that every frame passes on its way in, before receive-side scaling: what a
 * SmartNIC runs an offloaded program on. The card knows no more of it than this.
 */
import type { RamOffset } from '../../kernel/types/units.ts';
import type { FrameStore } from './frames.ts';

export interface Ingress {
  /**
   * A frame has come in whole at `endNs`; times never go back.
   * @param start byte offset in `store`, a multiple of 4
   */
  frame(store: FrameStore, start: number, lengthBytes: number, endNs: number): IngressVerdict;
}

/** What becomes of a frame. `readyNs`: when the processor is done with it. */
export type IngressVerdict =
  | { readonly kind: 'gone' }
  /** To the host, as it now is. */
  | {
      readonly kind: 'host';
      readonly readyNs: number;
      readonly store: FrameStore;
      readonly start: number;
      readonly lengthBytes: number;
    }
  /** Back out of the port: the frame is at `frame` in RAM until the next one comes. */
  | {
      readonly kind: 'out';
      readonly readyNs: number;
      readonly frame: RamOffset;
      readonly lengthBytes: number;
    };
