/** Statements that steer: branches, loops, early ends, calls of subprograms, callbacks, tail calls. */
import { hexOfInsns } from '../request.ts';
import { insn, ldImm64 } from '../../../bpf/asm/build.ts';
import type { Insn } from '../../../bpf/isa/insn.ts';
import { access } from './memory.ts';
import { branch } from './scalars.ts';
import { copyOf, CONTEXT, isPointer, NONE, SCALAR, type State, type Value } from './state.ts';
import { CALLEE_STACK, type FunctionWriter } from './writer.ts';

/** Writes up to `count` random statements; statements.ts has the choice of them. */
export type Body = (w: FunctionWriter, count: number) => void;

const MAX_NESTING = 3;
const MAX_FUNCTIONS = 5;
const BPF_LOOP = 181;
const FOR_EACH_MAP_ELEM = 164;
const TAIL_CALL = 12;

export function ifElse(w: FunctionWriter, body: Body): void {
  if (w.nesting >= MAX_NESTING) return;
  w.nesting++;
  const at = branch(w);
  const some = (): void => body(w, w.random.between(1, 3));
  if (w.random.chance(0.5)) w.arms(at, some, some);
  else w.optional(at, some);
  w.nesting--;
}

export function earlyExit(w: FunctionWriter): void {
  const at = branch(w);
  w.exit();
  w.land(at);
}

/** Counts down in a register or on the stack, or up to an unknown number below 8. */
export function loop(w: FunctionWriter, body: Body): void {
  const { random } = w;
  if (w.nesting >= 2 || w.program.unprivileged) return ifElse(w, body);
  const { packetStays } = w.program;
  if (random.chance(0.5)) w.program.packetStays = true;
  else w.forgetPackets();
  const pinned = new Set(w.pinned);
  const pinnedStack = new Set(w.pinnedStack);
  enterLoop(w);
  const rounds = random.between(1, random.chance(0.1) ? 40 : 6);
  const form = random.below(3);
  w.nesting++;
  w.loops++;
  if (form === 0) counterOnStack(w, rounds, body);
  else counterInRegister(w, rounds, form === 2, body);
  w.nesting--;
  w.loops--;
  w.program.packetStays = packetStays;
  w.pinned = pinned;
  w.pinnedStack = pinnedStack;
}

/** The body runs again, so it may rely only on what it leaves as it was. */
function enterLoop(w: FunctionWriter): void {
  for (let register = 0; register <= 5; register++) {
    if (!w.pinned.has(register)) w.set(register, NONE);
  }
  for (const register of w.registersOf(isPointer)) w.pinned.add(register);
  for (let at = 8; at <= w.stackBytes; at += 8) {
    const used = w.state.spills.has(at) || w.state.data.subarray(at - 8, at).some((byte) => byte);
    if (used) w.pinnedStack.add(at);
  }
}

function counterOnStack(w: FunctionWriter, rounds: number, body: Body): void {
  const at = w.scratch();
  const off = -at;
  w.emit('st64', { dst: 10, off, imm: rounds });
  w.stored(at, 8);
  for (let i = 0; i < 8; i++) w.state.data[at - 1 - i] = 0;
  w.pinnedStack.add(at);
  const start = w.insns.length;
  const head = copyOf(w.state);
  body(w, w.random.between(1, 4));
  const counter = w.target();
  w.emit('ldx64', { dst: counter, src: 10, off });
  w.emit('add64_imm', { dst: counter, imm: -1 });
  w.emit('stx64', { dst: 10, src: counter, off });
  w.emit('jne64_imm', { dst: counter, imm: 0, off: start - w.insns.length - 1 });
  w.set(counter, SCALAR);
  restoreHead(w, head);
}

