/** Calls of helpers while a program is turned into a pipeline: each becomes a block of its own. */
import { helperOfCall } from '../../../bpf/calls.ts';
import type { BpfMap } from '../../../bpf/maps/map.ts';
import type { VerifiedProgram } from '../../../bpf/program.ts';
import { XDP_ABORTED, XDP_REDIRECT } from '../../../bpf/uapi.ts';
import { errno } from '../../../kernel/types/errno.ts';
import { SKB_SHARED_INFO_BYTES, XDP_PACKET_HEADROOM, XdpFrame } from '../../../kernel/types/xdp.ts';
import { isArray, type MapAccesses } from './accesses.ts';
import { type Graph } from './graph.ts';
import { isConst, type Node } from './node.ts';
import { loadPacket, loadStack } from './memory.ts';
import { PAGE_BYTES } from './params.ts';
import { Refusal } from './refusal.ts';
import { NONE, PACKET_BASE, POINTER_BITS, type State, type Value } from './values.ts';

/** Those that there are blocks for. */
export const HELPERS: readonly string[] = [
  'map_lookup_elem', 'map_update_elem', 'map_delete_elem', 'redirect', 'redirect_map',
  'xdp_redirect', 'xdp_redirect_map', 'xdp_adjust_head', 'xdp_adjust_tail', 'csum_diff',
  'ktime_get_ns',
]; // prettier-ignore

const ETH_HLEN = 14n;
const MAX_CSUM_BYTES = 512;
const ACTION_MASK = 3n;

export class Helpers {
  readonly #program: VerifiedProgram;
  readonly #graph: Graph;
  readonly #maps: MapAccesses;

  constructor(program: VerifiedProgram, graph: Graph, maps: MapAccesses) {
    this.#program = program;
    this.#graph = graph;
    this.#maps = maps;
  }

  call(state: State, slot: number, condition: Node): void {
    const name = helperOfCall(this.#program, slot)?.name ?? '';
    const result = this.#result(name, state, slot, condition);
    state.registers[0] = result;
    for (let register = 1; register <= 5; register++) state.registers[register] = NONE;
  }

  #result(name: string, state: State, slot: number, condition: Node): Value {
    switch (name) {
      case 'map_lookup_elem': {
        const map = this.#map(state);
        const key = this.#memory(state, 2, map.spec.keyBytes);
        return this.#maps.lookup(map, key, condition);
      }
      case 'map_update_elem':
        return this.#int(this.#update(state, condition), slot);
      case 'map_delete_elem': {
        const map = this.#searched(state);
        const key = this.#memory(state, 2, map.spec.keyBytes);
        return this.#int(this.#maps.delete(map, key, condition), slot);
      }
      case 'redirect':
      case 'xdp_redirect':
        return this.#redirect(state);
      case 'redirect_map':
      case 'xdp_redirect_map':
        return this.#redirectMap(state);
      case 'xdp_adjust_head':
        return this.#int(this.#adjustHead(state), slot);
      case 'xdp_adjust_tail':
        return this.#int(this.#adjustTail(state), slot);
      case 'csum_diff':
        return number(this.#checksum(state));
      case 'ktime_get_ns':
        return number(this.#graph.input('time', 64));
      default:
        throw new Refusal('unsupported-helper', `helper bpf_${name} is not supported`, slot);
    }
  }

  /** An int in r0: its upper half is the sign, or 0 where the map's own operation was called. */
  #int(node: Node, slot: number): Value {
    if (this.#program.facts[slot]!.returnsInt) return number(node);
    return number(this.#graph.sext(node, 32, 64));
  }

  #bad(what: string): Refusal {
    return new Refusal('unsupported-argument', what, this.#graph.slot);
  }

  #map({ registers }: State): BpfMap {
    const [, map] = registers;
    if (map!.kind !== 'map') throw this.#bad('the map is not always the same');
    return map!.map;
  }

  #searched(state: State): BpfMap {
    const map = this.#map(state);
    if (!isArray(map) && map.spec.type !== 'lpm_trie') return map;
    throw this.#bad('packets update elements of hash tables only');
  }

  #number({ registers }: State, register: number): Node {
    const value = registers[register]!;
    if (value.kind !== 'number') throw this.#bad(`r${register} is not a number`);
    return value.node;
  }

