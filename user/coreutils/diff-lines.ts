/** The changes that turn one list of lines into another, as few as there can be (E. Myers, 1986). */
export interface Change {
  /** 0-based places of the lines that go and of those that come. */
  readonly from: number;
  readonly removed: number;
  readonly to: number;
  readonly added: number;
}

/** Beyond this many differing lines the middle is taken for one change. */
const MAX_STEPS = 20_000;

export function differences(a: readonly string[], b: readonly string[]): Change[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let endA = a.length;
  let endB = b.length;
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) {
    endA--;
    endB--;
  }
  const script = shortest(a.slice(start, endA), b.slice(start, endB));
  const changes: { from: number; removed: number; to: number; added: number }[] = [];
  let i = start;
  let j = start;
  for (const step of script) {
    const last = changes.at(-1);
    const continues = last && last.from + last.removed === i && last.to + last.added === j;
    if (step === 'keep') {
      i++;
      j++;
      continue;
    }
    const change = continues ? last : { from: i, removed: 0, to: j, added: 0 };
    if (!continues) changes.push(change);
    if (step === 'remove') {
      change.removed++;
      i++;
    } else {
      change.added++;
      j++;
    }
  }
  return changes.map((change) => slide(change, a, b));
}

/** A change among equal lines is shown as late as can be, as GNU diff does. */
function slide(change: Change, a: readonly string[], b: readonly string[]): Change {
  let { from, to } = change;
  const { removed, added } = change;
  while (
    removed === 0 &&
    added > 0 &&
    from < a.length &&
    b[to] === b[to + added] &&
    a[from] === b[to + added]
  ) {
    from++;
    to++;
  }
  while (
    added === 0 &&
    removed > 0 &&
    to < b.length &&
    a[from] === a[from + removed] &&
    b[to] === a[from + removed]
  ) {
    from++;
    to++;
  }
  return { from, removed, to, added };
}

type Step = 'keep' | 'remove' | 'add';

function shortest(a: readonly string[], b: readonly string[]): Step[] {
  const most = Math.min(a.length + b.length, MAX_STEPS);
  const ends = new Map<number, number>([[1, 0]]);
  const history: Map<number, number>[] = [];
  for (let steps = 0; steps <= most; steps++) {
    history.push(new Map(ends));
    for (let diagonal = -steps; diagonal <= steps; diagonal += 2) {
      const down =
        diagonal === -steps ||
        (diagonal !== steps && (ends.get(diagonal - 1) ?? -1) < (ends.get(diagonal + 1) ?? -1));
      let x = down ? (ends.get(diagonal + 1) ?? 0) : (ends.get(diagonal - 1) ?? 0) + 1;
      let y = x - diagonal;
      while (x < a.length && y < b.length && a[x] === b[y]) {
        x++;
        y++;
      }
      ends.set(diagonal, x);
      if (x >= a.length && y >= b.length) return backtrack(history, a.length, b.length);
    }
    // The history grows with the square of the steps; give up before it is too much.
    if (steps > 2000) break;
  }
  return [...a.map((): Step => 'remove'), ...b.map((): Step => 'add')];
}

function backtrack(
  history: readonly Map<number, number>[],
  lengthA: number,
  lengthB: number,
): Step[] {
  const script: Step[] = [];
  let x = lengthA;
  let y = lengthB;
  for (let steps = history.length - 1; steps >= 0 && (x > 0 || y > 0); steps--) {
    const ends = history[steps]!;
    const diagonal = x - y;
    const down =
      diagonal === -steps ||
      (diagonal !== steps && (ends.get(diagonal - 1) ?? -1) < (ends.get(diagonal + 1) ?? -1));
    const before = down ? diagonal + 1 : diagonal - 1;
    const fromX = steps === 0 ? 0 : (ends.get(before) ?? 0);
    const fromY = steps === 0 ? 0 : fromX - before;
    while (x > fromX && y > fromY && x > 0 && y > 0) {
      script.push('keep');
      x--;
      y--;
    }
    if (steps === 0) break;
    script.push(down ? 'add' : 'remove');
    x = fromX;
    y = fromY;
  }
  return script.reverse();
}
