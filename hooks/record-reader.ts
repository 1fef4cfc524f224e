/** Reading a trace record field by field, by name; for printing and filtering. */
import type { AnyTraceEvent, Field, RecordReader } from './trace-event.ts';
import { COMMON_FIELDS } from './trace-event.ts';
import { Bug } from '../kernel/types/units.ts';

/** One reader serves many records: `use(bytes)` points it at the next. */
export class FieldReader implements RecordReader {
  readonly #fields = new Map<string, Field>();
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));

  constructor(event: AnyTraceEvent) {
    for (const field of COMMON_FIELDS) this.#fields.set(field.name, field);
    for (const field of event.fields) this.#fields.set(field.name, field);
  }

  use(bytes: Uint8Array): this {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return this;
  }

  field(name: string): Field | undefined {
    return this.#fields.get(name);
  }

  number(name: string): number {
    const { offset, size, signed } = this.#get(name);
    const view = this.#view;
    switch (size) {
      case 1:
        return signed ? view.getInt8(offset) : view.getUint8(offset);
      case 2:
        return signed ? view.getInt16(offset, true) : view.getUint16(offset, true);
      case 4:
        return signed ? view.getInt32(offset, true) : view.getUint32(offset, true);
      default:
        return Number(this.big(name));
    }
  }

  big(name: string): bigint {
    const { offset, size, signed } = this.#get(name);
    if (size < 8) return BigInt(this.number(name));
    return signed ? this.#view.getBigInt64(offset, true) : this.#view.getBigUint64(offset, true);
  }

  element(name: string, index: number): bigint {
    return this.#view.getBigUint64(this.#get(name).offset + index * 8, true);
  }

  text(name: string): string {
    const field = this.#get(name);
    let { offset, size } = field;
    if (field.dynamic) {
      const word = this.#view.getUint32(offset, true);
      offset = word & 0xffff;
      size = word >>> 16;
    }
    const bytes = this.#bytes.subarray(offset, offset + size);
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(bytes.subarray(0, end < 0 ? size : end));
  }

  #get(name: string): Field {
    const field = this.#fields.get(name);
    if (!field) throw new Bug(`no field ${name}`);
    return field;
  }
}
