/** The values of a pipeline's graph (graph.ts): what there is, and how wide it is. */
import type { BpfMap } from '../../../bpf/maps/map.ts';

/** Wires and logic, computed where their operands are. */
export type LogicOp =
  | 'add' | 'sub' | 'and' | 'or' | 'xor' | 'not' | 'shl' | 'shr' | 'sar'
  | 'eq' | 'ult' | 'mux' | 'slice' | 'concat' | 'sext'; // prettier-ignore
/** Units with registers of their own. */
export type UnitOp = 'mul' | 'div' | 'mod';
/** What reads or writes a map. */
export type MapOp = 'lookup' | 'load' | 'store' | 'rmw' | 'update' | 'delete' | 'devmap';
/** From outside: the packet's frames, and what comes with it. */
export type InputOp = 'const' | 'frame' | 'length' | 'ifindex' | 'queue' | 'time';
export type NodeOp = LogicOp | UnitOp | MapOp | InputOp;

export interface Node {
  readonly id: number;
  readonly op: NodeOp;
  readonly args: readonly Node[];
  readonly bits: number;
  /** const: the number; frame: which; slice: the lowest bit; sext, sar: width of the operand. */
  readonly value: bigint;
  /** The instruction that it was first made for. */
  readonly slot: number;
  readonly access?: MapAccess;
}

export interface MapAccess {
  readonly map: BpfMap;
  /** Bytes of the value that are read or written. */
  readonly from: number;
  readonly bytes: number;
  /** rmw: what is done to the old value; it is the node's value where `fetch` is set. */
  readonly operation?: 'add' | 'or' | 'and' | 'xor' | 'xchg';
  readonly fetch?: boolean;
  /** Counts what was written to the map before it: reads of one version are the same. */
  readonly version?: number;
}

const ONE = 1n;
export const maskOf = (bits: number): bigint => (ONE << BigInt(bits)) - ONE;
export const bitsOf = (value: bigint): number => (value === 0n ? 1 : value.toString(2).length);

export const isConst = (node: Node | undefined): node is Node & { readonly op: 'const' } =>
  node?.op === 'const';

/** The same for nodes that are the same. */
export function keyOf(
  op: NodeOp,
  args: readonly Node[],
  bits: number,
  value: bigint,
  access?: MapAccess,
) {
  const where = access
    ? `${access.map.offset}:${access.from}:${access.bytes}:${access.version ?? ''}`
    : '';
  return `${op} ${args.map(({ id }) => id).join(',')} ${bits} ${value} ${where}`;
}
