/**
 * The functions that an image of machine code holds, found by following its control flow from given
 * entries: instructions, basic blocks, and how each block ends.
 *
 *   functionsOf(bytes, entries)   one a entry, and one a target of a call within the image
 *
 * Nobody says where code ends: what no control reaches is not decoded.
 */
import { cfgOf, type Cfg, type RawBlock } from '../../bpf/jit/cfg.ts';
import { decodeInsn, type X86Insn } from './decode.ts';

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

export interface MachineFunction {
  /** Offset in the image. */
  readonly entry: number;
  /** Ascending by offset; blocks of `cfg` have indexes into it as their slots. */
  readonly insns: readonly X86Insn[];
  readonly cfg: Cfg;
  /** One a block of `cfg`. */
  readonly endings: readonly Ending[];
}

/** Longer blocks are cut, so that what a block notes fits a buffer. */
const MAX_BLOCK_INSNS = 256;

export function functionsOf(
  bytes: Uint8Array,
  entries: readonly number[],
): readonly MachineFunction[] {
  const known = new Set(entries);
  const functions: MachineFunction[] = [];
  for (const entry of known) {
    const scanned = new Scan(bytes, entry, known);
    for (const { ending } of scanned.blocks.values()) {
      if (ending.kind === 'call' && isInside(bytes, ending.target)) known.add(ending.target);
    }
    functions.push(scanned.result());
  }
  return functions;
}

export const isInside = (bytes: Uint8Array, offset: number): boolean =>
  offset >= 0 && offset < bytes.length;

interface ScannedBlock {
  readonly insns: readonly X86Insn[];
  readonly ending: Ending;
  readonly targets: readonly number[];
}

class Scan {
  readonly blocks = new Map<number, ScannedBlock>();
  readonly #bytes: Uint8Array;
  readonly #entry: number;
  readonly #entries: ReadonlySet<number>;
  readonly #insns = new Map<number, X86Insn>();

  constructor(bytes: Uint8Array, entry: number, entries: ReadonlySet<number>) {
    this.#bytes = bytes;
    this.#entry = entry;
    this.#entries = new Set(entries);
    const leaders = this.#decodeAll();
    for (const leader of leaders) this.blocks.set(leader, this.#block(leader, leaders));
  }

  result(): MachineFunction {
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
        const insn = decodeInsn(this.#bytes, offset);
        this.#insns.set(offset, insn);
        const ways = this.#waysOn(insn);
        const [next] = ways;
        const goesOn = ways.length === 1 && next === offset + insn.length && !endsBlock(insn);
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
  #waysOn(insn: X86Insn): readonly number[] {
    const next = insn.offset + insn.length;
    const stays = (offset: number): boolean => this.#staysInside(offset);
    switch (insn.mnemonic) {
      case 'ret':
      case 'jmp-indirect':
      case 'int3':
        return [];
      case 'jmp':
        return [insn.target!].filter(stays);
      case 'jcc':
        return [next, insn.target!];
      default:
        return [next].filter(stays);
    }
  }

  #staysInside(offset: number): boolean {
    return isInside(this.#bytes, offset) && (offset === this.#entry || !this.#entries.has(offset));
  }

  #block(leader: number, leaders: ReadonlySet<number>): ScannedBlock {
    const insns: X86Insn[] = [];
    for (let offset = leader; ;) {
      const insn = this.#insns.get(offset)!;
      insns.push(insn);
      const next = offset + insn.length;
      if (endsBlock(insn) || leaders.has(next) || !this.#staysInside(next)) {
        return { insns, ending: this.#ending(insn), targets: this.#waysOn(insn) };
      }
      offset = next;
    }
  }

  #ending({ mnemonic, target, offset, length }: X86Insn): Ending {
    switch (mnemonic) {
      case 'ret':
        return { kind: 'return' };
      case 'int3':
        return { kind: 'trap' };
      case 'jmp-indirect':
        return { kind: 'leave', target: undefined };
      case 'call':
        return { kind: 'call', target: target! };
      case 'jcc':
        return { kind: 'branch' };
      default: {
        const next = mnemonic === 'jmp' ? target! : offset + length;
        if (this.#staysInside(next)) return { kind: 'fall' };
        return { kind: isInside(this.#bytes, next) ? 'go' : 'leave', target: next };
      }
    }
  }
}

const ENDS_BLOCK = new Set(['ret', 'jmp', 'jmp-indirect', 'jcc', 'call', 'int3']);
const endsBlock = ({ mnemonic }: X86Insn): boolean => ENDS_BLOCK.has(mnemonic);
