/**
 * What the verifier knows of a value, in words: `0 to 255`, `the value of map 'counts' at offset
 * 8`, `a packet pointer, 14 bytes of which are checked`.
 */
import { helperByProto, helpers } from '../../helpers/table.ts';
import type { Helper } from '../../helpers/helper.ts';
import { helperFor } from '../../helpers/allow.ts';
import type { BpfMap } from '../../maps/map.ts';
import { helperText, type Checker } from '../checker.ts';
import { callerOf } from '../helper-call.ts';
import { S64_MAX, S64_MIN, U64_MAX } from '../int.ts';
import { AT_PKT_END, flag, isScalar, mayBeNull, type Reg } from '../reg.ts';
import type { Scalar } from '../scalar.ts';
import { isConst } from '../tnum.ts';
import { memberAt } from './members.ts';
import { regnoOf, slotIndexOf, type Place } from './trace.ts';

export const plural = (count: number | bigint, noun: string): string =>
  `${count} ${noun}${BigInt(count) === 1n ? '' : 's'}`;

/** `R3`, `fp-16`. */
export const placeName = (place: Place): string => {
  const regno = regnoOf(place);
  return regno === undefined ? `fp${-8 * (slotIndexOf(place) + 1)}` : `R${regno}`;
};

export const mapName = (map: BpfMap): string =>
  map.spec.name === '' ? `a map of type ${map.spec.type}` : `map '${map.spec.name}'`;

/** `bpf_map_lookup_elem` of a call's immediate. */
export const helperName = (id: number): string => helperText(id);

/** The row that the program gets for a helper id; any of that id where it gets none. */
export const helperOf = (c: Checker, id: number): Helper | undefined =>
  helperFor(callerOf(c), id, c.env.caps) ?? helpers.find((row) => row.id === id);

export const isHelperNamed = (id: number, name: string): boolean => helperByProto(name).id === id;

const U32_MAX = 0xffff_ffffn;

/** The numbers that a scalar may be. */
export function rangeText(s: Scalar): string {
  if (isConst(s.bits)) return `${BigInt.asIntN(64, s.bits.value)}`;
  const { smin, smax, umin, umax } = s;
  const isSigned = smin < 0n;
  if (!isSigned) return `${bounds(umin, umax)}${stepText(s)}`;
  if (smin === S64_MIN && smax === S64_MAX) {
    if (umax !== U64_MAX || umin !== 0n) return `${bounds(umin, umax)} unsigned`;
    return narrowText(s) ?? 'any number';
  }
  if (smin === S64_MIN) return `at most ${smax}, or any negative number`;
  if (smax === S64_MAX) return `${smin} or more`;
  return `${smin} to ${smax}${stepText(s)}`;
}

function bounds(min: bigint, max: bigint): string {
  if (max === U64_MAX || max === S64_MAX) return `${min} or more, without an upper bound`;
  if (min === 0n && max === U32_MAX) return 'any 32-bit number';
  return `${min} to ${max}`;
}

/** Only the lower half is known. */
function narrowText(s: Scalar): string | undefined {
  if (s.umin32 === 0 && s.umax32 === Number(U32_MAX)) return undefined;
  return `any number whose lower half is ${s.umin32} to ${s.umax32}`;
}

/** Multiples of 2, 4, 8 … */
function stepText({ bits }: Scalar): string {
  const low = bits.value | bits.mask;
  const step = low & -low;
  return step > 1n ? `, a multiple of ${step}` : '';
}

/** `+ 8`, `- 4`, nothing for 0. */
export const signedText = (value: number | bigint): string =>
  BigInt(value) === 0n ? '' : value < 0 ? ` - ${-value}` : ` + ${value}`;

/** The variable and fixed part of a pointer's offset. */
function offsetText(reg: Reg): string {
  const { scalar } = reg;
  if (isConst(scalar.bits)) {
    return `${BigInt.asIntN(64, scalar.bits.value) + BigInt(reg.off)}`;
  }
  return `${rangeText(scalar)}${signedText(reg.off)}`;
}

const atOffset = (reg: Reg): string => {
  const text = offsetText(reg);
  if (!isConst(reg.scalar.bits)) return ` at a variable offset (${text})`;
  return text === '0' ? '' : ` at offset ${text}`;
};

export const structName = (reg: Reg): string => reg.btf?.type(reg.btfId)?.name ?? '?';

