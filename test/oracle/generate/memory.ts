/** Statements on memory: stack, spilled registers, context, packet, and what pointers lead to. */
import type { OpName } from '../../../bpf/isa/table.ts';
import { straightRows } from '../../differential/ast.ts';
import { bound } from './scalars.ts';
import { CONTEXT, isPointer, NONE, SCALAR, type Value } from './state.ts';
import type { FunctionWriter } from './writer.ts';

const ATOMICS = straightRows('6.1').filter(({ kind }) => kind === 'atomic');
type Bits = 8 | 16 | 32 | 64;
const SIZES = [1, 2, 4, 8] as const;

export function stackStore(w: FunctionWriter): void {
  const { random } = w;
  const size = random.pick(SIZES);
  const bits = (8 * size) as Bits;
  const data: number[] = [];
  for (let place = size; place <= w.stackBytes; place += size) {
    if (w.isData(place, size)) data.push(place);
  }
  // Data may be overwritten anywhere; other places must be free.
  const again = data.length > 0 && random.chance(0.5);
  const at = again ? random.pick(data) : w.scratch() - random.below(8 / size) * size;
  if (random.chance(0.3)) w.emit(`st${bits}`, { dst: 10, off: -at, imm: random.imm() });
  else w.emit(`stx${bits}`, { dst: 10, src: w.scalar(), off: -at });
  w.stored(at, size);
}

export function stackLoad(w: FunctionWriter): void {
  const { random } = w;
  const size = random.pick(SIZES);
  const places: number[] = [];
  for (let at = size; at <= w.stackBytes; at += size) if (w.isData(at, size)) places.push(at);
  if (places.length === 0) return stackStore(w);
  const dst = w.target();
  w.emit(`ldx${(8 * size) as Bits}`, { dst, src: 10, off: -random.pick(places) });
  w.set(dst, SCALAR);
}

/** A pointer to the stack, and an access through it, perhaps at a variable offset. */
export function stackPointer(w: FunctionWriter): void {
  const { random } = w;
  const at = w.scratch(16);
  if (!w.isData(at, 16)) w.fill(at, 16);
  const pointer = w.target();
  w.stackPointer(pointer, at);
  const memory: Value = { kind: 'memory', bytes: 16, place: 'stack', access: 'rw' };
  w.set(pointer, memory);
  access(w, pointer, memory);
  if (random.chance(0.5)) w.set(pointer, NONE);
  // Kept, it must stay initialised: the pointer's memory is counted as data for good.
  else for (let i = 0; i < 16; i += 8) w.pinnedStack.add(at - i);
}

export function spill(w: FunctionWriter): void {
  const { random } = w;
  const pointers = w.registersOf(isPointer);
  if (pointers.length === 0) return stackStore(w);
  const src = random.pick(pointers);
  const at = w.scratch();
  w.emit('stx64', { dst: 10, src, off: -at });
  w.stored(at, 8);
  for (let i = 0; i < 8; i++) w.state.data[at - 1 - i] = 0;
  w.state.spills.set(at, w.get(src));
  if (random.chance(0.6) && w.isAvailable(src) && w.get(src).kind !== 'context') w.set(src, NONE);
}

export function fill(w: FunctionWriter): void {
  const spilled = [...w.state.spills];
  if (spilled.length === 0) return spill(w);
  const [at, value] = w.random.pick(spilled);
  const dst = w.target();
  w.emit('ldx64', { dst, src: 10, off: -at });
  w.set(dst, value);
}

export function contextAccess(w: FunctionWriter): void {
  const { random } = w;
  const { fields } = w.program.kind;
  const contexts = w.registersOf(({ kind }) => kind === 'context');
  if (contexts.length === 0 || fields.length === 0) return stackStore(w);
  const src = random.pick(contexts);
  const field = random.pick(fields);
  if (field.writable && random.chance(0.3)) {
    w.emit(field.bytes === 8 ? 'stx64' : 'stx32', { dst: src, src: w.scalar(), off: field.offset });
    return;
  }
  // Narrow loads read a part of the member.
  const isNarrow = random.chance(
    w.program.kind.family === 'skb' && field.bytes === 4 ? 0.25 : 0.01,
  );
  const size = isNarrow ? random.pick([1, 2] as const) : field.bytes;
  const dst = w.target();
  const off = field.offset + (size < field.bytes ? random.below(field.bytes / size) * size : 0);
  w.emit(`ldx${(8 * size) as Bits}`, { dst, src, off });
  w.set(dst, SCALAR);
}

