/**
 * Host time of small things. Whatever else the host does only makes a round longer, so the best of
 * many short rounds is taken; V8 optimises hot code in the background, so they begin after a while.
 */

/** Nanoseconds a call of `body`. */
export function measureNs(body: () => void, roundMs = 1, rounds = 100, warmUpMs = 100): number {
  const end = performance.now() + warmUpMs;
  let count = 1;
  while (performance.now() < end) {
    const ms = timeMs(body, count);
    if (ms < roundMs) count = Math.ceil(count * Math.min(2, roundMs / Math.max(ms, 0.001)));
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