/** The object that a pointer points at, without where in it. */
export function objectText(c: Checker, reg: Reg): string {
  switch (reg.kind) {
    case 'ctx':
      return c.ops.ctxStruct ? `the context (struct ${c.ops.ctxStruct})` : 'the context';
    case 'map_ptr':
      return reg.map ? mapName(reg.map) : 'a map';
    case 'map_value':
      return reg.map ? valueText(reg.map) : 'a map value';
    case 'map_key':
      return reg.map ? `a key of ${mapName(reg.map)}` : 'a map key';
    case 'fp':
      return 'the stack';
    case 'pkt':
      return 'the packet';
    case 'pkt_meta':
      return 'the packet’s metadata';
    case 'pkt_end':
      return 'the end of the packet';
    case 'flow_keys':
      return 'the flow keys';
    case 'sock':
      return 'a socket';
    case 'sock_common':
      return 'a socket (its common part)';
    case 'tcp_sock':
      return 'a TCP socket';
    case 'xdp_sock':
      return 'an AF_XDP socket';
    case 'tp_buffer':
      return 'the tracepoint’s buffer';
    case 'buf':
      return 'a buffer';
    case 'ptr_':
      return `struct ${structName(reg)}`;
    case 'mem':
      return (reg.flags & flag.ALLOC) !== 0
        ? `a reserved record of ${plural(reg.memBytes, 'byte')}`
        : `memory of ${plural(reg.memBytes, 'byte')}`;
    case 'func':
      return `function ${functionName(c, reg.subprog)}`;
    case 'dynptr_ptr':
      return 'a dynptr';
    case '?':
      return 'nothing';
    case 'scalar':
      return 'a number';
  }
}

const INTERNAL = /\.(bss|data|rodata|kconfig)(\.|$)/;

/** Global variables live in maps of the compiler's making. */
export const isGlobalData = (map: BpfMap): boolean => INTERNAL.test(map.spec.name);
const valueText = (map: BpfMap): string =>
  isGlobalData(map) ? `global data (${mapName(map)})` : `a value of ${mapName(map)}`;

/** One value in words. */
export function describe(c: Checker, reg: Reg): string {
  if (reg.kind === '?') return 'not set';
  if (isScalar(reg)) return rangeText(reg.scalar);
  const nullable = mayBeNull(reg) ? ', or NULL' : '';
  const user = (reg.flags & flag.USER) !== 0 ? 'user-space ' : '';
  const perCpu = (reg.flags & flag.PERCPU) !== 0 ? 'per-CPU ' : '';
  const untrusted = (reg.flags & flag.UNTRUSTED) !== 0 ? 'untrusted ' : '';
  const kind = `${untrusted}${user}${perCpu}`;
  switch (reg.kind) {
    case 'fp':
      return `the stack at fp${offsetText(reg) === '0' ? '' : signedOffset(reg)}`;
    case 'pkt':
    case 'pkt_meta':
      return `${objectText(c, reg)}${atOffset(reg)}, ${checkedText(reg)}`;
    case 'map_value': {
      // At offset 0 it is the value as much as its first member.
      const named = reg.map && (atOffset(reg) !== '' || isGlobalData(reg.map));
      const member = named && isConst(reg.scalar.bits) && memberOfValue(reg.map!, reg);
      return `${objectText(c, reg)}${member ? ` (${member})` : atOffset(reg)}${nullable}`;
    }
    case 'pkt_end':
    case 'map_ptr':
    case 'func':
      return objectText(c, reg);
    default:
      return `${kind === '' ? '' : `${kind}pointer to `}${objectText(c, reg)}${atOffset(reg)}${nullable}`;
  }
}

const signedOffset = (reg: Reg): string => {
  const text = offsetText(reg);
  if (!isConst(reg.scalar.bits)) return ` + (${text})`;
  return text.startsWith('-') ? text : `+${text}`;
};

function checkedText(reg: Reg): string {
  if (reg.range < 0) return reg.range === AT_PKT_END ? 'at the end or past it' : 'past the end';
  return reg.range === 0 ? 'nothing of it checked' : `${plural(reg.range, 'byte')} checked`;
}

export function memberOfValue(map: BpfMap, reg: Reg): string | undefined {
  const { btf, btfValueTypeId } = map.spec;
  if (!btf || !btfValueTypeId) return undefined;
  const at = reg.off + Number(BigInt.asIntN(32, reg.scalar.bits.value));
  return memberAt(btf, btfValueTypeId, at);
}

/** The function's name in BTF, or its number. */
export function functionName(c: Checker, subprog: number): string {
  const { btfFunc } = c.subprogs[subprog] ?? {};
  const name = btfFunc === undefined ? undefined : c.btf?.type(btfFunc)?.name;
  if (name !== undefined && name !== '') return name;
  if (subprog === 0) return c.spec.name === '' ? 'the program' : c.spec.name;
  return `func#${subprog}`;
}

/** A member of the context, by the program's BTF or the kernel's. */
export function contextMember(c: Checker, off: number): string | undefined {
  const name = c.ops.ctxStruct;
  if (!name) return undefined;
  for (const btf of [c.btf, c.env.kernelBtf]) {
    const id = btf?.find(name, 'struct');
    if (btf && id !== undefined) return memberAt(btf, id, off);
  }
  return undefined;
}
