/**
 * One memory access of an instruction, by the kind of its pointer: is it allowed, and what does a
 * load leave in its register?
 *
 *   checkAccess(c, regno, off, bytes, access)
 */
import { errno } from '../../kernel/types/errno.ts';
import { btfCtxAccess } from './btf-ctx.ts';
import { structAccess } from './btf-walk.ts';
import { reject, type Checker } from './checker.ts';
import { checkKptrAccess } from './kptr.ts';
import { kptrAt } from './map-fields.ts';
import { checkBuffer, checkFlowKeys, checkSocket, checkTracepointBuffer } from './mem-kinds.ts';
import { printSourceLine } from './print.ts';
import {
  flag,
  isPacketPointer,
  isPlain,
  isScalar,
  isSocketPointer,
  mayBeNull,
  pointerReg,
  scalarReg,
  typeText,
  withReg,
  withScalar,
  type Reg,
} from './reg.ts';
import {
  checkAlignment,
  checkMapPermission,
  checkMapValue,
  checkPacket,
  checkRegion,
  checkUnmodified,
  isFrozenReadOnly,
  mayAccessPacket,
} from './region.ts';
import { constScalar, knownOf, truncate } from './scalar.ts';
import { checkStackBounds, readStack, writeStack } from './stack.ts';
import { isConst, isZero, tnumText } from './tnum.ts';

export interface Access {
  readonly write: boolean;
  /** Loads: the register that gets the value. Stores: the one that has it. Or none. */
  readonly value: number | undefined;
  /** Must be aligned whatever the policy (atomics). */
  readonly aligned?: true;
}

export function checkAccess(
  c: Checker,
  regno: number,
  offset: number,
  bytes: 1 | 2 | 4 | 8,
  access: Access,
): void {
  const reg = c.reg(regno);
  const { write, value } = access;
  checkAlignment(c, reg, offset, bytes, access.aligned === true);
  accessByKind(c, reg, regno, offset + reg.off, bytes, access);
  if (write || value === undefined || bytes === 8) return;
  const slot = c.regs[value]!;
  if (isScalar(slot.reg)) slot.reg = withScalar(slot.reg, truncate(slot.reg.scalar, bytes));
}

/** A load of something that nothing is known of. */
function loadUnknown(c: Checker, { write, value }: Access): void {
  if (!write && value !== undefined) c.forget(c.regs[value]!);
}

function refuseLeak(c: Checker, { write, value }: Access, into: string): void {
  if (write && value !== undefined && c.leaksPointer(c.reg(value))) {
    reject(c, errno.EACCES, 'pointer-leak', `R${value} leaks addr into ${into}`, {
      reg: value,
      what: into,
    });
  }
}

function refuseWrite(c: Checker, reg: Reg, regno: number): never {
  const line = `R${regno} cannot write into ${typeText(reg)}`;
  return reject(c, errno.EACCES, 'read-only-memory', line, { reg: regno, write: true });
}

function accessByKind(
  c: Checker,
  reg: Reg,
  regno: number,
  off: number,
  bytes: 1 | 2 | 4 | 8,
  access: Access,
): void {
  const { write, value } = access;
  if (isPlain(reg, 'map_key')) {
    if (write) {
      const line = `write to change key R${regno} not allowed`;
      reject(c, errno.EACCES, 'read-only-memory', line, { reg: regno, write: true });
    }
    checkRegion(c, regno, off, bytes, reg.map!.spec.keyBytes, false);
    loadUnknown(c, access);
  } else if (isPlain(reg, 'map_value')) {
    accessMapValue(c, reg, regno, off, bytes, access);
  } else if (reg.kind === 'mem') {
    if (mayBeNull(reg)) refuseKind(c, reg, regno);
    if (write && (reg.flags & flag.RDONLY) !== 0) refuseWrite(c, reg, regno);
    refuseLeak(c, access, 'mem');
    checkRegion(c, regno, off, bytes, reg.memBytes, false);
    loadUnknown(c, access);
  } else if (isPlain(reg, 'ctx')) {
    refuseLeak(c, access, 'ctx');
    checkUnmodified(c, reg, regno, false);
    accessCtx(c, off, bytes, access);
  } else if (isPlain(reg, 'fp')) {
    checkStackBounds(c, regno, off, bytes, 'direct', write);
    if (write) writeStack(c, regno, off, bytes, value);
    else readStack(c, regno, off, bytes, value);
  } else if (isPacketPointer(reg)) {
    if (write && !mayAccessPacket(c, undefined, true)) {
      reject(c, errno.EACCES, 'packet-write', 'cannot write into packet', { reg: regno });
    }
    refuseLeak(c, access, 'packet');
    checkPacket(c, regno, off, bytes, false);
    loadUnknown(c, access);
  } else if (isPlain(reg, 'flow_keys')) {
    refuseLeak(c, access, 'flow keys');
    checkFlowKeys(c, off, bytes);
    loadUnknown(c, access);
  } else if (isSocketPointer(reg)) {
    if (write) refuseWrite(c, reg, regno);
    checkSocket(c, reg, regno, off, bytes);
    loadUnknown(c, access);
  } else if (isPlain(reg, 'tp_buffer')) {
    checkTracepointBuffer(c, reg, regno, off, bytes);
    loadUnknown(c, access);
  } else if (reg.kind === 'ptr_' && !mayBeNull(reg)) {
    accessBtf(c, reg, regno, off, bytes, access);
  } else if (isPlain(reg, 'map_ptr')) {
    accessMapStruct(c, reg, regno, off, bytes, access);
  } else if (reg.kind === 'buf' && !mayBeNull(reg)) {
    if (write && (reg.flags & flag.RDONLY) !== 0) refuseWrite(c, reg, regno);
    checkBuffer(c, reg, regno, off, bytes);
    loadUnknown(c, access);
  } else {
    refuseKind(c, reg, regno);
  }
}

