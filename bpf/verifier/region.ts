/**
 * Is an access inside what its pointer points at? Memory of known size (map values and keys, ring
 * buffer records), packets, and alignment.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { ArgContext } from './args.ts';
import type { BpfMap } from '../maps/map.ts';
import { uapi } from '../uapi.ts';
import { reject, type Checker } from './checker.ts';
import { SPIN_LOCK_BYTES, TIMER_BYTES, kptrsOf, mapFields } from './map-fields.ts';
import { typeText, type Reg } from './reg.ts';
import { sminOf, umaxOf } from './scalar.ts';
import { isConst, isZero, tnumText } from './tnum.ts';

/** Offsets beyond this are never tracked. */
export const MAX_VAR_OFF = 1 << 29;
const MAX_PACKET_OFF = 0xffff;

/** `direct`: by an instruction; `helper`: by a helper that got the pointer. */
export type AccessBy = 'direct' | 'helper';

/**
 * One fixed offset, of which C's int is looked at; prints what is wrong with it and returns false
 * where it is outside.
 */
function isInside(
  c: Checker,
  regno: number,
  at: number,
  bytes: number,
  regionBytes: number,
  zeroAllowed: boolean,
): boolean {
  const sizeOk = bytes > 0 || (bytes === 0 && zeroAllowed);
  if (at >= 0 && sizeOk && at + bytes <= regionBytes) return true;
  const reg = c.reg(regno);
  const plain = reg.flags === 0 ? reg.kind : undefined;
  switch (plain) {
    case 'map_key':
      c.log.write(`invalid access to map key, key_size=${regionBytes} off=${at} size=${bytes}\n`);
      break;
    case 'map_value':
      c.log.write(
        `invalid access to map value, value_size=${regionBytes} off=${at} size=${bytes}\n`,
      );
      break;
    case 'pkt':
    case 'pkt_meta':
    case 'pkt_end':
      c.log.write(
        `invalid access to packet, off=${at} size=${bytes}, ` +
          `R${regno}(id=${reg.id},off=${at},r=${regionBytes})\n`,
      );
      break;
    default:
      c.log.write(`invalid access to memory, mem_size=${regionBytes} off=${at} size=${bytes}\n`);
  }
  return false;
}

/** Every offset that the register may have lies inside a region of `regionBytes`. */
export function checkRegion(
  c: Checker,
  regno: number,
  off: number,
  bytes: number,
  regionBytes: number,
  zeroAllowed: boolean,
): void {
  const { scalar } = c.reg(regno);
  if (scalar.sminHi < 0 && sminOf(scalar) + off < 0) {
    const line =
      `R${regno} min value is negative, either use unsigned index ` +
      'or do a if (index >=0) check.';
    reject(c, errno.EACCES, 'negative-offset', line, {
      reg: regno,
      off,
      bytes,
      limit: regionBytes,
      end: 'min',
    });
  }
  if (!isInside(c, regno, (scalar.sminLo + off) | 0, bytes, regionBytes, zeroAllowed)) {
    const line = `R${regno} min value is outside of the allowed memory range`;
    reject(c, errno.EACCES, 'out-of-bounds', line, {
      reg: regno,
      off,
      bytes,
      limit: regionBytes,
      end: 'min',
    });
  }
  if (umaxOf(scalar) >= MAX_VAR_OFF) {
    const line = `R${regno} unbounded memory access, make sure to bounds check any such access`;
    reject(c, errno.EACCES, 'unbounded-offset', line, {
      reg: regno,
      off,
      bytes,
      limit: regionBytes,
      end: 'max',
    });
  }
  if (!isInside(c, regno, (scalar.umaxLo + off) | 0, bytes, regionBytes, zeroAllowed)) {
    const line = `R${regno} max value is outside of the allowed memory range`;
    reject(c, errno.EACCES, 'out-of-bounds', line, {
      reg: regno,
      off,
      bytes,
      limit: regionBytes,
      end: 'max',
    });
  }
}

