/**
 * Static linking within an object, as libbpf does it: behind a program's own instructions come the
 * subprograms that it reaches, each once, in the order in which a walk through the calls meets them.
 * Calls and function addresses then are distances; references to maps and externs stay for the
 * loader.
 */
import type { CoreRelo } from '../btf/ext.ts';
import type { Insn } from '../isa/insn.ts';
import { OP, rowOf } from '../isa/table.ts';
import type { ElfFile, ElfSymbol } from './elf-file.ts';
import { SHN_UNDEF } from './elf-file.ts';
import { ObjectError } from './error.ts';
import type { Budget, ElfFunction } from './functions.ts';
import type { InfoRecords, ObjectExtern, ObjectMap, ObjectRelocation } from './object-spec.ts';

export interface LinkContext {
  readonly elf: ElfFile;
  /** Functions by section index and first slot. */
  readonly functionAt: (section: number, slot: number) => ElfFunction | undefined;
  /** The map of a global data section, by section index. */
  readonly dataMaps: ReadonlyMap<number, ObjectMap>;
  /** Map definitions by section index and byte offset. */
  readonly definedMapAt: (section: number, offset: number) => ObjectMap | undefined;
  readonly externs: ReadonlyMap<string, ObjectExtern>;
  readonly budget: Budget;
}

export interface LinkedCode {
  readonly insns: readonly Insn[];
  readonly relocations: readonly ObjectRelocation[];
  readonly coreRelos: readonly CoreRelo[];
  readonly funcInfo: InfoRecords | undefined;
  readonly lineInfo: InfoRecords | undefined;
  readonly functions: readonly { readonly name: string; readonly start: number }[];
}

/** A place that gets the distance to a function once all are placed. */
interface Fixup {
  readonly slot: number;
  readonly target: ElfFunction;
  readonly pseudo: 'call_subprog' | 'ld_func';
}

export function linkProgram(program: ElfFunction, context: LinkContext): LinkedCode {
  const starts = new Map<ElfFunction, number>();
  const insns: Insn[] = [];
  const relocations: ObjectRelocation[] = [];
  const coreRelos: CoreRelo[] = [];
  const fixups: Fixup[] = [];
  // Functions still to be walked; the last found is walked first, as a recursive walk would.
  const append = (part: ElfFunction) => {
    const base = insns.length;
    context.budget.slots -= part.insns.length;
    if (context.budget.slots < 0) {
      const { name } = part.section;
      throw new ObjectError(context.elf.fileName, name, 'programs share too many subprograms');
    }
    starts.set(part, base);
    for (const insn of part.insns) insns.push(insn);
    for (const relo of part.coreRelos) coreRelos.push({ ...relo, insn: relo.insn + base });
    return walk(part, base, context);
  };
  const stack = [append(program)];
  while (stack.length > 0) {
    const step = stack.at(-1)!.next();
    if (step.done) {
      stack.pop();
      continue;
    }
    const found = step.value;
    if (found.kind !== 'function') {
      relocations.push(found);
      continue;
    }
    fixups.push(found.fixup);
    if (!starts.has(found.fixup.target)) stack.push(append(found.fixup.target));
  }
  for (const { slot, target, pseudo } of fixups) {
    const src = pseudo === 'call_subprog' ? 1 : 4;
    insns[slot] = { ...insns[slot]!, src, imm: starts.get(target)! - slot - 1 };
  }
  const parts = [...starts].map(([part, start]) => ({ part, start }));
  return {
    insns,
    relocations: relocations.sort((a, b) => a.insn - b.insn),
    coreRelos,
    funcInfo: mergeRecords(parts.map(({ part, start }) => ({ info: part.funcInfo, start }))),
    lineInfo: mergeRecords(parts.map(({ part, start }) => ({ info: part.lineInfo, start }))),
    functions: parts.map(({ part, start }) => ({ name: part.symbol.name, start })),
  };
}

type Found = ObjectRelocation | { readonly kind: 'function'; readonly fixup: Fixup };

