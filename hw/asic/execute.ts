/**
 * One step's instructions on what is known when it begins: moves become wiring, what remains becomes
 * fields and effects, and what has no counterpart is refused with its instruction.
 */
import { helperOfCall } from '../../bpf/calls.ts';
import type { Insn } from '../../bpf/isa/insn.ts';
import type { RowOf } from '../../bpf/isa/row.ts';
import { rowOf } from '../../bpf/isa/table.ts';
import type { VerifiedProgram } from '../../bpf/program.ts';
import { XDP_MD } from '../xdp-context.ts';
import { alu } from './alu.ts';
import { callHelper } from './calls.ts';
import type { Effect, Lookup, RegisterOperation, Step, Test } from './graph.ts';
import { refuse } from './refusal.ts';
import type { Fields, State } from './state.ts';
import { testOf } from './test.ts';
import {
  type Bits,
  bitsOf,
  constant,
  constantOf,
  extended,
  fieldsOf,
  sameBits,
  swapped,
  type Value,
} from './value.ts';

/** What a step works with. */
export interface Context {
  readonly program: VerifiedProgram;
  readonly fields: Fields;
  readonly lookups: Lookup[];
}

/** How a step ends. */
export type Ending =
  | { readonly kind: 'exit' }
  | { readonly kind: 'onwards' }
  /** The branch is taken where the test gives `holds`; a boolean: always or never. */
  | { readonly kind: 'branch'; readonly test: Test | boolean; readonly holds: boolean };

const FRAME = 10;

/** Runs the step on `state`, which is then what it leaves. */
export function execute(context: Context, step: Step, state: State): Ending {
  const { insns } = context.program;
  for (const slot of step.slots) {
    const insn = insns[slot]!;
    const row = rowOf(insn)!;
    switch (row.kind) {
      case 'alu':
        aluInsn(state, insn, row, slot);
        break;
      case 'neg':
        state.registers[insn.dst] = {
          kind: 'bits',
          bits: alu('neg', row.width, dataIn(state, insn.dst, slot), bitsOf(0n), slot),
        };
        break;
      case 'movsx': {
        const bits = extended(dataIn(state, insn.src, slot), row.bits, true);
        const cut = row.width === 32 ? bits.map((bit, i) => (i < 32 ? bit : 0 as const)) : bits;
        state.registers[insn.dst] = { kind: 'bits', bits: cut };
        break;
      }
      case 'endian': {
        const bits = dataIn(state, insn.dst, slot);
        const turned = row.order === 'le' ? extended(bits, row.bits, false) : swapped(bits, row.bits);
        state.registers[insn.dst] = { kind: 'bits', bits: turned };
        break;
      }
      case 'ld_imm64':
        state.registers[insn.dst] = immediate(context, step, slot);
        break;
      case 'load':
        state.registers[insn.dst] = load(context, state, insn, row, slot);
        break;
      case 'store':
        store(context, step, state, insn, row, slot);
        break;
      case 'atomic':
        atomic(context, step, state, insn, row, slot);
        break;
      case 'call':
        if (row.target !== 'helper') {
          refuse(slot, 'subprogram', 'calls of functions', 'inline them (static __always_inline)');
        }
        callHelper(context, step, state, helperOfCall(context.program, slot)?.name ?? '', slot);
        break;
      case 'branch':
        return branch(state, insn, row, slot);
      case 'exit':
        step.effects.push({ kind: 'verdict', slot, bits: dataIn(state, 0, slot) });
        return { kind: 'exit' };
      case 'goto':
      case 'nospec':
        break;
      default:
        refuse(slot, 'unsupported-operation', `the instruction ${row.name}`);
    }
  } // prettier-ignore
  return { kind: 'onwards' };
}

/** A register that must hold plain data. */
export function dataIn(state: State, register: number, slot: number): Bits {
  const value = state.registers[register];
  if (value?.kind === 'bits') return value.bits;
  if (value === undefined) return bitsOf(0n);
  return refuse(slot, 'pointer-as-data', 'a pointer used as a number', 'there are no addresses in a pipeline');
} // prettier-ignore

function aluInsn(state: State, insn: Insn, row: RowOf<'alu'>, slot: number): void {
  const { dst, src, imm } = insn;
  const { operation, width, source } = row;
  const right: Value | undefined = source === 'imm' ? constant(BigInt(imm)) : state.registers[src];
  const left = state.registers[dst];
  if (operation === 'mov' && width === 64) {
    state.registers[dst] = right;
    return;
  }
  const isData = (value: Value | undefined) => value === undefined || value.kind === 'bits';
  if (operation !== 'mov' && (!isData(left) || !isData(right))) {
    state.registers[dst] = pointerSum(operation, width, left, right, slot);
    return;
  }
  const b = source === 'imm' ? bitsOf(BigInt(imm)) : dataIn(state, src, slot);
  const a = operation === 'mov' ? b : dataIn(state, dst, slot);
  state.registers[dst] = { kind: 'bits', bits: alu(operation, width, a, b, slot) };
}

