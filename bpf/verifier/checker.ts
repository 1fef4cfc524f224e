/**
 * One verification under way: the program, the policy it is checked under, the state being
 * explored, what is known of each instruction, and counters. The parts of the verifier are
 * functions on this.
 *
 *   reject(c, errno, reason, line)   ends the verification; `line` goes to the log
 *
 * A rejection travels as an exception inside bpf/verifier and becomes a value in verify.ts.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { CallerWrites } from './caller-writes.ts';
import type { DisasmNames } from '../isa/disasm.ts';
import { disasmInsn } from '../isa/disasm.ts';
import type { Btf } from '../btf/btf.ts';
import { helperName } from '../helpers/table.ts';
import type { Insn } from '../isa/insn.ts';
import type { BpfMap } from '../maps/map.ts';
import type { ProgContext, ProgTypeOps } from '../prog-type.ts';
import type { LineInfo, PointerKind, ProgramSpec } from '../program.ts';
import type { AttachTarget } from './attach.ts';
import type { VerifierEnv } from './env.ts';
import { Log } from './log.ts';
import type { ReasonCode } from './reasons.ts';
import { WalkedPath } from './walked-path.ts';
import type { Recorder } from './recorder.ts';
import { GOTO_LONG } from './opcode.ts';
import { UNKNOWN_REG, isPointer, sameType, type Reg, type RegType } from './reg.ts';
import { intScalar, type Scalar } from './scalar.ts';
import {
  copyState,
  keptCopy,
  pathCopy,
  topFrame,
  type Checkpoint,
  type Frame,
  type KeptState,
  type Reference,
  type Slot,
  type State,
} from './state.ts';

/** What a rejection is about, as far as its place knows: the explanation starts here. */
export interface About {
  /** Register of the current frame that is at fault. */
  readonly reg?: number;
  /** Instruction, where it is not the one being checked. */
  readonly insn?: number;
  /** Where that jumps to. */
  readonly to?: number;
  /** The access: offset (pointer's fixed part included) and size. */
  readonly off?: number;
  readonly bytes?: number;
  /** Bytes that may be accessed. */
  readonly limit?: number;
  readonly write?: boolean;
  /** Which end of the register's range is at fault. */
  readonly end?: 'min' | 'max';
  /** Stack byte that was not written: its offset from the frame pointer, and the frame. */
  readonly stackByte?: number;
  readonly frame?: number;
  readonly refs?: readonly Reference[];
  /** Functions that are on the stack at the same time, outermost first. */
  readonly calls?: readonly number[];
  /** What would have been accepted, or what was met: types, a range, a name. */
  readonly wanted?: string;
  readonly what?: string;
}

/** Ends a verification. Only bpf/verifier throws and catches it. */
export class Rejected extends Error {
  override name = 'Rejected';
  readonly errno: number;
  readonly reason: ReasonCode;
  readonly about: About;
  /** What the log says of it. */
  readonly line: string | undefined;
  constructor(errno: number, reason: ReasonCode, about: About, line?: string) {
    super(reason);
    this.errno = errno;
    this.reason = reason;
    this.about = about;
    this.line = line;
  }
}

export interface Subprog {
  start: number;
  stackBytes: number;
  hasTailCall: boolean;
  hasLdPacket: boolean;
  isAsyncCallback: boolean;
  /** Entered as a callback of a helper. */
  isCallback: boolean;
  /** BTF function, where the program has func_info. */
  btfFunc: number | undefined;
  isGlobal: boolean;
  /** Arguments do not match BTF; BTF is not relied on any more. */
  unreliable: boolean;
}

export const newSubprog = (start: number): Subprog => ({
  start,
  stackBytes: 0,
  hasTailCall: false,
  hasLdPacket: false,
  isAsyncCallback: false,
  isCallback: false,
  btfFunc: undefined,
  isGlobal: false,
  unreliable: false,
});

/** `mixed`: different on different paths. */
export type Agreed<T> = { readonly value: T } | 'mixed' | undefined;

