/**
 * What a pipeline computes, as a graph of values: each node is one wire bundle of `bits` bits, an
 * unsigned number, computed once a packet. Nodes are made in program order, folded where constants
 * allow it, and shared where they are the same.
 *
 *   const graph = new Graph()
 *   graph.add(graph.frame(0) …)
 */
import { Bug } from '../../../kernel/types/units.ts';
import {
  maskOf,
  bitsOf,
  isConst,
  keyOf,
  type MapOp,
  type InputOp,
  type NodeOp,
  type Node,
  type MapAccess,
} from './node.ts';

const MAX_VALUES = 64;
const MAX_DEPTH = 100;
const ONE = 1n;
export class Graph {
  readonly nodes: Node[] = [];
  /** The instruction that nodes are being made for. */
  slot = 0;
  readonly #known = new Map<string, Node>();
  #depth = 0;
  /** What slices became: they are pushed through operations, whose operands may be shared. */
  readonly #slices = new Map<string, Node>();
  readonly #values = new Map<Node, readonly bigint[] | undefined>();

  const(value: bigint, bits = bitsOf(value)): Node {
    if (value < 0n) throw new Bug('constants are unsigned');
    return this.#make('const', [], bits, value);
  }

  input(op: InputOp, bits: number, value = 0n): Node {
    return this.#make(op, [], bits, value);
  }

  add(a: Node, b: Node, width = 64): Node {
    if (isConst(a)) [a, b] = [b, a];
    if (isConst(b)) {
      if (isConst(a)) return this.const((a.value + b.value) & maskOf(width));
      if (b.value === 0n) return this.slice(a, 0, width);
      const [inner, more] = a.args;
      if (a.op === 'add' && isConst(more) && !wraps(a) && a.bits < width) {
        return this.add(inner!, this.const(more.value + b.value), width);
      }
    }
    const bits = Math.min(width, Math.max(a.bits, b.bits) + 1);
    return this.#make('add', [this.slice(a, 0, bits), this.slice(b, 0, bits)], bits);
  }

  sub(a: Node, b: Node, width = 64): Node {
    if (a === b) return this.const(0n);
    if (isConst(b)) {
      if (isConst(a)) return this.const(BigInt.asUintN(width, a.value - b.value));
      if (b.value === 0n) return this.slice(a, 0, width);
      const [inner, more] = a.args;
      if (a.op === 'add' && isConst(more) && !wraps(a) && more.value >= b.value) {
        return this.add(inner!, this.const(more.value - b.value), width);
      }
    }
    return this.#make('sub', [this.slice(a, 0, width), this.slice(b, 0, width)], width);
  }

  mul(a: Node, b: Node, width = 64): Node {
    if (isConst(a)) [a, b] = [b, a];
    if (isConst(b)) {
      if (isConst(a)) return this.const((a.value * b.value) & maskOf(width));
      if (b.value === 0n) return this.const(0n);
      const shift = bitsOf(b.value) - 1;
      if (b.value === ONE << BigInt(shift)) return this.shl(a, this.const(BigInt(shift)), width);
    }
    const bits = Math.min(width, a.bits + b.bits);
    return this.#make('mul', [this.slice(a, 0, width), this.slice(b, 0, width)], bits);
  }

  /** Division by 0 gives 0, the rest of it the dividend, as BPF has it. */
  divide(op: 'div' | 'mod', a: Node, b: Node): Node {
    if (isConst(a) && isConst(b)) {
      if (b.value === 0n) return op === 'div' ? this.const(0n) : a;
      return this.const(op === 'div' ? a.value / b.value : a.value % b.value);
    }
    const bits = op === 'div' || !isConst(b) || b.value === 0n ? a.bits : bitsOf(b.value - ONE);
    return this.#make(op, [a, b], Math.min(a.bits, bits));
  }