/** Pointer and number, or the distance of two pointers. */
function pointerSum(
  operation: string,
  width: 32 | 64,
  left: Value | undefined,
  right: Value | undefined,
  slot: number,
): Value {
  if (width === 64 && (operation === 'add' || operation === 'sub')) {
    const pair = operation === 'add' && isNumber(left) ? ([right, left] as const) : ([left, right] as const);
    const [pointer, other] = pair;
    if (isNumber(other)) {
      const by = constantOf(other.bits);
      if (by === undefined) {
        refuse(slot, 'variable-offset', 'an offset that only the packet decides', 'a parser state knows how far the next header is: check for the usual length first');
      }
      const step = Number(BigInt.asIntN(64, operation === 'add' ? by : -by));
      if (pointer && 'at' in pointer) return { ...pointer, at: pointer.at + step };
    } else if (operation === 'sub' && pointer && other && 'at' in other) {
      if (pointer.kind === 'packet end' && other.kind === 'packet') return { kind: 'length', at: other.at };
      if (pointer.kind === other.kind && 'at' in pointer) {
        return constant(BigInt(pointer.at - other.at));
      }
    }
  }
  return refuse(slot, 'pointer-arithmetic', 'this arithmetic on a pointer');
} // prettier-ignore

const isNumber = (value: Value | undefined): value is Value & { kind: 'bits' } =>
  value?.kind === 'bits';

function immediate(context: Context, step: Step, slot: number): Value {
  const { program } = context;
  const fact = program.facts[slot]!.imm64;
  if (fact?.kind === 'map') return { kind: 'map', map: fact.map };
  if (fact?.kind === 'map_value') {
    const key = bitsOf(0n).slice(0, 32);
    const lookup = { map: fact.map, slot, step, key, decides: false };
    context.lookups.push(lookup);
    step.effects.push({ kind: 'lookup', lookup });
    return { kind: 'entry', lookup, at: fact.offset };
  }
  if (fact)
    refuse(slot, 'unsupported-operation', 'the address of a function or of a kernel variable');
  const low = BigInt.asUintN(32, BigInt(program.insns[slot]!.imm));
  const high = BigInt.asUintN(32, BigInt(program.insns[slot + 1]!.imm));
  return constant((high << 32n) | low);
}

function load(
  context: Context,
  state: State,
  { src, off }: Insn,
  row: RowOf<'load'>,
  slot: number,
): Value {
  const base = state.registers[src];
  switch (base?.kind) {
    case 'context':
      return contextMember(context, state, off, slot);
    case 'packet':
      return data(row, (i) => packetByte(context, state, base.at + off + i));
    case 'stack': {
      const at = base.at + off;
      const spilled = state.spilled.get(at);
      if (spilled && row.bytes === 8) return spilled;
      return data(row, (i) => state.stack.get(at + i) ?? bitsOf(0n, 8));
    }
    case 'entry':
      return data(row, (i) => context.fields.entryByte(base, base.at + off + i));
    default:
      return refuse(slot, 'unsupported-memory', 'a load from there');
  }
}

function data({ bytes, signed }: RowOf<'load'>, byte: (i: number) => Bits): Value {
  const bits = Array.from({ length: bytes }, (_, i) => byte(i)).flat();
  return { kind: 'bits', bits: extended(bits, bytes * 8, signed) };
}

export const packetByte = ({ fields }: Context, { packet }: State, at: number): Bits =>
  packet.get(at) ?? (at < 0 ? bitsOf(0n, 8) : fields.packetByte(at));

function contextMember({ fields }: Context, { start }: State, off: number, slot: number): Value {
  switch (off) {
    case XDP_MD.data:
      return { kind: 'packet', at: start };
    case XDP_MD.data_end:
      return { kind: 'packet end' };
    case XDP_MD.ingress_ifindex:
      return { kind: 'bits', bits: extended(fields.metadata('port', 32), 32, false) };
    default:
      return refuse(slot, 'unsupported-context', 'this member of struct xdp_md', 'a switch knows the port that a packet came in by, no queues and no metadata area');
  }
} // prettier-ignore

