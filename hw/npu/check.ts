/**
 * What the nfp driver refuses, instruction by instruction, with its words (`[nfp] …` lines of the
 * verifier's log) and errnos. Where it only fails to translate, Linux says nothing; then the line
 * here is ours.
 */
import { helperOfCall } from '../../bpf/calls.ts';
import type { Insn } from '../../bpf/isa/insn.ts';
import type { IsaRow, RowOf } from '../../bpf/isa/row.ts';
import { rowOf } from '../../bpf/isa/table.ts';
import type { VerifiedProgram } from '../../bpf/program.ts';
import { errno } from '../../kernel/types/errno.ts';
import type { Diagnostic } from '../target.ts';
import { MapUse } from './map-use.ts';
import { SPLIT_BYTES } from './params.ts';
import { type State, U32_MAX, type Value } from './values.ts';

/** DRV: helpers that the driver knows, of those that the firmware has. */
export const HELPERS = [
  'map_lookup_elem', 'map_update_elem', 'map_delete_elem', 'xdp_adjust_head', 'xdp_adjust_tail',
  'get_prandom_u32', 'perf_event_output',
] as const; // prettier-ignore
type Helper = (typeof HELPERS)[number];

/** What the firmware and the driver call the arguments of. */
const MAP_CALLS: Readonly<Partial<Record<Helper, string>>> = {
  map_lookup_elem: 'map_lookup', map_update_elem: 'map_update', map_delete_elem: 'map_delete',
}; // prettier-ignore

/** BPF_F_CURRENT_CPU. */
const CURRENT_CPU = 0xffff_ffffn;

export interface Refused {
  readonly reason: string;
  readonly message: string;
  readonly hint?: string;
  readonly errno: number;
}

const refused = (
  reason: string,
  message: string,
  hint?: string,
  code: number = errno.EOPNOTSUPP,
): Refused => ({ reason, message: `[nfp] ${message}`, errno: code, ...(hint && { hint }) });

/** In order of their slots. */
export function refusals(
  program: VerifiedProgram,
  at: readonly (State | undefined)[],
): Diagnostic[] {
  const found: Diagnostic[] = [];
  const use = new MapUse();
  for (let insn = 0; insn < program.insns.length; insn++) {
    const row = rowOf(program.insns[insn]!)!;
    const state = at[insn];
    const wrong = state && refusalOf({ program, state, slot: insn, use }, row);
    if (wrong) found.push({ insn, ...wrong });
    insn += row.slots - 1;
  }
  return found;
}

interface Place {
  readonly program: VerifiedProgram;
  readonly state: State;
  readonly slot: number;
  readonly use: MapUse;
}

function refusalOf(place: Place, row: IsaRow): Refused | undefined {
  const insn = place.program.insns[place.slot]!;
  switch (row.kind) {
    case 'alu':
      return refusedAlu(place, insn, row);
    case 'movsx':
    case 'ld_packet':
      return unknown(insn);
    case 'endian':
      return row.order === 'be' ? undefined : unknown(insn, 'bytes are swapped to network order only');
    case 'goto':
      return row.long ? unknown(insn) : undefined;
    case 'ld_imm64':
      if (place.program.facts[place.slot]!.imm64?.kind !== 'map_value') return undefined;
      return {
        reason: 'direct-map-value',
        message: 'no direct value access support for this map type',
        hint: 'global variables are in maps that a device does not have',
        errno: errno.EINVAL,
      };
    case 'load':
      return row.signed ? unknown(insn) : refusedLoad(place, insn, row);
    case 'store':
      return refusedStore(place, insn, row);
    case 'atomic':
      return refusedAtomic(place, insn, row);
    case 'call':
      return refusedCall(place, insn, row);
    default:
      return undefined;
  }
} // prettier-ignore

const unknown = ({ code }: Insn, hint?: string): Refused =>
  refused(
    'unsupported-instruction',
    `instruction 0x${code.toString(16).padStart(2, '0')} not supported`,
    hint,
    errno.EINVAL,
  );

