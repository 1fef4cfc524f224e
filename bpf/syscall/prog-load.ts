/** BPF_PROG_LOAD and BPF_PROG_BIND_MAP (bpf_prog_load of 6.1: checks, their order and errnos). */
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { ATTR } from '../attr.ts';
import { missingKfunc } from '../calls.ts';
import { decodeInsns } from '../isa/codec.ts';
import { kfuncFlags } from '../kfuncs/table.ts';
import type { BpfMap } from '../maps/map.ts';
import { BpfProg } from '../prog.ts';
import type { ProgTypeOps } from '../prog-type.ts';
import { type ProgramSpec, type RawRows, typeInEffect } from '../program.ts';
import { ATTACH_TYPES, PROG_TYPES, uapi } from '../uapi.ts';
import type { ReasonCode } from '../verifier/reasons.ts';
import { type VerifierEnv, verify } from '../verifier/verify.ts';
import type { BpfCaller } from './caller.ts';
import { fitsProgArray } from './fd-maps.ts';
import { btfOfFd, install, mapOfFd, objectName, progOfFd, userString } from './lookup.ts';
import { type BtfObject, ProgObject } from './objects.ts';
import { deviceFor, offloadTo, withLines } from './offload.ts';
import type { Attr, BpfSubsystem } from './subsystem.ts';
import { type UserLog, logIsValid, writeLog } from './user-log.ts';

const INSN_BYTES = 8;
/** Room for the license with its NUL (bpf_prog_load). */
const LICENSE_BYTES = 128;
/** BTF_MAX_TYPE */
const MAX_BTF_ID = 0x000f_ffff;
const PROG_FLAGS =
  uapi.BPF_F_STRICT_ALIGNMENT |
  uapi.BPF_F_ANY_ALIGNMENT |
  uapi.BPF_F_TEST_STATE_FREQ |
  uapi.BPF_F_SLEEPABLE |
  uapi.BPF_F_TEST_RND_HI32 |
  uapi.BPF_F_XDP_HAS_FRAGS;

export function progLoad(
  bpf: BpfSubsystem,
  attr: Attr<'prog_load'>,
  caller: BpfCaller,
  raw: Uint8Array,
): number {
  const { caps } = caller;
  if ((attr.prog_flags & ~PROG_FLAGS) !== 0) return -errno.EINVAL;
  const license = userString(caller, attr.license, LICENSE_BYTES - 1);
  if (license === undefined) return -errno.EFAULT;
  const maxInsns = caps.bpf ? uapi.BPF_COMPLEXITY_LIMIT_INSNS : uapi.BPF_MAXINSNS;
  if (attr.insn_cnt === 0 || attr.insn_cnt > maxInsns) return -errno.E2BIG;
  const type = PROG_TYPES[attr.prog_type];
  if (type !== 'socket_filter' && type !== 'cgroup_skb' && !caps.bpf) return -errno.EPERM;
  const ops = type && bpf.host.progType(type);
  if (ops?.requires === 'net_admin' && !caps.netAdmin && !caps.sysAdmin) return -errno.EPERM;
  // What extends any program needs what any program needs.
  const needsPerfmon = ops?.requires === 'perfmon' || type === 'ext';
  if (needsPerfmon && !caps.perfmon) return -errno.EPERM;
  const attachType = attachTypeOf(attr, ops);
  if (attachType === undefined) return -errno.EINVAL;
  const target = attachTarget(bpf, attr, caller);
  if (typeof target === 'number') return target;
  const loadedFor = target && { program: target, btfId: attr.attach_btf_id };
  const bytes = caller.copyFromUser(attr.insns, attr.insn_cnt * INSN_BYTES);
  if (!bytes) return -errno.EFAULT;
  if (attr.prog_ifindex !== 0) {
    const offloadable = type === 'sched_cls' || type === 'xdp';
    if (!offloadable || attr.prog_flags !== 0) return -errno.EINVAL;
    const device = deviceFor(bpf, attr.prog_ifindex);
    if (typeof device === 'number') return device;
  }
  if (type === undefined || !ops) return -errno.EINVAL;
  const nameAt = ATTR.prog_load.offsets.prog_name;
  const name = objectName(raw.subarray(nameAt, nameAt + uapi.BPF_OBJ_NAME_LEN));
  if (name === undefined) return -errno.EINVAL;

  const log: UserLog = { level: attr.log_level, address: attr.log_buf, bytes: attr.log_size };
  if (!logIsValid(log)) return -errno.EINVAL;
  const debug = debugInfo(attr, caller);
  const spec: ProgramSpec = {
    type,
    expectedAttachType: attachType,
    name,
    license,
    insns: decodeInsns(bytes),
    flags: attr.prog_flags,
    mapByFd: (fd) => mapByFd(caller, fd),
    ...(attr.fd_array !== 0n && {
      mapByIndex: (index: number) => mapByIndex(caller, attr.fd_array, index),
    }),
    ...(debug.btf && { btf: debug.btf.btf }),
    ...(debug.btfErrno !== undefined && { btfErrno: debug.btfErrno }),
    ...(debug.funcInfo && { funcInfo: debug.funcInfo }),
    ...(debug.lineInfo && { lineInfo: debug.lineInfo }),
    ...(debug.coreRelos && { coreRelos: debug.coreRelos }),
    ...(attr.prog_ifindex !== 0 && { ifindex: attr.prog_ifindex }),
    ...(attr.attach_btf_id !== 0 && { attachBtfId: attr.attach_btf_id }),
    ...(target && { attachProg: target.prog.verified }),
  };
  return verifyAndInstall(bpf, spec, ops, { attr, btf: debug.btf, loadedFor }, log, caller);
}