function store(
  context: Context,
  step: Step,
  state: State,
  { dst, src, off, imm }: Insn,
  row: RowOf<'store'>,
  slot: number,
): void {
  const base = state.registers[dst];
  const value = row.source === 'imm' ? constant(BigInt(imm)) : state.registers[src];
  if (base?.kind === 'stack') return storeToStack(state, base.at + off, row.bytes, value, slot);
  const bits = dataOf(context, value, slot);
  if (base?.kind === 'packet') {
    const at = base.at + off;
    const bytes = bits.slice(0, row.bytes * 8);
    for (let i = 0; i < row.bytes; i++) state.packet.set(at + i, bytes.slice(i * 8, i * 8 + 8));
    step.effects.push({ kind: 'packet', slot, at, bits: bytes });
  } else if (base?.kind === 'entry') {
    const at = base.at + off;
    const { bytes } = row;
    const register = { kind: 'register', slot, lookup: base.lookup, at, bytes } as const;
    step.effects.push({ ...register, ...registerUpdate(context, base, at, bytes, bits) });
  } else refuse(slot, 'unsupported-memory', 'a store to there');
}

function storeToStack(
  state: State,
  at: number,
  bytes: number,
  value: Value | undefined,
  slot: number,
): void {
  for (const spilledAt of [...state.spilled.keys()]) {
    if (spilledAt < at + bytes && at < spilledAt + 8) state.spilled.delete(spilledAt);
  }
  if (value && value.kind !== 'bits') {
    if (bytes !== 8) refuse(slot, 'pointer-as-data', 'a part of a pointer');
    state.spilled.set(at, value);
    return;
  }
  const bits = value?.bits ?? bitsOf(0n);
  for (let i = 0; i < bytes; i++) state.stack.set(at + i, bits.slice(i * 8, i * 8 + 8));
}

/** Data, the packet's length included, which only statistics can use. */
export function dataOf({ fields }: Context, value: Value | undefined, slot: number): Bits {
  if (value === undefined) return bitsOf(0n);
  if (value.kind === 'bits') return value.bits;
  if (value.kind === 'length')
    return extended(fields.metadata(`length ${value.at}`, 16), 16, false);
  return refuse(slot, 'pointer-as-data', 'a pointer stored as data');
}

/** `x = x operation y` where x is what was there: one access of a register. Else it is overwritten. */
function registerUpdate(
  { fields }: Context,
  base: Value & { kind: 'entry' },
  at: number,
  bytes: number,
  bits: Bits,
): { readonly operation: RegisterOperation; readonly operand: Bits } {
  const width = bytes * 8;
  const before = Array.from({ length: bytes }, (_, i) => fields.entryByte(base, at + i)).flat();
  const written = bits.slice(0, width);
  for (const { source } of fieldsOf(written)) {
    if (source.kind !== 'computed') continue;
    const { operation, a, b } = source;
    if (operation !== 'add' && operation !== 'or' && operation !== 'and' && operation !== 'xor') continue;
    const whole = alu(operation, 64, a, b, source.slot);
    const isThis = written.every((bit, i) => sameOrigin(bit, whole[i]!));
    if (!isThis) continue;
    if (sameBits(before, a.slice(0, width))) return { operation, operand: b };
    if (sameBits(before, b.slice(0, width))) return { operation, operand: a };
  }
  return { operation: 'write', operand: [...written, ...bitsOf(0n).slice(width)] };
} // prettier-ignore

/** Bits of equal expressions: `alu` makes a new field each time. */
function sameOrigin(x: Bits[number], y: Bits[number]): boolean {
  if (x === y) return true;
  if (typeof x === 'number' || typeof y === 'number' || x.index !== y.index) return false;
  const [p, q] = [x.field.source, y.field.source];
  return p.kind === 'computed' && q.kind === 'computed' && p.slot === q.slot && p.a === q.a;
}

function atomic(
  context: Context,
  step: Step,
  state: State,
  { dst, src, off }: Insn,
  { operation, bytes, fetch }: RowOf<'atomic'>,
  slot: number,
): void {
  const base = state.registers[dst];
  if (base?.kind !== 'entry') {
    return refuse(slot, 'unsupported-memory', 'an atomic operation there', 'registers are in maps');
  }
  if (fetch || operation === 'xchg' || operation === 'cmpxchg') {
    return refuse(slot, 'unsupported-operation', 'an atomic operation that gives the old value back', 'add, or, and, xor without fetch');
  }
  const operand = dataOf(context, state.registers[src], slot);
  const effect: Effect = { kind: 'register', slot, lookup: base.lookup, at: base.at + off, bytes, operation, operand };
  step.effects.push(effect);
} // prettier-ignore

function branch(state: State, insn: Insn, row: RowOf<'branch'>, slot: number): Ending {
  const { dst, src, imm } = insn;
  const right = row.source === 'imm' ? constant(BigInt(imm)) : state.registers[src];
  return { kind: 'branch', ...testOf(state, row, state.registers[dst], right, slot) };
}

/** Every register as a program begins. */
export function initial(state: State): State {
  state.registers[1] = { kind: 'context' };
  state.registers[FRAME] = { kind: 'stack', at: 0 };
  return state;
}
