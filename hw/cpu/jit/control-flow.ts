/**
 * The functions that an image of machine code holds, found by following its control flow from given
 * entries: instructions, basic blocks, and how each block ends.
 *
 *   functionsOf(isa, image, entries)   one an entry, and one a target of a call within the image
 *
 * Nobody says where code ends: what no control reaches is not decoded.
 */
import { cfgOf, type Cfg, type RawBlock } from '../../../bpf/jit/cfg.ts';

/** What control flow needs of an architecture. */
export interface FlowIsa<I extends PlacedInsn> {
  decode(bytes: Uint8Array, offset: number): I;
  flow(insn: I, image: PlacedImage): Flow;
}

export interface PlacedImage {
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

export interface PlacedInsn {
  readonly offset: number;
  readonly length: number;
}

/** Where control goes behind an instruction; targets are offsets in the image. */
export type Flow =
  | { readonly kind: 'next' | 'return' | 'indirect' | 'trap' }
  | { readonly kind: 'jump' | 'branch' | 'call'; readonly target: number };

/** What is behind a block's last instruction. */
export type Ending =
  | { readonly kind: 'fall' }
  | { readonly kind: 'branch' }
  | { readonly kind: 'return' }
  /** A call of a function of the image, or of one outside; the block behind it is next. */
  | { readonly kind: 'call'; readonly target: number }
  /** Control goes over to another function of the image, for good. */
  | { readonly kind: 'go'; readonly target: number }
  /** Out of the image: to an offset, or through a register. */
  | { readonly kind: 'leave'; readonly target: number | undefined }
  /** int3 and what else stops. */
  | { readonly kind: 'trap' };

export interface MachineFunction<I extends PlacedInsn> {
  /** Offset in the image. */
  readonly entry: number;
  /** Ascending by offset; blocks of `cfg` have indexes into it as their slots. */
  readonly insns: readonly I[];
  readonly cfg: Cfg;
  /** One a block of `cfg`. */
  readonly endings: readonly Ending[];
}

/** Longer blocks are cut, so that what a block notes fits a buffer. */
const MAX_BLOCK_INSNS = 256;

export function functionsOf<I extends PlacedInsn>(
  isa: FlowIsa<I>,
  image: PlacedImage,
  entries: readonly number[],
): readonly MachineFunction<I>[] {
  const known = new Set(entries);
  const functions: MachineFunction<I>[] = [];
  for (const entry of known) {
    const scanned = new Scan(isa, image, entry, known);
    for (const { ending } of scanned.blocks.values()) {
      if (ending.kind === 'call' && isInside(image.bytes, ending.target)) known.add(ending.target);
    }
    functions.push(scanned.result());
  }
  return functions;
}

export const isInside = (bytes: Uint8Array, offset: number): boolean =>
  offset >= 0 && offset < bytes.length;

interface ScannedBlock<I> {
  readonly insns: readonly I[];
  readonly ending: Ending;
  readonly targets: readonly number[];
}

class Scan<I extends PlacedInsn> {
  readonly blocks = new Map<number, ScannedBlock<I>>();
  readonly #isa: FlowIsa<I>;
  readonly #image: PlacedImage;
  readonly #entry: number;
  readonly #entries: ReadonlySet<number>;
  readonly #insns = new Map<number, I>();

  constructor(isa: FlowIsa<I>, image: PlacedImage, entry: number, entries: ReadonlySet<number>) {
    this.#isa = isa;
    this.#image = image;
    this.#entry = entry;
    this.#entries = new Set(entries);
    const leaders = this.#decodeAll();
    for (const leader of leaders) this.blocks.set(leader, this.#block(leader, leaders));
  }

  result(): MachineFunction<I> {
    const insns = [...this.blocks.values()]
      .flatMap((block) => block.insns)
      .sort((a, b) => a.offset - b.offset);
    const indexOf = new Map(insns.map(({ offset }, index) => [offset, index]));
    const raw = new Map<number, RawBlock>();
    for (const [start, block] of this.blocks) {
      const index = indexOf.get(start)!;
      const slots = block.insns.map(({ offset }) => indexOf.get(offset)!);
      raw.set(index, {
        start: index,
        slots,
        targets: block.targets.map((target) => indexOf.get(target)!),
      });
    }
    const cfg = cfgOf(raw, indexOf.get(this.#entry)!);
    const endings = cfg.blocks.map(
      ({ slots }) => this.blocks.get(insns[slots[0]!]!.offset)!.ending,
    );
    return { entry: this.#entry, insns, cfg, endings };
  }

  /** Everything that is reached; returns where blocks begin. */
  #decodeAll(): ReadonlySet<number> {
    const leaders = new Set([this.#entry]);
    const pending = [this.#entry];
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      let length = 0;
      for (let offset: number | undefined = at; offset !== undefined;) {
        if (this.#insns.has(offset)) {
          // Reached before, in the middle of a block perhaps.
          leaders.add(offset);
          break;
        }
        const insn = this.#isa.decode(this.#image.bytes, offset);
        this.#insns.set(offset, insn);
        const ways = this.#waysOn(insn);
        const [next] = ways;
        const goesOn = ways.length === 1 && next === offset + insn.length && !this.#endsBlock(insn);
        if (goesOn && ++length % MAX_BLOCK_INSNS !== 0) {
          offset = next;
          continue;
        }
        for (const way of ways) {
          if (!leaders.has(way)) pending.push(way);
          leaders.add(way);
        }
        offset = undefined;
      }
    }
    return leaders;
  }

  /** Offsets within this function at which control may go on: [not taken, taken]. */
  #waysOn(insn: I): readonly number[] {
    const next = insn.offset + insn.length;
    const stays = (offset: number): boolean => this.#staysInside(offset);
    const flow = this.#flow(insn);
    switch (flow.kind) {
      case 'return':
      case 'indirect':
      case 'trap':
        return [];
      case 'jump':
        return [flow.target].filter(stays);
      case 'branch':
        return [next, flow.target];
      case 'next':
      case 'call':
        return [next].filter(stays);
    }
  }

  #flow(insn: I): Flow {
    return this.#isa.flow(insn, this.#image);
  }

  #staysInside(offset: number): boolean {
    return (
      isInside(this.#image.bytes, offset) && (offset === this.#entry || !this.#entries.has(offset))
    );
  }

  #block(leader: number, leaders: ReadonlySet<number>): ScannedBlock<I> {
    const insns: I[] = [];
    for (let offset = leader; ;) {
      const insn = this.#insns.get(offset)!;
      insns.push(insn);
      const next = offset + insn.length;
      if (this.#endsBlock(insn) || leaders.has(next) || !this.#staysInside(next)) {
        return { insns, ending: this.#ending(insn), targets: this.#waysOn(insn) };
      }
      offset = next;
    }
  }

  #endsBlock(insn: I): boolean {
    return this.#flow(insn).kind !== 'next';
  }

  #ending(insn: I): Ending {
    const flow = this.#flow(insn);
    switch (flow.kind) {
      case 'return':
      case 'trap':
      case 'branch':
        return { kind: flow.kind };
      case 'indirect':
        return { kind: 'leave', target: undefined };
      case 'call':
        return { kind: 'call', target: flow.target };
      case 'next':
      case 'jump': {
        const next = flow.kind === 'jump' ? flow.target : insn.offset + insn.length;
        if (this.#staysInside(next)) return { kind: 'fall' };
        return { kind: isInside(this.#image.bytes, next) ? 'go' : 'leave', target: next };
      }
    }
  }
}
