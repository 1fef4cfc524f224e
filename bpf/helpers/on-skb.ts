/** What helpers on a sk_buff share: how they are bound, and the fields that are bits. */
import {
  SKB_IP_SUMMED_MASK,
  SKB_IP_SUMMED_SHIFT,
  SKB_L4_HASH,
  SKB_SW_HASH,
  SkBuff,
} from '../../kernel/types/skbuff.ts';
import type { SkBuffView } from '../../kernel/types/skbuff.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { BpfRuntime } from '../runtime.ts';
import type { HelperFunction, HelperImplementation, Passing } from './helper.ts';
import { offset } from './implement.ts';

/** The first argument is the context. The view is bound once and moved: no packet allocates one. */
export function onSkb(
  pass: readonly Passing[],
  run: (skb: SkBuffView, runtime: BpfRuntime, ...args: never[]) => number,
  returns: 'i32' | 'i64' = 'i32',
): HelperImplementation {
  return {
    pass: ['i32', ...pass],
    returns,
    bind: (runtime): HelperFunction => {
      const view = SkBuff.at(runtime.ram, 0 as RamOffset);
      return (ctx: number, ...args: never[]) => {
        view.offset = offset(ctx);
        const result = run(view, runtime, ...args);
        return returns === 'i64' ? BigInt(result) : result;
      };
    },
  };
}

export const ipSummed = (skb: SkBuffView): number =>
  (skb.bits128 & SKB_IP_SUMMED_MASK) >> SKB_IP_SUMMED_SHIFT;

export function setIpSummed(skb: SkBuffView, summed: number): void {
  skb.bits128 = (skb.bits128 & ~SKB_IP_SUMMED_MASK) | (summed << SKB_IP_SUMMED_SHIFT);
}

/** __skb_clear_hash */
export function clearHash(skb: SkBuffView): void {
  skb.hash = 0;
  skb.bits129 &= ~(SKB_L4_HASH | SKB_SW_HASH);
}
