/**
 * An object's global variables by name, as a skeleton gives them to C: typed by BTF, set before the
 * object is loaded, read and written while it runs.
 *
 *   const globals = new Globals(spec);
 *   globals.set('config.port', 53)                        into .data, .rodata or .bss
 *   yield* loadObject(user, spec, { editData: globals.editData })
 *   yield* globals.pull(user, loaded)                     what programs have made of them since
 *   globals.get('packets')                                1234n; arrays, structs: see btf/value.ts
 *   globals.set('enabled', true); yield* globals.push(user, loaded)
 *
 * differs: libbpf maps the memory of these maps; here they are copied by pull and push.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from '../btf/btf.ts';
import { type BtfValue, findPlace, type Place, readPlace, writePlace } from '../btf/value.ts';
import type { ObjectSpec } from '../elf/object-spec.ts';
import { fixedBtf } from './btf-fixup.ts';
import { mapLookup, mapUpdate } from './commands.ts';
import type { LoadedObject } from './load.ts';
import type { BpfFlow, BpfUser } from './user.ts';

export interface GlobalVariable {
  readonly name: string;
  /** `.data`, `.rodata.config`, `.kconfig` … */
  readonly section: string;
  readonly typeId: number;
  readonly offset: number;
  readonly sizeBytes: number;
  /** Programs cannot write it, and nobody once the object is loaded. */
  readonly readOnly: boolean;
}

interface Section {
  readonly bytes: Uint8Array;
  readonly readOnly: boolean;
  /** Set since the last push. */
  changed: boolean;
}

const KEY = new Uint8Array(4);

export class Globals {
  readonly variables: ReadonlyMap<string, GlobalVariable>;
  readonly #btf: Btf | undefined;
  readonly #sections = new Map<string, Section>();
  #loaded = false;

  constructor(spec: ObjectSpec) {
    for (const { name, data, readOnly, structOps } of spec.maps) {
      if (data === undefined || structOps !== undefined) continue;
      const bytes = data.slice();
      this.#sections.set(name, { bytes, readOnly: readOnly === true, changed: false });
    }
    this.#btf = fixedBtf(spec);
    this.variables = variablesOf(this.#btf, this.#sections);
  }

  /** Contents for LoadOptions.editData. Values of `.kconfig` are the kernel's own. */
  readonly editData = (name: string, bytes: Uint8Array): void => {
    const section = this.#sections.get(name);
    if (section === undefined) return;
    if (name === '.kconfig') section.bytes.set(bytes);
    else bytes.set(section.bytes);
    section.changed = false;
    this.#loaded = true;
  };

  /** A variable or a part of one: `stats[2].rx`. Throws RangeError for a name that is not there. */
  get(path: string): BtfValue {
    const { section, place } = this.#find(path);
    return readPlace(this.#btf!, place, this.#sections.get(section)!.bytes);
  }

  set(path: string, value: BtfValue): void {
    const { section: name, place } = this.#find(path);
    const section = this.#sections.get(name)!;
    if (name === '.kconfig') throw new TypeError(`${path} is the kernel's, it cannot be set`);
    if (section.readOnly && this.#loaded) {
      throw new TypeError(`${path} in ${name} is frozen since the object was loaded`);
    }
    writePlace(this.#btf!, place, section.bytes, value);
    section.changed = true;
  }

  /** Reads all sections from the kernel. 0 or a negative errno. */
  *pull<Y>(user: BpfUser<Y>, { maps }: LoadedObject): BpfFlow<Y, number> {
    for (const { name, fd } of maps) {
      const section = this.#sections.get(name);
      if (section === undefined) continue;
      const value = yield* mapLookup(user, fd, KEY, section.bytes.length);
      yield* user.release();
      if (typeof value === 'number') return value;
      section.bytes.set(value);
      section.changed = false;
    }
    return 0;
  }

  /** Writes the sections that were set since. 0 or a negative errno. */
  *push<Y>(user: BpfUser<Y>, { maps }: LoadedObject): BpfFlow<Y, number> {
    for (const [name, section] of this.#sections) {
      if (!section.changed) continue;
      const fd = maps.find((map) => map.name === name)?.fd;
      if (fd === undefined) return -errno.ENOENT;
      const result = yield* mapUpdate(user, fd, KEY, section.bytes);
      yield* user.release();
      if (result < 0) return result;
      section.changed = false;
    }
    return 0;
  }

  #find(path: string): { readonly section: string; readonly place: Place } {
    const name = /^[^.[]+/.exec(path)?.[0] ?? '';
    const variable = this.variables.get(name);
    if (variable === undefined) throw new RangeError(`there is no global variable '${name}'`);
    const inner = findPlace(this.#btf!, variable.typeId, path.slice(name.length));
    if (inner === undefined) throw new RangeError(`'${name}' has no '${path.slice(name.length)}'`);
    const bitOffset = variable.offset * 8 + inner.bitOffset;
    return { section: variable.section, place: { ...inner, bitOffset } };
  }
}

/** Static variables of one name in several sections: the first is meant. */
function variablesOf(
  btf: Btf | undefined,
  sections: ReadonlyMap<string, Section>,
): ReadonlyMap<string, GlobalVariable> {
  const variables = new Map<string, GlobalVariable>();
  for (const type of btf?.types ?? []) {
    const section = type.kind === 'datasec' ? sections.get(type.name) : undefined;
    if (type.kind !== 'datasec' || section === undefined) continue;
    for (const { type: id, offset, size } of type.vars) {
      const variable = btf!.typeAs(id, 'var');
      if (variable === undefined || variables.has(variable.name)) continue;
      variables.set(variable.name, {
        name: variable.name,
        section: type.name,
        typeId: variable.type,
        offset,
        sizeBytes: size,
        readOnly: section.readOnly,
      });
    }
  }
  return variables;
}