function verifyAndInstall(
  bpf: BpfSubsystem,
  spec: ProgramSpec,
  ops: ProgTypeOps,
  { attr, btf, loadedFor }: { attr: Attr<'prog_load'> } & Pick<ProgObject, 'btf' | 'loadedFor'>,
  log: UserLog,
  caller: BpfCaller,
): number {
  const { host } = bpf;
  const targetOps = spec.attachProg && host.progType(typeInEffect(spec.attachProg.spec));
  const { ram } = host.runtime;
  const env: VerifierEnv = {
    ops,
    ...(targetOps && { targetOps }),
    caps: caller.caps,
    level: host.level,
    logLevel: log.level,
    logBytes: log.bytes,
    mapAddress: (map) => ram.kernelAddress(map.offset),
    readFrozen: (map, offset, bytes) => readFrozen(bpf, map, offset, bytes),
    ...(host.checkOnly && { checkOnly: host.checkOnly }),
    ...(bpf.kernelBtf && { kernelBtf: bpf.kernelBtf.btf }),
    ...(host.symbolAddress && { symbolAddress: (name: string) => host.symbolAddress!(name) }),
    kfuncs: host.kfuncs ?? kfuncFlags,
  };
  const device = spec.ifindex === undefined ? undefined : deviceFor(bpf, spec.ifindex);
  if (typeof device === 'number') return device;
  const verdict = verify(spec, device ? { ...env, checkOnly: true } : env);
  host.verified?.(spec, env, verdict);
  const offload =
    device && verdict.kind === 'accepted'
      ? offloadTo(device, verdict.program, spec, env)
      : undefined;
  const refused = offload && 'lines' in offload ? offload : undefined;
  const logResult = writeLog(caller, log, refused ? withLines(verdict.log, refused) : verdict.log);
  if (logResult < 0) return logResult;
  if (verdict.kind === 'rejected') {
    if (verdict.errno === errno.E2BIG) tellRecordBytes(attr, verdict.reason);
    return -verdict.errno;
  }
  if (offload && 'lines' in offload) return -offload.errno;
  // As Linux without a JIT for them: calls of kernel functions.
  const { program } = verdict;
  if (host.interpreter.refusal(program) || missingKfunc(program)) {
    return -errno.ENOTSUPP;
  }
  const maps = verdict.program.usedMaps.map((map) => bpf.mapsByOffset.get(map.offset)!);
  const arrays = maps.filter(({ map }) => map.spec.type === 'prog_array');
  if (!arrays.every((array) => fitsProgArray(array, spec))) return -errno.EINVAL;
  const prog = new BpfProg(verdict.program, bpf.progHost);
  const object = new ProgObject(
    {
      prog,
      maps,
      btf,
      loadedFor,
      loadedAtNs: host.nowNs(),
      uid: caller.uid,
      attachType: spec.expectedAttachType,
      ...(device && offload && { offload: { device, code: offload } }),
    },
    bpf.progs,
  );
  bpf.progOf.set(verdict.program, object);
  return install(caller, object);
}