function counterInRegister(
  w: FunctionWriter,
  rounds: number,
  isBoundUnknown: boolean,
  body: Body,
): void {
  const counter = w.keeper();
  if (counter === undefined) return counterOnStack(w, rounds, body);
  const { random } = w;
  const limit = isBoundUnknown ? w.keeper() : undefined;
  const isLimited = limit !== undefined && limit !== counter;
  if (isLimited) {
    w.emit('mov64_reg', { dst: limit, src: w.scalar() });
    w.emit('and64_imm', { dst: limit, imm: 7 });
    w.set(limit, SCALAR);
    w.pinned.add(limit);
  }
  w.emit('mov64_imm', { dst: counter, imm: isLimited || random.chance(0.5) ? 0 : rounds });
  const isUp = w.insns.at(-1)!.imm === 0;
  w.set(counter, SCALAR);
  w.pinned.add(counter);
  const start = w.insns.length;
  const head = copyOf(w.state);
  body(w, random.between(1, 4));
  w.emit('add64_imm', { dst: counter, imm: isUp ? 1 : -1 });
  const back = { dst: counter, off: start - w.insns.length - 1 };
  if (isLimited) w.emit(random.pick(['jlt64_reg', 'jlt32_reg'] as const), { ...back, src: limit });
  else if (isUp)
    w.emit(random.pick(['jlt64_imm', 'jne64_imm', 'jslt32_imm'] as const), {
      ...back,
      imm: rounds,
    });
  else w.emit(random.pick(['jne64_imm', 'jsgt64_imm', 'jgt32_imm'] as const), { ...back, imm: 0 });
  restoreHead(w, head);
}

/**
 * Registers and slots that a body was told to leave alone did stay; what it made of others is known
 * here but was not at the loop's head.
 */
function restoreHead(w: FunctionWriter, head: State): void {
  head.registers.forEach((value, register) => {
    if (value.kind === 'scalar' && w.get(register).kind !== 'scalar') {
      // The body lost it: give one back, so that the loop's next round finds a scalar.
      const back = w.insns.pop()!;
      w.insns.push(insn('mov64_imm', { dst: register, imm: 5 }), { ...back, off: back.off - 1 });
      w.set(register, SCALAR);
    }
  });
}

/** A static subprogram with scalars and pointers as arguments. */
export function callSubprogram(w: FunctionWriter, body: Body): void {
  const { program, random } = w;
  if (program.unprivileged) return;
  const known = program.functions.length;
  const depth = w.index + 1;
  if (known >= MAX_FUNCTIONS || depth > 3) return;
  const arguments_ = chooseArguments(w, random.between(0, 3));
  const callee = program.addFunction(CALLEE_STACK);
  callee.budget = Math.min(20, w.budget);
  w.budget -= 5;
  arguments_.forEach((value, i) => callee.set(i + 1, value));
  callee.nesting = 1;
  callee.loops = w.loops;
  if (random.chance(0.5)) {
    const keep = arguments_.findIndex((value) => value.kind === 'context');
    if (keep >= 0) {
      callee.emit('mov64_reg', { dst: 6, src: keep + 1 });
      callee.set(6, CONTEXT);
      callee.pinned.add(6);
    }
  }
  for (const [i, value] of arguments_.entries()) {
    if (value.kind === 'memory' && callee.get(i + 1).kind === 'memory') {
      access(callee, i + 1, value);
    }
  }
  body(callee, random.between(1, 4));
  callee.exit();
  w.callFunction(callee);
  if (callee.changesPacket) w.forgetPackets();
}

/** Fills r1 and up; what is in them. */
function chooseArguments(w: FunctionWriter, count: number): Value[] {
  const { random } = w;
  const values: Value[] = [];
  for (let register = 1; register <= count; register++) {
    const choice = random.below(4);
    const pointers = w
      .registersOf(({ kind }) => kind === 'memory' || kind === 'context' || kind === 'packet')
      .filter((each) => each > 5 || each > register);
    if (choice === 0 && pointers.length > 0) {
      const src = random.pick(pointers);
      w.emit('mov64_reg', { dst: register, src });
      w.set(register, w.get(src));
    } else if (choice === 1) {
      const at = w.scratch(16);
      if (!w.isData(at, 16)) w.fill(at, 16);
      w.stackPointer(register, at);
      w.set(register, { kind: 'memory', bytes: 16, place: 'stack', access: 'rw' });
    } else {
      const src = w.scalar();
      if (src !== register) w.emit('mov64_reg', { dst: register, src });
      w.set(register, SCALAR);
    }
    values.push(w.get(register));
  }
  return values;
}

/** A callback that gets an index and a pointer to 16 bytes of this function's stack. */
function addCallback(w: FunctionWriter, body: Body, given: readonly Value[]): FunctionWriter {
  const callee = w.program.addFunction(CALLEE_STACK);
  callee.budget = 12;
  callee.nesting = 2;
  callee.loops = 1;
  given.forEach((value, i) => callee.set(i + 1, value));
  for (const [i, value] of given.entries()) {
    if (value.kind === 'memory' && w.random.chance(0.7)) access(callee, i + 1, value);
  }
  if (w.random.chance(0.5)) body(callee, w.random.between(1, 2));
  callee.emit('mov64_imm', { dst: 0, imm: w.random.chance(0.8) ? 0 : 1 });
  callee.emit('exit');
  return callee;
}

