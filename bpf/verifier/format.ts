/**
 * Format strings of bpf_snprintf, as far as they can be checked before they run: known conversions,
 * and an argument for each.
 */
import { errno } from '../../kernel/types/errno.ts';

const FLAGS = /^[0+\- ]*(?:[1-9][0-9]*)?/;
const INTEGER = /^l{0,2}[iduxX]/;
/** %p alone, %pks and %pus (strings), %pK %px %ps %pS %pB, IP addresses. */
const POINTER = /^p(?:[ku]s(?![^\s\W_]|_)|[KxsSB]|[iI][46]|(?=$|[\s!-/:-@[-`{-~]))/;
const STRING = /^s(?=$|[\s!-/:-@[-`{-~])/;

/** 0 or a positive errno. */
export function checkFormat(format: string, argCount: number): number {
  let used = 0;
  for (let at = 0; at < format.length; at++) {
    const code = format.charCodeAt(at);
    const isText = code >= 0x80 || (code >= 0x20 && code < 0x7f) || (code >= 9 && code <= 13);
    if (!isText) return errno.EINVAL;
    if (format[at] !== '%') continue;
    if (format[at + 1] === '%') {
      at++;
      continue;
    }
    if (used >= argCount) return errno.EINVAL;
    const rest = format.slice(at + 1);
    const flags = FLAGS.exec(rest)![0];
    const conversion = rest.slice(flags.length);
    const match =
      POINTER.exec(conversion) ??
      STRING.exec(conversion) ??
      /^c/.exec(conversion) ??
      INTEGER.exec(conversion);
    if (!match) return errno.EINVAL;
    at += flags.length + match[0].length;
    used++;
  }
  return 0;
}
