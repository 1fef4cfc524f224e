/**
 * Sections of one name become one: contents one behind the other, each as aligned as it was.
 */
import type { ElfFile, ElfSection } from '../elf/elf-file.ts';
import { SHT } from '../elf/elf-file.ts';
import { ObjectError } from '../elf/error.ts';
import type { NewSection } from '../elf/write.ts';

/** Where a section of an input is now. */
export interface Placement {
  readonly section: OutputSection;
  /** Byte offset of its first byte. */
  readonly offset: number;
}

export class OutputSection {
  readonly name: string;
  /** Of the first input that has it; undefined while only BTF speaks of it (`.kconfig`). */
  head: ElfSection | undefined;
  /** Position among the sections of the file. */
  number = -1;
  align = 1;
  sizeBytes = 0;
  readonly parts: { readonly offset: number; readonly data: Uint8Array }[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /** The contents; changes to them last. */
  data(): Uint8Array {
    if (this.head?.type === SHT.NOBITS) return new Uint8Array(0);
    if (this.parts.length !== 1 || this.parts[0]!.data.length !== this.sizeBytes) {
      const data = new Uint8Array(this.sizeBytes);
      for (const part of this.parts) data.set(part.data, part.offset);
      this.parts.splice(0, this.parts.length, { offset: 0, data });
    }
    return this.parts[0]!.data;
  }

  toFile(): NewSection {
    const { name, align, sizeBytes } = this;
    const { type, flags, entryBytes } = this.head!;
    return { name, type, flags, align, sizeBytes, entryBytes, data: this.data() };
  }
}

export class OutputSections {
  readonly all: OutputSection[] = [];
  readonly #byName = new Map<string, OutputSection>();

  named(name: string): OutputSection | undefined {
    return this.#byName.get(name);
  }

  /** A section that may never have contents. */
  shell(name: string): OutputSection {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const section = new OutputSection(name);
    this.#byName.set(name, section);
    this.all.push(section);
    return section;
  }

  /** Undefined for what every object has and the result needs once. */
  place(elf: ElfFile, from: ElfSection): Placement | undefined {
    const section = this.shell(from.name);
    const fail = (reason: string): never => {
      throw new ObjectError(elf.fileName, from.name, reason);
    };
    const { head } = section;
    if (head === undefined) {
      section.head = from;
    } else {
      if (head.type !== from.type) fail("its type is not that of the other objects' section");
      if (head.flags !== from.flags) fail("its flags are not those of the other objects' section");
      if (head.entryBytes !== from.entryBytes) fail('its entries have another size');
      if (from.name === 'license' || from.name === 'version') {
        if (!equalBytes(section.data(), from.data)) fail('its contents differ from other objects');
        return undefined;
      }
    }
    section.align = Math.max(section.align, from.align);
    const offset = Math.ceil(section.sizeBytes / section.align) * section.align;
    section.sizeBytes = offset + from.sizeBytes;
    if (from.type !== SHT.NOBITS) section.parts.push({ offset, data: from.data.slice() });
    return { section, offset };
  }

  /** Those that the file has, numbered. */
  inFile(): OutputSection[] {
    return this.all.filter(({ head }) => head !== undefined);
  }
}

const equalBytes = (a: Uint8Array, b: Uint8Array) =>
  a.length === b.length && a.every((byte, at) => byte === b[at]);

/** Sections with contents of the program; the rest is made anew, or is no business of BPF. */
export function isLinked({ name, type, sizeBytes }: ElfSection): boolean {
  if (type !== SHT.PROGBITS && type !== SHT.NOBITS) return false;
  if (/^\.debug_|^\.BTF$|^\.BTF\.ext$|^\.eh_frame/.test(name)) return false;
  // Every object without subprograms has an empty one.
  return name !== '.text' || sizeBytes > 0;
}
