/**
 * What a tracing, LSM or struct_ops program attaches to: found in the kernel's BTF, or in that of
 * the BPF program that it is for (attach-prog.ts), before the program is looked at, as its
 * arguments have that function's types.
 */
import { errno } from '../../kernel/types/errno.ts';
import { SLEEPABLE_LSM_HOOKS } from '../helpers/lsm-hooks.ts';
import type { Btf } from '../btf/btf.ts';
import type { BtfFuncProto } from '../btf/types.ts';
import { iterTargetOf } from '../iter/args.ts';
import { checkProgTarget, inherit } from './attach-prog.ts';
import { reject, type Checker } from './checker.ts';
import { unsupportedPrototype } from './func-proto.ts';

export interface AttachTarget {
  readonly btf: Btf;
  /** As BPF sees it: `bpf_lsm_file_open`, `vfs_read`, `sched_switch` for a tracepoint. */
  readonly name: string;
  /** Undefined for a function of a BPF program whose declaration is not relied on. */
  readonly proto: BtfFuncProto | undefined;
  /** A tracepoint's first parameter is not the program's. */
  readonly skipsFirst: boolean;
  /** Index of the function in the BPF program that it is one of. */
  readonly subprog?: number;
}

const SLEEPABLE_TYPES = new Set(['tracing', 'lsm', 'kprobe']);

export function checkAttach(c: Checker): void {
  const { type, expectedAttachType: attach } = c.spec;
  const refuse = (line: string, number: number = errno.EINVAL): never =>
    reject(c, number, 'attach-target', line);
  if (type === 'syscall') {
    if (!c.sleepable) refuse('Syscall programs can only be sleepable');
    return;
  }
  if (c.sleepable && !SLEEPABLE_TYPES.has(type)) {
    refuse('Only fentry/fexit/fmod_ret, lsm, and kprobe/uprobe programs can be sleepable');
  }
  if (c.sleepable && type === 'lsm' && attach === 'lsm_cgroup') {
    refuse('BPF_LSM_CGROUP programs cannot be sleepable');
  }
  if (type === 'struct_ops') {
    checkStructOps(c);
    return;
  }
  if (type !== 'tracing' && type !== 'lsm' && type !== 'ext') return;
  c.attach = findTarget(c, refuse);
  if (c.spec.attachProg) {
    inherit(c);
    return;
  }
  if (type === 'lsm') checkLsmHook(c, c.attach.name, refuse);
  else if (type === 'tracing' && UNTRACEABLE.has(c.attach.name)) {
    reject(c, errno.EINVAL, 'attach-target');
  }
}

/** Functions that trampolines themselves call (btf_id_deny). */
const UNTRACEABLE = new Set([
  'migrate_disable',
  'migrate_enable',
  'rcu_read_unlock_strict',
  'preempt_count_add',
  'preempt_count_sub',
]);

/** Functions of 6.1 that are named like hooks and are none. */
const NO_HOOKS = new Set([
  'bpf_lsm_init',
  'bpf_lsm_verify_prog',
  'bpf_lsm_func_proto',
  'bpf_lsm_find_cgroup_shim',
  'bpf_lsm_is_sleepable_hook',
]);

function checkLsmHook(c: Checker, name: string, refuse: Refuse): void {
  if (!c.gplCompatible) {
    const line = 'LSM programs must have a GPL compatible license';
    reject(c, errno.EINVAL, 'gpl-only', line);
  }
  if (NO_HOOKS.has(name)) {
    refuse(`attach_btf_id ${c.spec.attachBtfId} points to wrong type name ${name}`);
  }
}

export type Refuse = (line: string, errno?: number) => never;

function findTarget(c: Checker, refuse: Refuse): AttachTarget {
  const { attachBtfId: id, type, expectedAttachType: attach } = c.spec;
  if (!id) return refuse('Tracing programs must provide btf_id');
  const { attachProg } = c.spec;
  const btf = attachProg ? attachProg.spec.btf : c.env.kernelBtf;
  if (!btf) {
    const line = 'FENTRY/FEXIT program can only be attached to another program annotated with BTF';
    return refuse(line);
  }
  const target = btf.type(id);
  if (!target) return refuse(`attach_btf_id ${id} is invalid`);
  if (attachProg) return checkProgTarget(c, attachProg, btf, id, refuse);
  if (type === 'ext') return refuse('Cannot replace kernel functions');
  switch (attach) {
    case 'trace_raw_tp': {
      const prefix = 'btf_trace_';
      if (target.kind !== 'typedef') return refuse(`attach_btf_id ${id} is not a typedef`);
      if (!target.name.startsWith(prefix)) {
        return refuse(`attach_btf_id ${id} points to wrong type name ${target.name}`);
      }
      const pointer = btf.typeAs(target.type, 'ptr');
      const proto = pointer && btf.typeAs(pointer.type, 'func_proto');
      if (!proto) return reject(c, errno.EINVAL, 'attach-target');
      // differs: 6.1 lets such programs sleep where a tracepoint must not (fixed in 6.2).
      if (c.sleepable) return refuse(`${target.name.slice(prefix.length)} is not sleepable`);
      return { btf, name: target.name.slice(prefix.length), proto, skipsFirst: true };
    }
    case 'trace_iter':
    case 'modify_return':
    case 'lsm_mac':
    case 'lsm_cgroup':
    case 'trace_fentry':
    case 'trace_fexit': {
      if (target.kind !== 'func') return refuse(`attach_btf_id ${id} is not a function`);
      if (type === 'lsm' && !target.name.startsWith('bpf_lsm_')) {
        return refuse(`attach_btf_id ${id} points to wrong type name ${target.name}`);
      }
      if (attach === 'trace_iter' && !iterTargetOf(target.name)) {
        return reject(c, errno.EINVAL, 'attach-target');
      }
      const proto = btf.prototypeOf(target);
      const unsupported = unsupportedPrototype(btf, proto, target.name);
      if (unsupported !== undefined) return refuse(unsupported);
      if (attach !== 'trace_iter') checkPlace(c, target.name, refuse);
      return { btf, name: target.name, proto, skipsFirst: false };
    }
    default:
      return reject(c, errno.EINVAL, 'attach-target');
  }
}

/** May the program sleep where it runs, or change what the function returns? */
function checkPlace(c: Checker, name: string, refuse: Refuse): void {
  const isModifiable = c.env.isModifiable?.(name) === true;
  if (c.sleepable) {
    const isHook = SLEEPABLE_LSM_HOOKS.has(name.replace(/^bpf_lsm_/, ''));
    const sleeps = c.spec.type === 'lsm' ? isHook : isModifiable;
    if (!sleeps) refuse(`${name} is not sleepable`);
  } else if (c.spec.expectedAttachType === 'modify_return') {
    if (!isModifiable && !name.startsWith('security_')) refuse(`${name}() is not modifiable`);
  }
}

/** A member of a struct of callbacks; which one, `expected_attach_type` says as a number. */
function checkStructOps(c: Checker): void {
  if (!c.gplCompatible) {
    const line = 'struct ops programs must have a GPL compatible license';
    reject(c, errno.EINVAL, 'gpl-only', line);
  }
  // differs: no struct_ops is there to attach to yet.
  const line = `attach_btf_id ${c.spec.attachBtfId ?? 0} is not a supported struct`;
  reject(c, errno.ENOTSUPP, 'attach-target', line);
}
