/** A seeded source of choices (mulberry32, by Tommy Ettinger, public domain). */

/** Numbers at the edges of what instructions and bounds tell apart. */
const EDGES = [
  0n, 1n, 2n, 7n, 8n, 31n, 32n, 63n, 64n, 127n, 128n, 255n, 256n, 0x7fffn, 0x8000n, 0xffffn,
  0x1_0000n, 0x7fff_fffen, 0x7fff_ffffn, 0x8000_0000n, 0x8000_0001n, 0xffff_fffen, 0xffff_ffffn,
  0x1_0000_0000n, 0x7fff_ffff_ffff_fffen, 0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n,
  0xffff_ffff_8000_0000n, 0xffff_ffff_7fff_ffffn, 0xffff_ffff_ffff_fff0n, 0xffff_ffff_ffff_ffffn,
]; // prettier-ignore

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** 0 to n - 1. */
  below(n: number): number {
    return Math.floor((this.u32() / 2 ** 32) * n);
  }

  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  chance(probability: number): boolean {
    return this.u32() / 2 ** 32 < probability;
  }

  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new Error('nothing to pick from');
    return list[this.below(list.length)]!;
  }

  weighted<T>(choices: readonly (readonly [number, T])[]): T {
    let at = this.below(choices.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, value] of choices) {
      at -= weight;
      if (at < 0) return value;
    }
    throw new Error('weights must be whole numbers');
  }

  shuffled<T>(list: readonly T[]): T[] {
    const result = [...list];
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [result[i], result[j]] = [result[j]!, result[i]!];
    }
    return result;
  }

  u64(): bigint {
    if (this.chance(0.6)) return this.pick(EDGES);
    const value = (BigInt(this.u32()) << 32n) | BigInt(this.u32());
    return value >> BigInt(this.below(64));
  }

  /** A signed 32-bit immediate. */
  imm(): number {
    return Number(BigInt.asIntN(32, this.u64()));
  }

  hex(bytes: number): string {
    return Array.from({ length: bytes }, () => this.below(256).toString(16).padStart(2, '0')).join(
      '',
    );
  }
}
