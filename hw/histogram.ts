/**
 * Times of many packets in little memory: counts in classes of at most 1/64 of a value's size, so a
 * percentile is at most 1.6 % too high. The least, the greatest and the mean are exact.
 */
const CLASSES_PER_OCTAVE = 64;
const OCTAVES = 48;

export class Histogram {
  count = 0;
  min = Infinity;
  max = 0;
  #sum = 0;
  readonly #counts = new Float64Array(CLASSES_PER_OCTAVE * OCTAVES);

  /** @param value at least 0 */
  add(value: number): void {
    this.count++;
    this.#sum += value;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    this.#counts[classOf(value)]!++;
  }

  get mean(): number {
    return this.#sum / this.count;
  }

  /** Upper end of the class in which that part of the values lies at or below, 0 < part <= 1. */
  percentile(part: number): number {
    let left = Math.ceil(part * this.count);
    for (let i = 0; i < this.#counts.length; i++) {
      left -= this.#counts[i]!;
      if (left <= 0) return Math.min(this.max, Math.max(this.min, upperEnd(i)));
    }
    return this.max;
  }
}

/** Values below 64 have a class each. */
function classOf(value: number): number {
  const whole = Math.floor(value);
  if (whole < CLASSES_PER_OCTAVE) return whole;
  const octave = Math.floor(Math.log2(whole)) - Math.log2(CLASSES_PER_OCTAVE);
  const within = Math.floor(whole / 2 ** octave) - CLASSES_PER_OCTAVE;
  const index = CLASSES_PER_OCTAVE * (octave + 1) + within;
  return Math.min(index, CLASSES_PER_OCTAVE * OCTAVES - 1);
}

function upperEnd(index: number): number {
  if (index < CLASSES_PER_OCTAVE) return index;
  const octave = Math.floor(index / CLASSES_PER_OCTAVE) - 1;
  const within = index % CLASSES_PER_OCTAVE;
  return (CLASSES_PER_OCTAVE + within + 1) * 2 ** octave - 1;
}
