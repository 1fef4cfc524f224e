/**
 * WASM for call instructions.
 *
 * A helper is an import: a function of the C core, called WASM-to-WASM, where its row names one,
 * JavaScript else. Offsets and sizes cross as i32, since a BigInt costs an allocation. Subprograms
 * are called directly, tail calls go through the table that all programs of a machine share.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { HELPER_TAIL_CALL, helperOfCall, tailCallTarget } from '../calls.ts';
import type { Executable } from '../engine.ts';
import type { EngineState } from '../engine-state.ts';
import type { HelperImplementation } from '../helpers/helper.ts';
import type { RowOf } from '../isa/row.ts';
import type { VerifiedProgram } from '../program.ts';
import type { BpfRuntime } from '../runtime.ts';
import { uapi } from '../uapi.ts';
import type { Binaryen, Expr, WasmType } from './binaryen.ts';
import { functionType, LOCALS, TAIL_CALLS, type FrameExpressions } from './frame.ts';
import { TABLE, type Imports } from './imports.ts';
import { inlinedHelper } from './inline.ts';

/** What the code of one program may refer to. */
export interface CodeContext {
  readonly binaryen: Binaryen;
  readonly program: VerifiedProgram;
  readonly runtime: BpfRuntime;
  readonly state: EngineState;
  readonly imports: Imports;
  readonly table: WebAssembly.Table;
  /** The host's WASM has tail calls; without them they nest, 33 deep at most. */
  readonly hasTailCalls: boolean;
  readonly inline: boolean;
}

export const functionName = (subprog: number): string => `f${subprog}`;

/** @param before slots of the block up to the call, where its arguments were made */
export function emitCall(
  c: CodeContext,
  f: FrameExpressions,
  row: RowOf<'call'>,
  slot: number,
  before: readonly number[],
): Expr[] {
  const { imm } = c.program.insns[slot]!;
  if (row.target === 'subprog') return [emitSubprogCall(c, f, slot + 1 + imm)];
  if (imm === HELPER_TAIL_CALL) return emitTailCall(c, f);
  const helper = helperOfCall(c.program, slot);
  const inlined = c.inline ? inlinedHelper(c, f, helper?.name, { slot, before }) : undefined;
  if (inlined) return inlined;
  if (helper?.implementation === undefined) {
    return [f.set(0, f.m.i64.const(BigInt(-errno.EOPNOTSUPP)))];
  }
  const returnsInt = c.program.facts[slot]!.returnsInt ?? false;
  return emitHelperCall(c, f, `bpf_${helper.proto}`, helper.implementation, returnsInt);
}

function emitSubprogCall(c: CodeContext, f: FrameExpressions, start: number): Expr {
  const callee = c.program.subprogs.findIndex((subprog) => subprog.start === start);
  const args = [1, 2, 3, 4, 5].map((register) => f.get(register));
  // The callee's frame lies below the bytes of the caller's.
  args.push(f.i32('frame'), f.tailCalls());
  return f.set(0, f.m.call(functionName(callee), args, c.binaryen.i64));
}

function emitHelperCall(
  { binaryen, runtime, imports }: CodeContext,
  f: FrameExpressions,
  name: string,
  implementation: HelperImplementation,
  returnsInt: boolean,
): Expr[] {
  const { i32, i64, none } = binaryen;
  const types: Record<string, WasmType> = { i32, i64, pointer: i32, void: none };
  const { pass, returns, native } = implementation;
  const value = native === undefined ? implementation.bind(runtime) : runtime.core.exports[native];
  const params = pass.map((passing) => types[passing]!);
  const result = types[returns]!;
  imports.func(name, params, result, value);
  const args = pass.map((passing, i) => (passing === 'i32' ? f.get32(i + 1) : f.get(i + 1)));
  const call = f.m.call(name, args, result);
  switch (returns) {
    case 'i32':
      return [returnsInt ? f.set32(0, call) : f.set(0, f.m.i64.extend_s(call))];
    case 'i64':
      return [f.set(0, call)];
    case 'pointer':
      return setPointer(f, call);
    case 'void':
      return [call, f.set(0, f.m.i64.const(0n))];
  }
}

/** r0 = kernel address of a RAM offset, NULL for 0. */
export function setPointer(f: FrameExpressions, offset: Expr): Expr[] {
  const { m } = f;
  return [
    m.local.set(LOCALS.i32, offset),
    f.set(0, m.if(f.i32('i32'), f.kernelAddress(f.i32('i32')), m.i64.const(0n))),
  ];
}

/** What `tail_call_target` says besides a table index. */
const OUT_OF_RANGE = -1;
const EMPTY_SLOT = -2;
/** The program runs in another engine: call it through `tail_call_enter`. */
const OTHER_ENGINE = -3;

/** r1 ctx, r2 prog_array, r3 index. What cannot be called is passed over (bpf_tail_call(2)). */
function emitTailCall(c: CodeContext, f: FrameExpressions): Expr[] {
  const { binaryen, imports, runtime } = c;
  const { m } = f;
  const { i32, i64 } = binaryen;
  let other: Executable | undefined;
  imports.table(c.table);
  imports.func('tail_call_target', [i32, i32], i32, (map: number, index: number): number => {
    const target = tailCallTarget(runtime, (map >>> 0) as RamOffset, index >>> 0);
    if (target === undefined) return OUT_OF_RANGE;
    if (target === null) return EMPTY_SLOT;
    if (target.tableIndex !== undefined) return target.tableIndex;
    other = target;
    return OTHER_ENGINE;
  });
  imports.func('tail_call_enter', [i64, i32, i32], i64, (ctx: bigint, top: number, calls: number) =>
    other!.enter(ctx, top >>> 0, calls),
  );
  const target = (): Expr => f.i32('i32');
  const zero = (): Expr => m.i64.const(0n);
  const args = [f.get(1), zero(), zero(), zero(), zero(), f.stackTop(), f.tailCalls()];
  const { params } = functionType(binaryen);
  const enter = c.hasTailCalls
    ? m.return_call_indirect(TABLE, target(), args, params, i64)
    : m.return(m.call_indirect(TABLE, target(), args, params, i64));
  const enterOther = m.return(
    m.call('tail_call_enter', [f.get(1), f.stackTop(), f.tailCalls()], i64),
  );
  const countAndEnter = m.block(null, [
    m.local.set(TAIL_CALLS, m.i32.add(f.tailCalls(), m.i32.const(1))),
    m.if(m.i32.ge_s(target(), m.i32.const(0)), enter),
    m.if(m.i32.eq(target(), m.i32.const(OTHER_ENGINE)), enterOther),
  ]);
  const isAllowed = m.i32.and(
    m.i32.ne(target(), m.i32.const(OUT_OF_RANGE)),
    m.i32.lt_u(f.tailCalls(), m.i32.const(uapi.MAX_TAIL_CALL_CNT)),
  );
  return [
    m.local.set(LOCALS.i32, m.call('tail_call_target', [f.get32(2), f.get32(3)], i32)),
    m.if(isAllowed, countAndEnter),
  ];
}
