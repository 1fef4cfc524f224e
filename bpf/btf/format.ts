/**
 * Values as bpftool prints them by their BTF type: what `bpftool map dump` shows.
 *
 *   formatValue(btf, typeId, bytes)       -> a tree
 *   printJson(tree, { pretty: true })     -> text in the style of bpftool's JSON writer
 *
 * `plain` (the default) is bpftool without -j: bit-fields and odd characters in hex.
 */
import type { Btf } from './btf.ts';
import type { BtfType } from './types.ts';

export type JsonTree =
  | { readonly kind: 'object'; readonly members: readonly (readonly [string, JsonTree])[] }
  | { readonly kind: 'array'; readonly items: readonly JsonTree[] }
  | { readonly kind: 'string'; readonly text: string }
  /** Printed as it is: a number, true, false or null. */
  | { readonly kind: 'raw'; readonly text: string };

export interface FormatOptions {
  /** False for `bpftool -j` and -p. */
  readonly plain?: boolean;
}

const raw = (text: string | number | bigint): JsonTree => ({ kind: 'raw', text: `${text}` });
const string = (text: string): JsonTree => ({ kind: 'string', text });

/** Deeper nesting than any real type has; prints as null. */
const MAX_DEPTH = 32;
/** Values printed for one byte; unions show a byte many times, a hostile type billions of times. */
const NODES_PER_BYTE = 64;
const LEAST_NODES = 10_000;

export function formatValue(
  btf: Btf,
  typeId: number,
  bytes: Uint8Array,
  options: FormatOptions = {},
): JsonTree {
  const nodes = NODES_PER_BYTE * bytes.length + LEAST_NODES;
  return new Formatter(btf, options.plain ?? true, nodes).value(typeId, bytes, 0);
}

class Formatter {
  readonly #btf: Btf;
  readonly #plain: boolean;
  #nodes: number;

  constructor(btf: Btf, plain: boolean, nodes: number) {
    this.#btf = btf;
    this.#plain = plain;
    this.#nodes = nodes;
  }

  value(typeId: number, bytes: Uint8Array, depth: number): JsonTree {
    const type = this.#btf.resolved(typeId);
    const size = this.#btf.sizeOf(typeId) ?? 0;
    if (depth > MAX_DEPTH || --this.#nodes < 0 || bytes.length < size) return raw('null');
    switch (type.kind) {
      case 'int':
        return this.#int(type, bytes);
      case 'ptr':
        return raw(this.#plain ? pointerText(unsigned(bytes, 8)) : unsigned(bytes, 8));
      case 'enum':
      case 'enum64': {
        const value = type.signed ? signed(bytes, type.size) : unsigned(bytes, type.size);
        const known = type.values.find((enumerator) => enumerator.value === value);
        return known === undefined ? raw(value) : string(known.name);
      }
      case 'float':
        return raw(floatText(bytes, type.size));
      case 'array':
        return this.#array(type, bytes, depth);
      case 'struct':
      case 'union':
        return {
          kind: 'object',
          members: type.members.map(({ name, type: member, bitOffset, bitSize }) => [
            name,
            bitSize > 0
              ? this.#bits(bytes, bitOffset, bitSize)
              : this.#member(member, bytes, bitOffset, depth),
          ]),
        };
      case 'var':
        return { kind: 'object', members: [[type.name, this.value(type.type, bytes, depth + 1)]] };
      case 'datasec': {
        const items = type.vars.map(({ type: variable, offset, size: length }) =>
          this.value(variable, bytes.subarray(offset, offset + length), depth + 1),
        );
        return { kind: 'object', members: [[type.name, { kind: 'array', items }]] };
      }
      default:
        return raw('null');
    }
  }

  #member(typeId: number, bytes: Uint8Array, bitOffset: number, depth: number): JsonTree {
    const type = this.#btf.resolved(typeId);
    // Old compilers describe a bit-field by an INT of fewer bits.
    if (type.kind === 'int' && (bitOffset % 8 !== 0 || isOddInt(type))) {
      return this.#bits(bytes, bitOffset + type.bitOffset, type.bits);
    }
    return this.value(typeId, bytes.subarray(Math.floor(bitOffset / 8)), depth + 1);
  }

  #int(type: Extract<BtfType, { kind: 'int' }>, bytes: Uint8Array): JsonTree {
    if (isOddInt(type)) return this.#bits(bytes, type.bitOffset, type.bits);
    if (type.char) {
      const code = bytes[0]!;
      if (code > 0x1f && code < 0x7f) return string(String.fromCharCode(code));
      return this.#plain ? raw(`0x${code.toString(16)}`) : string(String.fromCharCode(code));
    }
    if (type.bool) return raw(bytes[0] === 0 ? 'false' : 'true');
    if (type.size > 8) {
      const high = unsigned(bytes.subarray(8), 8);
      const low = unsigned(bytes, 8).toString(16);
      const text = high === 0n ? `0x${low}` : `0x${high.toString(16)}${low.padStart(16, '0')}`;
      return this.#plain ? raw(text) : string(text);
    }
    return raw(type.signed ? signed(bytes, type.size) : unsigned(bytes, type.size));
  }

