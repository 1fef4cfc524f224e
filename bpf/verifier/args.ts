/**
 * Arguments of helper calls, checked against the helper's prototype: the register's type, its
 * offset, and what the argument means (a map, a key of that map, memory of a size …).
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from '../btf/btf.ts';
import type { ArgType, BaseArgType, Helper } from '../helpers/helper.ts';
import type { BpfMap } from '../maps/map.ts';
import { checkMem, checkMemOfSize } from './args-mem.ts';
import { checkSpecialArg } from './args-special.ts';
import { structMatches } from './btf-walk.ts';
import { reject, type Checker } from './checker.ts';
import { checkDynptrArg, dynptrIdAt } from './dynptr.ts';
import { checkKptrType } from './kptr.ts';
import { sourceReg } from './live.ts';
import type { KernelPtr } from './map-fields.ts';
import { markPrecise } from './precision.ts';
import type { ReasonCode } from './reasons.ts';
import {
  flag,
  isNull,
  isPacketPointer,
  isPlain,
  typeText,
  type Reg,
  type RegKind,
  type RegType,
} from './reg.ts';
import { checkAlignment, checkUnmodified, mayAccessPacket } from './region.ts';
import { isConst } from './tnum.ts';

/** What the arguments of one call tell, collected from the first to the last. */
export interface ArgContext {
  readonly helper: Helper;
  map: BpfMap | undefined;
  mapUid: number;
  /** The memory argument just seen is filled by the helper. */
  raw: boolean;
  /** Stack memory that the helper fills: bytes, and the register that points at it. */
  rawBytes: number;
  rawRegno: number;
  /** Largest value of the size argument. */
  maxSize: bigint;
  /** Constant size of memory to allocate. */
  allocBytes: number;
  refId: number;
  releaseRegno: number;
  uninitDynptrRegno: number;
  subprog: number;
  kptr: KernelPtr | undefined;
  retBtf: Btf | undefined;
  retBtfId: number;
}

export const newArgContext = (helper: Helper): ArgContext => ({
  helper,
  map: undefined,
  mapUid: 0,
  raw: false,
  rawBytes: 0,
  rawRegno: 0,
  maxSize: 0n,
  allocBytes: 0,
  refId: 0,
  releaseRegno: 0,
  uninitDynptrRegno: 0,
  subprog: 0,
  kptr: undefined,
  retBtf: undefined,
  retBtfId: 0,
});

const plain = (...kinds: RegKind[]): readonly RegType[] =>
  kinds.map((kind) => ({ kind, flags: 0 }));
const KEY_OR_VALUE = plain('fp', 'pkt', 'pkt_meta', 'map_key', 'map_value');
const SOCKETS = plain('sock_common', 'sock', 'tcp_sock', 'xdp_sock');
const MAP_VALUE = plain('map_value');
const ALLOC_MEM: RegType = { kind: 'mem', flags: flag.ALLOC };

/** Register types that an argument type takes, in the order in which 6.1 names them. */
const COMPATIBLE: Partial<Record<BaseArgType, readonly RegType[]>> = {
  ptr_to_map_key: KEY_OR_VALUE,
  ptr_to_map_value: KEY_OR_VALUE,
  const_size: plain('scalar'),
  const_size_or_zero: plain('scalar'),
  const_alloc_size_or_zero: plain('scalar'),
  const_map_ptr: plain('map_ptr'),
  ptr_to_ctx: plain('ctx'),
  ptr_to_sock_common: SOCKETS,
  ptr_to_btf_id_sock_common: [...SOCKETS, ...plain('ptr_')],
  ptr_to_socket: plain('sock'),
  ptr_to_btf_id: plain('ptr_'),
  ptr_to_spin_lock: MAP_VALUE,
  ptr_to_mem: [
    ...plain('fp', 'pkt', 'pkt_meta', 'map_key', 'map_value', 'mem'),
    ALLOC_MEM,
    ...plain('buf'),
  ],
  ptr_to_alloc_mem: [ALLOC_MEM],
  ptr_to_percpu_btf_id: [{ kind: 'ptr_', flags: flag.PERCPU }],
  ptr_to_func: plain('func'),
  ptr_to_stack: plain('fp'),
  ptr_to_const_str: MAP_VALUE,
  ptr_to_timer: MAP_VALUE,
  ptr_to_kptr: MAP_VALUE,
  ptr_to_dynptr: plain('fp', 'dynptr_ptr'),
};

