/**
 * Follows a value backwards along the path to where it came from, and collects what happened to it
 * on the way: copies, arithmetic, spills, comparisons.
 *
 *   const story = new Story(c, trace);
 *   const { events, root } = story.follow(regPlace(0, 2), at, 'number');
 */
import type { Insn } from '../../isa/insn.ts';
import type { Checker } from '../checker.ts';
import { classOf, cls, isRegSource, jumpTarget } from '../opcode.ts';
import { isPointer, isScalar, type Reg } from '../reg.ts';
import { isConst } from '../tnum.ts';
import { byteAt, byteKind, slotOf } from '../state.ts';
import { isConditionalJump, kindOfChange, type ChangeKind } from './changes.ts';
import { describe, placeName } from './describe.ts';
import {
  regPlace,
  regnoOf,
  slotPlace,
  type Change,
  type Content,
  type Place,
  type Trace,
  type TraceStep,
} from './trace.ts';
import { wordsOf } from './words.ts';

export type Role =
  /** Where a value comes from. */
  | 'origin'
  /** What was done with it: copied, added, stored. */
  | 'value'
  /** A comparison that told something of it. */
  | 'check'
  /** A comparison that looks as if it did, and did not. */
  | 'missed'
  /** Where it stopped being valid. */
  | 'lost'
  | 'acquired'
  | 'released'
  /** Which way the path went. */
  | 'branch'
  /** What was refused. */
  | 'here';

export interface Event {
  /** Index of the step on the path. */
  readonly at: number;
  readonly role: Role;
  readonly place?: Place;
  readonly says: string;
}

export interface Root {
  readonly at: number;
  readonly kind: ChangeKind;
  readonly place: Place;
  /** What it was when it came to be. */
  readonly reg: Reg | undefined;
}

export interface Followed {
  /** In the order in which they happened. */
  readonly events: readonly Event[];
  readonly root: Root | undefined;
}

/** One change of a value on its way. */
export interface Link {
  readonly at: number;
  readonly kind: ChangeKind;
  readonly place: Place;
  readonly change: Change;
  /** The value came to be here. */
  readonly isRoot: boolean;
}

/** Where a pointer and a number meet: which of the two is followed. */
export type Interest = 'pointer' | 'number';

const MAX_EVENTS = 24;
const MAX_HOPS = 4096;
const MAX_COMPARISONS = 48;

export class Story {
  readonly c: Checker;
  readonly steps: readonly TraceStep[];
  readonly #trace: Trace;
  #index: Map<Place, number[]> | undefined;

  constructor(c: Checker, trace: Trace) {
    this.c = c;
    this.steps = trace.steps;
    this.#trace = trace;
  }

  insnAt(index: number): Insn {
    return this.c.insns[this.steps[index]!.insn]!;
  }

  /** What a place held before step `index`. */
  contentAt(place: Place, index: number): Content | undefined {
    const found = this.lastChange(place, index);
    return found ? found.change.after : this.#trace.before(0).get(place);
  }

  regAt(frame: number, regno: number, index: number): Reg | undefined {
    return this.contentAt(regPlace(frame, regno), index)?.reg;
  }

