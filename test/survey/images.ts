/**
 * BPF objects embedded in a file, as skeletons embed them: a copy of the whole ELF image among
 * the read-only data.
 */
import { isElfImage, elfImageBytes } from '../../bpf/elf/elf-file.ts';

/** Every sound ELF64 image of BPF within `bytes`, in order. */
export function imagesIn(bytes: Uint8Array): Uint8Array[] {
  const images: Uint8Array[] = [];
  for (let at = bytes.indexOf(0x7f); at >= 0; at = bytes.indexOf(0x7f, at + 1)) {
    if (!isElfImage(bytes.subarray(at))) continue;
    const size = elfImageBytes(bytes.subarray(at));
    if (size === undefined) continue;
    images.push(bytes.slice(at, at + size));
    at += size - 1;
  }
  return images;
}
