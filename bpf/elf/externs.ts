/**
 * Externs: variables of the kernel's configuration (`.kconfig`) and symbols of the kernel
 * (`.ksyms`). Found in BTF; the symbol table says which are weak.
 */
import type { Btf } from '../btf/btf.ts';
import type { ElfFile } from './elf-file.ts';
import { SHN_UNDEF } from './elf-file.ts';
import { ObjectError } from './error.ts';
import type { ObjectExtern } from './object-spec.ts';

export function readExterns(elf: ElfFile, btf: Btf | undefined): ObjectExtern[] {
  const undefinedSymbols = elf.symbols.filter(
    ({ section, name, binding }) =>
      section === SHN_UNDEF && name !== '' && (binding === 'global' || binding === 'weak'),
  );
  if (undefinedSymbols.length === 0) return [];
  const weak = new Map(undefinedSymbols.map(({ name, binding }) => [name, binding === 'weak']));
  const externs: ObjectExtern[] = [];
  for (const section of ['.kconfig', '.ksyms'] as const) {
    const datasec = btf?.typeAs(btf.find(section, 'datasec') ?? 0, 'datasec');
    for (const { type } of datasec?.vars ?? []) {
      const extern = describe(btf!, type, section, weak);
      if (extern === undefined) {
        const { name } = btf!.types[type]!;
        throw new ObjectError(elf.fileName, section, `extern '${name}' cannot be one`);
      }
      externs.push(extern);
      weak.delete(extern.name);
    }
  }
  return layOutKconfig(externs, btf);
}

function describe(
  btf: Btf,
  btfId: number,
  section: '.kconfig' | '.ksyms',
  weak: ReadonlyMap<string, boolean>,
): ObjectExtern | undefined {
  const type = btf.types[btfId]!;
  const common = { name: type.name, weak: weak.get(type.name) ?? false, btfId, offset: 0 };
  if (type.kind === 'func') {
    if (section === '.kconfig') return undefined;
    return { ...common, kind: 'kfunc', typeId: 0, sizeBytes: 0 };
  }
  if (type.kind !== 'var') return undefined;
  if (section === '.kconfig') {
    const sizeBytes = btf.sizeOf(type.type);
    return sizeBytes ? { ...common, kind: 'kconfig', typeId: type.type, sizeBytes } : undefined;
  }
  const untyped = btf.resolved(type.type).kind === 'void';
  return { ...common, kind: 'ksym', typeId: untyped ? 0 : type.type, sizeBytes: 0 };
}

/** Places in the `.kconfig` map, in libbpf's order: alignment, then size, then name. */
function layOutKconfig(externs: readonly ObjectExtern[], btf: Btf | undefined): ObjectExtern[] {
  const alignOf = ({ typeId }: ObjectExtern) => btf!.alignOf(typeId);
  const byName = (a: ObjectExtern, b: ObjectExtern) => (a.name < b.name ? -1 : 1);
  let end = 0;
  const kconfig = externs
    .filter(({ kind }) => kind === 'kconfig')
    .sort((a, b) => alignOf(b) - alignOf(a) || a.sizeBytes - b.sizeBytes || byName(a, b))
    .map((extern) => {
      const offset = Math.ceil(end / alignOf(extern)) * alignOf(extern);
      end = offset + extern.sizeBytes;
      return { ...extern, offset };
    });
  return [...kconfig, ...externs.filter(({ kind }) => kind !== 'kconfig').sort(byName)];
}

export function kconfigBytes(externs: readonly ObjectExtern[]): number {
  return externs
    .filter(({ kind }) => kind === 'kconfig')
    .reduce((end, { offset, sizeBytes }) => Math.max(end, offset + sizeBytes), 0);
}