export function checkArg(c: Checker, index: number, arg: ArgContext): void {
  const declared = arg.helper.args[index];
  if (!declared || declared.base === 'dontcare') return;
  const regno = index + 1;
  const { reg } = sourceReg(c, regno);
  if (declared.base === 'anything') {
    if (c.leaksPointer(reg)) {
      reject(c, errno.EACCES, 'pointer-leak', `R${regno} leaks addr into helper function`, {
        reg: regno,
      });
    }
    return;
  }
  if (isPacketPointer(reg) && !mayAccessPacket(c, arg, false)) {
    const line = 'helper access to the packet is not allowed';
    reject(c, errno.EACCES, 'helper-packet-access', line, { reg: regno });
  }
  const type = resolveMapValue(c, declared, arg);
  if (!(isNull(reg) && type.nullable)) {
    checkType(c, regno, type, arg);
    checkOffset(c, reg, regno, type);
  }
  if (type.release) noteRelease(c, reg, regno, type, arg);
  if (reg.refId !== 0) {
    if (arg.refId !== 0) {
      const line =
        'verifier internal error: more than one arg with ref_obj_id ' +
        `R${regno} ${reg.refId} ${arg.refId}`;
      reject(c, errno.EFAULT, 'two-references', line, { reg: regno });
    }
    arg.refId = reg.refId;
  }
  checkMeaning(c, reg, regno, index, type, arg);
}

/** Some maps' values are not memory: sockets, and for a bloom filter the value that is looked up. */
function resolveMapValue(c: Checker, type: ArgType, arg: ArgContext): ArgType {
  if (type.base !== 'ptr_to_map_value') return type;
  if (!arg.map) {
    reject(c, errno.EACCES, 'verifier-bug', 'invalid map_ptr to access map->type');
  }
  switch (arg.map.spec.type) {
    case 'sockmap':
    case 'sockhash': {
      const isPlainValue = !type.nullable && !type.uninit && !type.readonly && !type.write;
      if (isPlainValue) return { base: 'ptr_to_btf_id_sock_common' };
      return reject(c, errno.EINVAL, 'map-helper', 'invalid arg_type for sockmap/sockhash');
    }
    case 'bloom_filter':
      return arg.helper.name === 'map_peek_elem' ? { base: 'ptr_to_map_value' } : type;
    default:
      return type;
  }
}

function checkType(c: Checker, regno: number, type: ArgType, arg: ArgContext): void {
  const reg = c.reg(regno);
  const compatible = COMPATIBLE[type.base];
  if (!compatible) reject(c, errno.EFAULT, 'verifier-bug');
  let flags = reg.flags;
  if (type.readonly) flags &= ~flag.RDONLY;
  if (type.nullable) flags &= ~flag.NULLABLE;
  if (!compatible.some((one) => one.kind === reg.kind && one.flags === flags)) {
    const expected = compatible.map(typeText).join(', ');
    const line = `R${regno} type=${typeText(reg)} expected=${expected}`;
    reject(c, errno.EACCES, argumentReason(reg, type), line, { reg: regno, wanted: expected });
  }
  if (!isPlain(reg, 'ptr_')) return;
  if (arg.helper.name === 'kptr_xchg') {
    checkKptrType(c, arg.kptr!, reg, regno);
    return;
  }
  const wanted = type.base === 'ptr_to_btf_id' ? type.btfStruct! : 'sock_common';
  const strict = type.release === true && arg.helper.name !== 'sk_release';
  if (!structMatches(c, reg, wanted, strict)) {
    const is = reg.btf?.type(reg.btfId)?.name ?? '';
    const line = `R${regno} is of type ${is} but ${wanted} is expected`;
    reject(c, errno.EACCES, 'argument-type', line, { reg: regno, wanted, what: is });
  }
}

function argumentReason(reg: Reg, type: ArgType): ReasonCode {
  const nullOnly = (reg.flags & flag.NULLABLE) !== 0;
  if (nullOnly && COMPATIBLE[type.base]!.some((one) => one.kind === reg.kind)) {
    return 'missing-null-check';
  }
  return 'argument-type';
}

