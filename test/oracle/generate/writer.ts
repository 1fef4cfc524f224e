/**
 * Writes one function of a program: instructions with open jumps, and the state of registers and
 * stack at the point of writing. A ProgramWriter holds what its functions share: maps, and the
 * functions themselves.
 */
import { insn, ldImm64, type Operands } from '../../../bpf/asm/build.ts';
import { helperFor } from '../../../bpf/helpers/allow.ts';
import { helpers } from '../../../bpf/helpers/table.ts';
import type { Insn } from '../../../bpf/isa/insn.ts';
import type { OpName } from '../../../bpf/isa/table.ts';
import type { AttachType, ProgType } from '../../../bpf/uapi.ts';
import type { FixupJson, MapJson } from '../request.ts';
import type { ProgramKind } from './kinds.ts';
import type { Random } from './random.ts';
import {
  copyOf,
  emptyState,
  isPointer,
  merged,
  NONE,
  SCALAR,
  type State,
  type Value,
} from './state.ts';

/** r6 to r9 live across calls. */
const CALLEE_SAVED = [6, 7, 8, 9] as const;
const CALLER_SAVED = [0, 1, 2, 3, 4, 5] as const;
/** Stack that a function uses: five may be nested, and 512 bytes are for all of them. */
export const ENTRY_STACK = 176;
export const CALLEE_STACK = 64;

const IMPLEMENTED = new Set(helpers.filter((one) => one.implementation).map(({ id }) => id));

export class ProgramWriter {
  readonly random: Random;
  readonly kind: ProgramKind;
  readonly maps: MapJson[] = [];
  readonly functions: FunctionWriter[] = [];
  /** A helper that skep does not implement was called: results cannot be compared. */
  runnable = true;
  /** Somebody relies on pointers into the packet: it must not be moved. */
  packetStays = false;
  /** Callbacks are only found where BTF says what the functions are. */
  needsBtf = false;
  tailCalls = false;
  /** Loaded without capabilities: no loops, no functions. */
  readonly unprivileged: boolean;

  constructor(random: Random, kind: ProgramKind, unprivileged: boolean) {
    this.random = random;
    this.kind = kind;
    this.unprivileged = unprivileged;
  }

  /** Direct access to the packet, where there is one. */
  get packet(): ProgramKind['packet'] {
    // cgroup_skb has it for those with capabilities only.
    return this.unprivileged ? undefined : this.kind.packet;
  }

  /** Whether programs of this type get the helper at all. */
  offers(id: number): boolean {
    const caps = { bpf: !this.unprivileged, perfmon: !this.unprivileged, sysAdmin: false };
    const expectedAttachType = (this.kind.attachType ?? 'cgroup_inet_ingress') as AttachType;
    const caller = { type: this.kind.type as ProgType, expectedAttachType };
    return helperFor(caller, id, caps) !== undefined || this.random.chance(0.01);
  }

  /** An index of an equal map, or of a new one. */
  map(map: MapJson): number {
    const index = this.maps.findIndex((each) => JSON.stringify(each) === JSON.stringify(map));
    return index >= 0 ? index : this.maps.push(map) - 1;
  }

  addFunction(stackBytes: number): FunctionWriter {
    const writer = new FunctionWriter(this, this.functions.length, stackBytes);
    this.functions.push(writer);
    return writer;
  }
}

export class FunctionWriter {
  readonly program: ProgramWriter;
  readonly index: number;
  readonly stackBytes: number;
  readonly insns: Insn[] = [];
  readonly fixups: FixupJson[] = [];
  /** Calls of, and addresses of, other functions: where, and which one. */
  readonly references: { readonly at: number; readonly callee: number }[] = [];
  state: State = emptyState();
  /** Registers and slots that must stay as they are: a loop's body runs again. */
  pinned = new Set<number>();
  pinnedStack = new Set<number>();
  nesting = 0;
  /** Loops around what is being written. */
  loops = 0;
  /** May still be written: statements stop when it is used up. */
  budget = 60;
  /** What the function's r0 must be when it returns. */
  readonly returns: 'any' | 'bit';
  changesPacket = false;