  and(a: Node, b: Node): Node {
    if (isConst(a)) [a, b] = [b, a];
    if (isConst(b)) {
      if (isConst(a)) return this.const(a.value & b.value);
      if (b.value === 0n) return this.const(0n);
      const width = bitsOf(b.value);
      const low = trailingZeros(b.value);
      // Neighbouring bits are wires.
      if (b.value >> BigInt(low) === maskOf(width - low)) {
        return this.concat([this.const(0n, low), this.slice(a, low, width - low)]);
      }
    }
    if (a === b) return a;
    if (a.bits === 1 && b.bits === 1) {
      if (negates(a, b)) return this.const(0n);
      // p & (p & c)
      if (a.op === 'and' && a.args.includes(b)) return a;
      if (b.op === 'and' && b.args.includes(a)) return b;
    }
    const bits = Math.min(a.bits, b.bits);
    return this.#make('and', order(this.slice(a, 0, bits), this.slice(b, 0, bits)), bits);
  }

  or(a: Node, b: Node): Node {
    if (isConst(a)) [a, b] = [b, a];
    if (isConst(b)) {
      if (isConst(a)) return this.const(a.value | b.value);
      if (b.value === 0n) return a;
      if (a.bits === 1 && b.value === ONE) return b;
    }
    if (a === b) return a;
    const joined = this.#disjoint(a, b) ?? this.#disjoint(b, a);
    if (joined) return joined;
    if (a.bits === 1 && b.bits === 1) {
      if (negates(a, b)) return this.const(ONE);
      const whole = this.#eitherWay(a, b);
      if (whole) return whole;
    }
    return this.#make('or', order(a, b), Math.max(a.bits, b.bits));
  }

