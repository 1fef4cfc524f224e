/**
 * What a scenario is: a document (see document.ts) and the code behind it – the machine it runs
 * on, its stimuli and what its checks mean. A folder a scenario; `index.ts` lists them.
 */
import type { MachineConfig } from '../kernel/config.ts';
import type { Machine } from '../kernel/machine.ts';

/** Files of the scenario's folder by name, loaded by whoever runs it. */
export type ScenarioFiles = ReadonlyMap<string, Uint8Array>;

/** What stimuli and checks can look at. */
export interface World {
  readonly machine: Machine;
  readonly files: ScenarioFiles;
  /**
   * What the terminal showed for the last run of a command that starts with `command`, without the
   * command line itself and the next prompt. Throws where it was not run.
   */
  output(command: string): string;
}

export interface CheckResult {
  readonly holds: boolean;
  /** What was seen that decides it. */
  readonly evidence: string;
}

export interface Scenario {
  readonly name: string;
  /** One line for `skep run --list`. */
  readonly summary: string;
  /** File name of the document. */
  readonly document: string;
  /** Other files the scenario needs; '../OTHER/NAME' is another scenario's. */
  readonly files: readonly string[];
  configure(files: ScenarioFiles): MachineConfig;
  /** A stimulus may return a virtual time until which the machine should run. */
  readonly stimuli: Readonly<Record<string, (world: World) => number | void>>;
  readonly checks: Readonly<Record<string, (world: World) => CheckResult>>;
}

/** For checks that compare two values: evidence names both where they differ. */
export function expectEqual(what: string, seen: unknown, wanted: unknown): CheckResult {
  const [a, b] = [String(seen), String(wanted)];
  return a === b
    ? { holds: true, evidence: `${what}: ${a}` }
    : { holds: false, evidence: `${what}: ${a}, but it should be ${b}` };
}

/** For checks of what a tool printed. */
export function contains(text: string, pattern: RegExp): CheckResult {
  const match = pattern.exec(text);
  return match
    ? { holds: true, evidence: match[0].trim() }
    : { holds: false, evidence: `nothing there matches ${pattern}` };
}

/** For checks that several parts must meet: the first that fails decides. */
export function all(results: readonly CheckResult[]): CheckResult {
  const failed = results.find((result) => !result.holds);
  return failed ?? { holds: true, evidence: results.map((r) => r.evidence).join('; ') };
}

/** Where a file of a scenario is, below the folder of all. */
export const scenarioPath = ({ name }: Scenario, file: string): string =>
  file.startsWith('../') ? file.slice(3) : `${name}/${file}`;
