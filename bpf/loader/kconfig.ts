/**
 * Values of kernel configuration externs (`extern unsigned CONFIG_HZ __kconfig`), written to the
 * contents of the `.kconfig` map by the variable's type, with libbpf's rules and complaints.
 *
 *   const config = kernelConfigOf(text, '6.1.0-skep');   the lines of /proc/config.gz
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from '../btf/btf.ts';
import type { ObjectExtern } from '../elf/object-spec.ts';
import { LoadError } from './failure.ts';

export interface KernelConfig {
  /**
   * `y`, `m`, `n`, a number or a string in quotes, as in /proc/config.gz; undefined where there is
   * no such file.
   */
  readonly options: ReadonlyMap<string, string> | undefined;
  /** KERNEL_VERSION(a, b, c) of the running kernel: LINUX_KERNEL_VERSION. */
  readonly versionCode: number;
}

/** `text`: lines `CONFIG_X=value`, the rest is comments. `release`: as uname says it. */
export function kernelConfigOf(text: string | undefined, release: string): KernelConfig {
  const options = new Map<string, string>();
  for (const line of text?.split('\n') ?? []) {
    const match = /^(CONFIG_\w+)=(.+)$/.exec(line);
    if (match && !options.has(match[1]!)) options.set(match[1]!, match[2]!);
  }
  const [major = 0, minor = 0, patch = 0] = release.split(/[.-]/).map(Number);
  // KERNEL_VERSION has eight bits for the last number.
  const known = text === undefined ? undefined : options;
  return { options: known, versionCode: (major << 16) | (minor << 8) | Math.min(255, patch || 0) };
}

/** What a variable can hold, as libbpf sees its type. */
type KconfigType = 'bool' | 'char' | 'int' | 'tristate' | 'string';

/**
 * Writes the extern's value into `data`, the contents of the map. False: there is no such option.
 * Throws LoadError for a value that does not suit the type, and for types that hold none.
 */
export function writeKconfig(
  extern: ObjectExtern,
  config: KernelConfig,
  btf: Btf,
  data: Uint8Array,
): boolean {
  const refuse = (why: string, code: number = errno.EINVAL): never => {
    throw new LoadError(code, [`libbpf: extern (kcfg) '${extern.name}': ${why}`]);
  };
  const { typeId, offset, sizeBytes, name } = extern;
  const kind = kconfigType(btf, typeId) ?? refuse('type is unsupported', errno.ENOTSUPP);
  const type = btf.resolved(typeId);
  const signed = type.kind === 'int' && type.signed;
  const target = { bytes: data.subarray(offset, offset + sizeBytes), kind, signed, refuse };
  if (name.startsWith('CONFIG_')) {
    if (config.options === undefined) {
      throw new LoadError(errno.EINVAL, ['libbpf: failed to open system Kconfig']);
    }
    const text = config.options.get(name);
    if (text !== undefined) writeText(target, text);
    return text !== undefined;
  }
  const virtual = VIRTUAL[name]?.(config);
  if (virtual !== undefined) writeNumber(target, virtual);
  // What libbpf does not know yet may be asked for, if one can do without.
  else if (!name.startsWith('LINUX_') || !extern.weak) refuse('unrecognized virtual extern');
  return virtual !== undefined;
}

/** Variables that libbpf answers itself; the features hold for 6.1 on x86-64 and arm64. */
const VIRTUAL: Readonly<Record<string, (config: KernelConfig) => bigint>> = {
  LINUX_KERNEL_VERSION: ({ versionCode }) => BigInt(versionCode),
  LINUX_HAS_BPF_COOKIE: () => 1n,
  LINUX_HAS_SYSCALL_WRAPPER: () => 1n,
};

function kconfigType(btf: Btf, typeId: number): KconfigType | undefined {
  const type = btf.resolved(typeId);
  switch (type.kind) {
    case 'int':
      if (type.bool) return type.size === 1 ? 'bool' : undefined;
      if (type.size === 1) return 'char';
      return [2, 4, 8].includes(type.size) ? 'int' : undefined;
    case 'enum':
    case 'enum64':
      return type.name === 'libbpf_tristate' && (type.size === 4 || type.kind === 'enum64')
        ? 'tristate'
        : undefined;
    case 'array':
      return type.count > 0 && kconfigType(btf, type.elementType) === 'char' ? 'string' : undefined;
    default:
      return undefined;
  }
}

interface Target {
  readonly bytes: Uint8Array;
  readonly kind: KconfigType;
  readonly signed: boolean;
  readonly refuse: (why: string, code?: number) => never;
}

/** A value as the configuration spells it; its first character says what it is. */
function writeText(target: Target, text: string): void {
  const { bytes, kind, refuse } = target;
  const first = text[0]!;
  if ('ynm'.includes(first)) {
    if (kind === 'char') return setBytes(bytes, BigInt(first.charCodeAt(0)));
    if (kind === 'tristate') return setBytes(bytes, BigInt('nym'.indexOf(first)));
    if (kind !== 'bool') return refuse(`value '${first}' implies bool, tristate, or char type`);
    if (first === 'm') refuse(`value '${first}' implies tristate or char type`);
    return setBytes(bytes, first === 'y' ? 1n : 0n);
  }
  if (first === '"') {
    if (kind !== 'string') refuse(`value '${text}' implies char array type`);
    if (!text.endsWith('"')) refuse(`invalid string config '${text}'`);
    bytes.fill(0);
    // Cut to fit, with its NUL.
    bytes.set(new TextEncoder().encode(text.slice(1, -1)).subarray(0, bytes.length - 1));
    return;
  }
  const value = parseInteger(text) ?? refuse(`value '${text}' isn't a valid integer`);
  if (kind !== 'int' && kind !== 'char') refuse(`value '${text}' implies integer type`);
  writeNumber(target, value);
}

/** strtoull(3) with base 0: hexadecimal, octal or decimal; a sign wraps. */
function parseInteger(text: string): bigint | undefined {
  const match = /^([+-]?)(0x[0-9a-fA-F]+|0[0-7]*|[1-9]\d*)$/.exec(text);
  if (!match) return undefined;
  const digits = match[2]!;
  const value = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  return match[1] === '-' ? -value : value;
}

function writeNumber({ bytes, kind, signed, refuse }: Target, value: bigint): void {
  const shown = BigInt.asUintN(64, value);
  if (kind === 'tristate' || kind === 'string') {
    refuse(`value '${shown}' implies integer, char, or boolean type`);
  }
  if (kind === 'bool' && shown > 1n) refuse(`value '${shown}' isn't boolean compatible`);
  const bits = bytes.length * 8;
  const kept = signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
  if (bits < 64 && kept !== (signed ? value : shown)) {
    const hex = shown.toString(16);
    refuse(`value '${shown}' (0x${hex}) doesn't fit in ${bytes.length} bytes`, errno.ERANGE);
  }
  setBytes(bytes, value);
}

function setBytes(bytes: Uint8Array, value: bigint): void {
  let rest = BigInt.asUintN(64, value);
  for (let at = 0; at < bytes.length; at++, rest >>= 8n) bytes[at] = Number(rest & 0xffn);
}