/** Loads data and data_end, checks the length, and goes on where it suffices. */
export function packetCheck(w: FunctionWriter, then: () => void): void {
  const { random } = w;
  const { packet } = w.program;
  const contexts = w.registersOf(({ kind }) => kind === 'context');
  if (!packet || contexts.length === 0) return contextAccess(w);
  const context = random.pick(contexts);
  const data = (random.chance(0.4) ? w.keeper() : undefined) ?? w.target(context);
  const end = w.target(context, data);
  const limit = w.target(context, data, end);
  if (new Set([context, data, end, limit]).size < 4) return contextAccess(w);
  const checked = random.between(1, 64);
  w.emit('ldx32', { dst: data, src: context, off: packet.data });
  w.emit('ldx32', { dst: end, src: context, off: packet.end });
  w.emit('mov64_reg', { dst: limit, src: data });
  w.emit('add64_imm', { dst: limit, imm: checked });
  w.set(limit, NONE);
  w.set(data, NONE);
  w.set(end, NONE);
  const known: Value = { kind: 'packet', checked };
  const [tooShort, isEnough] = random.pick([
    [w.emit.bind(w, 'jgt64_reg', { dst: limit, src: end }), undefined],
    [w.emit.bind(w, 'jlt64_reg', { dst: end, src: limit }), undefined],
    [undefined, w.emit.bind(w, 'jle64_reg', { dst: limit, src: end })],
    [undefined, w.emit.bind(w, 'jge64_reg', { dst: end, src: limit })],
  ] as const);
  if (isEnough) {
    const at = isEnough();
    if (random.chance(0.5)) {
      w.exit();
      w.land(at);
      w.set(data, known);
      return then();
    }
    return w.arms(
      at,
      () => w.emit('mov64_imm', { dst: limit, imm: 1 }),
      () => {
        w.set(data, known);
        then();
      },
    );
  }
  const at = tooShort!();
  w.optional(at, () => {
    w.set(data, known);
    then();
  });
}

/** An access through some pointer that is at hand. */
export function pointerAccess(w: FunctionWriter): void {
  const pointers = w.registersOf(({ kind }) => kind === 'packet' || kind === 'memory');
  if (pointers.length === 0) return contextAccess(w);
  const pointer = w.random.pick(pointers);
  access(w, pointer, w.get(pointer));
}

/** Reads, writes or changes atomically what `pointer` leads to. */
export function access(w: FunctionWriter, pointer: number, value: Value): void {
  const { random } = w;
  const stack = value.kind === 'memory' && value.place === 'stack';
  const room = value.kind === 'packet' ? value.checked : value.kind === 'memory' ? value.bytes : 0;
  const size = random.pick(SIZES.filter((each) => each <= room));
  if (size === undefined) return;
  const isWritable =
    value.kind === 'packet'
      ? w.program.packet?.writable === true
      : value.kind === 'memory' && value.access !== 'r';
  const isReadable = value.kind !== 'memory' || value.access !== 'w';
  const aligned = stack || random.chance(0.7);
  const most = room - size;
  const place = aligned ? Math.floor(random.below(most + 1) / size) * size : random.below(most + 1);
  if (most > 0 && random.chance(0.3)) {
    return variableAccess(w, pointer, value, size, { isWritable, isReadable, stack });
  }
  const canAtomic = value.kind === 'memory' && value.access === 'rw' && value.place !== 'unaligned';
  if (canAtomic && size >= 4 && random.chance(0.35)) {
    return atomic(w, pointer, Math.floor(place / size) * size, size as 4 | 8);
  }
  oneAccess(w, pointer, place, size, { isWritable, isReadable });
}

function oneAccess(
  w: FunctionWriter,
  pointer: number,
  off: number,
  size: 1 | 2 | 4 | 8,
  { isWritable, isReadable }: { readonly isWritable: boolean; readonly isReadable: boolean },
): void {
  const { random } = w;
  const bits = (8 * size) as Bits;
  if (isWritable && (!isReadable || random.chance(0.5))) {
    if (random.chance(0.25)) w.emit(`st${bits}`, { dst: pointer, off, imm: random.imm() });
    else w.emit(`stx${bits}`, { dst: pointer, src: w.scalar(), off });
    return;
  }
  if (!isReadable) return;
  const dst = w.target(pointer);
  if (dst === pointer) return;
  w.emit(`ldx${bits}`, { dst, src: pointer, off });
  w.set(dst, SCALAR);
}

function atomic(w: FunctionWriter, pointer: number, off: number, bytes: 4 | 8): void {
  const rows = ATOMICS.filter((row) => row.kind === 'atomic' && row.bytes === bytes);
  const row = w.random.pick(rows);
  const needsR0 = row.kind === 'atomic' && row.operation === 'cmpxchg';
  if (needsR0 && w.get(0).kind !== 'scalar') {
    if (pointer === 0 || !w.isAvailable(0) || isPointer(w.get(0))) return;
    w.constant(0);
  }
  const src = row.kind === 'atomic' && row.fetch ? w.variable() : w.scalar();
  if (isPointer(w.get(src)) || src === pointer) return;
  w.emit(row.name as OpName, { dst: pointer, src, off });
}

