/** Host time of small things: repeated until it is long enough to measure, the best of several. */

/** Nanoseconds a call of `body`. */
export function measureNs(body: () => void, minMs = 20, rounds = 7): number {
  let count = 1;
  for (;;) {
    const ms = timeMs(body, count);
    if (ms >= minMs) break;
    count = Math.max(count * 2, Math.floor((count * minMs) / Math.max(ms, 0.01)));
  }
  let best = Infinity;
  for (let i = 0; i < rounds; i++) best = Math.min(best, timeMs(body, count));
  return (best / count) * 1e6;
}

function timeMs(body: () => void, count: number): number {
  const start = performance.now();
  for (let i = 0; i < count; i++) body();
  return performance.now() - start;
}

export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}
