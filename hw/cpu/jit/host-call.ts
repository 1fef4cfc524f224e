/** A call of a kernel function out of machine code, as WebAssembly. */
import { I64 } from '../../../bpf/jit/code-writer.ts';
import { HOST_CALL_WORDS } from '../events.ts';
import type { Convention } from './architecture.ts';
import type { Linkage } from './linkage.ts';
import type { KernelSymbol } from './symbols.ts';
import type { WasmFunction } from './wasm-function.ts';

const POISON = 0x6b6b_6b6b_6b6b_6b6bn;
const RESULTS = { i32: 'i32', u32: 'i32', pointer: 'i32', i64: 'i64', void: undefined } as const;

export function callHost(
  f: WasmFunction,
  { module, poison }: Linkage,
  { arguments: registers, result, callerSaved }: Convention,
  symbol: KernelSymbol,
): void {
  const { pass, returns, value } = symbol.host;
  for (const register of registers.slice(0, HOST_CALL_WORDS)) f.note(() => f.get32(register));
  const type = RESULTS[returns];
  const func = module.importFunction(
    `${symbol.name}@${symbol.address.toString(16)}`,
    { params: pass, results: type === undefined ? [] : [type] },
    value,
  );
  pass.forEach((passing, i) => {
    if (passing === 'i32') f.get32(registers[i]!);
    else f.get(registers[i]!);
  });
  f.callImport(func);
  setResult(f, result, returns);
  if (!poison) return;
  for (const register of callerSaved) {
    if (!f.uses(register)) continue;
    f.i64(POISON);
    f.set(register);
  }
}

function setResult(
  f: WasmFunction,
  register: number,
  returns: KernelSymbol['host']['returns'],
): void {
  switch (returns) {
    case 'i32':
      f.op(I64.extend_s);
      return f.set(register);
    case 'u32':
      return f.set32(register);
    case 'i64':
      return f.set(register);
    case 'pointer':
      return f.setPointer(register);
    case 'void':
      f.i64(0n);
      return f.set(register);
  }
}
