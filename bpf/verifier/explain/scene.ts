/**
 * A refusal as the tellers (tell-*.ts) see it: the instruction, the state before it, what the
 * rejection is about, and the story of the path.
 */
import type { Helper } from '../../helpers/helper.ts';
import type { Insn } from '../../isa/insn.ts';
import type { About, Checker, Rejected } from '../checker.ts';
import { classOf, cls, isHelperCall, isSubprogCall, mode, modeOf, sizeOf } from '../opcode.ts';
import { isPointer, isScalar, UNINIT_REG, type Reg } from '../reg.ts';
import { isConst } from '../tnum.ts';
import { calledFunction } from './calls.ts';
import { functionName, helperOf, objectText, plural, rangeText } from './describe.ts';
import { Story, type Event, type Followed, type Interest, type Root } from './story.ts';
import { regPlace, type Trace, type TraceStep } from './trace.ts';
import { loadedFrom } from './words.ts';

/** What is told of a refusal. */
export interface Told {
  /** The cause, in a sentence. */
  readonly headline: string;
  /** What the refused instruction does, beside it. */
  readonly here?: string;
  readonly events?: readonly Event[];
  /** What would make it pass, in this place; the table's general advice where absent. */
  readonly fix?: string;
}

export class Scene {
  readonly c: Checker;
  readonly story: Story;
  readonly rejected: Rejected;
  readonly about: About;
  readonly insn: Insn;
  /** Slot of the refused instruction. */
  readonly slot: number;
  /** False where it is the program as a whole that is refused. */
  readonly hasSite: boolean;
  /** Its step on the path; -1 where it was refused before or after exploring. */
  readonly at: number;
  readonly visits: Uint32Array;

  constructor(c: Checker, trace: Trace, rejected: Rejected) {
    this.c = c;
    this.rejected = rejected;
    this.about = rejected.about;
    this.story = new Story(c, trace);
    this.visits = trace.visits;
    const onPath = this.about.insn === undefined && this.story.steps.length > 1;
    this.at = onPath ? this.story.steps.length - 1 : -1;
    this.slot = this.about.insn ?? (onPath ? this.story.steps[this.at]!.insn : c.insn);
    this.hasSite = (onPath || this.about.insn !== undefined) && this.slot < c.insns.length;
    this.insn = c.insns[this.slot] ?? { code: 0, dst: 0, src: 0, off: 0, imm: 0 };
  }

  get step(): TraceStep | undefined {
    return this.story.steps[this.at];
  }

  get frame(): number {
    return this.step?.frame ?? 0;
  }

  /** A register of the current frame before the instruction. */
  reg(regno: number): Reg {
    return this.story.regAt(this.frame, regno, this.at) ?? UNINIT_REG;
  }

  follow(regno: number, interest: Interest = 'number', at = this.at): Followed {
    return this.story.follow(regPlace(this.frame, regno), at, interest);
  }

  /** The helper that the instruction calls. */
  get helper(): Helper | undefined {
    return isHelperCall(this.insn) ? helperOf(this.c, this.insn.imm) : undefined;
  }

  get isCall(): boolean {
    return isHelperCall(this.insn) || isSubprogCall(this.insn);
  }

  get callee(): string {
    return calledFunction(this.c, this.insn, this.slot);
  }

  /** `8 bytes are read`, `bpf_x is called with it`. */
  get accessText(): string {
    const { insn } = this;
    switch (classOf(insn.code)) {
      case cls.LDX:
        return `reads ${plural(sizeOf(insn.code), 'byte')}`;
      case cls.ST:
        return `writes ${plural(sizeOf(insn.code), 'byte')}`;
      case cls.STX:
        return modeOf(insn.code) === mode.ATOMIC
          ? `changes ${plural(sizeOf(insn.code), 'byte')} atomically`
          : `writes ${plural(sizeOf(insn.code), 'byte')}`;
      default:
        return this.isCall ? `calls ${this.callee}` : '';
    }
  }

  get isWrite(): boolean {
    const kind = classOf(this.insn.code);
    return kind === cls.ST || kind === cls.STX || this.about.write === true;
  }

  /** Of `dst op= src`, which operand is the pointer and which the number. */
  operands(): { readonly pointer: number; readonly number: number | undefined } {
    const { dst, src, code } = this.insn;
    if ((code & 8) === 0) return { pointer: dst, number: undefined };
    return isPointer(this.reg(dst)) ? { pointer: dst, number: src } : { pointer: src, number: dst };
  }

  /**
   * A value by where it came from: `the result of bpf_x`, `the 8-bit number loaded from the packet`.
   * `reg`: what it is now; a constant is only called one if it still is.
   */
  phrase(root: Root | undefined, fallback: string, reg?: Reg): string {
    if (!root) return fallback;
    const step = this.story.steps[root.at]!;
    const insn = this.story.insnAt(root.at);
    switch (root.kind) {
      case 'helper':
      case 'call':
        return `the result of ${calledFunction(this.c, insn, step.insn)}`;
      case 'load': {
        const base = this.story.regAt(step.frame, insn.src, root.at);
        if (!base) return fallback;
        const from = loadedFrom(this.story, insn, base);
        const isNumber = root.reg !== undefined && isScalar(root.reg);
        return isNumber ? `the ${8 * sizeOf(insn.code)}-bit number loaded from ${from}` : from;
      }
      case 'packet-load':
        return 'a number from the packet';
      case 'constant':
        return reg && isScalar(reg) && isConst(reg.scalar.bits)
          ? `the constant ${rangeText(reg.scalar)}`
          : fallback;
      case 'map':
        return root.reg ? objectText(this.c, root.reg) : fallback;
      case 'atomic':
        return 'what was in memory';
      case 'entry':
        return step.subprog === 0
          ? objectText(this.c, root.reg ?? UNINIT_REG)
          : `argument ${root.place % 16} of ${functionName(this.c, step.subprog)}`;
      case 'callback-argument':
        return `argument ${root.place % 16} of the callback`;
      default:
        return fallback;
    }
  }

  /** What kind of program it is, as one says it. */
  get programKind(): string {
    const { type } = this.c.spec;
    return `${/^([aeiou]|xdp|lsm|lwt|sk_)/.test(type) ? 'an' : 'a'} ${type} program`;
  }
}

/** Names of functions and files keep their case. */
export const capital = (text: string): string =>
  /^\w*_/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);

export type Teller = (scene: Scene) => Told;
