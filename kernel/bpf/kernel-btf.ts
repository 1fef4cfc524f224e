/**
 * The kernel's own BTF (/sys/kernel/btf/vmlinux): its structs, the records of its trace events, and
 * a `btf_trace_NAME` prototype for each tracepoint, all from their one declaration.
 */
import type { Btf } from '../../bpf/btf/btf.ts';
import { BtfBuilder } from '../../bpf/btf/builder.ts';
import { ITER_ARGS, type IterArg } from '../../bpf/iter/args.ts';
import { addStructs, CHAR, intType } from '../../bpf/btf/structs.ts';
import { prototypeOf } from '../../bpf/kfuncs/kfunc.ts';
import { kfuncs } from '../../bpf/kfuncs/table.ts';
import { UapiSkBuff } from '../../bpf/uapi-ctx.ts';
import type { AnyTraceEvent } from '../../hooks/trace-event.ts';
import * as bpfMap from '../types/bpf-map.ts';
import * as netDevice from '../types/net-device.ts';
import * as bpfProg from '../types/bpf-prog.ts';
import * as iterObjects from '../types/iter-objects.ts';
import * as ptRegs from '../types/pt-regs.ts';
import * as seqFile from '../types/seq-file.ts';
import * as skbuff from '../types/skbuff.ts';
import { pointer, struct, type AnyStruct } from '../types/struct.ts';
import * as task from '../types/task.ts';
import * as progTest from '../types/prog-test.ts';
import * as sock from '../types/sock.ts';
import * as trace from '../types/trace.ts';
import * as xdp from '../types/xdp.ts';
import { Bug } from '../types/units.ts';

const modules: readonly Readonly<Record<string, unknown>>[] = [
  task,
  sock,
  progTest,
  ptRegs,
  bpfMap,
  bpfProg,
  seqFile,
  iterObjects,
  xdp,
  skbuff,
  netDevice,
  trace,
];

/** Kernel functions take contexts; these two members are addresses for who looks at types only. */
const skBuffContext = struct('__sk_buff', {
  ...UapiSkBuff.members,
  flow_keys: pointer('bpf_flow_keys'),
  sk: pointer('bpf_sock'),
});

export function kernelBtf(events: readonly AnyTraceEvent[]): Btf {
  const builder = new BtfBuilder();
  const structs = modules.flatMap((module) => Object.values(module).filter(isStruct));
  structs.push(skBuffContext);
  const records = events.flatMap((event) => (event.record ? [event.record] : []));
  const unique = new Map([...structs, ...records].map((struct) => [struct.name, struct]));
  const ids = addStructs(builder, [...unique.values()]);
  for (const [target, args] of Object.entries(ITER_ARGS)) {
    const declarations = args.map((arg: IterArg) =>
      'struct' in arg
        ? `struct ${arg.struct} *${arg.name}`
        : 'scalar' in arg
          ? `${arg.scalar} ${arg.name}`
          : `void *${arg.name}`,
    );
    addIterContext(builder, ids, target, declarations);
    addFunction(builder, ids, `bpf_iter_${target}`, [
      'struct bpf_iter_meta *meta',
      ...declarations,
    ]);
  }
  for (const { declaration } of kfuncs) {
    const { name, returns, params } = prototypeOf(declaration);
    addFunction(builder, ids, name, params, returns);
  }
  const named = new Set<string>();
  for (const event of events) {
    if (event.system === 'syscalls' || event.system === 'ftrace' || named.has(event.name)) continue;
    named.add(event.name);
    addTracepoint(builder, ids, event);
  }
  return builder.build();
}

