/**
 * A compiler's BTF made fit for the kernel, as libbpf does before loading it: sizes and places of
 * data sections, externs turned into ordinary variables, hidden functions into static ones.
 */
import type { Btf } from '../btf/btf.ts';
import { BtfBuilder } from '../btf/builder.ts';
import { intType } from '../btf/structs.ts';
import type { BtfDatasec } from '../btf/types.ts';
import type { DataLayout, ObjectExtern, ObjectSpec } from '../elf/object-spec.ts';
import { kconfigBytes } from '../elf/externs.ts';

/** Ids and string offsets are those of the object's own BTF. */
export function fixedBtf(spec: ObjectSpec): Btf | undefined {
  if (spec.btf === undefined) return undefined;
  const builder = new BtfBuilder(spec.btf);
  const layouts = new Map(spec.dataLayouts.map((layout) => [layout.section, layout]));
  const hidden = new Set(spec.hiddenFunctions);
  const externs = new Map(spec.externs.map((extern) => [extern.btfId, extern]));
  for (const [id, type] of spec.btf.types.entries()) {
    if (type.kind === 'func' && type.linkage === 'global' && hidden.has(type.name)) {
      builder.replace(id, { ...type, linkage: 'static' });
    } else if (type.kind === 'datasec' && type.name === '.kconfig') {
      builder.replace(id, kconfigSection(builder, type, externs));
    } else if (type.kind === 'datasec' && type.name === '.ksyms') {
      builder.replace(id, ksymsSection(builder, type));
    } else if (type.kind === 'datasec') {
      const layout = layouts.get(type.name);
      if (layout !== undefined) builder.replace(id, laidOut(spec.btf, type, layout));
    }
  }
  return builder.build();
}

function laidOut(btf: Btf, section: BtfDatasec, layout: DataLayout): BtfDatasec {
  const vars = section.vars.map((variable) => {
    const offset = layout.offsets.get(btf.types[variable.type]!.name) ?? variable.offset;
    return { ...variable, offset };
  });
  return { ...section, size: layout.sizeBytes, vars: sorted(vars) };
}

function kconfigSection(
  builder: BtfBuilder,
  section: BtfDatasec,
  externs: ReadonlyMap<number, ObjectExtern>,
): BtfDatasec {
  const known = section.vars.flatMap(({ type }) => externs.get(type) ?? []);
  const vars = known.map(({ btfId, offset, sizeBytes }) => {
    makeGlobal(builder, btfId);
    return { type: btfId, offset, size: sizeBytes };
  });
  return { ...section, size: kconfigBytes(known), vars: sorted(vars) };
}

/** The kernel knows no section of functions: each entry becomes an int of its own. */
function ksymsSection(builder: BtfBuilder, section: BtfDatasec): BtfDatasec {
  const int = plainInt(builder);
  let dummy: number | undefined;
  const vars = section.vars.map(({ type: id }, index) => {
    const type = builder.types[id]!;
    let variable = id;
    if (type.kind === 'func') {
      builder.replace(id, { ...type, linkage: 'global' });
      const proto = builder.types[type.type]!;
      if (proto.kind === 'func_proto') {
        const params = proto.params.map((param) => ({
          ...param,
          name: param.name || 'dummy_ksym',
        }));
        builder.replace(type.type, { ...proto, params });
      }
      dummy ??= builder.add({ kind: 'var', name: 'dummy_ksym', type: int, linkage: 'global' });
      variable = dummy;
    } else if (type.kind === 'var') {
      builder.replace(id, { ...type, type: int, linkage: 'global' });
    }
    return { type: variable, offset: index * 4, size: 4 };
  });
  return { ...section, size: vars.length * 4, vars };
}

/** The first integer of 32 bits, or one of our own. */
function plainInt(builder: BtfBuilder): number {
  const known = builder.types.findIndex((type) => type.kind === 'int' && type.bits === 32);
  return known >= 0 ? known : builder.intern(intType('int', 4, true));
}

function makeGlobal(builder: BtfBuilder, id: number): void {
  const type = builder.types[id]!;
  if (type.kind === 'var') builder.replace(id, { ...type, linkage: 'global' });
}

const sorted = (vars: BtfDatasec['vars']) => [...vars].sort((a, b) => a.offset - b.offset);