function refuseKind(c: Checker, reg: Reg, regno: number): never {
  const reason = mayBeNull(reg) ? 'missing-null-check' : 'invalid-pointer';
  const line = `R${regno} invalid mem access '${typeText(reg)}'`;
  return reject(c, errno.EACCES, reason, line, { reg: regno });
}

function accessMapValue(
  c: Checker,
  reg: Reg,
  regno: number,
  off: number,
  bytes: 1 | 2 | 4 | 8,
  access: Access,
): void {
  const { write, value } = access;
  refuseLeak(c, access, 'map');
  checkMapPermission(c, regno, off, bytes, write);
  checkMapValue(c, regno, off, bytes, false, 'direct');
  const map = reg.map!;
  const fixed = isConst(reg.scalar.bits);
  const at = off + (fixed ? knownOf(reg.scalar) : 0);
  const kptr = fixed ? kptrAt(map, at, c.env.kernelBtf) : undefined;
  if (kptr) {
    checkKptrAccess(c, kptr, value);
    return;
  }
  if (write || value === undefined) return;
  if (fixed && isFrozenReadOnly(map) && map.spec.type === 'array') {
    // Nobody can change it any more: its content is known.
    if (map.spec.maxEntries !== 1)
      reject(c, errno.ENOTSUPP, 'map-direct-value', undefined, { reg: regno });
    const content = c.env.readFrozen?.(map, at, bytes);
    if (content !== undefined) {
      c.regs[value]!.reg = scalarReg(constScalar(content));
      return;
    }
  }
  loadUnknown(c, access);
}

function accessCtx(c: Checker, off: number, bytes: 1 | 2 | 4 | 8, access: Access): void {
  const { write, value } = access;
  const result =
    c.ops.access === 'btf'
      ? btfCtxAccess(c, off, bytes, write)
      : c.ops.access(off, bytes, write, c.context);
  if (!result) {
    c.log.write(`invalid bpf_context access off=${off} size=${bytes}\n`);
    printSourceLine(c, c.insn, '; ');
    return reject(c, errno.EACCES, 'invalid-context-access', undefined, { off, bytes, write });
  }
  c.bufferUse.ctx = Math.max(c.bufferUse.ctx, off + bytes);
  if (result.tstampType) c.seesTstampType = true;
  if (result.kind !== 'ptr_') c.aux(c.insn).ctxFieldBytes = result.fieldBytes ?? 0;
  if (write || value === undefined) return;
  const slot = c.regs[value]!;
  if (result.kind === 'scalar') {
    c.forget(slot);
    return;
  }
  slot.reg = pointerReg(result.kind, {
    flags: (result.nullable ? flag.NULLABLE : 0) | (result.flags ?? 0),
    id: result.nullable ? c.newId() : 0,
    btf: result.btf,
    btfId: result.btfId ?? 0,
  });
}

