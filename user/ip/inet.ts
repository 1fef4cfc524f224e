/** Internet addresses as text, both ways. */
import { hexBytes } from '../libc/text.ts';

export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) return hexBytes(bytes, ':');
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!);
  // The longest run of two or more zero groups becomes '::' (RFC 5952).
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const text = (part: readonly number[]): string => part.map((g) => g.toString(16)).join(':');
  if (best.start < 0) return text(groups);
  return `${text(groups.slice(0, best.start))}::${text(groups.slice(best.start + best.length))}`;
}

export interface Prefix {
  readonly address: Uint8Array;
  readonly length: number;
}

/** '10.0.0.1/24', '::1'; without a length all bits count. Undefined if it is none. */
export function parsePrefix(text: string): Prefix | undefined {
  const [host = '', lengthText] = text.split('/');
  const address = host.includes(':') ? parseV6(host) : parseV4(host);
  if (!address) return undefined;
  const bits = address.length * 8;
  const length = lengthText === undefined ? bits : Number(lengthText);
  const isValid = lengthText === undefined || (/^\d+$/.test(lengthText) && length <= bits);
  return isValid ? { address, length } : undefined;
}

function parseV4(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  const isValid =
    parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256);
  return isValid ? Uint8Array.from(parts, Number) : undefined;
}

function parseV6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = (half: string): string[] => (half === '' ? [] : half.split(':'));
  const head = groups(halves[0]!);
  const tail = halves.length === 2 ? groups(halves[1]!) : [];
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...head, ...Array.from({ length: missing }, () => '0'), ...tail];
  if (!all.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return Uint8Array.from(
    all.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff]),
  );
}

/** RT_SCOPE_* (UAPI linux/rtnetlink.h). */
export function scopeName(scope: number): string {
  const names: Record<number, string> = {
    0: 'global',
    200: 'site',
    253: 'link',
    254: 'host',
    255: 'nowhere',
  };
  return names[scope] ?? String(scope);
}