/** Register types whose offset is part of the address that a helper may be given. */
const OFFSET_OK = new Set<RegKind>([
  'fp',
  'pkt',
  'pkt_meta',
  'map_key',
  'map_value',
  'mem',
  'buf',
  'scalar',
]);

export function checkOffset(c: Checker, reg: Reg, regno: number, type: ArgType): void {
  if (isPlain(reg, 'fp') && type.base === 'ptr_to_dynptr' && reg.off % 8 !== 0) {
    reject(c, errno.EINVAL, 'dynptr', 'cannot pass in dynptr at an offset', { reg: regno });
  }
  const flagsOk =
    reg.flags === 0 ||
    (reg.kind === 'mem' && (reg.flags === flag.RDONLY || reg.flags === flag.ALLOC)) ||
    (reg.kind === 'buf' && reg.flags === flag.RDONLY);
  if (OFFSET_OK.has(reg.kind) && flagsOk && type.base !== 'ptr_to_alloc_mem') return;
  const isBtfPointer = isPlain(reg, 'ptr_');
  if (isBtfPointer && type.release && reg.off !== 0) {
    const line = `R${regno} must have zero offset when passed to release func`;
    reject(c, errno.EINVAL, 'modified-pointer', line, { reg: regno, off: reg.off });
  }
  checkUnmodified(c, reg, regno, isBtfPointer);
}

function noteRelease(c: Checker, reg: Reg, regno: number, type: ArgType, arg: ArgContext): void {
  if (type.base === 'ptr_to_dynptr') {
    if (dynptrIdAt(c, reg) === 0) {
      const line = `arg ${regno} is an unacquired reference`;
      reject(c, errno.EINVAL, 'release-unreferenced', line, { reg: regno });
    }
  } else if (reg.refId === 0 && !isNull(reg)) {
    const line = `R${regno} must be referenced when passed to release function`;
    reject(c, errno.EINVAL, 'release-unreferenced', line, { reg: regno });
  }
  arg.releaseRegno = regno;
}

function checkMeaning(
  c: Checker,
  reg: Reg,
  regno: number,
  index: number,
  type: ArgType,
  arg: ArgContext,
): void {
  const write = type.write === true;
  switch (type.base) {
    case 'const_map_ptr':
      if (arg.map && (arg.map !== reg.map || arg.mapUid !== reg.mapUid)) {
        const line =
          `timer pointer in R1 map_uid=${arg.mapUid} doesn't match ` +
          `map pointer in R2 map_uid=${reg.mapUid}`;
        reject(c, errno.EINVAL, 'timer-map', line, { reg: regno });
      }
      arg.map = reg.map;
      arg.mapUid = reg.mapUid;
      break;
    case 'ptr_to_map_key':
      checkMem(c, regno, arg.map!.spec.keyBytes, { write: false, zeroAllowed: false });
      break;
    case 'ptr_to_map_value':
      if (type.nullable && isNull(reg)) return;
      arg.raw = type.uninit === true;
      checkMem(c, regno, arg.map!.spec.valueBytes, { write, zeroAllowed: false, arg });
      break;
    case 'ptr_to_mem':
      // Without a fixed size it is checked with the size argument that follows.
      arg.raw = type.uninit === true;
      if (type.fixedBytes === undefined) break;
      checkMem(c, regno, type.fixedBytes, { write, zeroAllowed: false, arg });
      if (type.aligned) checkAlignment(c, reg, 0, type.fixedBytes, true);
      break;
    case 'const_size':
    case 'const_size_or_zero':
      checkMemOfSize(c, regno, {
        write: arg.helper.args[index - 1]?.write === true,
        zeroAllowed: type.base === 'const_size_or_zero',
        arg,
      });
      break;
    case 'const_alloc_size_or_zero':
      if (!isConst(reg.scalar.bits)) {
        reject(c, errno.EACCES, 'size-not-constant', `R${regno} is not a known constant'`, {
          reg: regno,
        });
      }
      arg.allocBytes = Number(BigInt.asUintN(32, reg.scalar.bits.value));
      markPrecise(c, regno);
      break;
    case 'ptr_to_dynptr':
      checkDynptrArg(c, reg, regno, type, arg);
      break;
    default:
      checkSpecialArg(c, reg, regno, type, arg);
  }
}
