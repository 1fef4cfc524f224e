/**
 * BPF programs as what others attach to: freplace (`ext`) puts a program in place of a function of
 * another, fentry and fexit run around one (bpf_check_attach_target of 6.1).
 *
 *   checkProgTarget(c, program, btf, id, refuse)   the function, or a rejection
 *   attachError(spec, program, id)                 the same question when it is attached anew
 *   inherit(c)                                     what replaces a program is checked as one of its type
 *
 * differs: programs count as compiled whichever engine runs them, so that nothing is refused for
 * want of a JIT.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from '../btf/btf.ts';
import type { BtfType } from '../btf/types.ts';
import type { ProgramSpec, VerifiedProgram } from '../program.ts';
import type { ProgType } from '../uapi.ts';
import type { AttachTarget, Refuse } from './attach.ts';
import { kindName } from './btf-names.ts';
import { reject, type Checker } from './checker.ts';
import { unsupportedPrototype } from './func-proto.ts';

/** What stands in the way: the log's line, '' where 6.1 says nothing. */
interface Objection {
  readonly line: string;
}
const objection = (line: string): Objection => ({ line });

export function checkProgTarget(
  c: Checker,
  program: VerifiedProgram,
  btf: Btf,
  id: number,
  refuse: Refuse,
): AttachTarget {
  const found = findFunction(c.spec, program, btf, id);
  if ('line' in found) {
    return found.line ? refuse(found.line) : reject(c, errno.EINVAL, 'attach-target');
  }
  if (c.sleepable) refuse(`${found.name} is not sleepable`);
  if (c.spec.expectedAttachType === 'modify_return') {
    refuse("can't modify return codes of BPF programs");
  }
  return found;
}

/** Errno with which `spec`, already loaded, cannot be attached to that function; 0 if it can. */
export function attachError(spec: ProgramSpec, program: VerifiedProgram, id: number): number {
  const { btf } = program.spec;
  if (!btf?.type(id)) return errno.EINVAL;
  const found = findFunction(spec, program, btf, id);
  if ('line' in found) return errno.EINVAL;
  const was = spec.attachProg?.spec;
  const { type, expectedAttachType } = program.spec;
  const isAlike = was?.type === type && was.expectedAttachType === expectedAttachType;
  return isAlike ? 0 : errno.EINVAL;
}

function findFunction(
  spec: ProgramSpec,
  program: VerifiedProgram,
  btf: Btf,
  id: number,
): AttachTarget | Objection {
  const replaces = spec.type === 'ext';
  const target = btf.type(id)!;
  const subprog = program.funcs.findIndex(({ typeId }) => typeId === id);
  if (subprog < 0) return objection(`Subprog ${target.name} doesn't exist`);
  const isUnreliable = program.funcs[subprog]!.unreliable === true;
  if (replaces && isUnreliable) return objection('Cannot replace static functions');
  const { type, expectedAttachType } = program.spec;
  if (type === spec.type) return objection('Cannot recursively attach');
  const isAround = expectedAttachType === 'trace_fentry' || expectedAttachType === 'trace_fexit';
  if (type === 'tracing' && replaces && isAround) return objection('Cannot extend fentry/fexit');
  switch (spec.expectedAttachType) {
    case 'trace_raw_tp':
      return objection('Only FENTRY/FEXIT progs are attachable to another BPF prog');
    case 'trace_fentry':
    case 'trace_fexit':
    case 'modify_return':
    case 'trace_iter':
    // These pass here, and are refused where the program returns.
    case 'lsm_mac':
    case 'lsm_cgroup':
      break;
    default:
      if (!replaces) return objection('');
  }
  if (target.kind !== 'func') return objection(`attach_btf_id ${id} is not a function`);
  if (replaces) {
    const mismatch = typeMismatch(spec, btf, target);
    if (mismatch) return objection(mismatch.line);
  }
  const declared = btf.prototypeOf(target);
  const proto = isUnreliable ? undefined : declared;
  const unsupported = proto && unsupportedPrototype(btf, proto, target.name);
  if (unsupported !== undefined) return objection(unsupported);
  if (spec.expectedAttachType === 'trace_iter') return objection('');
  return { btf, name: target.name, proto, skipsFirst: false, subprog };
}

type Func = Extract<BtfType, { kind: 'func' }>;

