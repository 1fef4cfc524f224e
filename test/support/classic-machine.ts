/**
 * Classic BPF run directly, by the book and as simply as can be: what its translation is compared
 * with. Knows neither extensions nor headers at negative offsets.
 */
import { classicRow, type ClassicInsn } from '../../bpf/cbpf/insn.ts';

/** What the filter returns, unsigned. */
export function runClassic(filter: readonly ClassicInsn[], packet: Uint8Array): number {
  const memory = new Uint32Array(16);
  const operations = {
    add: (a: number, b: number) => a + b,
    sub: (a: number, b: number) => a - b,
    mul: Math.imul,
    div: (a: number, b: number) => Math.floor(a / b),
    mod: (a: number, b: number) => a % b,
    or: (a: number, b: number) => a | b,
    and: (a: number, b: number) => a & b,
    xor: (a: number, b: number) => a ^ b,
    lsh: (a: number, b: number) => a << b,
    rsh: (a: number, b: number) => a >>> b,
  };
  const conditions = {
    eq: (a: number, b: number) => a === b,
    gt: (a: number, b: number) => a > b,
    ge: (a: number, b: number) => a >= b,
    set: (a: number, b: number) => (a & b) !== 0,
  };
  let a = 0;
  let x = 0;
  for (let pc = 0; ; pc++) {
    const insn = filter[pc]!;
    const { k } = insn;
    const row = classicRow(insn.code)!;
    switch (row.kind) {
      case 'load': {
        const at = row.mode === 'ind' ? (x + k) | 0 : k | 0;
        if (at < 0 || at + row.bytes > packet.length) return 0;
        a = 0;
        for (let i = 0; i < row.bytes; i++) a = a * 256 + packet[at + i]!;
        break;
      }
      case 'header-length':
        if ((k | 0) < 0 || k >= packet.length) return 0;
        x = (packet[k]! & 15) * 4;
        break;
      case 'length':
        if (row.to === 'a') a = packet.length;
        else x = packet.length;
        break;
      case 'immediate':
        if (row.to === 'a') a = k;
        else x = k;
        break;
      case 'memory':
        if (row.to === 'a') a = memory[k]!;
        else x = memory[k]!;
        break;
      case 'store':
        memory[k] = row.from === 'a' ? a : x;
        break;
      case 'alu': {
        const operand = row.source === 'k' ? k : x;
        if ((row.operation === 'div' || row.operation === 'mod') && operand === 0) return 0;
        a = operations[row.operation](a, operand) >>> 0;
        break;
      }
      case 'neg':
        a = -a >>> 0;
        break;
      case 'goto':
        pc += k;
        break;
      case 'branch':
        pc += conditions[row.condition](a, row.source === 'k' ? k : x) ? insn.jt : insn.jf;
        break;
      case 'return':
        return row.source === 'k' ? k : a;
      case 'move':
        if (row.to === 'a') a = x;
        else x = a;
        break;
    }
  }
}
