/** Loads and stores while a program is turned into a pipeline: memory is known byte by byte. */
import { type Graph } from './graph.ts';
import { type Node } from './node.ts';
import { HEAD_BYTES, WINDOW_BYTES } from './params.ts';
import { Refusal } from './refusal.ts';
import { type Byte, PACKET_BASE, sameValue, type State, type Value } from './values.ts';

const STACK_BYTES = 512;
const POINTER_BYTES = 8;

/** What the packet holds before the program runs: its frames, and zeros in front of them. */
export function originalByte(graph: Graph, at: number, frameBytes: number): Node {
  if (at < -HEAD_BYTES || at >= WINDOW_BYTES) {
    throw new Refusal('packet-offset', `byte ${at} of the packet is not at hand`, graph.slot);
  }
  if (at < 0) return graph.const(0n);
  const frame = graph.input('frame', frameBytes * 8, BigInt(Math.floor(at / frameBytes)));
  return graph.slice(frame, (at % frameBytes) * 8, 8);
}

export function packetByte({ packet, original }: State, at: number): Node {
  const known = packet.get(at);
  return known && 'node' in known ? known.node : original(at);
}

/** Bytes from the packet's first that a pointer may be at, each with its number. */
export function packetPlaces(graph: Graph, pointer: Node): readonly (readonly [number, Node])[] {
  const values = graph.values(pointer);
  if (!values) {
    throw new Refusal('variable-offset', 'the packet is accessed anywhere', graph.slot);
  }
  return values.map((value) => [Number(value - PACKET_BASE), graph.const(value)] as const);
}

export function loadPacket(graph: Graph, state: State, pointer: Node, bytes: number): Node {
  const places = packetPlaces(graph, pointer);
  const at = (place: number): Node =>
    wordOf(
      graph,
      Array.from({ length: bytes }, (_, i) => packetByte(state, place + i)),
    );
  const [first, ...others] = places;
  return others.reduce(
    (value, [place, number]) => graph.mux(graph.eq(pointer, number), at(place), value),
    at(first![0]),
  );
}

export function storePacket(
  graph: Graph,
  state: State,
  pointer: Node,
  bytes: number,
  value: Node,
): void {
  const places = packetPlaces(graph, pointer);
  const after = new Map<number, Node>();
  for (const [place, number] of places) {
    for (let i = 0; i < bytes; i++) {
      const at = place + i;
      const byte = graph.slice(value, 8 * i, 8);
      const before = after.get(at) ?? packetByte(state, at);
      const here = places.length === 1 ? byte : graph.mux(graph.eq(pointer, number), byte, before);
      after.set(at, here);
    }
  }
  for (const [at, node] of after) state.packet.set(at, { node });
}

export function storeStack(
  graph: Graph,
  { stack }: State,
  offset: number,
  bytes: number,
  value: Value,
): void {
  checkStack(graph, offset, bytes);
  for (let i = 0; i < bytes; i++) {
    const byte: Byte =
      value.kind === 'number'
        ? { node: graph.slice(value.node, 8 * i, 8) }
        : { pointer: value, index: i };
    stack.set(offset + i, byte);
  }
}

export function loadStack(graph: Graph, { stack }: State, offset: number, bytes: number): Value {
  checkStack(graph, offset, bytes);
  const parts = Array.from({ length: bytes }, (_, i) => stack.get(offset + i));
  const [first] = parts;
  if (first && 'pointer' in first) {
    const whole = parts.every(
      (part, i) =>
        part && 'pointer' in part && part.index === i && sameValue(part.pointer, first.pointer),
    );
    if (bytes === POINTER_BYTES && whole) return first.pointer;
    throw new Refusal('pointer-as-number', 'a part of a pointer is read', graph.slot);
  }
  return {
    kind: 'number',
    node: wordOf(
      graph,
      parts.map((part) => numberOf(graph, part)),
    ),
  };
}

function numberOf(graph: Graph, part: Byte | undefined): Node {
  if (!part)
    throw new Refusal('uninitialised-stack', 'stack is read that was not written', graph.slot);
  if ('node' in part) return part.node;
  throw new Refusal('pointer-as-number', 'a part of a pointer is read', graph.slot);
}

function checkStack(graph: Graph, offset: number, bytes: number): void {
  if (offset >= -STACK_BYTES && offset + bytes <= 0) return;
  throw new Refusal('variable-offset', `the stack is accessed at ${offset}`, graph.slot);
}

/** Bytes, lowest first, as a number. */
export function wordOf(graph: Graph, bytes: readonly Node[]): Node {
  return graph.concat(bytes.map((byte) => graph.widen(byte, 8)));
}