/** Records have more in them than 6.1 knows: it says how large they may be. */
function tellRecordBytes(attr: Attr<'prog_load'>, reason: ReasonCode): void {
  if (reason === 'bad-func-info') attr.func_info_rec_size = 8;
  if (reason === 'bad-line-info') attr.line_info_rec_size = 16;
  if (reason === 'bad-core-relo') attr.core_relo_rec_size = 16;
}

/** Types that know no attach type take any number, but for those that insist on none. */
function attachTypeOf(
  attr: Attr<'prog_load'>,
  ops: ProgTypeOps | undefined,
): (typeof ATTACH_TYPES)[number] | undefined {
  const given = ATTACH_TYPES[attr.expected_attach_type];
  if (ops?.type === 'syscall' || ops?.type === 'ext') {
    return attr.expected_attach_type === 0 ? given : undefined;
  }
  if (!ops?.attachTypes) return given ?? ATTACH_TYPES[0];
  /** bpf_prog_load_fixup_attach_type: old user space leaves it 0. */
  if (attr.expected_attach_type === 0 && ops.type === 'cgroup_sock') {
    return 'cgroup_inet_sock_create';
  }
  if (attr.expected_attach_type === 0 && ops.type === 'sk_reuseport') return 'sk_reuseport_select';
  return given && ops.attachTypes.includes(given) ? given : undefined;
}

/**
 * What attach_btf_id and attach_prog_fd refer to must fit the type. The program that it is for,
 * undefined for the kernel, or a negative errno.
 */
function attachTarget(
  bpf: BpfSubsystem,
  attr: Attr<'prog_load'>,
  caller: BpfCaller,
): ProgObject | number | undefined {
  const type = PROG_TYPES[attr.prog_type];
  let targetProgram: ProgObject | undefined;
  if (attr.attach_prog_fd !== 0) {
    const program = progOfFd(caller, attr.attach_prog_fd);
    if (typeof program !== 'number') targetProgram = program;
    else {
      const btf = btfOfFd(caller, attr.attach_prog_fd);
      if (typeof btf === 'number') return -errno.EINVAL;
      if (!btf.isKernel) return -errno.EOPNOTSUPP;
    }
  }
  if (attr.attach_btf_id !== 0) {
    if (attr.attach_btf_id > MAX_BTF_ID) return -errno.EINVAL;
    if (!targetProgram && !bpf.kernelBtf) return -errno.EINVAL;
    if (!['tracing', 'lsm', 'struct_ops', 'ext'].includes(type ?? '')) return -errno.EINVAL;
  } else if (attr.attach_prog_fd !== 0 && !targetProgram) {
    return -errno.EINVAL;
  }
  if (targetProgram && type !== 'tracing' && type !== 'ext') return -errno.EINVAL;
  return targetProgram;
}

interface DebugInfo {
  readonly btf?: BtfObject;
  readonly btfErrno?: number;
  readonly funcInfo?: RawRows;
  readonly lineInfo?: RawRows;
  readonly coreRelos?: RawRows;
}

/** More functions than a program may have (BPF_MAX_SUBPROGS): the number alone is wrong then. */
const MOST_FUNC_ROWS = 256;
/** Records of a CO-RE relocation that are looked at: a program cannot need more. */
const MOST_CORE_ROWS = 1_000_000;