  lastChange(
    place: Place,
    index: number,
  ): { readonly at: number; readonly change: Change } | undefined {
    const changed = this.#changesOf(place);
    let low = 0;
    let high = changed.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (changed[middle]! < index) low = middle + 1;
      else high = middle;
    }
    const at = changed[low - 1];
    if (at === undefined) return undefined;
    return { at, change: this.steps[at]!.changes.find((one) => one.place === place)! };
  }

  /** Steps that changed the place, in order. */
  #changesOf(place: Place): readonly number[] {
    if (!this.#index) {
      this.#index = new Map();
      for (let at = 0; at < this.steps.length; at++) {
        for (const change of this.steps[at]!.changes) {
          const list = this.#index.get(change.place);
          if (list) list.push(at);
          else this.#index.set(change.place, [at]);
        }
      }
    }
    return this.#index.get(place) ?? [];
  }

  /** True where the path went the way of the jump. */
  taken(index: number): boolean | undefined {
    const insn = this.insnAt(index);
    const next = this.steps[index + 1];
    if (!next || !isConditionalJump(insn) || insn.off === 0) return undefined;
    return next.insn === jumpTarget(insn, this.steps[index]!.insn);
  }

  follow(place: Place, index: number, interest: Interest = 'number'): Followed {
    const events: Event[] = [];
    const seen = new Map<number, number>();
    const add = (at: number, role: Role, where: Place, says: string) => {
      // A loop tells the same again and again.
      const insn = this.steps[at]!.insn;
      const times = (seen.get(insn) ?? 0) + 1;
      seen.set(insn, times);
      if (times <= 2 && events.length < MAX_EVENTS)
        events.unshift({ at, role, place: where, says });
    };
    for (const link of this.walk(place, index, interest)) {
      const says = wordsOf(this, link.kind, link.at, link.change);
      if (says !== undefined) add(link.at, roleOf(link.kind, !link.isRoot), link.place, says);
      if (!link.isRoot) continue;
      const { at, kind, change } = link;
      return { events, root: { at, kind, place: link.place, reg: change.after?.reg } };
    }
    return { events, root: undefined };
  }

  /** The changes that made a value what it is before step `index`, the last first. */
  *walk(place: Place, index: number, interest: Interest = 'number'): Generator<Link> {
    let from: { place: Place; at: number } = { place, at: index };
    for (let hops = 0; hops < MAX_HOPS; hops++) {
      const found = this.lastChange(from.place, from.at);
      if (!found) return;
      const { at, change } = found;
      const kind = kindOfChange(this.c, this.steps[at]!, from.place);
      const next = this.#source(kind, at, from.place, interest);
      yield { at, kind, place: from.place, change, isRoot: next === undefined };
      if (next === undefined) return;
      from = next;
    }
  }

  /** Where the value of a change came from; undefined: it came to be there. */
  #source(
    kind: ChangeKind,
    at: number,
    place: Place,
    interest: Interest,
  ): { place: Place; at: number } | undefined {
    const insn = this.insnAt(at);
    const { frame } = this.steps[at]!;
    switch (kind) {
      case 'check':
      case 'note':
      case 'unary':
        return { place, at };
      case 'copy':
        return { place: regPlace(frame, insn.src), at };
      case 'arithmetic':
        return { place: regPlace(frame, this.#operand(insn, frame, at, interest)), at };
      case 'argument':
        return { place: regPlace(frame, regnoOf(place)!), at };
      case 'returned':
        return classOf(insn.code) === cls.JMP && insn.code === 0x95
          ? { place: regPlace(frame, 0), at }
          : undefined;
      case 'store':
        return classOf(insn.code) === cls.STX
          ? { place: regPlace(frame, insn.src), at }
          : undefined;
      case 'load': {
        const slot = this.#slotOfLoad(insn, frame, at);
        if (slot === undefined) return undefined;
        const bytes = this.contentAt(slot, at)?.bytes ?? 0;
        return byteAt(bytes, 7) === byteKind.SPILL ? { place: slot, at } : undefined;
      }
      default:
        return undefined;
    }
  }

  /** Of `dst op= src`: the one that is asked for, else the one of which less is known. */
  #operand(insn: Insn, frame: number, at: number, interest: Interest): number {
    if (!isRegSource(insn.code)) return insn.dst;
    const dst = this.regAt(frame, insn.dst, at);
    const src = this.regAt(frame, insn.src, at);
    if (!dst || !src) return insn.dst;
    if (isPointer(dst) !== isPointer(src)) {
      const pointer = isPointer(dst) ? insn.dst : insn.src;
      const number = isPointer(dst) ? insn.src : insn.dst;
      return interest === 'pointer' ? pointer : number;
    }
    return isConst(dst.scalar.bits) || width(src) > width(dst) ? insn.src : insn.dst;
  }

  /** The slot of a load from a constant place of the stack. */
  #slotOfLoad(insn: Insn, frame: number, at: number): Place | undefined {
    const base = this.regAt(frame, insn.src, at);
    if (base?.kind !== 'fp' || !isConst(base.scalar.bits)) return undefined;
    const off = base.off + insn.off + Number(BigInt.asIntN(32, base.scalar.bits.value));
    return off < 0 ? slotPlace(base.frame, slotOf(off)) : undefined;
  }

  /** Comparisons between the value's origin and `index` of something of the same origin. */
  comparisons(root: Root, index: number): readonly number[] {
    const found: number[] = [];
    let examined = 0;
    for (let at = index - 1; at > root.at && examined < MAX_COMPARISONS; at--) {
      const insn = this.insnAt(at);
      if (!isConditionalJump(insn)) continue;
      examined++;
      const { frame } = this.steps[at]!;
      const operands = isRegSource(insn.code) ? [insn.dst, insn.src] : [insn.dst];
      const related = operands.some((regno) => {
        const other = this.follow(regPlace(frame, regno), at, 'number').root;
        return other !== undefined && other.at === root.at && other.place === root.place;
      });
      if (related) found.unshift(at);
    }
    return found;
  }

  /** The instruction at a step, as an `if` that was or was not followed. */
  branchText(index: number): string {
    const taken = this.taken(index);
    const { insn } = this.steps[index]!;
    const condition = this.c.disasm(insn).replace(/^\([0-9a-f]+\) if (.*) goto .*$/, '$1');
    if (taken === undefined) return `if ${condition}`;
    return taken ? `${condition} holds here` : `${condition} does not hold here`;
  }

  /** `R2 is 0 to 15`. */
  valueText(place: Place, index: number): string {
    const content = this.contentAt(place, index);
    return `${placeName(place)} is ${content ? describe(this.c, content.reg) : 'not set'}`;
  }
}

const width = (reg: Reg): bigint => (isScalar(reg) ? reg.scalar.umax - reg.scalar.umin : 0n);

function roleOf(kind: ChangeKind, continues: boolean): Role {
  if (kind === 'check') return 'check';
  if (kind === 'lost' || kind === 'clobber') return 'lost';
  return continues ? 'value' : 'origin';
}
