/** bpftool's way with bytes: 16 a line, a gap after 8. */
import { hexBytes } from '../libc/text.ts';

export function hexText(bytes: Uint8Array, separator = ' '): string {
  let out = '';
  bytes.forEach((byte, index) => {
    if (index > 0) out += index % 16 === 0 ? '\n' : index % 8 === 0 ? '  ' : separator;
    out += byte.toString(16).padStart(2, '0');
  });
  return out;
}

export const tagText = (tag: Uint8Array): string => hexBytes(tag);
