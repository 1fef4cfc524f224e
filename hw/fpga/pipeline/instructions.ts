/** What each BPF instruction adds to a design, given what registers and memory hold before it. */
import { imm64At } from '../../../bpf/isa/codec.ts';
import type { Insn } from '../../../bpf/isa/insn.ts';
import type { AluOperation, Condition, IsaRow, RowOf, Width } from '../../../bpf/isa/row.ts';
import type { VerifiedProgram } from '../../../bpf/program.ts';
import { XDP_MD } from '../../xdp-context.ts';
import { type Graph } from './graph.ts';
import { isConst, type Node } from './node.ts';
import { Helpers } from './helpers.ts';
import { MapAccesses } from './accesses.ts';
import { loadPacket, loadStack, storePacket, storeStack } from './memory.ts';
import { Refusal } from './refusal.ts';
import { moveElement, POINTER_BITS, type State, type Value, validOf } from './values.ts';

export class Instructions {
  readonly #program: VerifiedProgram;
  readonly #graph: Graph;
  readonly #maps: MapAccesses;
  readonly #helpers: Helpers;

  constructor(program: VerifiedProgram, graph: Graph) {
    this.#program = program;
    this.#graph = graph;
    this.#maps = new MapAccesses(graph);
    this.#helpers = new Helpers(program, graph, this.#maps);
  }

  /** The reads and writes of maps, once it is known what of the graph is wanted. */
  finish(wanted: readonly Node[]): readonly Node[] {
    return this.#maps.finish(wanted);
  }

  /** @returns the condition of a branch */
  step(state: State, slot: number, row: IsaRow, condition: Node): Node | undefined {
    const { registers } = state;
    const insn = this.#program.insns[slot]!;
    switch (row.kind) {
      case 'alu':
        registers[insn.dst] = this.#alu(state, insn, row);
        return;
      case 'neg': {
        const zero = this.#graph.const(0n);
        registers[insn.dst] = number(
          this.#graph.sub(
            zero,
            this.#low(this.#number(registers[insn.dst]!), row.width),
            row.width,
          ),
        );
        return;
      }
      case 'movsx': {
        const from = this.#number(registers[insn.src]!);
        const low = this.#graph.slice(from, 0, row.bits);
        registers[insn.dst] = number(this.#graph.sext(low, row.bits, row.width));
        return;
      }
      case 'endian':
        registers[insn.dst] = number(this.#endian(this.#number(registers[insn.dst]!), row));
        return;
      case 'ld_imm64':
        registers[insn.dst] = this.#constant(slot);
        return;
      case 'load':
        registers[insn.dst] = this.#load(state, insn, row);
        return;
      case 'store':
        this.#store(state, insn, row, condition);
        return;
      case 'atomic':
        this.#atomic(state, insn, row, condition);
        return;
      case 'branch':
        return this.#branch(state, insn, row);
      case 'call':
        if (row.target !== 'helper') break;
        this.#helpers.call(state, slot, condition);
        return;
      case 'goto':
      case 'nospec':
        return;
    }
    throw new Refusal('unsupported-instruction', `there is no unit for ${row.name}`, slot);
  }

  #number(value: Value): Node {
    if (value.kind === 'number') return value.node;
    const isPointer = value.kind !== 'none';
    const what = isPointer ? 'a pointer is used as a number' : 'pointers of different kinds meet';
    throw new Refusal(isPointer ? 'pointer-as-number' : 'mixed-pointers', what, this.#graph.slot);
  }

  #low(node: Node, width: Width): Node {
    return this.#graph.slice(node, 0, width);
  }

  #operand(state: State, { src, imm }: Insn, { source }: { source: 'imm' | 'reg' }): Value {
    if (source === 'reg') return state.registers[src]!;
    return number(this.#graph.const(BigInt.asUintN(64, BigInt(imm))));
  }