/**
 * Bits of each instruction's mark. SEEN: explored outside speculation. PRUNE_POINT: states are
 * compared there. JUMP_POINT: jumps to it are recorded.
 */
export const insnMark = { SEEN: 1, PRUNE_POINT: 2, JUMP_POINT: 4 } as const;

/** What verification learns of one instruction; of most there is nothing. */
export interface InsnAux {
  /** Pointer type of a load or store, first seen. */
  pointerType: RegType | undefined;
  /** The same for devices and engines: all paths together. */
  pointer: PointerKind | undefined;
  /** Context loads: size of the whole field. */
  ctxFieldBytes: number;
  /** ld_imm64 of a map: the map and the offset in its value. */
  map: BpfMap | undefined;
  mapOffset: number;
  /** ld_imm64 of a kernel symbol. */
  symbol: { readonly reg: Reg; readonly name: string } | undefined;
  /** Helper calls: the map argument. */
  callMap: Agreed<BpfMap>;
  /** Helper calls that need it: the constant key. */
  callKey: Agreed<bigint>;
  /** bpf_loop: the callback, as long as it is always that one, without flags; then 6.1 inlines it. */
  loopInline: Agreed<number>;
  /** Speculation: how pointer arithmetic here has to be masked. */
  aluState: number;
  aluLimit: number;
}

const newAux = (): InsnAux => ({
  pointerType: undefined,
  pointer: undefined,
  ctxFieldBytes: 0,
  map: undefined,
  mapOffset: 0,
  symbol: undefined,
  callMap: undefined,
  callKey: undefined,
  loopInline: undefined,
  aluState: 0,
  aluLimit: 0,
});

const NOTHING_LEARNED: Readonly<InsnAux> = newAux();

/** A path to be explored later. */
export class Branch {
  readonly insn: number;
  readonly prevInsn: number;
  readonly logLength: number;
  #state: State | undefined;
  #kept: KeptState | undefined;

  constructor(state: State, insn: number, prevInsn: number, logLength: number) {
    this.#state = state;
    this.insn = insn;
    this.prevInsn = prevInsn;
    this.logLength = logLength;
  }

