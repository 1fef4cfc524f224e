/**
 * Values of kernel configuration externs (`extern unsigned CONFIG_HZ __kconfig`), written to the
 * contents of the `.kconfig` map by the variable's type.
 */
import type { Btf } from '../btf/btf.ts';
import type { ObjectExtern } from '../elf/object-spec.ts';

export interface KernelConfig {
  /** `y`, `m`, `n`, a number or a string in quotes, as in /proc/config.gz. */
  readonly options: ReadonlyMap<string, string>;
  /** KERNEL_VERSION(a, b, c) of the running kernel: LINUX_KERNEL_VERSION. */
  readonly versionCode: number;
}

/** False for a value that does not suit the type. Undefined: there is no such option. */
export function writeKconfig(
  extern: ObjectExtern,
  config: KernelConfig,
  btf: Btf,
  data: Uint8Array,
): boolean | undefined {
  const target = data.subarray(extern.offset, extern.offset + extern.sizeBytes);
  switch (extern.name) {
    case 'LINUX_KERNEL_VERSION':
      return writeNumber(target, BigInt(config.versionCode));
    // Virtual externs that libbpf answers by probing; both hold for 6.1 on x86-64 and arm64.
    case 'LINUX_HAS_BPF_COOKIE':
    case 'LINUX_HAS_SYSCALL_WRAPPER':
      return writeNumber(target, 1n);
  }
  const text = config.options.get(extern.name);
  if (text === undefined) return undefined;
  const type = btf.resolved(extern.typeId);
  if (type.kind === 'array') return writeString(target, text);
  if (/^[ymn]$/.test(text)) {
    if (type.kind === 'int' && (type.char || type.name === 'char')) {
      return writeNumber(target, BigInt(text.charCodeAt(0)));
    }
    if (type.kind === 'enum') return writeNumber(target, BigInt('nym'.indexOf(text)));
    if (type.kind === 'int' && type.bool)
      return text !== 'm' && writeNumber(target, text === 'y' ? 1n : 0n);
    return false;
  }
  if (type.kind !== 'int' || type.bool || !/^-?(0x[0-9a-fA-F]+|\d+)$/.test(text)) return false;
  const value = text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text);
  const bits = type.size * 8;
  const fits = type.signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
  return fits === value && writeNumber(target, value);
}

function writeNumber(target: Uint8Array, value: bigint): true {
  let rest = BigInt.asUintN(64, value);
  for (let at = 0; at < target.length; at++, rest >>= 8n) target[at] = Number(rest & 0xffn);
  return true;
}

/** Without its quotes, cut to fit, NUL-terminated. */
function writeString(target: Uint8Array, text: string): boolean {
  if (!/^".*"$/.test(text)) return false;
  target.fill(0);
  target.set(new TextEncoder().encode(text.slice(1, -1)).subarray(0, target.length - 1));
  return true;
}
