/**
 * Before exploration: every opcode is one, and every ld_imm64 of a map, map value or kernel variable
 * gets its address and is checked for what the program type may use.
 */
import { KERNEL_BASE } from '../../kernel/ram/ram.ts';
import { errno } from '../../kernel/types/errno.ts';
import type { Insn } from '../isa/insn.ts';
import type { BpfMap } from '../maps/map.ts';
import { reject, type Checker } from './checker.ts';
import { hasSpinLock, hasTimer } from './map-fields.ts';
import { classOf, cls, isKnownOpcode, isLdImm64, mode, modeOf, pseudo } from './opcode.ts';
import { flag, pointerReg } from './reg.ts';
import { MAX_VAR_OFF } from './region.ts';

/** MAX_USED_MAPS */
const MAX_MAPS = 64;

export function resolveImmediates(c: Checker): void {
  const { insns } = c;
  for (let slot = 0; slot < insns.length; slot++) {
    const insn = insns[slot]!;
    if (classOf(insn.code) === cls.LDX && !isLoad(c, insn)) {
      reject(c, errno.EINVAL, 'reserved-field', 'BPF_LDX uses reserved fields', { insn: slot });
    }
    if (isLdImm64(insn)) {
      resolveOne(c, slot, insn);
      slot++;
    } else if (!isKnownOpcode(insn.code, c.env.level)) {
      const code = insn.code.toString(16).padStart(2, '0');
      reject(c, errno.EINVAL, 'unknown-opcode', `unknown opcode ${code}`, { insn: slot });
    }
  }
}

function isLoad(c: Checker, insn: Insn): boolean {
  const how = modeOf(insn.code);
  const known = how === mode.MEM || (how === mode.MEMSX && c.env.level !== '6.1');
  return known && insn.imm === 0;
}

function resolveOne(c: Checker, slot: number, insn: Insn): void {
  const second = c.insns[slot + 1];
  if (!second || second.code !== 0 || second.dst !== 0 || second.src !== 0 || second.off !== 0) {
    reject(c, errno.EINVAL, 'bad-ldimm64', 'invalid bpf_ld_imm64 insn', { insn: slot });
  }
  const unknown = () =>
    reject(c, errno.EINVAL, 'bad-ldimm64', 'unrecognized bpf_ld_imm64 insn', {
      insn: slot,
    });
  switch (insn.src) {
    case 0:
    case pseudo.FUNC:
      return;
    case pseudo.BTF_ID:
      resolveVariable(c, slot, insn);
      return;
    case pseudo.MAP_FD:
    case pseudo.MAP_IDX:
      if (second.imm !== 0) unknown();
      break;
    case pseudo.MAP_VALUE:
    case pseudo.MAP_IDX_VALUE:
      break;
    default:
      unknown();
  }
  const map = findMap(c, slot, insn);
  checkMapUse(c, slot, map);
  const aux = c.aux(slot);
  aux.map = map;
  if (insn.src === pseudo.MAP_FD || insn.src === pseudo.MAP_IDX) {
    setAddress(c, slot, c.env.mapAddress(map));
  } else {
    aux.mapOffset = second.imm >>> 0;
    setAddress(c, slot, valueAddress(c, slot, map, aux.mapOffset));
  }
  if (c.usedMaps.includes(map)) return;
  if (c.usedMaps.length >= MAX_MAPS)
    reject(c, errno.E2BIG, 'too-many-maps', undefined, { insn: slot });
  checkCgroupStorage(c, slot, map);
  c.usedMaps.push(map);
}

function setAddress(c: Checker, slot: number, address: bigint): void {
  const low = Number(BigInt.asIntN(32, address));
  const high = Number(BigInt.asIntN(32, address >> 32n));
  c.insns[slot] = { ...c.insns[slot]!, imm: low };
  c.insns[slot + 1] = { ...c.insns[slot + 1]!, imm: high };
}

function findMap(c: Checker, slot: number, insn: Insn): BpfMap {
  const byIndex = insn.src === pseudo.MAP_IDX || insn.src === pseudo.MAP_IDX_VALUE;
  if (byIndex && !c.spec.mapByIndex) {
    reject(c, errno.EPROTO, 'bad-map-fd', 'fd_idx without fd_array is invalid', { insn: slot });
  }
  const map = byIndex ? c.spec.mapByIndex!(insn.imm) : c.spec.mapByFd(insn.imm);
  if (map) return map;
  const line = `fd ${insn.imm} is not pointing to valid bpf_map`;
  return reject(c, map === null ? errno.EINVAL : errno.EBADF, 'bad-map-fd', line, { insn: slot });
}