function mayCallBack({ program, index }: FunctionWriter): boolean {
  if (program.unprivileged || program.tailCalls || index > 1) return false;
  return program.functions.length < MAX_FUNCTIONS;
}

const STACK_ARGUMENT: Value = { kind: 'memory', bytes: 16, place: 'stack', access: 'rw' };

export function bpfLoop(w: FunctionWriter, body: Body): void {
  const { random } = w;
  if (!mayCallBack(w)) return;
  const at = w.scratch(16);
  w.fill(at, 16);
  const callee = addCallback(w, body, [SCALAR, STACK_ARGUMENT]);
  if (random.chance(0.3)) {
    // A number of rounds that the verifier does not know.
    w.emit('mov64_reg', { dst: 1, src: w.scalar() });
    w.emit('and64_imm', { dst: 1, imm: 15 });
  } else w.emit('mov64_imm', { dst: 1, imm: random.between(0, 20) });
  w.set(1, NONE);
  w.loadFunction(2, callee);
  w.stackPointer(3, at);
  w.emit('mov64_imm', { dst: 4, imm: 0 });
  w.callHelper(BPF_LOOP);
  if (callee.changesPacket) w.forgetPackets();
}

export function forEachElement(w: FunctionWriter, body: Body): void {
  const { random, program } = w;
  if (!mayCallBack(w)) return;
  const at = w.scratch(16);
  w.fill(at, 16);
  const type = random.pick(['array', 'hash', 'percpu_array', 'lru_hash'] as const);
  const map = program.map({
    type,
    key_size: 4,
    value_size: 16,
    max_entries: 4,
    init:
      type === 'hash' || type === 'lru_hash' ? [{ key: '01000000', value: '11'.repeat(16) }] : [],
  });
  const key: Value = { kind: 'memory', bytes: 4, place: 'unaligned', access: 'r' };
  const value: Value = { kind: 'memory', bytes: 16, place: 'aligned', access: 'rw' };
  const callee = addCallback(w, body, [NONE, key, value, STACK_ARGUMENT]);
  w.loadMap(1, map);
  w.loadFunction(2, callee);
  w.stackPointer(3, at);
  w.emit('mov64_imm', { dst: 4, imm: 0 });
  w.callHelper(FOR_EACH_MAP_ELEM);
  if (callee.changesPacket) w.forgetPackets();
}

/** Into a program array: of other small programs, or of ones that call on until the limit. */
export function tailCall(w: FunctionWriter): void {
  const { random, program } = w;
  const contexts = w.registersOf(({ kind }) => kind === 'context');
  if (contexts.length === 0 || program.kind.family === 'tracing') return;
  // Only programs without BTF: the small ones of the array have none. Only the entry function.
  if (program.needsBtf || w.index > 0) return;
  program.tailCalls = true;
  const map = program.map({
    type: 'prog_array',
    key_size: 4,
    value_size: 4,
    max_entries: 4,
    progs: [
      { key: 0, insns: hexOfInsns(ending(1)) },
      { key: 1, insns: hexOfInsns(calling(2)), self: 2 },
      { key: 2, insns: hexOfInsns(calling(random.below(4))), self: 2 },
    ],
  });
  if (contexts[0] !== 1) w.emit('mov64_reg', { dst: 1, src: contexts[0]! });
  if (random.chance(0.3)) {
    w.emit('mov64_reg', { dst: 3, src: w.scalar() });
    w.emit('and64_imm', { dst: 3, imm: 3 });
  } else w.emit('mov64_imm', { dst: 3, imm: random.below(5) });
  w.loadMap(2, map);
  // Where it fails, r0 is unreadable.
  w.callHelper(TAIL_CALL, NONE);
}

function ending(result: number): Insn[] {
  return [insn('mov64_imm', { dst: 0, imm: result }), insn('exit')];
}

/** Counts in the context's own words where it can, and calls on. */
function calling(next: number): Insn[] {
  return [
    insn('mov64_reg', { dst: 6, src: 1 }),
    insn('mov64_imm', { dst: 0, imm: 0 }),
    ...ldImm64(2, 0n, 'ld_map_fd'),
    insn('mov64_imm', { dst: 3, imm: next }),
    insn('mov64_reg', { dst: 1, src: 6 }),
    insn('call_helper', { imm: TAIL_CALL }),
    insn('mov64_imm', { dst: 0, imm: 1 }),
    insn('exit'),
  ];
}