  /** (p & c) | (p & !c) is p. */
  #eitherWay(a: Node, b: Node): Node | undefined {
    if (a.op !== 'and' || b.op !== 'and') return undefined;
    for (const p of a.args) {
      if (!b.args.includes(p)) continue;
      const c = a.args.find((each) => each !== p);
      const d = b.args.find((each) => each !== p);
      if (c && d && negates(c, d)) return p;
    }
    return undefined;
  }

  /** high << n | low, where low has n bits at most: wires. */
  #disjoint(high: Node, low: Node): Node | undefined {
    const zeros = high.op === 'concat' ? high.args[0]! : undefined;
    if (!isConst(zeros) || zeros.value !== 0n || low.bits > zeros.bits) return undefined;
    return this.concat([this.widen(low, zeros.bits), this.slice(high, zeros.bits, high.bits)]);
  }

  xor(a: Node, b: Node): Node {
    if (isConst(a)) [a, b] = [b, a];
    if (isConst(b)) {
      if (isConst(a)) return this.const(a.value ^ b.value);
      if (b.value === 0n) return a;
      if (b.value === maskOf(a.bits)) return this.not(a);
    }
    if (a === b) return this.const(0n);
    return this.#make('xor', order(a, b), Math.max(a.bits, b.bits));
  }

  not(a: Node): Node {
    if (isConst(a)) return this.const(a.value ^ maskOf(a.bits), a.bits);
    if (a.op === 'not') return a.args[0]!;
    return this.#make('not', [a], a.bits);
  }

  shl(a: Node, by: Node, width: number): Node {
    if (isConst(by)) {
      const n = Number(by.value);
      if (n >= width) return this.const(0n);
      return this.concat([this.const(0n, n), this.slice(a, 0, width - n)]);
    }
    return this.#make('shl', [a, by], width);
  }

  shr(a: Node, by: Node): Node {
    if (isConst(by)) return this.slice(a, Number(by.value), a.bits);
    return this.#make('shr', [a, by], a.bits);
  }

  sar(a: Node, by: Node, width: number): Node {
    if (a.bits < width) return this.shr(a, by);
    if (isConst(by)) {
      const n = Number(by.value);
      return n === 0 ? a : this.sext(this.slice(a, n, width - n), width - n, width);
    }
    return this.#make('sar', [a, by], width, BigInt(width));
  }

  /** The low `from` bits, their highest repeated up to `to`. */
  sext(a: Node, from: number, to: number): Node {
    if (isConst(a)) return this.const(BigInt.asUintN(to, BigInt.asIntN(from, a.value)));
    if (a.bits < from) return a;
    return this.#make('sext', [a], to, BigInt(from));
  }

  eq(a: Node, b: Node): Node {
    if (a === b) return this.const(ONE);
    if (isConst(a)) [a, b] = [b, a];
    if (isConst(b)) {
      if (isConst(a)) return this.const(a.value === b.value ? ONE : 0n);
      if (bitsOf(b.value) > a.bits) return this.const(0n);
      if (a.bits === 1) return b.value === ONE ? a : this.not(a);
      const [inner, more] = a.args;
      if (a.op === 'add' && isConst(more) && !wraps(a)) {
        if (b.value < more.value) return this.const(0n);
        return this.eq(inner!, this.const(b.value - more.value));
      }
      const chosen = this.#constantArms(a);
      if (chosen) return this.mux(a.args[0]!, this.eq(chosen[0], b), this.eq(chosen[1], b));
    }
    return this.#make('eq', order(a, b), 1);
  }

  ult(a: Node, b: Node): Node {
    if (a === b) return this.const(0n);
    if (isConst(a)) {
      if (isConst(b)) return this.const(a.value < b.value ? ONE : 0n);
      if (a.value >= maskOf(b.bits)) return this.const(0n);
      const [inner, more] = b.args;
      if (b.op === 'add' && isConst(more) && !wraps(b)) {
        if (a.value < more.value) return this.const(ONE);
        return this.ult(this.const(a.value - more.value), inner!);
      }
    } else if (isConst(b)) {
      if (b.value === 0n) return this.const(0n);
      if (b.value > maskOf(a.bits)) return this.const(ONE);
      const [inner, more] = a.args;
      if (a.op === 'add' && isConst(more) && !wraps(a)) {
        if (b.value <= more.value) return this.const(0n);
        return this.ult(inner!, this.const(b.value - more.value));
      }
    }
    const [left, right] = [
      isConst(b) && this.#constantArms(a),
      isConst(a) && this.#constantArms(b),
    ];
    if (left) return this.mux(a.args[0]!, this.ult(left[0], b), this.ult(left[1], b));
    if (right) return this.mux(b.args[0]!, this.ult(a, right[0]), this.ult(a, right[1]));
    return this.#make('ult', [a, b], 1);
  }

  #constantArms({ op, args }: Node): readonly [Node, Node] | undefined {
    const [, yes, no] = args;
    return op === 'mux' && isConst(yes) && isConst(no) ? [yes, no] : undefined;
  }

  slt(a: Node, b: Node, width: number): Node {
    if (a.bits < width && b.bits < width) return this.ult(a, b);
    const sign = this.const(ONE << BigInt(width - 1));
    return this.ult(this.xor(a, sign), this.xor(b, sign));
  }

  mux(condition: Node, yes: Node, no: Node): Node {
    if (yes === no) return yes;
    if (isConst(condition)) return condition.value === ONE ? yes : no;
    if (condition.op === 'not') return this.mux(condition.args[0]!, no, yes);
    if (yes.bits === 1 && no.bits === 1 && isConst(yes) && isConst(no)) {
      return yes.value === ONE ? condition : this.not(condition);
    }
    if (no.op === 'mux' && no.args[0] === condition) no = no.args[2]!;
    if (yes.op === 'mux' && yes.args[0] === condition) yes = yes.args[1]!;
    if (yes === no) return yes;
    return this.#make('mux', [condition, yes, no], Math.max(yes.bits, no.bits));
  }

  /** `width` bits from bit `low` on. */
  slice(a: Node, low: number, width: number): Node {
    width = Math.min(width, a.bits - low);
    if (width <= 0) return this.const(0n);
    if (low === 0 && width === a.bits) return a;
    if (isConst(a)) return this.const((a.value >> BigInt(low)) & maskOf(width), width);
    const key = `${a.id}:${low}:${width}`;
    const known = this.#slices.get(key);
    if (known) return known;
    // Through so many operations, so that long chains are no deep recursion.
    const deep = this.#depth++ >= MAX_DEPTH;
    const found = deep ? this.#make('slice', [a], width, BigInt(low)) : this.#slice(a, low, width);
    this.#depth--;
    this.#slices.set(key, found);
    return found;
  }

  #slice(a: Node, low: number, width: number): Node {
    switch (a.op) {
      case 'slice':
        return this.slice(a.args[0]!, Number(a.value) + low, width);
      case 'concat':
        return this.#sliceConcat(a, low, width);
      case 'sext':
        if (low + width <= Number(a.value)) return this.slice(a.args[0]!, low, width);
        break;
      case 'mux':
        return this.mux(
          a.args[0]!,
          this.slice(a.args[1]!, low, width),
          this.slice(a.args[2]!, low, width),
        );
      case 'not':
        return this.not(this.slice(this.widen(a.args[0]!, a.bits), low, width));
      case 'and':
        return this.and(this.slice(a.args[0]!, low, width), this.slice(a.args[1]!, low, width));
      case 'or':
        return this.or(this.slice(a.args[0]!, low, width), this.slice(a.args[1]!, low, width));
      case 'xor':
        return this.xor(this.slice(a.args[0]!, low, width), this.slice(a.args[1]!, low, width));
      case 'add':
      case 'sub':
      case 'mul':
        // The low bits of a sum need the low bits only.
        if (low === 0) {
          const [x, y] = a.args.map((arg) => this.slice(arg, 0, width));
          return this[a.op](x!, y!, width);
        }
        break;
    }
    return this.#make('slice', [a], width, BigInt(low));
  }

  #sliceConcat(a: Node, low: number, width: number): Node {
    const parts: Node[] = [];
    let at = 0;
    for (const part of a.args) {
      const from = Math.max(low, at);
      const to = Math.min(low + width, at + part.bits);
      if (from < to) parts.push(this.widen(this.slice(part, from - at, to - from), to - from));
      at += part.bits;
    }
    return this.concat(parts);
  }

  /** The same number in exactly so many bits, for a place in a concatenation. */
  widen(a: Node, bits: number): Node {
    if (a.bits >= bits) return this.slice(a, 0, bits);
    if (isConst(a)) return this.const(a.value, bits);
    return this.#make('concat', [a, this.const(0n, bits - a.bits)], bits);
  }

  /** Lowest first. Zeros on top are left out. */
  concat(given: readonly Node[]): Node {
    const parts: Node[] = [];
    const push = (part: Node): void => {
      if (part.bits === 0) return;
      if (part.op === 'concat') return part.args.forEach(push);
      const last = parts.at(-1);
      const joined = last && this.#joined(last, part);
      if (joined) parts.splice(-1, 1, joined);
      else parts.push(part);
    };
    given.forEach(push);
    for (let top = parts.at(-1); parts.length > 1 && isConst(top); top = parts.at(-1)) {
      if (top.value !== 0n) break;
      parts.pop();
    }
    if (parts.length === 1) return parts[0]!;
    const bits = parts.reduce((sum, part) => sum + part.bits, 0);
    return this.#make('concat', parts, bits);
  }

  /** Neighbours that are one value. */
  #joined(low: Node, high: Node): Node | undefined {
    if (isConst(low) && isConst(high)) {
      return this.const(low.value | (high.value << BigInt(low.bits)), low.bits + high.bits);
    }
    if (low.op === 'slice' && high.op === 'slice' && low.args[0] === high.args[0]) {
      if (Number(low.value) + low.bits !== Number(high.value)) return undefined;
      return this.slice(low.args[0]!, Number(low.value), low.bits + high.bits);
    }
    if (low.op === 'mux' && high.op === 'mux' && low.args[0] === high.args[0]) {
      const side = (i: 1 | 2): Node | undefined => {
        const [a, b] = [this.widen(low.args[i]!, low.bits), this.widen(high.args[i]!, high.bits)];
        return this.#joined(a, b);
      };
      const [yes, no] = [side(1), side(2)];
      return yes && no ? this.mux(low.args[0]!, yes, no) : undefined;
    }
    return undefined;
  }

  /** A read or write of a map; writes are never shared. */
  map(op: MapOp, access: MapAccess, args: readonly Node[], bits: number): Node {
    const isRead = op === 'lookup' || op === 'load' || op === 'devmap';
    return this.#make(op, args, bits, 0n, access, !isRead);
  }

  /** Every value that a node may have, if these are few. */
  values(node: Node): readonly bigint[] | undefined {
    if (this.#values.has(node)) return this.#values.get(node);
    const found = this.#findValues(node);
    this.#values.set(node, found);
    return found;
  }

  #findValues({ op, args, bits, value }: Node): readonly bigint[] | undefined {
    if (op === 'const') return [value];
    const of = args.map((arg) => this.values(arg));
    const cross = (apply: (a: bigint, b: bigint) => bigint) =>
      of[0] && of[1] ? few(of[0].flatMap((a) => of[1]!.map((b) => apply(a, b)))) : undefined;
    let found: readonly bigint[] | undefined;
    switch (op) {
      case 'mux':
        found = of[1] && of[2] ? few([...of[1], ...of[2]]) : undefined;
        break;
      case 'add':
        found = cross((a, b) => (a + b) & maskOf(bits));
        break;
      case 'sub':
        found = cross((a, b) => BigInt.asUintN(bits, a - b));
        break;
      case 'slice':
        found = of[0] && few(of[0].map((a) => (a >> value) & maskOf(bits)));
        break;
      case 'concat': {
        let low = 0n;
        let sums: readonly bigint[] | undefined = [0n];
        args.forEach((arg, i) => {
          const part = of[i];
          const shift = low;
          sums = sums && part && few(sums.flatMap((a) => part.map((b) => a | (b << shift))));
          low += BigInt(arg.bits);
        });
        found = sums;
        break;
      }
    }
    if (found) return found;
    return bits <= 5 ? Array.from({ length: 1 << bits }, (_, i) => BigInt(i)) : undefined;
  }

  #make(
    op: NodeOp,
    args: readonly Node[],
    bits: number,
    value = 0n,
    access?: MapAccess,
    unique = false,
  ): Node {
    const { slot } = this;
    const id = this.nodes.length;
    const key = unique ? `${id}` : keyOf(op, args, bits, value, access);
    const known = unique ? undefined : this.#known.get(key);
    if (known) return known;
    const node: Node = { id, op, args, bits, value, slot, ...(access && { access }) };
    this.nodes.push(node);
    this.#known.set(key, node);
    return node;
  }
}

/** Whether a sum may lose its carry. */
const wraps = ({ bits, args }: Node): boolean => bits <= Math.max(args[0]!.bits, args[1]!.bits);

const negates = (a: Node, b: Node): boolean =>
  (a.op === 'not' && a.args[0] === b) || (b.op === 'not' && b.args[0] === a);

const order = (a: Node, b: Node): Node[] => (isConst(b) || a.id <= b.id ? [a, b] : [b, a]);

function trailingZeros(value: bigint): number {
  let zeros = 0;
  while (((value >> BigInt(zeros)) & ONE) === 0n) zeros++;
  return zeros;
}

function few(values: readonly bigint[]): readonly bigint[] | undefined {
  const distinct = [...new Set(values)];
  return distinct.length > MAX_VALUES ? undefined : distinct;
}
