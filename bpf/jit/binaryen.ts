/** binaryen's types. The host loads the module itself, lazily, and passes it in. */
import type binaryen from 'binaryen';

export type Binaryen = typeof binaryen;
export type WasmModule = binaryen.Module;
export type Expr = binaryen.ExpressionRef;
export type WasmType = binaryen.Type;
