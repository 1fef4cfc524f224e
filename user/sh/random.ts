/** $RANDOM: the generator of Park and Miller (Comm. ACM 31(10), 1988), folded to 15 bits. */
const MULTIPLIER = 16807;
const MODULUS = 0x7fffffff;

export class Random {
  #state = 1;

  seed(value: number): void {
    this.#state = value >>> 0;
  }

  next(): number {
    // 0 would stay 0.
    const state = this.#state % MODULUS || 123459876;
    this.#state = (state * MULTIPLIER) % MODULUS;
    return ((this.#state >> 16) ^ (this.#state & 0xffff)) & 0x7fff;
  }
}