/** btf_check_type_match: both functions are global and of the same type. */
function typeMismatch(spec: ProgramSpec, btf2: Btf, func2: Func): Objection | undefined {
  const { btf: btf1, funcInfo } = spec;
  if (!btf1 || !funcInfo) return objection('Program extension requires BTF');
  const { records } = funcInfo;
  const id = new DataView(records.buffer, records.byteOffset, records.length).getUint32(4, true);
  const func1 = btf1.typeAs(id, 'func')!;
  for (const { linkage, name } of [func1, func2]) {
    if (linkage !== 'global') return objection(`${name}() is not a global function`);
  }
  const [name1, name2] = [func1.name, func2.name];
  const [proto1, proto2] = [btf1.prototypeOf(func1), btf2.prototypeOf(func2)];
  const [count1, count2] = [proto1.params.length, proto2.params.length];
  if (count1 !== count2) {
    return objection(`${name1}() has ${count1} args while ${name2}() has ${count2} args`);
  }
  const [returned1, returned2] = [
    btf1.resolved(proto1.returnType),
    btf2.resolved(proto2.returnType),
  ];
  if (!sameInfo(returned1, returned2)) {
    return objection(
      `Return type ${kindName(returned1)} of ${name1}() ` +
        `doesn't match type ${kindName(returned2)} of ${name2}()`,
    );
  }
  for (let i = 0; i < count1; i++) {
    const [type1, type2] = [proto1.params[i]!.type, proto2.params[i]!.type];
    const line = argumentMismatch(i, [btf1, type1, name1], [btf2, type2, name2]);
    if (line !== undefined) return objection(line);
  }
  return undefined;
}

type Argument = readonly [btf: Btf, type: number, func: string];

function argumentMismatch(
  i: number,
  [btf1, id1, name1]: Argument,
  [btf2, id2, name2]: Argument,
): string | undefined {
  const [type1, type2] = [btf1.resolved(id1), btf2.resolved(id2)];
  const where = `arg${i} in ${name1}()`;
  if (!sameInfo(type1, type2)) {
    return `${where} is ${kindName(type1)} while ${name2}() has ${kindName(type2)}`;
  }
  if (sizeIn(type1) !== sizeIn(type2)) {
    return `${where} has size ${sizeIn(type1)} while ${name2}() has ${sizeIn(type2)}`;
  }
  if (type1.kind === 'int' || type1.kind === 'enum' || type1.kind === 'enum64') return undefined;
  if (type1.kind !== 'ptr' || type2.kind !== 'ptr') return `${where} has unrecognized type`;
  const [to1, to2] = [btf1.resolved(type1.type), btf2.resolved(type2.type)];
  const isStruct = ({ kind }: BtfType) => kind === 'struct' || kind === 'union';
  if (!isStruct(to1)) return `${where} is not a pointer to context`;
  if (!isStruct(to2)) return `arg${i} in ${name2}() is not a pointer to context`;
  if (to1.name === to2.name) return undefined;
  return `arg${i} ${name1}(struct ${to1.name} *) doesn't match ${name2}(struct ${to2.name} *)`;
}

/** Kind, number of members and the kind's flag: the word `info` of struct btf_type. */
function sameInfo(a: BtfType, b: BtfType): boolean {
  return a.kind === b.kind && membersIn(a) === membersIn(b) && flagOf(a) === flagOf(b);
}

function membersIn(type: BtfType): number {
  if ('members' in type) return type.members.length;
  if ('values' in type) return type.values.length;
  return 'params' in type ? type.params.length : 0;
}

const flagOf = (type: BtfType): boolean =>
  ('signed' in type && type.kind !== 'int' && type.signed) ||
  (type.kind === 'fwd' && type.union) ||
  ('kindFlag' in type && type.kindFlag);

const sizeIn = (type: BtfType): number | undefined => ('size' in type ? type.size : undefined);

/** The program that is replaced decides what may be done: its context, helpers and results. */
export function inherit(c: Checker): void {
  const { type, attachProg } = c.given;
  if (type !== 'ext' || !attachProg) return;
  const { type: targetType, expectedAttachType } = attachProg.spec;
  c.ops = c.env.targetOps!;
  c.spec = { ...c.given, type: targetType, expectedAttachType };
}

/** The kernel's own struct behind the context of a program type (linux/bpf_types.h). */
const KERNEL_CTX: Readonly<Record<string, string>> = {
  __sk_buff: 'sk_buff',
  xdp_md: 'xdp_buff',
  bpf_sock: 'sock',
  bpf_sock_addr: 'bpf_sock_addr_kern',
  bpf_sock_ops: 'bpf_sock_ops_kern',
  sk_msg_md: 'sk_msg',
  bpf_perf_event_data: 'bpf_perf_event_data_kern',
  bpf_cgroup_dev_ctx: 'bpf_cgroup_dev_ctx',
  bpf_sysctl: 'bpf_sysctl_kern',
  bpf_sockopt: 'bpf_sockopt_kern',
  sk_reuseport_md: 'sk_reuseport_kern',
  bpf_sk_lookup: 'bpf_sk_lookup_kern',
};

/** By what a context is called in the program's BTF; undefined: that is none of its type. */
export function kernelCtxStruct(
  c: Checker,
  program: VerifiedProgram,
  name: string,
): string | undefined {
  // What replaces a program has the context of what it replaces.
  const replaced = program.spec.type === 'ext' ? program.spec.attachProg : undefined;
  const type: ProgType = (replaced ?? program).spec.type;
  if (c.env.targetOps?.ctxStruct !== name) return undefined;
  return type === 'flow_dissector' ? 'bpf_flow_dissector' : KERNEL_CTX[name];
}