/** struct bpf_iter__TARGET: what programs take as their context; a union for each pointer. */
function addIterContext(
  builder: BtfBuilder,
  structs: ReadonlyMap<string, number>,
  target: string,
  declarations: readonly string[],
): void {
  const all = ['struct bpf_iter_meta *meta', ...declarations];
  const members = all.map((declaration, i) => {
    const { name, type } = parameter(builder, structs, declaration);
    const bitOffset = i * 64;
    if (!declaration.includes('*')) return { name, type, bitOffset, bitSize: 0 };
    const only = { name, type, bitOffset: 0, bitSize: 0 };
    const union = builder.add({
      kind: 'union',
      name: '',
      size: 8,
      members: [only],
      kindFlag: false,
    });
    return { name: '', type: union, bitOffset, bitSize: 0 };
  });
  const size = all.length * 8;
  builder.add({ kind: 'struct', name: `bpf_iter__${target}`, size, members, kindFlag: false });
}

/** NAME(arguments …); `returns` an int where nothing else is said. */
function addFunction(
  builder: BtfBuilder,
  structs: ReadonlyMap<string, number>,
  name: string,
  args: readonly string[],
  returns = 'int',
): void {
  const params = args.map((declaration) => parameter(builder, structs, declaration));
  const returnType = parameter(builder, structs, `${returns} result`).type;
  const proto = builder.add({ kind: 'func_proto', name: '', returnType, params });
  builder.add({ kind: 'func', name, type: proto, linkage: 'static' });
}

/** typedef void (*btf_trace_NAME)(void *, arguments …) */
function addTracepoint(
  builder: BtfBuilder,
  structs: ReadonlyMap<string, number>,
  event: AnyTraceEvent,
): void {
  const context = builder.intern({ kind: 'ptr', name: '', type: 0 });
  const params = [{ name: '', type: context }];
  for (const declaration of event.args) {
    const { name, type } = parameter(builder, structs, declaration);
    params.push({ name, type });
  }
  const proto = builder.add({ kind: 'func_proto', name: '', returnType: 0, params });
  const pointer = builder.add({ kind: 'ptr', name: '', type: proto });
  builder.add({ kind: 'typedef', name: `btf_trace_${event.name}`, type: pointer });
}

/** Integer types that tracepoints' arguments have: bytes and sign. */
const INTEGERS: Readonly<Record<string, readonly [size: 1 | 2 | 4 | 8, signed: boolean]>> = {
  bool: [1, false],
  char: [1, true],
  u8: [1, false],
  'unsigned char': [1, false],
  u16: [2, false],
  short: [2, true],
  'unsigned short': [2, false],
  int: [4, true],
  'unsigned int': [4, false],
  u32: [4, false],
  pid_t: [4, true],
  gfp_t: [4, false],
  u64: [8, false],
  long: [8, true],
  'unsigned long': [8, false],
  'long unsigned int': [8, false],
  'long long unsigned int': [8, false],
  size_t: [8, false],
};

function parameter(
  builder: BtfBuilder,
  structs: ReadonlyMap<string, number>,
  declaration: string,
): { readonly name: string; readonly type: number } {
  const match = /^(const )?(.*?)\s*(\**)\s*(\w+)$/.exec(declaration);
  if (!match) throw new Bug(`not a C parameter: ${declaration}`);
  const [, isConst, base, stars, name] = match;
  let type = baseType(builder, structs, base!);
  if (isConst) type = builder.intern({ kind: 'const', name: '', type });
  for (let i = 0; i < stars!.length; i++) type = builder.intern({ kind: 'ptr', name: '', type });
  return { name: name!, type };
}

function baseType(builder: BtfBuilder, structs: ReadonlyMap<string, number>, base: string): number {
  if (base === 'void') return 0;
  const tagged = /^(struct|union|enum) (\w+)$/.exec(base);
  if (tagged) {
    const [, tag, name] = tagged;
    if (tag === 'enum') return builder.intern(intType('unsigned int', 4, false));
    const known = structs.get(name!);
    return known ?? builder.intern({ kind: 'fwd', name: name!, union: tag === 'union' });
  }
  if (base === 'char') return builder.intern(CHAR);
  const integer = INTEGERS[base];
  if (!integer) throw new Bug(`tracepoint argument of unknown type ${base}`);
  return builder.intern(intType(base === 'bool' ? '_Bool' : base, ...integer));
}

function isStruct(value: unknown): value is AnyStruct {
  return typeof value === 'object' && value !== null && 'members' in value && 'offsets' in value;
}