  get state(): State {
    return (this.#state ??= pathCopy(this.#kept!));
  }

  /** It waits for long: keeps less, as checkpoints do. */
  pack(): void {
    if (!this.#state) return;
    this.#kept = keptCopy(this.#state);
    this.#state = undefined;
  }
}

/** Paths at the end of the list that are whole states, since they are the next to go on. */
const WHOLE_PATHS = 32;
/** Scalars of so many immediates are kept, for all instructions that have the same. */
const MOST_IMMEDIATES = 10_000;

/** BPF_COMPLEXITY_LIMIT_JMP_SEQ */
const MAX_PENDING = 8192;

export class Checker {
  /** As it is checked: what replaces a program has that one's type. */
  spec: ProgramSpec;
  /** As it was given. */
  readonly given: ProgramSpec;
  readonly env: VerifierEnv;
  ops: ProgTypeOps;
  /** The program; ld_imm64 of maps and symbols get their final value before exploration. */
  readonly insns: Insn[];
  readonly marks: Uint8Array;
  readonly #aux: (InsnAux | undefined)[];
  readonly #types: RegType[] = [];
  readonly log: Log;
  subprogs: Subprog[] = [];
  /** Those that may move the packet, once somebody has asked (func-call.ts). */
  packetMovers: ReadonlySet<number> | undefined;
  lines: LineInfo[] = [];
  usedMaps: BpfMap[] = [];
  attach: AttachTarget | undefined;

  // Policy, from capabilities and flags.
  readonly bpfCapable: boolean;
  readonly allowPtrLeaks: boolean;
  readonly allowUninitStack: boolean;
  readonly bypassSpecV1: boolean;
  readonly bypassSpecV4: boolean;
  readonly strictAlignment: boolean;
  readonly testStateFreq: boolean;
  readonly sleepable: boolean;
  readonly gplCompatible: boolean;

  // The path being explored.
  state!: State;
  insn = 0;
  prevInsn = -1;
  pending: Branch[] = [];
  readonly #immediates = new Map<number, Scalar>();
  /** Checkpoints by hash of instruction and call site, newest last. */
  explored: Checkpoint[][] = [];
  nextId = 0;
  exploreAluLimits = false;
  seenDirectWrite = false;
  seesTstampType = false;
  enforceAttachType = false;
  /** Bytes used of buffers whose size is checked at attach time, and of the context. */
  readonly bufferUse = { tracepoint: 0, rdonly: 0, rdwr: 0, ctx: 0 };

  // What has changed since the last state line.
  scratchedRegs = 0;
  scratchedSlots = 0n;
  prevLogLength = 0;
  prevInsnPrintLength = 0;
  prevLine: LineInfo | undefined;

  // Counters of the log's last line, and those that decide when a checkpoint is taken.
  processed = 0;
  jumps = 0;
  processedAtCheckpoint = 0;
  jumpsAtCheckpoint = 0;
  totalStates = 0;
  peakStates = 0;
  maxStatesPerInsn = 0;
  longestMarkWalk = 0;
  /** Where precision was asked for on the current path. */
  readonly walked = new WalkedPath();

  /** On: as 6.1, also where it errs. What it accepts is then no proof if `erred` is set. */
  asLinux = false;
  /** 6.1 was followed in something that it does wrong. */
  erred = false;
  /** Numbers on the stack survive a callback that does not write there; absent: none does. */
  callerWrites: CallerWrites | undefined;

  /** Off: every path is explored to its end. The verdict is the same, but for the limits. */
  prunes = true;
  /** Off: a state covers only what it allows in every place, whether the exact value matters or not. */
  relaxesNumbers = true;
  /** Follows the exploration, where an explanation or a record of it is wanted. */
  recorder: Recorder | undefined;

  constructor(spec: ProgramSpec, env: VerifierEnv) {
    this.spec = spec;
    this.given = spec;
    this.env = env;
    this.ops = env.ops;
    this.insns = spec.insns.slice();
    this.marks = new Uint8Array(spec.insns.length);
    this.#aux = new Array<undefined>(spec.insns.length);
    this.log = new Log(env.logLevel, env.logBytes);
    const { bpf, perfmon, sysAdmin } = env.caps;
    this.bpfCapable = bpf || sysAdmin;
    const perfmonCapable = perfmon || sysAdmin;
    this.allowPtrLeaks = perfmonCapable;
    this.allowUninitStack = perfmonCapable;
    this.bypassSpecV1 = perfmonCapable;
    this.bypassSpecV4 = perfmonCapable;
    this.strictAlignment = (spec.flags & 1) !== 0 && (spec.flags & 2) === 0;
    this.testStateFreq = this.bpfCapable && (spec.flags & 8) !== 0;
    this.sleepable = (spec.flags & 16) !== 0;
    this.gplCompatible = isGplCompatible(spec.license);
  }

  /** What is known of an instruction, to add to it. */
  aux(slot: number): InsnAux {
    return (this.#aux[slot] ??= newAux());
  }

  /** The type, without what else is known of the register: one object for all that are alike. */
  typeOnly(type: RegType): RegType {
    let known = this.#types.find((each) => sameType(each, type));
    if (!known) this.#types.push((known = { kind: type.kind, flags: type.flags }));
    return known;
  }

  /** What was learned of an instruction. */
  learned(slot: number): Readonly<InsnAux> {
    return this.#aux[slot] ?? NOTHING_LEARNED;
  }

  isSeen(slot: number): boolean {
    return (this.marks[slot]! & insnMark.SEEN) !== 0;
  }

  /** What rules of the program type may depend on. */
  get context(): ProgContext {
    return {
      type: this.spec.type,
      expectedAttachType: this.spec.expectedAttachType,
      bpfCapable: this.bpfCapable,
      seesTstampType: this.seesTstampType,
    };
  }

  get btf(): Btf | undefined {
    return this.spec.btf;
  }

  get frame(): Frame {
    return topFrame(this.state);
  }

  get regs(): Slot[] {
    return this.frame.regs;
  }

  reg(regno: number): Reg {
    return this.frame.regs[regno]!.reg;
  }

  newId(): number {
    return ++this.nextId;
  }

  get current(): Insn {
    return this.insns[this.insn]!;
  }

  /** Put a copy of the current state aside, to go on with at `insn`. */
  pushPath(insn: number, prevInsn: number, speculative: boolean): State {
    const state = copyState(this.state);
    state.speculative ||= speculative;
    this.#put(new Branch(state, insn, prevInsn, this.log.length));
    if (state.parent) state.parent.branches++;
    return state;
  }

  /** A path with a stack of its own, for a callback that runs later. */
  pushAsyncPath(frame: Frame, insn: number, prevInsn: number): void {
    const state: State = {
      frames: [frame],
      parent: undefined,
      branches: 1,
      insn: 0,
      activeLock: 0,
      speculative: false,
      firstInsn: insn,
      lastInsn: -1,
      jumps: [],
      allPrecise: false,
    };
    this.#put(new Branch(state, insn, prevInsn, this.log.length));
  }

  #put(branch: Branch): void {
    this.pending.push(branch);
    this.pending[this.pending.length - 1 - WHOLE_PATHS]?.pack();
    this.recorder?.forked(this, branch);
    if (this.pending.length <= MAX_PENDING) return;
    const line = `The sequence of ${this.pending.length} jumps is too complex.`;
    reject(this, errno.EFAULT, 'too-complex', line);
  }

  /** The value of a place is unknown from here on. */
  forget(slot: Slot): void {
    slot.reg = UNKNOWN_REG;
    slot.precise = !this.bpfCapable;
  }

  /** The instruction's immediate, sign-extended. */
  get immediate(): Scalar {
    const { imm } = this.current;
    const known = this.#immediates.get(imm);
    if (known) return known;
    if (this.#immediates.size >= MOST_IMMEDIATES) this.#immediates.clear();
    const scalar = intScalar(imm);
    this.#immediates.set(imm, scalar);
    return scalar;
  }

  /** The loader must not learn where the kernel has its objects. */
  leaksPointer(reg: Reg): boolean {
    return !this.allowPtrLeaks && isPointer(reg);
  }

  subprogAt(insn: number): number {
    return this.subprogs.findIndex((subprog) => subprog.start === insn);
  }

  /** The instruction's text, as it stands behind its number in the log. */
  disasm(slot: number): string {
    const insn = this.insns[slot]!;
    if (insn.code === GOTO_LONG && this.env.level === '6.1') {
      // 6.1 knows how to jump there, but not how to print it.
      const off = insn.off < 0 ? `${insn.off}` : `+${insn.off}`;
      return `(06) if w${insn.dst} jmp 0x${(insn.imm >>> 0).toString(16)} goto pc${off}`;
    }
    const names: DisasmNames = {
      helper: (id) => helperText(id),
      kfunc: (insn) => this.env.kernelBtf?.type(insn.imm)?.name,
      imm64: (value, { src }) =>
        (src === 1 || src === 2) && !this.allowPtrLeaks ? '0x0' : `0x${value.toString(16)}`,
      level: this.env.level,
    };
    return disasmInsn(this.insns, slot, names);
  }
}

export function reject(
  c: Checker,
  errno: number,
  reason: ReasonCode,
  line?: string,
  about: About = {},
): never {
  if (line !== undefined) c.log.write(`${line}\n`);
  throw new Rejected(errno, reason, about, line);
}

/** `bpf_map_lookup_elem`, `unknown` for an id that no helper has. */
export function helperText(id: number): string {
  const name = id === 0 ? 'unspec' : helperName(id);
  return name === undefined ? 'unknown' : `bpf_${name}`;
}

/** license_is_gpl_compatible of include/linux/license.h. */
const GPL_LICENSES = new Set([
  'GPL',
  'GPL v2',
  'GPL and additional rights',
  'Dual BSD/GPL',
  'Dual MIT/GPL',
  'Dual MPL/GPL',
]);
export const isGplCompatible = (license: string): boolean => GPL_LICENSES.has(license);
