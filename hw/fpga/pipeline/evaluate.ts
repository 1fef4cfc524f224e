/** What the logic of a node computes. */
import { Bug } from '../../../kernel/types/units.ts';
import { maskOf, type Node } from './node.ts';

/** @param args values of its arguments, each below 2 to its bits */
export function evaluate({ op, args: nodes, bits, value }: Node, args: readonly bigint[]): bigint {
  const [a = 0n, b = 0n, c = 0n] = args;
  const mask = maskOf(bits);
  switch (op) {
    case 'const':
      return value;
    case 'add':
      return (a + b) & mask;
    case 'sub':
      return BigInt.asUintN(bits, a - b);
    case 'mul':
      return (a * b) & mask;
    case 'div':
      return b === 0n ? 0n : a / b;
    case 'mod':
      return b === 0n ? a : a % b;
    case 'and':
      return a & b;
    case 'or':
      return a | b;
    case 'xor':
      return a ^ b;
    case 'not':
      return a ^ mask;
    case 'shl':
      return (a << b) & mask;
    case 'shr':
      return a >> b;
    case 'sar':
      return BigInt.asUintN(bits, BigInt.asIntN(Number(value), a) >> b);
    case 'eq':
      return a === b ? 1n : 0n;
    case 'ult':
      return a < b ? 1n : 0n;
    case 'mux':
      return a === 1n ? b : c;
    case 'slice':
      return (a >> value) & mask;
    case 'sext':
      return BigInt.asUintN(bits, BigInt.asIntN(Number(value), a));
    case 'concat': {
      let low = 0n;
      return args.reduce((sum, part, i) => {
        const shifted = part << low;
        low += BigInt(nodes[i]!.bits);
        return sum | shifted;
      }, 0n);
    }
    default:
      throw new Bug(`${op} is not logic`);
  }
}