  constructor(program: ProgramWriter, index: number, stackBytes: number) {
    this.program = program;
    this.index = index;
    this.stackBytes = stackBytes;
    this.returns = index === 0 ? program.kind.returns : 'any';
  }

  get random(): Random {
    return this.program.random;
  }

  emit(name: OpName, operands: Operands = {}): number {
    return this.insns.push(insn(name, operands)) - 1;
  }

  emit64(dst: number, value: bigint): void {
    this.insns.push(...ldImm64(dst, value));
  }

  loadMap(dst: number, map: number, offset?: number): void {
    this.fixups.push({ insn: this.insns.length, map });
    if (offset === undefined) this.insns.push(...ldImm64(dst, 0n, 'ld_map_fd'));
    else this.insns.push(...ldImm64(dst, BigInt(offset) << 32n, 'ld_map_value'));
  }

  loadFunction(dst: number, callee: FunctionWriter): void {
    this.references.push({ at: this.insns.length, callee: callee.index });
    this.insns.push(...ldImm64(dst, 0n, 'ld_func'));
    this.program.needsBtf = true;
  }

  callFunction(callee: FunctionWriter): void {
    this.references.push({ at: this.emit('call_subprog'), callee: callee.index });
    this.clobber(SCALAR);
  }

  /** A call's effect on registers. */
  clobber(result: Value): void {
    for (const register of CALLER_SAVED) this.state.registers[register] = NONE;
    this.state.registers[0] = result;
  }

  callHelper(id: number, result: Value = SCALAR): void {
    if (!IMPLEMENTED.has(id)) this.program.runnable = false;
    this.emit('call_helper', { imm: id });
    this.clobber(result);
  }

  /** Lets the jump at `at` lead to here. */
  land(at: number): void {
    this.insns[at] = { ...this.insns[at]!, off: this.insns.length - at - 1 };
  }

  get(register: number): Value {
    return register === 10 ? NONE : this.state.registers[register]!;
  }

  set(register: number, value: Value): void {
    this.state.registers[register] = value;
  }

  registersOf(test: (value: Value) => boolean): number[] {
    return this.state.registers.flatMap((value, register) => (test(value) ? [register] : []));
  }

  /** A register that holds a scalar; one is made where there is none. */
  scalar(): number {
    const scalars = this.registersOf(({ kind }) => kind === 'scalar');
    if (scalars.length > 0 && !this.random.chance(0.03)) return this.random.pick(scalars);
    const register = this.target();
    this.constant(register);
    return register;
  }

  /** A scalar that may be overwritten. */
  variable(): number {
    const free = this.registersOf(({ kind }) => kind === 'scalar').filter(
      (register) => !this.pinned.has(register),
    );
    if (free.length > 0) return this.random.pick(free);
    const register = this.target();
    this.constant(register);
    return register;
  }

  /** A register that may be overwritten, rather not one that holds a pointer. */
  target(...except: readonly number[]): number {
    const free = this.state.registers.flatMap((_, register) =>
      this.pinned.has(register) || except.includes(register) ? [] : [register],
    );
    const plain = free.filter((register) => !isPointer(this.get(register)));
    const empty = free.filter((register) => this.get(register).kind === 'none');
    if (empty.length > 0 && this.random.chance(0.4)) return this.random.pick(empty);
    return this.random.pick(plain.length > 0 ? plain : free);
  }

  /** One that a call does not destroy. */
  keeper(): number | undefined {
    const free = CALLEE_SAVED.filter(
      (register) => !this.pinned.has(register) && !isPointer(this.get(register)),
    );
    return free.length > 0 ? this.random.pick(free) : undefined;
  }