function accessBtf(
  c: Checker,
  reg: Reg,
  regno: number,
  off: number,
  bytes: number,
  access: Access,
): void {
  const name = reg.btf?.type(reg.btfId)?.name ?? '';
  const refuse = (what: string) =>
    reject(c, errno.EACCES, 'btf-access', `R${regno} is ptr_${name} ${what}`, {
      reg: regno,
      off,
      bytes,
    });
  if (off < 0) refuse(`invalid negative access: off=${off}`);
  const { bits } = reg.scalar;
  if (!isZero(bits)) {
    refuse(`invalid variable offset: off=${off}, var_off=${tnumText(bits)}`);
  }
  if ((reg.flags & flag.USER) !== 0) refuse(`access user memory: off=${off}`);
  if ((reg.flags & flag.PERCPU) !== 0) refuse(`access percpu memory: off=${off}`);
  if (access.write) {
    // These ask connection tracking, which is not there.
    const isSilent = ['sched_cls', 'sched_act', 'xdp'].includes(c.spec.type);
    const line = isSilent ? undefined : 'only read is supported';
    reject(c, errno.EACCES, 'btf-write', line, { reg: regno });
  }
  loadMember(c, reg, off, bytes, access);
}

function accessMapStruct(
  c: Checker,
  reg: Reg,
  regno: number,
  off: number,
  bytes: number,
  access: Access,
): void {
  const { kernelBtf } = c.env;
  if (!kernelBtf) {
    const line = 'map_ptr access not supported without CONFIG_DEBUG_INFO_BTF';
    reject(c, errno.ENOTSUPP, 'map-struct-access', line, { reg: regno, off });
  }
  const name = structOfMap(reg.map!.spec.type);
  // Every map starts with a struct bpf_map.
  const id = kernelBtf.find(name, 'struct') ?? kernelBtf.find('bpf_map', 'struct');
  if (!c.allowPtrLeaks) {
    const line = `${name} access is allowed only to CAP_PERFMON and CAP_SYS_ADMIN`;
    reject(c, errno.EPERM, 'map-struct-access', line, { reg: regno, off });
  }
  if (off < 0) {
    const line = `R${regno} is ${name} invalid negative access: off=${off}`;
    reject(c, errno.EACCES, 'map-struct-access', line, { reg: regno, off });
  }
  if (access.write) {
    const line = `only read from ${name} is supported`;
    reject(c, errno.EACCES, 'map-struct-access', line, { reg: regno, off });
  }
  if (id === undefined) reject(c, errno.ENOTSUPP, 'unknown-kernel-type');
  loadMember(c, withReg(reg, { btf: kernelBtf, btfId: id }), off, bytes, access);
}

/** What a load at `off` in a kernel struct gives: a number or a pointer to another struct. */
function loadMember(c: Checker, reg: Reg, off: number, bytes: number, access: Access): void {
  const member = structAccess(c, reg.btf!, reg.btfId, off, bytes);
  if (access.value === undefined) return;
  const slot = c.regs[access.value]!;
  if (member.kind === 'scalar') {
    c.forget(slot);
    return;
  }
  // What is reached through a pointer that is not trusted is not trusted either.
  const flags = member.flags | (reg.flags & flag.UNTRUSTED);
  slot.reg = pointerReg('ptr_', { flags, btf: reg.btf, btfId: member.struct });
}

/** Kernel struct behind each map type (map_btf_id of its ops). */
function structOfMap(type: string): string {
  switch (type) {
    case 'hash':
    case 'percpu_hash':
    case 'lru_hash':
    case 'lru_percpu_hash':
    case 'hash_of_maps':
      return 'bpf_htab';
    case 'array':
    case 'percpu_array':
    case 'prog_array':
    case 'perf_event_array':
    case 'cgroup_array':
    case 'array_of_maps':
      return 'bpf_array';
    case 'lpm_trie':
      return 'lpm_trie';
    case 'tcam':
      return 'tcam';
    case 'stack_trace':
      return 'bpf_stack_map';
    case 'queue':
    case 'stack':
      return 'bpf_queue_stack';
    case 'ringbuf':
    case 'user_ringbuf':
      return 'bpf_ringbuf_map';
    case 'devmap':
    case 'devmap_hash':
      return 'bpf_dtab';
    case 'cpumap':
      return 'bpf_cpu_map';
    case 'xskmap':
      return 'xsk_map';
    case 'sockmap':
      return 'bpf_stab';
    case 'sockhash':
      return 'bpf_shtab';
    case 'reuseport_sockarray':
      return 'reuseport_array';
    case 'cgroup_storage':
    case 'percpu_cgroup_storage':
      return 'bpf_cgroup_storage_map';
    case 'sk_storage':
    case 'inode_storage':
    case 'task_storage':
      return 'bpf_local_storage_map';
    case 'bloom_filter':
      return 'bpf_bloom_filter';
    default:
      return 'bpf_map';
  }
}