/** BPF_F_RDONLY_PROG and BPF_F_WRONLY_PROG. */
export function checkMapPermission(
  c: Checker,
  regno: number,
  off: number,
  bytes: number,
  write: boolean,
): void {
  const { spec } = c.reg(regno).map!;
  const forbidden = write ? uapi.BPF_F_RDONLY_PROG : uapi.BPF_F_WRONLY_PROG;
  if ((spec.flags & forbidden) === 0) return;
  const what = write ? 'write into' : 'read from';
  const where = `value_size=${spec.valueBytes} off=${off} size=${bytes}`;
  reject(c, errno.EACCES, 'map-permission', `${what} map forbidden, ${where}`, {
    reg: regno,
    off,
    bytes,
    write,
  });
}

/** A map value: bounds, and the kernel's own fields in it. */
export function checkMapValue(
  c: Checker,
  regno: number,
  off: number,
  bytes: number,
  zeroAllowed: boolean,
  by: AccessBy,
): void {
  const reg = c.reg(regno);
  const map = reg.map!;
  checkRegion(c, regno, off, bytes, map.spec.valueBytes, zeroAllowed);
  const fields = mapFields(map);
  const first = sminOf(reg.scalar) + off;
  const end = umaxOf(reg.scalar) + off + bytes;
  const touches = (field: number, fieldBytes: number) => first < field + fieldBytes && field < end;
  if (fields.spinLock >= 0 && touches(fields.spinLock, SPIN_LOCK_BYTES)) {
    const line = 'bpf_spin_lock cannot be accessed directly by load/store';
    const what = 'bpf_spin_lock';
    reject(c, errno.EACCES, 'kernel-field-access', line, { reg: regno, off, bytes, what });
  }
  if (fields.timer >= 0 && touches(fields.timer, TIMER_BYTES)) {
    const line = 'bpf_timer cannot be accessed directly by load/store';
    const what = 'bpf_timer';
    reject(c, errno.EACCES, 'kernel-field-access', line, { reg: regno, off, bytes, what });
  }
  const kptrs = kptrsOf(map, c.env.kernelBtf);
  if (typeof kptrs === 'number') return;
  const kptr = kptrs.find(({ offset }) => touches(offset, 8));
  if (kptr) checkKptrShape(c, reg, off, bytes, kptr.offset, by);
}

function checkKptrShape(
  c: Checker,
  reg: Reg,
  off: number,
  bytes: number,
  field: number,
  by: AccessBy,
): void {
  const refuse = (line: string) => reject(c, errno.EACCES, 'kptr-access', line);
  if (by !== 'direct') refuse('kptr cannot be accessed indirectly by helper');
  if (!isConst(reg.scalar.bits)) refuse('kptr access cannot have variable offset');
  const at = BigInt.asUintN(64, BigInt(off) + reg.scalar.bits.value);
  if (at !== BigInt(field)) refuse(`kptr access misaligned expected=${field} off=${at}`);
  if (bytes !== 8) refuse('kptr access size must be BPF_DW');
}

/** May the program touch the packet at all; with `arg` set, through a helper. */
export function mayAccessPacket(c: Checker, arg: ArgContext | undefined, write: boolean): boolean {
  switch (c.ops.packet) {
    case 'none':
      return false;
    case 'option':
      if (write) c.seenDirectWrite = true;
      return true;
    case 'read':
      if (write) return false;
      break;
  }
  if (arg) return arg.helper.packetAccess === true;
  c.seenDirectWrite = true;
  return true;
}