  constant(register: number): void {
    const { random } = this;
    const small = random.chance(0.4);
    if (small) this.emit('mov64_imm', { dst: register, imm: random.between(0, 64) });
    else if (random.chance(0.4)) this.emit('mov64_imm', { dst: register, imm: random.imm() });
    else if (random.chance(0.4)) this.emit('mov32_imm', { dst: register, imm: random.imm() });
    else this.emit64(register, random.u64());
    this.set(register, SCALAR);
  }

  isAvailable(register: number): boolean {
    return !this.pinned.has(register);
  }

  /** Writes both arms of a branch that has just been emitted at `at`; arms may change the state. */
  arms(at: number, fallThrough: () => void, taken: () => void): void {
    const before = copyOf(this.state);
    fallThrough();
    const end = this.emit('goto');
    const after = this.state;
    this.land(at);
    this.state = before;
    taken();
    this.land(end);
    this.state = merged(after, this.state);
  }

  /** What a branch skips. */
  optional(at: number, body: () => void): void {
    const before = copyOf(this.state);
    body();
    this.land(at);
    this.state = merged(before, this.state);
  }

  /** Pointers into a packet that may have moved are no pointers any more. */
  forgetPackets(): void {
    this.changesPacket = true;
    const isPacket = ({ kind }: Value): boolean => kind === 'packet' || kind === 'packet-end';
    for (const register of this.registersOf(isPacket)) this.set(register, NONE);
    for (const [at, value] of [...this.state.spills]) {
      if (isPacket(value)) this.state.spills.delete(at);
    }
  }

  /** A slot of 8 bytes for a statement's own use, as a distance below r10. */
  scratch(bytes = 8): number {
    const slots = this.stackBytes / 8;
    const need = Math.ceil(bytes / 8);
    for (let attempt = 0; attempt < 8; attempt++) {
      const last = this.random.between(need, slots);
      const used = Array.from({ length: need }, (_, i) => (last - i) * 8);
      if (used.every((at) => !this.pinnedStack.has(at))) return last * 8;
    }
    return slots * 8;
  }

  /** Notes a store of plain data at r10 - at. */
  stored(at: number, bytes: number): void {
    for (let i = 0; i < bytes; i++) this.state.data[at - 1 - i] = 1;
    for (const slot of [...this.state.spills.keys()]) {
      if (slot >= at - bytes + 1 && slot - 8 < at) this.unspill(slot);
    }
  }

  /** A spilled register that is overwritten in part: its other bytes are no data. */
  unspill(slot: number): void {
    this.state.spills.delete(slot);
  }

  isData(at: number, bytes: number): boolean {
    for (let i = 0; i < bytes; i++) if (!this.state.data[at - 1 - i]) return false;
    return true;
  }

  /** Zeroes or fills stack that is going to be read: `bytes` from r10 - at upwards. */
  fill(at: number, bytes: number): void {
    let done = 0;
    while (done < bytes) {
      const left = bytes - done;
      const offset = -at + done;
      const size = [8, 4, 2, 1].find((each) => each <= left && offset % each === 0)!;
      const scalars = this.registersOf(({ kind }) => kind === 'scalar');
      const bits = (8 * size) as 8 | 16 | 32 | 64;
      if (scalars.length > 0 && this.random.chance(0.5)) {
        this.emit(`stx${bits}`, { dst: 10, src: this.random.pick(scalars), off: offset });
      } else this.emit(`st${bits}`, { dst: 10, off: offset, imm: this.random.below(8) });
      this.stored(-offset, size);
      done += size;
    }
  }

  stackPointer(register: number, at: number): void {
    this.emit('mov64_reg', { dst: register, src: 10 });
    this.emit('add64_imm', { dst: register, imm: -at });
    this.set(register, NONE);
  }

  /** Ends the function. */
  exit(): void {
    const result = this.get(0);
    if (result.kind !== 'scalar') this.emit('mov64_imm', { dst: 0, imm: this.random.below(2) });
    else if (this.returns === 'bit') this.emit('and64_imm', { dst: 0, imm: 1 });
    this.emit('exit');
  }
}