/** BTF and rows about the program as given; their contents are the verifier's to check. */
function debugInfo(attr: Attr<'prog_load'>, caller: BpfCaller): DebugInfo {
  if (attr.func_info_cnt === 0 && attr.line_info_cnt === 0) return {};
  const btf = btfOfFd(caller, attr.prog_btf_fd);
  if (typeof btf === 'number') return { btfErrno: -btf };
  if (btf.isKernel) return { btfErrno: errno.EACCES };
  const rows = (address: bigint, count: number, recordBytes: number, most: number): RawRows => ({
    recordBytes,
    records: readRows(caller, address, Math.min(count, most), recordBytes),
    count,
  });
  return {
    btf,
    funcInfo: rows(attr.func_info, attr.func_info_cnt, attr.func_info_rec_size, MOST_FUNC_ROWS),
    // Each row is of a later instruction than the one before.
    lineInfo: rows(attr.line_info, attr.line_info_cnt, attr.line_info_rec_size, attr.insn_cnt + 1),
    coreRelos: rows(attr.core_relos, attr.core_relo_cnt, attr.core_relo_rec_size, MOST_CORE_ROWS),
  };
}

/** The verifier takes no larger records (MAX_FUNCINFO_REC_SIZE). */
const MOST_RECORD_BYTES = 252;

/** Rows up to the first that cannot be read. */
function readRows(
  caller: BpfCaller,
  address: bigint,
  count: number,
  recordBytes: number,
): Uint8Array {
  if (count === 0 || recordBytes === 0 || recordBytes > MOST_RECORD_BYTES) return new Uint8Array();
  const all = caller.copyFromUser(address, count * recordBytes);
  if (all) return all;
  const rows: Uint8Array[] = [];
  for (let row = 0; row < count; row++) {
    const one = caller.copyFromUser(address + BigInt(row * recordBytes), recordBytes);
    if (!one) break;
    rows.push(one);
  }
  const records = new Uint8Array(rows.length * recordBytes);
  rows.forEach((one, row) => records.set(one, row * recordBytes));
  return records;
}

/** undefined: no such descriptor; null: one of something else. */
function mapByFd(caller: BpfCaller, fd: number): BpfMap | null | undefined {
  const object = mapOfFd(caller, fd);
  if (object === -errno.EBADF) return undefined;
  return typeof object === 'number' ? null : object.map;
}

function mapByIndex(caller: BpfCaller, fdArray: bigint, index: number): BpfMap | null | undefined {
  const bytes = caller.copyFromUser(fdArray + BigInt(index * 4), 4);
  if (!bytes) return undefined;
  const fd = new DataView(bytes.buffer, bytes.byteOffset, 4).getInt32(0, true);
  return mapByFd(caller, fd);
}

/** What is in a frozen map that programs only read will never change: a constant. */
function readFrozen(
  bpf: BpfSubsystem,
  map: BpfMap,
  offset: number,
  sizeBytes: number,
): bigint | undefined {
  if (!map.frozen || (map.spec.flags & uapi.BPF_F_RDONLY_PROG) === 0) return undefined;
  if (map.directValue === undefined || offset + sizeBytes > map.spec.valueBytes) return undefined;
  const { ram } = bpf.host.runtime;
  let value = 0n;
  for (let i = sizeBytes - 1; i >= 0; i--) {
    value = (value << 8n) | BigInt(ram.u8[(map.directValue + offset + i) as RamOffset]!);
  }
  return value;
}

export function progBindMap(
  _bpf: BpfSubsystem,
  attr: Attr<'prog_bind_map'>,
  caller: BpfCaller,
): number {
  if (attr.flags !== 0) return -errno.EINVAL;
  const program = progOfFd(caller, attr.prog_fd);
  if (typeof program === 'number') return program;
  const map = mapOfFd(caller, attr.map_fd);
  if (typeof map === 'number') return map;
  program.bindMap(map);
  return 0;
}
