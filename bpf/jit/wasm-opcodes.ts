/**
 * WebAssembly's instructions by opcode: name and immediates (WebAssembly core specification 2.0,
 * chapter 5.4, with the tail-call proposal). Vector instructions are left out: the JIT has no use
 * for them.
 *
 *   WASM_OPCODES.get(0x7c)   what a disassembler reads
 *   opcodeOf('i64.add')      what an encoder writes
 */
import { Bug } from '../../kernel/types/units.ts';

/** What follows an opcode in the code section. */
export type Immediates =
  | 'none'
  | 'blocktype'
  | 'label'
  | 'label-table'
  | 'index'
  | 'index-index'
  | 'memarg'
  | 'i32'
  | 'i64'
  | 'f32'
  | 'f64'
  | 'types'
  | 'zero'
  | 'zero-zero';

export interface WasmOpcode {
  readonly name: string;
  readonly immediates: Immediates;
}

function from(
  first: number,
  names: string,
  immediates: Immediates = 'none',
): [number, WasmOpcode][] {
  return names
    .trim()
    .split(/\s+/)
    .map((name, i) => [first + i, { name, immediates }]);
}

/** One-byte opcodes. */
export const WASM_OPCODES: ReadonlyMap<number, WasmOpcode> = new Map([
  ...from(0x00, 'unreachable nop'),
  ...from(0x02, 'block loop if', 'blocktype'),
  ...from(0x05, 'else'),
  ...from(0x0b, 'end'),
  ...from(0x0c, 'br br_if', 'label'),
  ...from(0x0e, 'br_table', 'label-table'),
  ...from(0x0f, 'return'),
  ...from(0x10, 'call', 'index'),
  ...from(0x11, 'call_indirect', 'index-index'),
  ...from(0x12, 'return_call', 'index'),
  ...from(0x13, 'return_call_indirect', 'index-index'),
  ...from(0x1a, 'drop select'),
  ...from(0x1c, 'select', 'types'),
  ...from(0x20, 'local.get local.set local.tee global.get global.set table.get table.set', 'index'),
  ...from(
    0x28,
    `i32.load i64.load f32.load f64.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u
     i64.load8_s i64.load8_u i64.load16_s i64.load16_u i64.load32_s i64.load32_u
     i32.store i64.store f32.store f64.store i32.store8 i32.store16
     i64.store8 i64.store16 i64.store32`,
    'memarg',
  ),
  ...from(0x3f, 'memory.size memory.grow', 'zero'),
  ...from(0x41, 'i32.const', 'i32'),
  ...from(0x42, 'i64.const', 'i64'),
  ...from(0x43, 'f32.const', 'f32'),
  ...from(0x44, 'f64.const', 'f64'),
  ...from(
    0x45,
    `i32.eqz i32.eq i32.ne i32.lt_s i32.lt_u i32.gt_s i32.gt_u i32.le_s i32.le_u i32.ge_s i32.ge_u
     i64.eqz i64.eq i64.ne i64.lt_s i64.lt_u i64.gt_s i64.gt_u i64.le_s i64.le_u i64.ge_s i64.ge_u
     f32.eq f32.ne f32.lt f32.gt f32.le f32.ge f64.eq f64.ne f64.lt f64.gt f64.le f64.ge
     i32.clz i32.ctz i32.popcnt i32.add i32.sub i32.mul i32.div_s i32.div_u i32.rem_s i32.rem_u
     i32.and i32.or i32.xor i32.shl i32.shr_s i32.shr_u i32.rotl i32.rotr
     i64.clz i64.ctz i64.popcnt i64.add i64.sub i64.mul i64.div_s i64.div_u i64.rem_s i64.rem_u
     i64.and i64.or i64.xor i64.shl i64.shr_s i64.shr_u i64.rotl i64.rotr
     f32.abs f32.neg f32.ceil f32.floor f32.trunc f32.nearest f32.sqrt f32.add f32.sub f32.mul
     f32.div f32.min f32.max f32.copysign
     f64.abs f64.neg f64.ceil f64.floor f64.trunc f64.nearest f64.sqrt f64.add f64.sub f64.mul
     f64.div f64.min f64.max f64.copysign
     i32.wrap_i64 i32.trunc_f32_s i32.trunc_f32_u i32.trunc_f64_s i32.trunc_f64_u
     i64.extend_i32_s i64.extend_i32_u i64.trunc_f32_s i64.trunc_f32_u i64.trunc_f64_s
     i64.trunc_f64_u f32.convert_i32_s f32.convert_i32_u f32.convert_i64_s f32.convert_i64_u
     f32.demote_f64 f64.convert_i32_s f64.convert_i32_u f64.convert_i64_s f64.convert_i64_u
     f64.promote_f32 i32.reinterpret_f32 i64.reinterpret_f64 f32.reinterpret_i32
     f64.reinterpret_i64 i32.extend8_s i32.extend16_s i64.extend8_s i64.extend16_s i64.extend32_s`,
  ),
]);

/** Opcodes behind the prefix 0xfc. */
export const WASM_FC_OPCODES: ReadonlyMap<number, WasmOpcode> = new Map([
  ...from(
    0,
    `i32.trunc_sat_f32_s i32.trunc_sat_f32_u i32.trunc_sat_f64_s i32.trunc_sat_f64_u
     i64.trunc_sat_f32_s i64.trunc_sat_f32_u i64.trunc_sat_f64_s i64.trunc_sat_f64_u`,
  ),
  ...from(10, 'memory.copy', 'zero-zero'),
  ...from(11, 'memory.fill', 'zero'),
]);

/** Of two forms of one name (`select`), the one without immediates. */
const BY_NAME: ReadonlyMap<string, number> = new Map(
  [...WASM_OPCODES].reverse().map(([code, { name }]) => [name, code]),
);

/** The byte of a one-byte opcode. */
export function opcodeOf(name: string): number {
  const code = BY_NAME.get(name);
  if (code === undefined) throw new Bug(`WebAssembly has no ${name}`);
  return code;
}
