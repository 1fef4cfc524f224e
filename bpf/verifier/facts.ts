/**
 * What verification proved of one slot, for engines and devices.
 */
import type { InsnFact } from '../program.ts';
import { constKeyOf } from './const-key.ts';
import type { Agreed, Checker } from './checker.ts';
import { isMapOperation } from './helper-facts.ts';
import { isFuncLoad, isHelperCall, isKfuncCall, isLdImm64, pseudo } from './opcode.ts';

const agreed = <T>(value: Agreed<T>): T | undefined =>
  value === undefined || value === 'mixed' ? undefined : value.value;

export function factOf(
  c: Checker,
  original: number,
  newSubprog: (old: number) => number,
): InsnFact {
  const insn = c.insns[original]!;
  const aux = c.learned(original);
  if (isHelperCall(insn)) {
    const map = agreed(aux.callMap);
    const constKey = agreed(aux.callKey) ?? (map && constKeyOf(c, original, map));
    return {
      original,
      ...(map && { map }),
      ...(map && c.env.level === '6.1' && isMapOperation(insn.imm) && { returnsInt: true }),
      ...(constKey !== undefined && { constKey }),
    };
  }
  if (isKfuncCall(insn)) {
    const kfunc = c.env.kernelBtf?.type(insn.imm)?.name;
    return kfunc === undefined ? { original } : { original, kfunc };
  }
  if (isLdImm64(insn)) {
    const imm64 = immediateFact(c, original, newSubprog);
    return imm64 ? { original, imm64 } : { original };
  }
  return aux.pointer === undefined ? { original } : { original, pointer: aux.pointer };
}

function immediateFact(
  c: Checker,
  slot: number,
  newSubprog: (old: number) => number,
): InsnFact['imm64'] {
  const insn = c.insns[slot]!;
  const { map, mapOffset, symbol } = c.learned(slot);
  if (isFuncLoad(insn)) {
    const subprog = newSubprog(c.subprogAt(slot + insn.imm + 1));
    return { kind: 'func', subprog };
  }
  if (symbol) return { kind: 'ksym', name: symbol.name };
  if (!map) return undefined;
  return insn.src === pseudo.MAP_VALUE || insn.src === pseudo.MAP_IDX_VALUE
    ? { kind: 'map_value', map, offset: mapOffset }
    : { kind: 'map', map };
}
