/**
 * The listing of `prog dump jited`. skep's JIT makes WebAssembly, so the machine code is a module;
 * each function of the program is one of its functions, shown in the text format's words.
 */
// differs: WebAssembly instead of x86 code; offsets count from the start of a function's body.
import type { Btf } from '../../bpf/btf/btf.ts';
import type { JsonTree } from '../../bpf/btf/format.ts';
import { disassembleWasm, type WasmFunction, WasmFormatError } from '../../bpf/jit/wasm-disasm.ts';
import type { Kallsyms } from '../bpf/kallsyms.ts';
import type { ProgDetails } from '../bpf/prog-details.ts';
import { hexText } from './hex.ts';
import { array, hexData, object, string } from './json.ts';
import type { DumpOptions } from './prog-dump.ts';
import { signature } from './signature.ts';

interface Listed {
  readonly signature: string;
  readonly symbol: string;
  readonly code: WasmFunction;
}

/** Undefined where the image is no module. */
function listed(
  details: ProgDetails,
  btf: Btf | undefined,
  symbols: Kallsyms,
): Listed[] | undefined {
  let functions: readonly WasmFunction[];
  try {
    functions = disassembleWasm(details.jited);
  } catch (caught) {
    if (caught instanceof WasmFormatError) return undefined;
    throw caught;
  }
  return functions.map((code, index) => {
    const address = details.ksyms[index];
    const typeId = details.funcs[index]?.type_id;
    return {
      signature: btf && typeId !== undefined ? signature(btf, typeId) : '',
      symbol:
        address === undefined
          ? code.name
          : (symbols.at(address) ?? `0x${address.toString(16).padStart(16, '0')}`),
      code,
    };
  });
}

export function jitedText(
  details: ProgDetails,
  btf: Btf | undefined,
  symbols: Kallsyms,
  { opcodes }: DumpOptions,
): string {
  const functions = listed(details, btf, symbols);
  if (!functions) return `${hexText(details.jited)}\n`;
  let out = '';
  for (const { signature: proto, symbol, code } of functions) {
    if (proto !== '') out += `${proto}:\n`;
    out += `${symbol}:\n`;
    const head = [code.signature, code.locals && `(local ${code.locals})`].filter(Boolean);
    if (head.length > 0) out += `; func ${head.join(' ')}\n`;
    for (const { offset, bytes, text, depth } of code.instructions) {
      const indent = '  '.repeat(Math.max(0, depth));
      out += `${offset.toString(16).padStart(4)}:\t${indent}${text}\n`;
      if (opcodes) {
        out += `\t${Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(' ')} \n`;
      }
    }
    out += '\n';
  }
  return out;
}

export function jitedJson(
  details: ProgDetails,
  btf: Btf | undefined,
  symbols: Kallsyms,
  { opcodes }: DumpOptions,
): JsonTree {
  const functions = listed(details, btf, symbols);
  if (!functions) return hexData(details.jited);
  return array(
    functions.map(({ signature: proto, symbol, code }) =>
      object(
        proto !== '' && ['proto', string(proto)],
        ['name', string(symbol)],
        [
          'insns',
          array(
            code.instructions.map(({ offset, bytes, text }) => {
              const [operation = '', ...operands] = text.split(' ');
              return object(
                ['pc', string(`0x${offset.toString(16)}`)],
                ['operation', string(operation)],
                ['operands', array(operands.map(string))],
                opcodes && ['opcodes', hexData(bytes)],
              );
            }),
          ),
        ],
      ),
    ),
  );
}
