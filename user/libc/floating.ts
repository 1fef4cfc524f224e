/**
 * Floating-point numbers as C prints them: exact decimals, ties to even.
 *
 *   parseFloating('1.25', 64)      rounded to so many bits: long double has 64, double 53
 *   fromDouble(x)
 *   formatFixed(f, 2)              %.2f; formatExponent %e, formatGeneral %g
 */
export interface Floating {
  readonly negative: boolean;
  /** mantissa * 2 ** exponent; 'inf' and 'nan' have no mantissa. */
  readonly mantissa: bigint;
  readonly exponent: number;
  readonly special?: 'inf' | 'nan';
}

const LONG_DOUBLE_BITS = 64;
/** Beyond these powers of ten a long double is infinite or zero. */
const MAX_POWER = 4932;
const DECIMAL = /^\s*([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?/;
const HEXADECIMAL = /^\s*([+-]?)0[xX]([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?(?:[pP]([+-]?\d+))?/;

/** The number at the start of `text` and how much of it that is; undefined if none is there. */
export function parseFloating(
  text: string,
  bits = LONG_DOUBLE_BITS,
): { readonly value: Floating; readonly length: number } | undefined {
  const named = /^\s*([+-]?)(inf(?:inity)?|nan)/i.exec(text);
  if (named) {
    const special = named[2]!.toLowerCase() === 'nan' ? 'nan' : 'inf';
    const value = { negative: named[1] === '-', mantissa: 0n, exponent: 0, special } as const;
    return { value, length: named[0].length };
  }
  const hex = HEXADECIMAL.exec(text);
  if (hex && (hex[2] || hex[3])) {
    const [whole, sign, integer = '', fraction = '', power = '0'] = hex;
    const mantissa = BigInt(`0x${integer}${fraction || ''}`);
    const exponent = Number(power) - 4 * fraction.length;
    return { value: round(sign === '-', mantissa, 1n, exponent, bits), length: whole.length };
  }
  const match = DECIMAL.exec(text);
  if (!match || (!match[2] && !match[3])) return undefined;
  const [whole, sign, integer = '', fraction = '', power = '0'] = match;
  const digits = BigInt(`${integer}${fraction}`);
  const ten = Number(power) - fraction.length;
  const negative = sign === '-';
  const size = digits.toString().length + ten;
  let value: Floating;
  if (digits !== 0n && size > MAX_POWER + 1) {
    value = { negative, mantissa: 0n, exponent: 0, special: 'inf' };
  } else if (digits === 0n || size < -MAX_POWER - 20) {
    value = { negative, mantissa: 0n, exponent: 0 };
  } else if (ten >= 0) value = round(negative, digits * 10n ** BigInt(ten), 1n, 0, bits);
  else value = round(negative, digits, 10n ** BigInt(-ten), 0, bits);
  return { value, length: whole.length };
}

/** numerator / denominator * 2 ** exponent with `bits` bits, half to even. */
function round(
  negative: boolean,
  numerator: bigint,
  denominator: bigint,
  exponent: number,
  bits: number,
): Floating {
  if (numerator === 0n) return { negative, mantissa: 0n, exponent: 0 };
  const shift = bits + 1 - (bitLength(numerator) - bitLength(denominator));
  const scaled = shift > 0 ? numerator << BigInt(shift) : numerator;
  const divisor = shift < 0 ? denominator << BigInt(-shift) : denominator;
  // Between bits and bits + 1 digits too many: drop those, rounding what the division left too.
  const quotient = scaled / divisor;
  const drop = bitLength(quotient) - bits;
  const isInexact = quotient * divisor !== scaled;
  const mantissa = shiftRight((quotient << 1n) | (isInexact ? 1n : 0n), drop + 1);
  return { negative, mantissa, exponent: exponent - shift + drop };
}

function bitLength(value: bigint): number {
  return value.toString(2).length;
}

/** value / 2 ** count, half to even. */
function shiftRight(value: bigint, count: number): bigint {
  if (count <= 0) return value << BigInt(-count);
  return divideEven(value, 1n << BigInt(count));
}

function divideEven(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  const twice = (value - quotient * divisor) * 2n;
  if (twice < divisor || (twice === divisor && quotient % 2n === 0n)) return quotient;
  return quotient + 1n;
}

export function fromDouble(value: number): Floating {
  if (Number.isNaN(value)) return { negative: false, mantissa: 0n, exponent: 0, special: 'nan' };
  const negative = value < 0 || Object.is(value, -0);
  if (!Number.isFinite(value)) return { negative, mantissa: 0n, exponent: 0, special: 'inf' };
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, Math.abs(value));
  const bits = view.getBigUint64(0);
  const biased = Number(bits >> 52n);
  const fraction = bits & 0xf_ffff_ffff_ffffn;
  const mantissa = biased === 0 ? fraction : fraction | (1n << 52n);
  return { negative, mantissa, exponent: (biased || 1) - 1075 };
}

/** Towards zero. */
export function truncate({ negative, mantissa, exponent }: Floating): bigint {
  const size = exponent >= 0 ? mantissa << BigInt(exponent) : mantissa >> BigInt(-exponent);
  return negative ? -size : size;
}

/** |f| * 10 ** places as a whole number. */
function scaled({ mantissa, exponent }: Floating, places: number): bigint {
  let numerator = mantissa;
  let denominator = 1n;
  if (exponent >= 0) numerator <<= BigInt(exponent);
  else denominator <<= BigInt(-exponent);
  if (places >= 0) numerator *= 10n ** BigInt(places);
  else denominator *= 10n ** BigInt(-places);
  return divideEven(numerator, denominator);
}

/** Without the sign. */
export function formatFixed(f: Floating, places: number, keepPoint = false): string {
  if (f.special) return f.special;
  const digits = scaled(f, places)
    .toString()
    .padStart(places + 1, '0');
  if (places === 0) return keepPoint ? `${digits}.` : digits;
  return `${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

/** The first `count` digits, and the power of ten of the first. */
function leadingDigits(f: Floating, count: number): { digits: string; power: number } {
  if (f.mantissa === 0n) return { digits: '0'.repeat(count), power: 0 };
  // log10 of 2 says how many digits there are, off by one at most.
  let power = Math.floor((bitLength(f.mantissa) + f.exponent - 1) * Math.LOG10E * Math.LN2);
  for (;;) {
    const digits = scaled(f, count - 1 - power).toString();
    if (digits.length === count) return { digits, power };
    power += digits.length > count ? 1 : -1;
  }
}

function exponentText(power: number): string {
  return `e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

export function formatExponent(f: Floating, places: number, keepPoint = false): string {
  if (f.special) return f.special;
  const { digits, power } = leadingDigits(f, places + 1);
  const point = places > 0 || keepPoint ? '.' : '';
  return `${digits[0]}${point}${digits.slice(1)}${exponentText(power)}`;
}

/** `keepZeros`: the # flag. */
export function formatGeneral(f: Floating, precision: number, keepZeros = false): string {
  if (f.special) return f.special;
  const count = precision || 1;
  const { digits, power } = leadingDigits(f, count);
  const trim = (text: string): string =>
    keepZeros || !text.includes('.') ? text : text.replace(/\.?0+$/, '');
  if (power < -4 || power >= count) {
    const point = count > 1 || keepZeros ? '.' : '';
    return trim(`${digits[0]}${point}${digits.slice(1)}`) + exponentText(power);
  }
  return trim(formatFixed(f, count - 1 - power, keepZeros));
}

/** %a of a long double: the first digit has four bits. */
export function formatHexadecimal(f: Floating): string {
  if (f.special) return f.special;
  if (f.mantissa === 0n) return '0x0p+0';
  const shift = bitLength(f.mantissa) - LONG_DOUBLE_BITS;
  const mantissa = shift > 0 ? f.mantissa >> BigInt(shift) : f.mantissa << BigInt(-shift);
  const digits = mantissa.toString(16);
  const fraction = digits.slice(1).replace(/0+$/, '');
  const power = f.exponent + shift + LONG_DOUBLE_BITS - 4;
  return `0x${digits[0]}${fraction && `.${fraction}`}p${power < 0 ? '-' : '+'}${Math.abs(power)}`;
}