  #constant(state: State, register: number): bigint {
    const node = this.#number(state, register);
    if (!isConst(node)) throw this.#bad(`r${register} is not a constant`);
    return node.value;
  }

  /** Bytes that a register points at, as one number. */
  #memory(state: State, register: number, bytes: number): Node {
    const pointer = state.registers[register]!;
    const graph = this.#graph;
    switch (pointer.kind) {
      case 'stack': {
        const value =
          bytes === 0 ? number(graph.const(0n)) : loadStack(graph, state, pointer.offset, bytes);
        if (value.kind === 'number') return value.node;
        throw this.#bad('a pointer is in a buffer');
      }
      case 'packet':
        return loadPacket(graph, state, pointer.node, bytes);
      case 'element':
      case 'either':
        return this.#maps.load(pointer, bytes);
      default:
        throw this.#bad(`r${register} points at nothing that can be read`);
    }
  }

  #update(state: State, condition: Node): Node {
    const map = this.#searched(state);
    const { keyBytes, valueBytes } = map.spec;
    const flags = this.#constant(state, 4);
    if (flags > 2n) throw this.#bad('these flags of an update');
    const value = this.#memory(state, 3, valueBytes);
    return this.#maps.update(map, this.#memory(state, 2, keyBytes), value, flags, condition);
  }

  #redirect(state: State): Value {
    const graph = this.#graph;
    const flags = this.#number(state, 2);
    const plain = graph.eq(flags, graph.const(0n));
    const port = graph.slice(this.#number(state, 1), 0, 32);
    state.redirect = graph.mux(plain, port, state.redirect);
    return verdict(graph, plain, XDP_REDIRECT, graph.const(BigInt(XDP_ABORTED)));
  }

  #redirectMap(state: State): Value {
    const graph = this.#graph;
    const map = this.#map(state);
    const flags = this.#constant(state, 3);
    if (map.spec.type !== 'devmap' || (flags & ~ACTION_MASK) !== 0n) {
      throw this.#bad('redirects other than to one device of a devmap');
    }
    const found = this.#maps.devmap(map, graph.slice(this.#number(state, 2), 0, 32));
    const valid = graph.slice(found, 32, 1);
    state.redirect = graph.mux(valid, graph.slice(found, 0, 32), graph.const(0n));
    return verdict(graph, valid, XDP_REDIRECT, graph.const(flags));
  }

  /** Where the packet may begin and end; -EINVAL and nothing changes elsewhere. */
  #adjustHead(state: State): Node {
    const graph = this.#graph;
    const data = this.#moved(state.data, this.#number(state, 2));
    const lowest = PACKET_BASE - BigInt(XDP_PACKET_HEADROOM - XdpFrame.size);
    const tooLow = graph.ult(data, graph.const(lowest));
    const tooHigh = graph.ult(graph.sub(state.end, graph.const(ETH_HLEN), POINTER_BITS), data);
    const fits = graph.not(graph.or(tooLow, tooHigh));
    state.data = graph.mux(fits, data, state.data);
    return this.#outcome(fits);
  }

  #adjustTail(state: State): Node {
    const graph = this.#graph;
    const end = this.#moved(state.end, this.#number(state, 2));
    const room = PAGE_BYTES - SKB_SHARED_INFO_BYTES - XDP_PACKET_HEADROOM;
    const tooHigh = graph.ult(graph.const(PACKET_BASE + BigInt(room)), end);
    const tooLow = graph.ult(end, graph.add(state.data, graph.const(ETH_HLEN), POINTER_BITS));
    // differs: frames are not made longer behind; the verifier does not tell by how much.
    const longer = graph.ult(state.end, end);
    if (!isConst(longer) || longer.value === 1n) this.#checkShrinks(end, state.end);
    const fits = graph.not(graph.or(tooLow, tooHigh));
    state.end = graph.mux(fits, end, state.end);
    return this.#outcome(fits);
  }

  /** A tail is cut to a constant length, or by a constant. */
  #checkShrinks(end: Node, before: Node): void {
    const values = this.#graph.values(end);
    if (values) return;
    if (end.op === 'sub' && end.args[0] === before && isConst(end.args[1])) return;
    if (end.op === 'add' && before.op === 'add' && end.args[0] === before.args[0]) {
      const [to, from] = [end.args[1]!, before.args[1]!];
      if (isConst(to) && isConst(from) && to.value <= from.value) return;
    }
    throw this.#bad('a packet may become longer at its end');
  }

  #moved(pointer: Node, by: Node): Node {
    const graph = this.#graph;
    const low = graph.slice(by, 0, 32);
    if (isConst(low) && low.value >> 31n) {
      return graph.sub(pointer, graph.const((1n << 32n) - low.value), POINTER_BITS);
    }
    // base + (a - (b - base)) is a without b where they are one: the length cancels out.
    const cancelled = cancel(graph, pointer, low);
    return cancelled ?? graph.add(pointer, low, POINTER_BITS);
  }

  #outcome(fits: Node): Node {
    const graph = this.#graph;
    const invalid = BigInt.asUintN(32, BigInt(-errno.EINVAL));
    return graph.mux(fits, graph.const(0n), graph.const(invalid));
  }

  /** Words of 32 bits added up; carries come in at the bottom again (RFC 1071). */
  #checksum(state: State): Node {
    const graph = this.#graph;
    const [fromBytes, toBytes] = [
      Number(this.#constant(state, 2)),
      Number(this.#constant(state, 4)),
    ];
    if ((fromBytes | toBytes) % 4 !== 0 || fromBytes + toBytes > MAX_CSUM_BYTES) {
      return graph.const(BigInt.asUintN(64, BigInt(-errno.EINVAL)));
    }
    const words = (register: number, bytes: number): Node[] => {
      const all = bytes === 0 ? graph.const(0n) : this.#memory(state, register, bytes);
      return Array.from({ length: bytes / 4 }, (_, i) => graph.slice(all, 32 * i, 32));
    };
    const seed = graph.slice(this.#number(state, 5), 0, 32);
    const to = this.#fold(sum(graph, [...words(3, toBytes), seed]));
    const from = words(1, fromBytes).map((word) => graph.not(graph.widen(word, 32)));
    return from.length === 0 ? this.#fold(to) : this.#fold(sum(graph, [...from, to]));
  }

  #fold(node: Node): Node {
    const graph = this.#graph;
    let folded = node;
    for (let time = 0; time < 2; time++) {
      folded = graph.add(graph.slice(folded, 0, 32), graph.slice(folded, 32, 32));
    }
    return graph.slice(folded, 0, 64);
  }
}

const number = (node: Node): Value => ({ kind: 'number', node });

const verdict = (graph: Graph, chosen: Node, action: number, otherwise: Node): Value =>
  number(graph.mux(chosen, graph.const(BigInt(action)), otherwise));

/** As a tree: few levels. */
function sum(graph: Graph, words: readonly Node[]): Node {
  if (words.length === 1) return words[0]!;
  const half = words.length >> 1;
  return graph.add(sum(graph, words.slice(0, half)), sum(graph, words.slice(half)));
}

/** x + base moved by c - x is base + c. */
function cancel(graph: Graph, pointer: Node, by: Node): Node | undefined {
  const [x, base] = pointer.args;
  if (pointer.op !== 'add' || !isConst(base) || by.op !== 'sub') return undefined;
  const [c, y] = by.args;
  return y === x && isConst(c) ? graph.add(base, c, POINTER_BITS) : undefined;
}