  #bits(bytes: Uint8Array, bitOffset: number, bitSize: number): JsonTree {
    const first = Math.floor(bitOffset / 8);
    const shift = bitOffset % 8;
    const length = Math.ceil((shift + bitSize) / 8);
    if (first + length > bytes.length) return raw('null');
    const value =
      (unsigned(bytes.subarray(first), length) >> BigInt(shift)) & ((1n << BigInt(bitSize)) - 1n);
    return raw(this.#plain ? `0x${value.toString(16)}` : value);
  }

  #array(type: Extract<BtfType, { kind: 'array' }>, bytes: Uint8Array, depth: number): JsonTree {
    const element = this.#btf.resolved(type.elementType);
    if (element.kind === 'int' && element.size === 1 && (element.char || element.name === 'char')) {
      const text = printable(bytes.subarray(0, type.count));
      if (text !== undefined) return string(text);
    }
    const size = this.#btf.sizeOf(type.elementType) ?? 0;
    const items: JsonTree[] = [];
    for (let index = 0; index < type.count && this.#nodes >= 0; index++) {
      items.push(this.value(type.elementType, bytes.subarray(index * size), depth + 1));
    }
    return { kind: 'array', items };
  }
}

const isOddInt = ({ bits, bitOffset, size }: Extract<BtfType, { kind: 'int' }>) =>
  bitOffset !== 0 || bits !== size * 8;

/** `%p`, which glibc prints as (nil) for NULL. */
const pointerText = (value: bigint) => (value === 0n ? '(nil)' : `0x${value.toString(16)}`);

function unsigned(bytes: Uint8Array, size: number): bigint {
  let value = 0n;
  for (let at = size - 1; at >= 0; at--) value = (value << 8n) | BigInt(bytes[at]!);
  return value;
}

const signed = (bytes: Uint8Array, size: number) => BigInt.asIntN(size * 8, unsigned(bytes, size));

function floatText(bytes: Uint8Array, size: number): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (size === 4) return `${view.getFloat32(0, true)}`;
  return size === 8 ? `${view.getFloat64(0, true)}` : 'null';
}

/** The text up to the NUL, if there is one and all before it is printable ASCII. */
function printable(bytes: Uint8Array): string | undefined {
  const end = bytes.indexOf(0);
  if (end < 0) return undefined;
  const text = bytes.subarray(0, end);
  if (text.some((byte) => byte <= 0x1f || byte >= 0x7f)) return undefined;
  return String.fromCharCode(...text);
}

/**
 * Compact JSON, or in the style of the writer that bpftool and iproute2 share: members of objects on
 * lines of their own, items of arrays not, closing brackets on lines of their own.
 */
export function printJson(
  tree: JsonTree,
  options: { readonly pretty?: boolean; readonly depth?: number } = {},
): string {
  const pretty = options.pretty ?? false;
  const line = (depth: number) => (pretty ? `\n${'    '.repeat(depth)}` : '');
  const print = (node: JsonTree, depth: number): string => {
    switch (node.kind) {
      case 'raw':
        return node.text;
      case 'string':
        return quote(node.text);
      case 'array': {
        if (node.items.length === 0) return '[]';
        const items = node.items.map((item) => print(item, depth + 1)).join(',');
        return `[${items}${line(depth)}]`;
      }
      case 'object': {
        if (node.members.length === 0) return '{}';
        const colon = pretty ? ': ' : ':';
        const members = node.members.map(
          ([name, value]) => `${line(depth + 1)}${quote(name)}${colon}${print(value, depth + 1)}`,
        );
        return `{${members.join(',')}${line(depth)}}`;
      }
    }
  };
  return print(tree, options.depth ?? 0);
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
  '\f': '\\f',
  '\b': '\\b',
  '\\': '\\\\',
  '"': '\\"',
};

function quote(text: string): string {
  const escaped = text.replace(/[\t\n\r\f\b\\"]|[^\x20-\x7e]/g, (char) => {
    const code = char.charCodeAt(0);
    return ESCAPES[char] ?? (code < 0x20 ? `\\u${code.toString(16).padStart(4, '0')}` : char);
  });
  return `"${escaped}"`;
}
