/**
 * Binary records that cross bpf(2): a declaration gives offsets, encoder and decoder.
 *
 *   const ID = record({ start_id: U32, next_id: U32 });
 *   ID.encode({ start_id: 1 })      bytes up to the end of the last field, the rest 0
 *   ID.decode(bytes)                {start_id, next_id}; fields beyond the bytes read as 0
 *   ID.offsets.next_id, ID.sizeBytes
 *
 * C's layout rules (LP64). U64 fields are bigint; use `Number` where an address or size is meant.
 */

export const U32 = { kind: 'int', bytes: 4 } as const;
export const U64 = { kind: 'int', bytes: 8 } as const;
/** A name of BPF_OBJ_NAME_LEN bytes, NUL-terminated. */
export const NAME = { kind: 'chars', bytes: 16 } as const;
/** Bytes as they are. */
export const rawBytes = (bytes: number) => ({ kind: 'bytes', bytes }) as const;

type FieldType =
  | { readonly kind: 'int'; readonly bytes: 4 | 8 }
  | { readonly kind: 'chars'; readonly bytes: number }
  | { readonly kind: 'bytes'; readonly bytes: number };
type Fields = Readonly<Record<string, FieldType>>;
type ValueOf<T extends FieldType> = T extends { kind: 'chars' }
  ? string
  : T extends { kind: 'bytes' }
    ? Uint8Array
    : T extends { bytes: 8 }
      ? bigint
      : number;

/** Decoded values of a record's fields. */
export type ValuesOf<R> =
  R extends Record_<infer F> ? { readonly [K in keyof F]: ValueOf<F[K]> } : never;

export interface Record_<F extends Fields> {
  /** To the end of the last field, not padded. */
  readonly sizeBytes: number;
  readonly offsets: { readonly [K in keyof F]: number };
  readonly fields: F;
  encode(values: { readonly [K in keyof F]?: ValueOf<F[K]> | undefined }): Uint8Array<ArrayBuffer>;
  decode(bytes: Uint8Array): { readonly [K in keyof F]: ValueOf<F[K]> };
}

/** `at` overrides offsets, for members of C unions. */
export function record<const F extends Fields>(
  fields: F,
  at: { readonly [K in keyof F]?: number } = {},
): Record_<F> {
  const offsets: Record<string, number> = {};
  let end = 0;
  let sizeBytes = 0;
  for (const [name, type] of Object.entries(fields)) {
    const align = type.kind === 'int' ? type.bytes : 1;
    const offset = at[name] ?? Math.ceil(end / align) * align;
    offsets[name] = offset;
    end = offset + type.bytes;
    sizeBytes = Math.max(sizeBytes, end);
  }
  const entries = Object.entries<FieldType>(fields);
  return {
    sizeBytes,
    offsets: offsets as Record_<F>['offsets'],
    fields,
    encode(values) {
      const bytes = new Uint8Array(sizeBytes);
      for (const [name, type] of entries) {
        const value = values[name];
        if (value !== undefined) writeField(bytes, offsets[name]!, type, value);
      }
      return bytes;
    },
    decode(bytes) {
      const whole = new Uint8Array(sizeBytes);
      whole.set(bytes.subarray(0, sizeBytes));
      const values = entries.map(([name, type]) => [name, readField(whole, offsets[name]!, type)]);
      return Object.fromEntries(values) as ReturnType<Record_<F>['decode']>;
    },
  };
}

type AnyValue = number | bigint | string | Uint8Array;

function writeField(bytes: Uint8Array, offset: number, type: FieldType, value: AnyValue): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (type.kind === 'bytes') {
    bytes.set((value as Uint8Array).subarray(0, type.bytes), offset);
  } else if (type.kind === 'chars') {
    const text = new TextEncoder().encode(value as string).subarray(0, type.bytes - 1);
    bytes.set(text, offset);
  } else if (type.bytes === 8) {
    view.setBigUint64(offset, BigInt.asUintN(64, value as bigint), true);
  } else {
    view.setUint32(offset, value as number, true);
  }
}

function readField(bytes: Uint8Array, offset: number, type: FieldType): AnyValue {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (type.kind === 'bytes') return bytes.slice(offset, offset + type.bytes);
  if (type.kind === 'chars') {
    const field = bytes.subarray(offset, offset + type.bytes);
    const end = field.indexOf(0);
    return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
  }
  if (type.bytes === 8) return view.getBigUint64(offset, true);
  return view.getUint32(offset, true);
}
