/** Helpers that a pipeline has a part for. */
import { XDP_REDIRECT } from '../../bpf/uapi.ts';
import type { Context } from './execute.ts';
import { dataOf } from './execute.ts';
import type { Lookup, Step } from './graph.ts';
import { refuse } from './refusal.ts';
import type { State } from './state.ts';
import { type Bits, bitsOf, constant, constantOf, extended, Field, type Value } from './value.ts';

export const HELPERS = [
  'map_lookup_elem', 'redirect', 'redirect_map', 'xdp_adjust_head', 'ktime_get_ns', 'get_prandom_u32',
] as const; // prettier-ignore

/** Bytes that XDP keeps before a packet, less what struct xdp_frame needs of them (6.1). */
const HEADROOM_BYTES = 256 - 40;
const TIME_BITS = 48;

export function callHelper(
  context: Context,
  step: Step,
  state: State,
  name: string,
  slot: number,
): void {
  const result = resultOf(context, step, state, name, slot);
  for (let register = 1; register <= 5; register++) state.registers[register] = undefined;
  state.registers[0] = result;
}

function resultOf(
  context: Context,
  step: Step,
  state: State,
  name: string,
  slot: number,
): Value {
  const { registers } = state;
  const word = (bits: Bits): Value => ({ kind: 'bits', bits: extended(bits, bits.length, false) });
  switch (name) {
    case 'map_lookup_elem':
      return { kind: 'entry', lookup: lookup(context, step, state, slot, false), at: 0 };
    case 'redirect_map': {
      const flags = dataOf(context, registers[3], slot);
      if (constantOf(flags) === undefined) refuse(slot, 'variable-flags', 'flags that only the packet decides');
      const decided = lookup(context, step, state, slot, true);
      return word(new Field({ kind: 'decided', lookup: decided }, 32).bits);
    }
    case 'redirect': {
      if (constantOf(dataOf(context, registers[2], slot)) !== 0n) {
        refuse(slot, 'variable-flags', 'flags of a redirect');
      }
      step.effects.push({ kind: 'port', slot, bits: dataOf(context, registers[1], slot) });
      return constant(BigInt(XDP_REDIRECT));
    }
    case 'xdp_adjust_head':
      return adjustHead(context, step, state, slot);
    case 'ktime_get_ns':
      return word(context.fields.metadata('time', TIME_BITS));
    case 'get_prandom_u32':
      return word(context.fields.metadata(`random ${step.index} ${slot}`, 32));
    case 'map_update_elem':
    case 'map_delete_elem':
      return refuse(slot, 'table-change', `bpf_${name}: packets cannot change a table`, 'entries come from the control plane; packets change registers: values that are already there');
    default:
      return refuse(slot, 'unsupported-helper', `helper bpf_${name}`, `there are parts for ${HELPERS.map((helper) => `bpf_${helper}`).join(', ')}`);
  }
} // prettier-ignore

/** r1 the map, r2 the key's place, or the key itself for a redirect. */
function lookup(
  context: Context,
  step: Step,
  state: State,
  slot: number,
  decides: boolean,
): Lookup {
  const [, map, at] = state.registers;
  if (map?.kind !== 'map') return refuse(slot, 'variable-map', 'a map that is not known');
  const { keyBytes } = map.map.spec;
  const key = decides ? dataOf(context, at, slot).slice(0, 32) : keyAt(context, state, at, keyBytes, slot);
  const made = { map: map.map, slot, step, key, decides };
  context.lookups.push(made);
  step.effects.push({ kind: 'lookup', lookup: made });
  return made;
} // prettier-ignore

function keyAt(
  { fields }: Context,
  state: State,
  place: Value | undefined,
  bytes: number,
  slot: number,
): Bits {
  const byte = (at: number): Bits => {
    switch (place?.kind) {
      case 'stack':
        return state.stack.get(at) ?? bitsOf(0n, 8);
      case 'packet':
        return state.packet.get(at) ?? fields.packetByte(at);
      case 'entry':
        return fields.entryByte(place, at);
      default:
        return refuse(slot, 'unsupported-memory', 'a key that lies there');
    }
  };
  const from = place && 'at' in place ? place.at : 0;
  return Array.from({ length: bytes }, (_, i) => byte(from + i)).flat();
}

/** The deparser writes a header more. It never fails while there is headroom. */
function adjustHead(context: Context, step: Step, state: State, slot: number): Value {
  const by = constantOf(dataOf(context, state.registers[2], slot));
  const delta = by === undefined ? undefined : Number(BigInt.asIntN(32, by));
  if (delta === undefined || delta > 0 || state.start + delta < -HEADROOM_BYTES) {
    return refuse(slot, 'unsupported-resize', 'this change of the packet’s start', `a known number of bytes may be added, up to ${HEADROOM_BYTES}`);
  }
  step.effects.push({ kind: 'header', slot, delta });
  state.start += delta;
  state.forgetPacketPointers();
  return constant(0n);
} // prettier-ignore