const fits32 = (value: Value): boolean => value.kind === 'number' && value.max <= U32_MAX;

function refusedAlu({ state }: Place, insn: Insn, row: RowOf<'alu'>): Refused | undefined {
  const { operation, width } = row;
  const left = state.registers[insn.dst]!;
  const right = row.source === 'reg' ? state.registers[insn.src]! : undefined;
  const wrong = (reason: string, message: string, hint?: string) =>
    refused(reason, message, hint, errno.EINVAL);
  switch (operation) {
    case 'mod':
    case 'smod':
    case 'sdiv':
      return unknown(insn, 'there is no division: a power of two can be a mask');
    case 'mul':
      if (!fits32(left)) return wrong('wide-multiplication', 'multiplier is not within u32 value range', 'mask or bound the operands: the cores multiply 32 by 32 bits');
      if (right && !fits32(right)) return wrong('wide-multiplication', 'multiplicand is not within u32 value range', 'mask or bound the operands: the cores multiply 32 by 32 bits');
      if (width === 64 && !right && insn.imm < 0) return wrong('wide-multiplication', "sign extended multiplicand won't be within u32 value range");
      return undefined;
    case 'div':
      if (!fits32(left)) return wrong('wide-division', 'dividend is not within u32 value range', 'mask or bound the dividend');
      if (right?.kind === 'number' ? right.min !== right.max : right) {
        return wrong('variable-divisor', 'divisor is not constant', 'divide by constants: they become multiplications');
      }
      if (right && !fits32(right)) return wrong('wide-division', 'divisor is not within u32 value range');
      if (!right && insn.imm < 0) return wrong('wide-division', 'divide by negative constant is not supported');
      return undefined;
    default:
      return undefined;
  }
} // prettier-ignore

function refusedStack(value: Value): Refused | undefined {
  if (value.kind === 'stack') return undefined;
  return refused(
    'variable-stack-pointer',
    'variable ptr stack access',
    'local memory is addressed by constants',
    errno.EINVAL,
  );
}

/** Pointers that are of different kinds on different ways, and kinds that no core can follow. */
function refusedPointer(place: Place): Refused | undefined {
  const { pointer } = place.program.facts[place.slot]!;
  if (pointer === undefined || pointer === 'mixed') {
    return refused(
      'mixed-pointer',
      'ptr type changed for instruction',
      'let each access be of one kind of memory',
      errno.EINVAL,
    );
  }
  const known = ['ctx', 'stack', 'packet', 'map_value'];
  if (known.includes(pointer)) return undefined;
  return refused(
    'unsupported-pointer',
    'unsupported ptr type: ' + pointer,
    undefined,
    errno.EINVAL,
  );
}

function refusedPacket(value: Value, off: number, bytes: number): Refused | undefined {
  const end = value.kind === 'packet' && value.id === 0 ? value.at + off + bytes : 0;
  if (end <= SPLIT_BYTES) return undefined;
  return {
    reason: 'beyond-split',
    message: 'nfp: BPF offload not supported with potential packet access beyond HW packet split boundary',
    hint: `the first ${SPLIT_BYTES} bytes are within a core's reach`,
    errno: errno.EOPNOTSUPP,
  };
} // prettier-ignore

function refusedLoad(place: Place, { src, off }: Insn, row: RowOf<'load'>): Refused | undefined {
  const base = place.state.registers[src]!;
  const wrong = refusedPointer(place);
  if (wrong) return wrong;
  switch (place.program.facts[place.slot]!.pointer) {
    case 'ctx':
      if (off === 0 || off === 4) return undefined;
      return refused('unsupported-context', `context field at ${off} is not known to the driver`, 'there are data and data_end');
    case 'stack':
      return refusedStack(base);
    case 'map_value':
      return place.use.access(base, off, row.bytes, 'read');
    default:
      return refusedPacket(base, off, row.bytes);
  }
} // prettier-ignore