/** Through a copy of the pointer to which a bounded scalar was added. */
function variableAccess(
  w: FunctionWriter,
  pointer: number,
  value: Value,
  size: 1 | 2 | 4 | 8,
  allowed: { readonly isWritable: boolean; readonly isReadable: boolean; readonly stack: boolean },
): void {
  const { random } = w;
  const index = w.target(pointer);
  const copy = w.target(pointer, index);
  if (new Set([pointer, index, copy]).size < 3) return;
  const room = value.kind === 'packet' ? value.checked : (value as { bytes: number }).bytes;
  const src = w.scalar();
  if (src !== index) w.emit('mov64_reg', { dst: index, src });
  w.set(index, SCALAR);
  // On the stack offsets must be aligned as well; reads of a variable place must find data there.
  const most = allowed.stack ? 1 : room - size;
  const jumps = bound(w, index, most);
  const body = (): void => {
    if (allowed.stack) w.emit('lsh64_imm', { dst: index, imm: 3 });
    if (random.chance(0.2)) {
      w.emit('mov64_reg', { dst: copy, src: index });
      w.emit('add64_reg', { dst: copy, src: pointer });
    } else {
      w.emit('mov64_reg', { dst: copy, src: pointer });
      w.emit('add64_reg', { dst: copy, src: index });
    }
    w.set(copy, NONE);
    const limits = value.kind === 'packet' ? packetRecheck(w, copy, size) : [];
    if (limits === undefined) return;
    const before = w.state.registers[copy];
    w.set(copy, { kind: 'memory', bytes: size, place: 'unaligned', access: 'rw' });
    oneAccess(w, copy, 0, allowed.stack ? 8 : size, allowed);
    w.set(copy, before!);
    for (const at of limits) w.land(at);
  };
  const before = [...w.state.registers];
  body();
  for (const at of jumps) w.land(at);
  // What the body loaded is not there on the other paths.
  w.state.registers.forEach((now, register) => {
    if (JSON.stringify(now) !== JSON.stringify(before[register])) w.set(register, NONE);
  });
  if (w.get(index).kind === 'scalar' && random.chance(0.5)) w.set(index, SCALAR);
}

/** A packet pointer with a variable part is checked anew; the jumps that skip its use. */
function packetRecheck(w: FunctionWriter, pointer: number, bytes: number): number[] | undefined {
  const { packet } = w.program;
  const contexts = w.registersOf(({ kind }) => kind === 'context');
  const end = w.target(pointer);
  const limit = w.target(pointer, end);
  if (!packet || contexts.length === 0 || new Set([pointer, end, limit]).size < 3) return undefined;
  const context = contexts[0]!;
  if (end === context || limit === context) return undefined;
  w.emit('mov64_reg', { dst: limit, src: pointer });
  w.emit('add64_imm', { dst: limit, imm: bytes });
  w.emit('ldx32', { dst: end, src: context, off: packet.end });
  w.set(limit, NONE);
  w.set(end, NONE);
  return [w.emit('jgt64_reg', { dst: limit, src: end })];
}

/** Loads that are left of classic BPF; only where r6 is the context and r0 to r5 are free. */
export function classicLoad(w: FunctionWriter): void {
  const { random } = w;
  if (!w.program.kind.classicLoads || w.get(6).kind !== 'context' || w.index > 0) {
    return contextAccess(w);
  }
  const bits = random.pick([8, 16, 32] as const);
  const imm = random.chance(0.9) ? random.below(60) : random.imm();
  if (random.chance(0.5)) w.emit(`ldabs${bits}`, { imm });
  else w.emit(`ldind${bits}`, { src: w.scalar(), imm });
  w.clobber(SCALAR);
}

/** Differences of pointers are numbers. */
export function packetLength(w: FunctionWriter): void {
  const { packet } = w.program;
  const contexts = w.registersOf(({ kind }) => kind === 'context');
  if (!packet || contexts.length === 0 || w.program.kind.family === 'tracing') {
    return contextAccess(w);
  }
  const context = contexts[0]!;
  const end = w.target(context);
  const data = w.target(context, end);
  if (new Set([context, end, data]).size < 3) return;
  w.emit('ldx32', { dst: end, src: context, off: packet.end });
  w.emit('ldx32', { dst: data, src: context, off: packet.data });
  w.emit('sub64_reg', { dst: end, src: data });
  w.set(end, SCALAR);
  w.set(data, NONE);
}

export function copyContext(w: FunctionWriter): void {
  const contexts = w.registersOf(({ kind }) => kind === 'context');
  if (contexts.length === 0) return;
  const dst = w.target();
  w.emit('mov64_reg', { dst, src: contexts[0]! });
  w.set(dst, CONTEXT);
}
