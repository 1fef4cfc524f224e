/**
 * C struct layouts of user space: bytes <-> plain objects, members at C's offsets (LP64).
 *
 *   const Timespec = layout({ sec: 'n64', nsec: 'n64' });
 *   Timespec.size; Timespec.encode({ sec: 1 }); Timespec.decode(bytes).nsec
 *
 * 'n64' and 's64' are 64-bit members whose values fit a double (sizes, addresses, times); 'u64' is
 * a bigint; a number is that many bytes, as Uint8Array.
 */
type Scalar = 'u8' | 'u16' | 'u32' | 'i32' | 'n64' | 's64' | 'u64';
export type Member = Scalar | number;

type ValueOf<M extends Member> = M extends 'u64' ? bigint : M extends number ? Uint8Array : number;
type Values<S extends Record<string, Member>> = { [K in keyof S]: ValueOf<S[K]> };

const SIZES: Record<Scalar, number> = { u8: 1, u16: 2, u32: 4, i32: 4, n64: 8, s64: 8, u64: 8 };

export interface Layout<S extends Record<string, Member>> {
  readonly size: number;
  readonly offsets: { readonly [K in keyof S]: number };
  /** Members left out are zero. */
  encode(values: Partial<Values<S>>): Uint8Array;
  /** Members beyond the end of `bytes` read as zero, as an older kernel leaves them. */
  decode(bytes: Uint8Array, at?: number): Values<S>;
}

export function layout<const S extends Record<string, Member>>(members: S): Layout<S> {
  const offsets: Record<string, number> = {};
  let end = 0;
  let align = 1;
  for (const [name, member] of Object.entries(members)) {
    const size = typeof member === 'number' ? member : SIZES[member];
    const memberAlign = typeof member === 'number' ? 1 : size;
    align = Math.max(align, memberAlign);
    offsets[name] = Math.ceil(end / memberAlign) * memberAlign;
    end = offsets[name] + size;
  }
  const size = Math.ceil(end / align) * align;
  const entries = Object.entries(members);
  return {
    size,
    offsets: offsets as { [K in keyof S]: number },
    encode(values) {
      const bytes = new Uint8Array(size);
      for (const [name, member] of entries) {
        const value = values[name];
        if (value === undefined) continue;
        if (typeof member === 'number') {
          bytes.set((value as Uint8Array).subarray(0, member), offsets[name]);
        } else {
          store(bytes, offsets[name]!, member, value as number | bigint);
        }
      }
      return bytes;
    },
    decode(bytes, at = 0) {
      let source = bytes.subarray(at, at + size);
      if (source.length < size) {
        const padded = new Uint8Array(size);
        padded.set(source);
        source = padded;
      }
      const out: Record<string, unknown> = {};
      for (const [name, member] of entries) {
        const offset = offsets[name]!;
        out[name] =
          typeof member === 'number'
            ? source.slice(offset, offset + member)
            : load(source, offset, member);
      }
      return out as Values<S>;
    },
  };
}

function dataView(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function store(bytes: Uint8Array, at: number, type: Scalar, value: number | bigint): void {
  const view = dataView(bytes);
  switch (type) {
    case 'u8':
      return view.setUint8(at, Number(value));
    case 'u16':
      return view.setUint16(at, Number(value), true);
    case 'u32':
    case 'i32':
      return view.setUint32(at, Number(value), true);
    default:
      return view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
  }
}

export function load(bytes: Uint8Array, at: number, type: Scalar): number | bigint {
  const view = dataView(bytes);
  switch (type) {
    case 'u8':
      return view.getUint8(at);
    case 'u16':
      return view.getUint16(at, true);
    case 'u32':
      return view.getUint32(at, true);
    case 'i32':
      return view.getInt32(at, true);
    case 'n64':
      return Number(view.getBigUint64(at, true));
    case 's64':
      return Number(view.getBigInt64(at, true));
    case 'u64':
      return view.getBigUint64(at, true);
  }
}