function refusedStore(place: Place, { dst, off }: Insn, row: RowOf<'store'>): Refused | undefined {
  const base = place.state.registers[dst]!;
  const wrong = refusedPointer(place);
  if (wrong) return wrong;
  switch (place.program.facts[place.slot]!.pointer) {
    case 'ctx':
      return refused('context-store', 'unsupported store to context field');
    case 'stack': {
      const variable = refusedStack(base);
      if (variable || row.source === 'reg') return variable;
      return refused('immediate-stack-store', 'stores of constants to the stack are not translated', 'compile for instruction set v3 or lower: constants go through a register');
    }
    case 'map_value':
      return refused('map-store', 'map writes not supported', 'counters: __sync_fetch_and_add(); else bpf_map_update_elem()');
    default:
      return refusedPacket(base, off, row.bytes);
  }
} // prettier-ignore

function refusedAtomic(place: Place, insn: Insn, row: RowOf<'atomic'>): Refused | undefined {
  const base = place.state.registers[insn.dst]!;
  if (row.operation !== 'add' || row.fetch) {
    return refused('unsupported-atomic', `atomic op not implemented: ${insn.imm}`, 'there is add, without the old value');
  }
  if (place.program.facts[place.slot]!.pointer !== 'map_value') {
    return refused('unsupported-atomic', `atomic add not to a map value pointer: ${pointerType(base)}`);
  }
  if (place.state.registers[insn.src]!.kind !== 'number') {
    return refused('unsupported-atomic', `atomic add not of a scalar: ${pointerType(place.state.registers[insn.src]!)}`);
  }
  return place.use.access(base, insn.off, row.bytes, 'atomic');
} // prettier-ignore

/** enum bpf_reg_type (Linux 6.1, include/linux/bpf.h). */
const POINTER_TYPES: Readonly<Record<Value['kind'], number>> = {
  number: 1, context: 2, other: 3, 'map value': 4, stack: 6, packet: 8,
}; // prettier-ignore

const pointerType = ({ kind }: Value): number => POINTER_TYPES[kind];

function refusedCall(place: Place, insn: Insn, row: RowOf<'call'>): Refused | undefined {
  const { program, slot, state } = place;
  if (row.target !== 'helper') {
    // differs: the driver has calls between a program's functions.
    return refused('subprogram', 'calls of functions are not translated', 'inline them (static __always_inline)');
  }
  const name = helperOfCall(program, slot)?.name as Helper;
  if (!HELPERS.includes(name)) {
    return refused('unsupported-helper', `unsupported function id: ${insn.imm}`, `there are ${HELPERS.map((helper) => `bpf_${helper}`).join(', ')}`);
  }
  const map = MAP_CALLS[name];
  if (map !== undefined) {
    const wrong = refusedArgument(map, state.registers[2]!) ?? (name === 'map_update_elem' ? refusedArgument(map, state.registers[3]!) : undefined);
    if (wrong) return wrong;
    if (name === 'map_update_elem') return place.use.update(program.facts[slot]!.map, state);
  }
  if (name !== 'perf_event_output') return undefined;
  const flags = state.registers[3]!;
  if (flags.kind === 'number' && flags.min === CURRENT_CPU && flags.max === CURRENT_CPU) return undefined;
  return refused('event-flags', 'event_output: must use BPF_F_CURRENT_CPU', 'there is one buffer of events for a card');
} // prettier-ignore

function refusedArgument(call: string, value: Value): Refused | undefined {
  const hint = 'firmware takes keys and values from the stack, at multiples of 4';
  if (value.kind === 'other') return refused('map-argument', `${call}: variable pointer`, hint);
  if (value.kind !== 'stack') {
    return refused('map-argument', `${call}: unsupported ptr type ${pointerType(value)}`, hint);
  }
  if (-value.at % 4 === 0) return undefined;
  return refused('map-argument', `${call}: unaligned stack pointer ${-value.at}`, hint);
}