  #alu(state: State, insn: Insn, row: RowOf<'alu'>): Value {
    const graph = this.#graph;
    const right = this.#operand(state, insn, row);
    if (row.operation === 'mov') {
      return row.width === 64 ? right : number(this.#low(this.#number(right), 32));
    }
    const left = state.registers[insn.dst]!;
    const pointer = this.#pointerAlu(left, right, row);
    if (pointer) return pointer;
    const a = this.#low(this.#number(left), row.width);
    const b = this.#low(this.#number(right), row.width);
    const by = (): Node => graph.slice(b, 0, row.width === 64 ? 6 : 5);
    return number(this.#arithmetic(row.operation, a, b, by, row.width));
  }

  #arithmetic(operation: AluOperation, a: Node, b: Node, by: () => Node, width: Width): Node {
    const graph = this.#graph;
    switch (operation) {
      case 'add':
      case 'sub':
      case 'mul':
        return graph[operation](a, b, width);
      case 'and':
      case 'or':
      case 'xor':
        return graph[operation](a, b);
      case 'div':
      case 'mod':
        return graph.divide(operation, a, b);
      case 'lsh':
        return graph.shl(a, by(), width);
      case 'rsh':
        return graph.shr(a, by());
      case 'arsh':
        return graph.sar(a, by(), width);
      case 'mov':
        return b;
      default:
        throw new Refusal(
          'unsupported-instruction',
          `there is no unit for ${operation}`,
          graph.slot,
        );
    }
  }