function valueAddress(c: Checker, slot: number, map: BpfMap, off: number): bigint {
  if (off >= MAX_VAR_OFF) {
    const line = `direct value offset of ${off} is not allowed`;
    reject(c, errno.EINVAL, 'bad-map-value', line, { insn: slot });
  }
  if (map.spec.type !== 'array') {
    const line = 'no direct value access support for this map type';
    reject(c, errno.EINVAL, 'bad-map-value', line, { insn: slot });
  }
  const error =
    map.spec.maxEntries !== 1 ? errno.ENOTSUPP : off >= map.spec.valueBytes ? errno.EINVAL : 0;
  if (error !== 0) {
    const where = `value_size=${map.spec.valueBytes} off=${off}`;
    reject(c, error, 'bad-map-value', `invalid access to map value pointer, ${where}`, {
      insn: slot,
      off,
      limit: map.spec.valueBytes,
    });
  }
  return KERNEL_BASE + BigInt(map.directValue ?? 0) + BigInt(off);
}

/** Maps that a sleepable program may use. */
const SLEEPABLE = new Set(
  `hash lru_hash array percpu_hash percpu_array lru_percpu_hash
  array_of_maps hash_of_maps ringbuf user_ringbuf inode_storage sk_storage task_storage`.split(
    /\s+/,
  ),
);

/** bpf_map_offload_neutral: events come to the host whatever device a program is on. */
const isOnAnyDevice = (map: BpfMap) =>
  map.spec.ifindex === undefined && map.spec.type === 'perf_event_array';

function checkMapUse(c: Checker, slot: number, map: BpfMap): void {
  const refuse = (line: string) =>
    reject(c, errno.EINVAL, 'map-program-type', line, { insn: slot });
  if (hasSpinLock(map)) {
    if (c.spec.type === 'socket_filter') {
      refuse('socket filter progs cannot use bpf_spin_lock yet');
    }
    if (c.ops.tracing) refuse('tracing progs cannot use bpf_spin_lock yet');
    if (c.sleepable) refuse('sleepable progs cannot use bpf_spin_lock yet');
  }
  if (hasTimer(map) && c.ops.tracing) refuse('tracing progs cannot use bpf_timer yet');
  if (map.spec.ifindex !== c.spec.ifindex && !isOnAnyDevice(map)) {
    refuse('offload device mismatch between prog and map');
  }
  if (map.spec.type === 'struct_ops') refuse('bpf_struct_ops map cannot be used in prog');
  if (c.sleepable && !SLEEPABLE.has(map.spec.type)) {
    refuse('Sleepable programs can only use array, hash, and ringbuf maps');
  }
}

function checkCgroupStorage(c: Checker, slot: number, map: BpfMap): void {
  const { type } = map.spec;
  if (type !== 'cgroup_storage' && type !== 'percpu_cgroup_storage') return;
  if (!c.usedMaps.some((used) => used.spec.type === type)) return;
  const line = 'only one cgroup storage of each type is allowed';
  reject(c, errno.EBUSY, 'cgroup-storage', line, { insn: slot });
}

/** A kernel variable by its BTF id. */
function resolveVariable(c: Checker, slot: number, insn: Insn): void {
  const refuse = (line: string, number: number = errno.EINVAL): never =>
    reject(c, number, 'kernel-variable', line, { insn: slot });
  const id = insn.imm;
  if (c.insns[slot + 1]!.imm !== 0) refuse('invalid module BTF object FD specified.');
  const btf = c.env.kernelBtf;
  if (!btf) {
    return refuse(
      'kernel is missing BTF, make sure CONFIG_DEBUG_INFO_BTF=y is specified in Kconfig.',
    );
  }
  const variable = btf.type(id);
  if (!variable) {
    return refuse(`ldimm64 insn specifies invalid btf_id ${id}.`, errno.ENOENT);
  }
  if (variable.kind !== 'var') {
    return refuse(`pseudo btf_id ${id} in ldimm64 isn't KIND_VAR.`);
  }
  const { name } = variable;
  const address = c.env.symbolAddress?.(name);
  if (address === undefined) {
    const line = `ldimm64 failed to find the address for kernel symbol '${name}'.`;
    return refuse(line, errno.ENOENT);
  }
  const section = btf.find('.data..percpu', 'datasec');
  const perCpu =
    section !== undefined && btf.typeAs(section, 'datasec')!.vars.some((one) => one.type === id);
  setAddress(c, slot, address);
  const resolved = btf.resolved(variable.type);
  if (perCpu || resolved.kind === 'struct' || resolved.kind === 'union') {
    const flags = perCpu ? flag.PERCPU : 0;
    const reg = pointerReg('ptr_', { flags, btf, btfId: btf.resolve(variable.type) });
    c.aux(slot).symbol = { name, reg };
    return;
  }
  const memBytes = btf.sizeOf(variable.type);
  if (memBytes === undefined) {
    const line = `ldimm64 unable to resolve the size of type '${resolved.name}': -22`;
    return refuse(line);
  }
  c.aux(slot).symbol = { name, reg: pointerReg('mem', { flags: flag.RDONLY, memBytes }) };
}
