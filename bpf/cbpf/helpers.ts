/**
 * Functions of the kernel that translated filters call; programs cannot. Each takes the sk_buff and
 * the filter's A and X, and returns the new A.
 */
import type { Ram } from '../../kernel/ram/ram.ts';
import { SkBuff, type SkBuffView } from '../../kernel/types/skbuff.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { Helper } from '../helpers/helper.ts';
import { payloadOffset } from './payload-offset.ts';

type SkbFunction = (ram: Ram, skb: SkBuffView, a: number, x: number) => number;

function skbHelper(name: string, func: SkbFunction): Helper {
  return {
    // No program can name it: ids of programs' helpers are positive.
    id: 0,
    name,
    proto: name,
    args: [{ base: 'ptr_to_ctx' }, { base: 'anything' }, { base: 'anything' }],
    ret: { base: 'integer' },
    implementation: {
      pass: ['i32', 'i32', 'i32'],
      returns: 'i32',
      bind: ({ ram }) => {
        const view = SkBuff.at(ram, 0 as RamOffset);
        return (skb: number, a: number, x: number) => {
          view.offset = (skb >>> 0) as RamOffset;
          return func(ram, view, a >>> 0, x >>> 0);
        };
      },
    },
  };
}

/** struct nlattr (UAPI linux/netlink.h): length with this header, type; padded to 4. */
const NLATTR_BYTES = 4;
const NLA_TYPE_MASK = 0x3fff;

/** Offset of the first attribute of type `x` in [from, end); 0 if there is none (nla_find). */
function findAttribute(ram: Ram, skb: SkBuffView, from: number, end: number, x: number): number {
  const { data } = skb;
  for (let at = from; at + NLATTR_BYTES <= end;) {
    const length = ram.view.getUint16(data + at, true);
    if (length < NLATTR_BYTES || at + length > end) return 0;
    if ((ram.view.getUint16(data + at + 2, true) & NLA_TYPE_MASK) === x) return at;
    at += (length + 3) & ~3;
  }
  return 0;
}

const isLinear = (skb: SkBuffView): boolean => skb.data_len === 0;

export const skbHelpers = {
  pay_offset: skbHelper('skb_get_pay_offset', (ram, skb) => payloadOffset(ram, skb)),
  nlattr: skbHelper('skb_get_nlattr', (ram, skb, a, x) => {
    if (!isLinear(skb) || skb.len < NLATTR_BYTES || a > skb.len - NLATTR_BYTES) return 0;
    return findAttribute(ram, skb, a, skb.len, x);
  }),
  nlattr_nest: skbHelper('skb_get_nlattr_nest', (ram, skb, a, x) => {
    if (!isLinear(skb) || skb.len < NLATTR_BYTES || a > skb.len - NLATTR_BYTES) return 0;
    const length = ram.view.getUint16(skb.data + a, true);
    if (length > skb.len - a) return 0;
    return findAttribute(ram, skb, a + NLATTR_BYTES, a + length, x);
  }),
} as const;
