/**
 * Accesses through the rarer pointers: buffers of tracepoints and iterators, the flow dissector's
 * keys, sockets.
 */
import { errno } from '../../kernel/types/errno.ts';
import { reject, type Checker } from './checker.ts';
import { flag, typeText, type Reg } from './reg.ts';
import { SOCKET_STRUCTS } from './sockets.ts';
import { isZero, tnumText } from './tnum.ts';

/** sizeof struct bpf_flow_keys (UAPI linux/bpf.h). */
const FLOW_KEYS_BYTES = 56;

export function checkFlowKeys(c: Checker, off: number, bytes: number): void {
  if (off >= 0 && off + bytes <= FLOW_KEYS_BYTES) return;
  const line = `invalid access to flow keys off=${off} size=${bytes}`;
  reject(c, errno.EACCES, 'out-of-bounds', line, { off, bytes, limit: FLOW_KEYS_BYTES });
}

/** The whole buffer's size is known when the program attaches; `kind`'s use is kept till then. */
function useBuffer(
  c: Checker,
  kind: keyof Checker['bufferUse'],
  reg: Reg,
  regno: number,
  off: number,
  bytes: number,
): void {
  if (off < 0) {
    const line = `R${regno} invalid ${kind} buffer access: off=${off}, size=${bytes}`;
    reject(c, errno.EACCES, 'out-of-bounds', line, { reg: regno, off, bytes, end: 'min' });
  }
  const { bits } = reg.scalar;
  if (!isZero(bits)) {
    const line = `R${regno} invalid variable buffer offset: off=${off}, var_off=${tnumText(bits)}`;
    reject(c, errno.EACCES, 'unbounded-offset', line, { reg: regno, off, bytes });
  }
  c.bufferUse[kind] = Math.max(c.bufferUse[kind], off + bytes);
}

export function checkTracepointBuffer(
  c: Checker,
  reg: Reg,
  regno: number,
  off: number,
  bytes: number,
): void {
  useBuffer(c, 'tracepoint', reg, regno, off, bytes);
}

export function checkBuffer(c: Checker, reg: Reg, regno: number, off: number, bytes: number): void {
  const kind = (reg.flags & flag.RDONLY) !== 0 ? 'rdonly' : 'rdwr';
  useBuffer(c, kind, reg, regno, off, bytes);
}

export function checkSocket(c: Checker, reg: Reg, regno: number, off: number, bytes: number): void {
  if (reg.scalar.sminHi < 0) {
    const line =
      `R${regno} min value is negative, either use unsigned index ` +
      'or do a if (index >=0) check.';
    reject(c, errno.EACCES, 'negative-offset', line, { reg: regno, off, bytes, end: 'min' });
  }
  const access = SOCKET_STRUCTS[reg.kind]?.(off, bytes);
  if (access) {
    c.aux(c.insn).ctxFieldBytes = access.fieldBytes ?? 0;
    return;
  }
  const line = `R${regno} invalid ${typeText(reg)} access off=${off} size=${bytes}`;
  reject(c, errno.EACCES, 'invalid-socket-access', line, { reg: regno, off, bytes });
}