export function checkPacket(
  c: Checker,
  regno: number,
  off: number,
  bytes: number,
  zeroAllowed: boolean,
): void {
  const reg = c.reg(regno);
  if (reg.scalar.sminHi < 0) {
    const line =
      `R${regno} min value is negative, either use unsigned index ` +
      'or do a if (index >=0) check.';
    reject(c, errno.EACCES, 'negative-offset', line, {
      reg: regno,
      off,
      bytes,
      end: 'min',
    });
  }
  const isOutside = reg.range >= 0 && !isInside(c, regno, off, bytes, reg.range, zeroAllowed);
  if (reg.range >= 0 && !isOutside) return;
  const line = `R${regno} offset is outside of the packet`;
  const about = { reg: regno, off, bytes, limit: reg.range };
  reject(c, isOutside ? errno.EACCES : errno.EINVAL, 'invalid-packet-access', line, about);
}

/** The pointer's largest offset into the packet still fits what ranges are tracked for. */
export const exceedsPacket = (reg: Reg): boolean =>
  umaxOf(reg.scalar) > MAX_PACKET_OFF || umaxOf(reg.scalar) + reg.off > MAX_PACKET_OFF;

/** A pointer that must be used as it was given, or (`fixedOk`) at a fixed distance from there. */
export function checkUnmodified(c: Checker, reg: Reg, regno: number, fixedOk: boolean): void {
  const { bits } = reg.scalar;
  if (isZero(bits) && (fixedOk ? reg.off >= 0 : reg.off === 0)) return;
  const type = typeText(reg);
  if (reg.off < 0) {
    const line = `negative offset ${type} ptr R${regno} off=${reg.off} disallowed`;
    reject(c, errno.EACCES, 'modified-pointer', line, { reg: regno, off: reg.off });
  }
  if (!fixedOk && reg.off !== 0) {
    const line = `dereference of modified ${type} ptr R${regno} off=${reg.off} disallowed`;
    reject(c, errno.EACCES, 'modified-pointer', line, { reg: regno, off: reg.off });
  }
  const line = `variable ${type} access var_off=${tnumText(bits)} disallowed`;
  reject(c, errno.EACCES, 'modified-pointer', line, { reg: regno, off: reg.off });
}

/** Ethernet headers leave IP at 2 modulo 4; strict alignment counts with it. */
const NET_IP_ALIGN = 2;
const DESCRIPTIONS: Partial<Record<string, string>> = {
  flow_keys: 'flow keys ',
  map_key: 'key ',
  map_value: 'value ',
  ctx: 'context ',
  fp: 'stack ',
  sock: 'sock ',
  sock_common: 'sock_common ',
  tcp_sock: 'tcp_sock ',
  xdp_sock: 'xdp_sock ',
};

export function checkAlignment(
  c: Checker,
  reg: Reg,
  off: number,
  bytes: number,
  strictHere: boolean,
): void {
  const plain = reg.flags === 0 ? reg.kind : '?';
  // Spills are tracked by slot, which needs aligned accesses.
  const strict = c.strictAlignment || strictHere || plain === 'fp';
  if (!strict || bytes === 1) return;
  const isPacket = plain === 'pkt' || plain === 'pkt_meta';
  const fixed = (isPacket ? NET_IP_ALIGN : 0) + reg.off + off;
  const { valueLo, maskLo } = reg.scalar.bits;
  // Only the lowest bits count: of unknown ones none may be among them.
  if ((((valueLo + fixed) | maskLo) & (bytes - 1)) === 0) return;
  const bits = tnumText(reg.scalar.bits);
  const where = isPacket
    ? `packet access off ${NET_IP_ALIGN}+${bits}+${reg.off}+${off}`
    : `${DESCRIPTIONS[plain] ?? ''}access off ${bits}+${reg.off}+${off}`;
  reject(c, errno.EACCES, 'misaligned-access', `misaligned ${where} size ${bytes}`, {
    off: fixed,
    bytes,
  });
}

/** Values of a map that neither programs nor user space can change any more. */
export const isFrozenReadOnly = (map: BpfMap): boolean =>
  (map.spec.flags & uapi.BPF_F_RDONLY_PROG) !== 0 && map.frozen;
