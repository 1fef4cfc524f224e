/** `skep bench [FILTER]`: rows of name, value, unit and, for ratios, against what. */
import { EXIT, UsageError } from './usage.ts';

export interface BenchRow {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** For ratios: what the value is relative to. */
  readonly against?: string;
  /** What it must reach, where something was promised: '>= 20', '<= 100'. */
  readonly target?: string;
}

/** A group of measurements; only run if one of its names matches the filter. */
export interface Bench {
  readonly names: readonly string[];
  run(): Promise<readonly BenchRow[]>;
}

export interface BenchOptions {
  readonly json?: boolean;
}

export async function bench(
  benches: readonly Bench[],
  filter: string | undefined,
  options: BenchOptions,
): Promise<number> {
  const matches = (name: string) => !filter || name.includes(filter);
  const chosen = benches.filter((each) => each.names.some(matches));
  if (chosen.length === 0) {
    const names = benches.flatMap((each) => each.names);
    throw new UsageError(`no row's name contains '${filter}'; there are: ${names.join(', ')}`);
  }
  for (const each of chosen) {
    for (const row of await each.run()) if (matches(row.name)) print(row, options.json ?? false);
  }
  return EXIT.ok;
}

function print(row: BenchRow, json: boolean): void {
  if (json) {
    console.log(JSON.stringify(row));
    return;
  }
  const against = row.against ? ` × ${row.against}` : '';
  const target = row.target ? `   (wanted ${row.target})` : '';
  const value = Number(row.value.toPrecision(4)).toLocaleString('en-US');
  console.log(`${row.name.padEnd(40)} ${value.padStart(14)} ${row.unit}${against}${target}`);
}
