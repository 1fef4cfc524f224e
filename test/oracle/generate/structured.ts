/**
 * A whole structured program as a request: a function that keeps its context in r6, statements, and
 * an end that folds what is known into r0, so that a wrong value anywhere shows in the result.
 */
import { BtfBuilder } from '../../../bpf/btf/builder.ts';
import { hexOfInsns, LOG_STATS, type RequestJson, type RunJson } from '../request.ts';
import { PROGRAM_KINDS, type ProgramKind } from './kinds.ts';
import { Random } from './random.ts';
import { CONTEXT, SCALAR } from './state.ts';
import { body } from './statements.ts';
import { ENTRY_STACK, ProgramWriter, type FunctionWriter } from './writer.ts';

/** Types that may be loaded without capabilities. */
const UNPRIVILEGED = new Set(['socket_filter', 'cgroup_skb']);

export function structured(seed: number): RequestJson {
  const random = new Random(seed);
  const kind = random.weighted(PROGRAM_KINDS);
  const unprivileged = UNPRIVILEGED.has(kind.type) && random.chance(0.2);
  const program = new ProgramWriter(random, kind, unprivileged);
  const entry = program.addFunction(ENTRY_STACK);
  entry.set(1, CONTEXT);
  entry.emit('mov64_reg', { dst: 6, src: 1 });
  entry.set(6, CONTEXT);
  entry.pinned.add(6);
  body(entry, random.between(3, 22));
  end(entry);
  return requestOf(program, `structured-${seed}`);
}

/** Every scalar counts in the result. */
function end(w: FunctionWriter): void {
  if (w.get(0).kind !== 'scalar') w.constant(0);
  w.set(0, SCALAR);
  for (const src of w.registersOf(({ kind }) => kind === 'scalar')) {
    if (src === 0) continue;
    w.emit('mul64_imm', { dst: 0, imm: 31 });
    w.emit('xor64_reg', { dst: 0, src });
  }
  if (w.returns === 'any') {
    // The upper half would not be seen.
    w.emit('mov64_reg', { dst: 1, src: 0 });
    w.emit('rsh64_imm', { dst: 1, imm: 32 });
    w.emit('xor64_reg', { dst: 0, src: 1 });
  }
  w.exit();
}

function requestOf(program: ProgramWriter, id: string): RequestJson {
  const { random, kind, functions } = program;
  const starts: number[] = [];
  let length = 0;
  for (const { insns } of functions) {
    starts.push(length);
    length += insns.length;
  }
  const insns = functions.flatMap((func) => {
    const code = [...func.insns];
    for (const { at, callee } of func.references) {
      code[at] = { ...code[at]!, imm: starts[callee]! - (starts[func.index]! + at + 1) };
    }
    return code;
  });
  const fixups = functions.flatMap((func) =>
    func.fixups.map(({ insn, map }) => ({ insn: starts[func.index]! + insn, map })),
  );
  return {
    id,
    prog_type: kind.type,
    ...(kind.attachType !== undefined && { expected_attach_type: kind.attachType }),
    license: 'GPL',
    insns: hexOfInsns(insns),
    maps: program.maps,
    fixups,
    ...(program.needsBtf && functionTypes(starts)),
    ...(program.unprivileged && { unpriv: true }),
    ...(random.chance(0.02) && { prog_flags: random.pick([1, 4, 8]) }),
    log_level: LOG_STATS,
    ...(program.runnable && kind.runs && { run: runs(random, kind), dump_maps: true }),
  };
}

/** BTF that calls every function static: `int f(void)`. */
function functionTypes(starts: readonly number[]): Partial<RequestJson> {
  const builder = new BtfBuilder();
  const int = builder.intern({
    kind: 'int',
    name: 'int',
    size: 4,
    bits: 32,
    bitOffset: 0,
    signed: true,
    char: false,
    bool: false,
  });
  const type = builder.intern({ kind: 'func_proto', name: '', returnType: int, params: [] });
  const records = Buffer.alloc(starts.length * 8);
  starts.forEach((start, index) => {
    const func = builder.add({ kind: 'func', name: `f${index}`, type, linkage: 'static' });
    records.writeUInt32LE(start, index * 8);
    records.writeUInt32LE(func, index * 8 + 4);
  });
  const { bytes } = builder.build();
  return { btf: Buffer.from(bytes).toString('hex'), func_info: records.toString('hex') };
}

/** An IPv4 frame or random bytes, of a few lengths; sometimes twice, which shows what maps keep. */
function runs(random: Random, kind: ProgramKind): RunJson[] {
  return Array.from({ length: random.chance(0.3) ? 2 : 1 }, () => {
    const bytes = random.pick([14, 34, 42, 60, 64, 128]);
    const ethernet = `${random.hex(12)}0800`;
    const rest = random.chance(0.5) ? `45${random.hex(bytes)}` : random.hex(bytes);
    const data = (ethernet + rest).slice(0, 2 * bytes);
    const context = kind.family === 'skb' && random.chance(0.2) ? skbContext(random) : undefined;
    return {
      data_in: data,
      ...(context !== undefined && { ctx_in: context }),
      ...(random.chance(0.1) && { repeat: 3 }),
    };
  });
}

/** struct __sk_buff with what a test run may set: mark, priority and cb. */
function skbContext(random: Random): string {
  const context = Buffer.alloc(192);
  for (const at of [8, 32, 48, 52, 56, 60, 64]) context.writeUInt32LE(random.u32(), at);
  return context.toString('hex');
}
