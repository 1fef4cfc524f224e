/** Sign extension of the low 8, 16 or 32 bits (v4's sign-extending moves and loads). */
import { S32_MAX, S32_MIN, s64 } from './int.ts';
import { UNKNOWN_SCALAR, constScalar, draftOf, sync, type Scalar } from './scalar.ts';
import { isConst, tnum } from './tnum.ts';

export function signExtended(scalar: Scalar, bits: 8 | 16 | 32): Scalar {
  const max = (1n << BigInt(bits - 1)) - 1n;
  const min = -max - 1n;
  if (isConst(scalar.bits)) return constScalar(BigInt.asIntN(bits, scalar.bits.value));
  // It is in range already: the extension changes nothing.
  if (scalar.smin >= min && scalar.smax <= max) return scalar;
  const draft = draftOf(UNKNOWN_SCALAR);
  draft.smin = min;
  draft.smax = max;
  draft.smin32 = Math.max(Number(min), S32_MIN);
  draft.smax32 = Math.min(Number(max), S32_MAX);
  // Bits below the sign are what they were; the sign spreads over the rest if it is known.
  const low = (1n << BigInt(bits)) - 1n;
  const sign = 1n << BigInt(bits - 1);
  const signKnown = (scalar.bits.mask & sign) === 0n;
  const value = s64(BigInt.asIntN(bits, scalar.bits.value & low));
  const mask = BigInt.asIntN(bits, scalar.bits.mask & low);
  draft.bits = tnum(signKnown ? value : value & max, mask);
  sync(draft);
  return draft;
}
