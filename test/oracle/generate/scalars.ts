/** Statements on plain numbers: arithmetic, constants, conditions, and values made to fit. */
import type { AluOperation } from '../../../bpf/isa/row.ts';
import type { OpName } from '../../../bpf/isa/table.ts';
import { branchRows, straightRows } from '../../differential/ast.ts';
import { SCALAR } from './state.ts';
import type { FunctionWriter } from './writer.ts';

const ARITHMETIC = straightRows('6.1').filter(({ kind }) => kind === 'alu');
const BRANCHES = branchRows();

export function arithmetic(w: FunctionWriter): void {
  const { random } = w;
  const count = random.between(1, 4);
  for (let i = 0; i < count; i++) {
    const dst = w.variable();
    if (random.chance(0.06)) {
      const name = random.pick(['neg32', 'neg64'] as const);
      w.emit(name, { dst });
      continue;
    }
    if (random.chance(0.08)) {
      w.emit(random.pick(['le16', 'le32', 'le64', 'be16', 'be32', 'be64'] as const), { dst });
      continue;
    }
    const row = random.pick(ARITHMETIC);
    if (row.kind !== 'alu') continue;
    const name = row.name as OpName;
    if (row.source === 'reg') w.emit(name, { dst, src: w.scalar() });
    else w.emit(name, { dst, imm: legalImm(w, row.operation, row.width) });
  }
}

function legalImm(w: FunctionWriter, operation: AluOperation, width: 32 | 64): number {
  switch (operation) {
    case 'lsh':
    case 'rsh':
    case 'arsh':
      return w.random.below(width);
    case 'div':
    case 'mod':
      return w.random.imm() || 1;
    default:
      return w.random.imm();
  }
}

export function constant(w: FunctionWriter): void {
  w.constant(w.target());
}

export function move(w: FunctionWriter): void {
  const src = w.scalar();
  const dst = w.target();
  w.emit(w.random.chance(0.6) ? 'mov64_reg' : 'mov32_reg', { dst, src });
  w.set(dst, SCALAR);
}

/** A conditional jump on scalars with its target open; its slot. */
export function branch(w: FunctionWriter): number {
  const { random } = w;
  const row = random.pick(BRANCHES);
  const dst = w.scalar();
  const isImm = row.kind === 'branch' && row.source === 'imm';
  if (!isImm) return w.emit(row.name as OpName, { dst, src: w.scalar() });
  const imm = random.chance(0.5) ? random.between(-4, 64) : random.imm();
  return w.emit(row.name as OpName, { dst, imm });
}

/**
 * Makes what `register` holds lie between 0 and `most`, as compilers and people do. Returns the jumps
 * that are taken where it does not.
 */
export function bound(w: FunctionWriter, register: number, most: number): number[] {
  const { random } = w;
  const dst = register;
  const bits = Math.floor(Math.log2(most + 1));
  // Now and then the bound is wrong, so that refusals are compared as well.
  const limit = random.chance(0.02) ? most + random.between(1, 8) : most;
  const jumps: number[] = [];
  switch (random.below(10)) {
    case 0:
      w.emit('and64_imm', { dst, imm: 2 ** bits - 1 });
      break;
    case 1:
      w.emit('and32_imm', { dst, imm: 2 ** bits - 1 });
      break;
    case 2:
      w.emit('rsh64_imm', { dst, imm: 64 - Math.max(1, bits) });
      if (bits === 0) w.emit('and64_imm', { dst, imm: 0 });
      break;
    case 3:
      w.emit('rsh32_imm', { dst, imm: 32 - Math.max(1, bits) });
      if (bits === 0) w.emit('and32_imm', { dst, imm: 0 });
      break;
    case 4:
      jumps.push(w.emit('jgt64_imm', { dst, imm: limit }));
      break;
    case 5:
      jumps.push(w.emit('jge64_imm', { dst, imm: limit + 1 }));
      break;
    case 6:
      w.emit('mov32_reg', { dst, src: dst });
      jumps.push(w.emit(random.pick(['jgt32_imm', 'jgt64_imm'] as const), { dst, imm: limit }));
      break;
    case 7:
      jumps.push(w.emit('jsgt64_imm', { dst, imm: limit }));
      jumps.push(w.emit('jslt64_imm', { dst, imm: 0 }));
      break;
    case 8: {
      // Against a register.
      const other = w.target(dst);
      if (other === dst || w.get(other).kind !== 'none') {
        w.emit('and64_imm', { dst, imm: 2 ** bits - 1 });
        break;
      }
      w.emit('mov64_imm', { dst: other, imm: limit });
      w.set(other, SCALAR);
      jumps.push(w.emit('jgt64_reg', { dst, src: other }));
      break;
    }
    default: {
      // In two steps.
      const part = Math.max(1, bits - 1);
      w.emit('and64_imm', { dst, imm: 2 ** part - 1 });
      if (bits > 1 && random.chance(0.5)) w.emit('add64_imm', { dst, imm: 2 ** part - 1 });
      else if (bits > 1) w.emit('lsh64_imm', { dst, imm: 1 });
      else w.emit('and64_imm', { dst, imm: most > 0 ? 1 : 0 });
    }
  }
  return jumps;
}