  /** Pointers move by numbers; the distance of two in the packet is a number. */
  #pointerAlu(left: Value, right: Value, row: RowOf<'alu'>): Value | undefined {
    const graph = this.#graph;
    const { operation, width } = row;
    if (left.kind === 'packet' && right.kind === 'packet' && operation === 'sub') {
      const distance = graph.sub(left.node, right.node, POINTER_BITS);
      return number(width === 64 ? graph.sext(distance, POINTER_BITS, 64) : distance);
    }
    if (width !== 64 || (operation !== 'add' && operation !== 'sub')) return undefined;
    if (left.kind === 'number' && operation === 'add' && right.kind !== 'number') {
      return this.#pointerAlu(right, left, row);
    }
    if (right.kind !== 'number') return undefined;
    if (left.kind === 'packet') {
      const by = graph.slice(right.node, 0, POINTER_BITS);
      // Distances are below 2^29 either way, so that 32 bits do not wrap.
      if (isConst(by) && by.value >> 31n) {
        const back = (1n << 32n) - by.value;
        const node = graph[operation === 'add' ? 'sub' : 'add'](left.node, graph.const(back), 32);
        return { kind: 'packet', node };
      }
      return { kind: 'packet', node: graph[operation](left.node, by, POINTER_BITS) };
    }
    if (left.kind !== 'stack' && left.kind !== 'element' && left.kind !== 'either')
      return undefined;
    if (!isConst(right.node)) {
      throw new Refusal('variable-offset', 'only the packet has variable offsets', graph.slot);
    }
    const distance = Number(BigInt.asIntN(64, right.node.value));
    const by = operation === 'add' ? distance : -distance;
    return left.kind === 'stack' ? { ...left, offset: left.offset + by } : moveElement(left, by);
  }

  #endian(node: Node, { order, bits }: RowOf<'endian'>): Node {
    const graph = this.#graph;
    const low = graph.slice(node, 0, bits);
    if (order === 'le') return low;
    const bytes = Array.from({ length: bits / 8 }, (_, i) =>
      graph.widen(graph.slice(low, bits - 8 * (i + 1), 8), 8),
    );
    return graph.concat(bytes);
  }

  #constant(slot: number): Value {
    const graph = this.#graph;
    const fact = this.#program.facts[slot]!.imm64;
    if (fact?.kind === 'map') return { kind: 'map', map: fact.map };
    if (fact?.kind === 'map_value') {
      const { map, offset } = fact;
      return { kind: 'element', map, valid: graph.const(1n), index: graph.const(0n), offset };
    }
    if (fact) throw new Refusal('unsupported-instruction', 'there are no kernel symbols', slot);
    return number(graph.const(BigInt.asUintN(64, imm64At(this.#program.insns, slot))));
  }

  #load(state: State, { src, off }: Insn, { bytes, signed }: RowOf<'load'>): Value {
    const graph = this.#graph;
    const base = state.registers[src]!;
    const extend = (value: Value): Value =>
      signed && value.kind === 'number'
        ? number(graph.sext(graph.slice(value.node, 0, bytes * 8), bytes * 8, 64))
        : value;
    switch (base.kind) {
      case 'ctx':
        return this.#context(state, off);
      case 'stack':
        return extend(loadStack(graph, state, base.offset + off, bytes));
      case 'packet':
        return extend(number(loadPacket(graph, state, this.#moved(base.node, off), bytes)));
      case 'element':
      case 'either':
        return extend(number(this.#maps.load(moveElement(base, off), bytes)));
      default:
        throw this.#noPointer(base);
    }
  }

  #moved(pointer: Node, off: number): Node {
    const by = this.#graph.const(BigInt(Math.abs(off)));
    return off < 0 ? this.#graph.sub(pointer, by, 32) : this.#graph.add(pointer, by, 32);
  }

  #noPointer({ kind }: Value): Refusal {
    const what =
      kind === 'none' ? 'pointers of different kinds meet' : `there is nothing at a ${kind}`;
    return new Refusal('mixed-pointers', what, this.#graph.slot);
  }

  #context(state: State, off: number): Value {
    const graph = this.#graph;
    switch (off) {
      case XDP_MD.data:
      case XDP_MD.data_meta:
        return { kind: 'packet', node: state.data };
      case XDP_MD.data_end:
        return { kind: 'packet', node: state.end };
      case XDP_MD.ingress_ifindex:
        return number(graph.input('ifindex', 32));
      case XDP_MD.rx_queue_index:
        return number(graph.input('queue', 32));
      default:
        throw new Refusal('unsupported-instruction', `no xdp_md member at ${off}`, graph.slot);
    }
  }

  #store(state: State, insn: Insn, row: RowOf<'store'>, condition: Node): void {
    const graph = this.#graph;
    const { bytes } = row;
    const base = state.registers[insn.dst]!;
    const value = this.#operand(state, insn, row);
    if (base.kind === 'stack') {
      if (value.kind !== 'number' && bytes !== 8) this.#number(value);
      if (value.kind === 'none') this.#number(value);
      return storeStack(graph, state, base.offset + insn.off, bytes, value);
    }
    const node = graph.slice(this.#number(value), 0, bytes * 8);
    switch (base.kind) {
      case 'packet':
        return storePacket(graph, state, this.#moved(base.node, insn.off), bytes, node);
      case 'element':
      case 'either':
        return this.#maps.store(moveElement(base, insn.off), bytes, node, condition);
      default:
        throw this.#noPointer(base);
    }
  }

  #atomic(state: State, insn: Insn, row: RowOf<'atomic'>, condition: Node): void {
    const { registers } = state;
    const base = registers[insn.dst]!;
    const isElement = base.kind === 'element' || base.kind === 'either';
    if (!isElement || row.operation === 'cmpxchg') {
      throw new Refusal(
        'unsupported-instruction',
        `there is no unit for ${row.name} there`,
        this.#graph.slot,
      );
    }
    const operand = this.#graph.slice(this.#number(registers[insn.src]!), 0, row.bytes * 8);
    const { operation, fetch, bytes } = row;
    const at = moveElement(base, insn.off);
    const old = this.#maps.modify(at, bytes, operation, fetch, operand, condition);
    if (fetch) registers[insn.src] = number(old);
  }

  #branch(state: State, insn: Insn, row: RowOf<'branch'>): Node {
    const graph = this.#graph;
    const left = state.registers[insn.dst]!;
    const right = this.#operand(state, insn, row);
    if (left.kind === 'packet' && right.kind === 'packet' && row.width === 64) {
      return compare(graph, row.condition, left.node, right.node, POINTER_BITS);
    }
    const isNullTest =
      (left.kind === 'element' || left.kind === 'either') &&
      right.kind === 'number' &&
      isConst(right.node) &&
      right.node.value === 0n;
    if (isNullTest && row.condition === 'eq') return graph.not(validOf(graph, left));
    if (isNullTest && row.condition === 'ne') return validOf(graph, left);
    const a = this.#low(this.#number(left), row.width);
    const b = this.#low(this.#number(right), row.width);
    return compare(graph, row.condition, a, b, row.width);
  }
}

const number = (node: Node): Value => ({ kind: 'number', node });

function compare(graph: Graph, condition: Condition, a: Node, b: Node, width: number): Node {
  switch (condition) {
    case 'eq':
      return graph.eq(a, b);
    case 'ne':
      return graph.not(graph.eq(a, b));
    case 'gt':
      return graph.ult(b, a);
    case 'ge':
      return graph.not(graph.ult(a, b));
    case 'lt':
      return graph.ult(a, b);
    case 'le':
      return graph.not(graph.ult(b, a));
    case 'sgt':
      return graph.slt(b, a, width);
    case 'sge':
      return graph.not(graph.slt(a, b, width));
    case 'slt':
      return graph.slt(a, b, width);
    case 'sle':
      return graph.not(graph.slt(b, a, width));
    case 'set':
      return graph.not(graph.eq(graph.and(a, b), graph.const(0n)));
  }
}