/** What a function refers to, in the order of its instructions. */
function* walk(part: ElfFunction, base: number, context: LinkContext): Generator<Found, void> {
  const symbols = new Map(part.references.map(({ slot, symbol }) => [slot, symbol]));
  for (let slot = 0; slot < part.insns.length; slot++) {
    const insn = part.insns[slot]!;
    const symbol = symbols.get(slot);
    const op = rowOf(insn)?.op;
    const isCall = op === OP.call_subprog || op === OP.call_kfunc;
    if (isCall) {
      const found = resolveCall(part, slot, base, symbol, context);
      if (found !== undefined) yield found;
    } else if (symbol !== undefined || op === OP.ld_func) {
      if (insn.code !== LD_IMM64) {
        fail(context, part, `relocation against '${symbol?.name}' in instruction ${slot}`);
      }
      yield resolveAddress(part, slot, base, symbol, context);
    }
    if (insn.code === LD_IMM64) slot++;
  }
}

const LD_IMM64 = 0x18;

function fail(context: LinkContext, part: ElfFunction, reason: string): never {
  throw new ObjectError(
    context.elf.fileName,
    part.section.name,
    `function '${part.symbol.name}': ${reason}`,
  );
}

function resolveCall(
  part: ElfFunction,
  slot: number,
  base: number,
  symbol: ElfSymbol | undefined,
  context: LinkContext,
): Found | undefined {
  const insn = part.insns[slot]!;
  if (symbol?.section === SHN_UNDEF) return externAt(part, base + slot, symbol, context);
  if (symbol === undefined && insn.src !== 1) return undefined;
  // Against a section or a function; without one the distance within the section stands already.
  const origin = symbol === undefined ? part.start + slot : symbol.value / 8;
  const target = origin + insn.imm + 1;
  const found = context.functionAt(symbol?.section ?? part.section.index, target);
  if (found === undefined) fail(context, part, `instruction ${slot} calls no function`);
  return {
    kind: 'function',
    fixup: { slot: base + slot, target: found, pseudo: 'call_subprog' },
  };
}

function resolveAddress(
  part: ElfFunction,
  slot: number,
  base: number,
  symbol: ElfSymbol | undefined,
  context: LinkContext,
): Found {
  const { imm } = part.insns[slot]!;
  const insn = base + slot;
  if (symbol === undefined) {
    const target = context.functionAt(part.section.index, part.start + slot + imm + 1);
    if (target === undefined) fail(context, part, `instruction ${slot} points at no function`);
    return { kind: 'function', fixup: { slot: insn, target, pseudo: 'ld_func' } };
  }
  if (symbol.section === SHN_UNDEF) return externAt(part, insn, symbol, context);
  // A section's symbol carries the distance into it in the instruction.
  const offset = symbol.value + imm;
  const target = context.functionAt(symbol.section, offset / 8);
  if (target !== undefined)
    return { kind: 'function', fixup: { slot: insn, target, pseudo: 'ld_func' } };
  const data = context.dataMaps.get(symbol.section);
  if (data !== undefined) {
    const size = data.data!.length;
    if (offset < 0 || offset > size)
      fail(context, part, `instruction ${slot} points outside ${data.name}`);
    return { kind: 'data', insn, map: data.name, offset };
  }
  const map = context.definedMapAt(symbol.section, offset);
  if (map !== undefined) return { kind: 'map', insn, map: map.name };
  const where = context.elf.sections[symbol.section]?.name ?? `section ${symbol.section}`;
  return fail(context, part, `instruction ${slot} refers to '${symbol.name}' in ${where}`);
}

function externAt(
  part: ElfFunction,
  insn: number,
  symbol: ElfSymbol,
  context: LinkContext,
): ObjectRelocation {
  if (!context.externs.has(symbol.name)) {
    fail(context, part, `'${symbol.name}' is not defined, nor declared extern with BTF`);
  }
  return { kind: 'extern', insn, name: symbol.name };
}

/** Rows of all parts, insn_off moved to where each part now is. */
function mergeRecords(
  parts: readonly { readonly info: InfoRecords | undefined; readonly start: number }[],
): InfoRecords | undefined {
  const present = parts.filter(({ info }) => info !== undefined);
  // Func info must cover every function or none; the kernel would refuse half of it.
  const first = parts[0]?.info;
  if (first === undefined) return undefined;
  const { recordBytes } = first;
  const total = present.reduce((sum, { info }) => sum + info!.records.length, 0);
  const records = new Uint8Array(total);
  const view = new DataView(records.buffer);
  let at = 0;
  for (const { info, start } of present) {
    records.set(info!.records, at);
    for (let row = at; row < at + info!.records.length; row += recordBytes) {
      view.setUint32(row, view.getUint32(row, true) + start, true);
    }
    at += info!.records.length;
  }
  return { recordBytes, records };
}
