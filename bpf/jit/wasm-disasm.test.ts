import binaryen from 'binaryen';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { disassembleWasm, WasmFormatError } from './wasm-disasm.ts';

const TEXT = `(module
  (import "env" "helper" (func $helper (param i32 i64) (result i64)))
  (memory (import "env" "memory") 1)
  (func $main (param $ctx i32) (result i64)
    (local $r0 i64)
    (local.set $r0 (i64.load offset=16 (local.get $ctx)))
    (block $out
      (br_if $out (i64.lt_u (local.get $r0) (i64.const -7)))
      (local.set $r0 (call $helper (i32.const 123456) (local.get $r0)))
    )
    (if (result i64) (i64.eqz (local.get $r0))
      (then (i64.const 9223372036854775807))
      (else (i64.const -9223372036854775808)))
  )
  (export "run" (func $main)))`;

function moduleBytes(): Uint8Array {
  const module = binaryen.parseText(TEXT);
  const bytes = module.emitBinary();
  module.dispose();
  return bytes;
}

describe('disassembleWasm', () => {
  it('reads back what binaryen wrote', () => {
    const [main, ...rest] = disassembleWasm(moduleBytes());
    expect(rest).toEqual([]);
    expect(main).toMatchObject({
      name: 'run',
      signature: '(param i32) (result i64)',
      locals: 'i64',
    });
    expect(main!.instructions.map(({ text, depth }) => '  '.repeat(depth) + text)).toEqual([
      'local.get 0',
      'i64.load offset=16',
      'local.set 1',
      'block',
      '  local.get 1',
      '  i64.const -7',
      '  i64.lt_u',
      '  br_if 0',
      '  i32.const 123456',
      '  local.get 1',
      '  call $helper',
      '  local.set 1',
      'end',
      'local.get 1',
      'i64.eqz',
      'if (result i64)',
      '  i64.const 9223372036854775807',
      'else',
      '  i64.const -9223372036854775808',
      'end',
      'end',
    ]);
    const [first, second] = main!.instructions;
    expect([...second!.bytes]).toEqual([0x29, 3, 16]);
    expect(second!.offset).toBe(first!.offset + first!.bytes.length);
  });

  it('throws its own error for whatever else it is given', () => {
    const good = moduleBytes();
    const edits = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1 });
    fc.assert(
      fc.property(edits, fc.nat(good.length), (changes, length) => {
        const bytes = good.slice(0, length);
        for (const [at, byte] of changes) if (at < length) bytes[at] = byte;
        try {
          disassembleWasm(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(WasmFormatError);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
