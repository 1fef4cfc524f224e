/**
 * `skep prog verify FILE.o`: the verdict on each program, and for those that are refused, why.
 *
 *   --explain         the cause as a compiler would print it: source lines, the steps, the fix
 *   --log-level N     the verifier's log as Linux prints it
 *   --record FILE     the whole exploration as JSON, for pictures of it
 *   --json            everything as one JSON object
 */
import { writeFileSync } from 'node:fs';
import type { Btf } from '../../bpf/btf/btf.ts';
import type { ObjectSpec } from '../../bpf/elf/object-spec.ts';
import type { ProgramSpec, Verdict } from '../../bpf/program.ts';
import { ALL_CAPS, NO_CAPS } from '../../bpf/syscall/caller.ts';
import { explain, type Explanation } from '../../bpf/verifier/explain.ts';
import { ansiPaint, headlineOf, renderExplanation } from '../../bpf/verifier/explain/render.ts';
import { recordExploration, type Exploration } from '../../bpf/verifier/exploration.ts';
import type { VerifierEnv } from '../../bpf/verifier/verify.ts';
import { bootMachine } from '../../kernel/machine.ts';
import { errnoName } from '../../kernel/types/errno.ts';
import { hostAssets } from './assets.ts';
import { BareMachine } from './bare-machine.ts';
import { chosen, levelOf, load, readSpec, type ProgOptions } from './prog-object.ts';
import { EXIT, UsageError } from './usage.ts';

export interface VerifyOptions extends ProgOptions {
  readonly explain?: boolean;
  readonly record?: string;
  readonly unprivileged?: boolean;
}

/** What `--json` prints of a program. */
export interface ProgramVerdict {
  readonly program: string;
  readonly section: string;
  readonly accepted: boolean;
  /** Of the load; absent where it succeeded. */
  readonly errno?: string;
  readonly processed?: number;
  readonly log: string;
  /** What libbpf would have printed. */
  readonly messages: readonly string[];
  /** Absent where the program was accepted, or the load failed before the verifier. */
  readonly explanation?: Explanation;
}

export async function verifyCommand(file: string, options: VerifyOptions): Promise<number> {
  const spec = readSpec(file);
  const logLevel = logLevelOf(options);
  const names = chosen(spec, file, options);
  const verifier = await createVerifier(options);
  const outcomes = names.map((name) => verifier(spec, name, logLevel));
  if (options.record !== undefined) {
    const explorations = outcomes.flatMap(({ exploration }) => (exploration ? [exploration] : []));
    write(options.record, JSON.stringify({ file, explorations }));
  }
  const verdicts = outcomes.map(({ verdict }) => verdict);
  if (options.json) console.log(JSON.stringify({ file, verdicts }));
  else for (const verdict of verdicts) print(verdict, options);
  return verdicts.every(({ accepted }) => accepted) ? EXIT.ok : EXIT.failed;
}

interface Outcome {
  readonly verdict: ProgramVerdict;
  readonly exploration?: Exploration;
}

type Verifier = (object: ObjectSpec, name: string, logLevel: number) => Outcome;

/** A bare machine of the kernel's types, which keeps what it was last asked to verify. */
async function createVerifier(options: VerifyOptions): Promise<Verifier> {
  let last: { spec: ProgramSpec; env: VerifierEnv; verdict: Verdict } | undefined;
  const assets = await hostAssets();
  const btf = await kernelTypes(assets);
  const machine = new BareMachine(assets, {
    level: levelOf(options),
    caps: options.unprivileged ? NO_CAPS : ALL_CAPS,
    kernelBtf: btf,
    verified: (spec, env, verdict) => (last = { spec, env, verdict }),
  });
  return (object, name, logLevel) => {
    machine.caller.reset();
    last = undefined;
    const loaded = load(machine, object, name, logLevel, { btf });
    const { section } = object.programs.find((program) => program.name === name)!;
    // The loader may have tried twice, for the log: the last verdict counts.
    const seen = last as { spec: ProgramSpec; env: VerifierEnv; verdict: Verdict } | undefined;
    const accepted = loaded.kind === 'loaded';
    const rejection = seen?.verdict.kind === 'rejected' ? seen.verdict : undefined;
    const processed =
      seen?.verdict.kind === 'accepted'
        ? seen.verdict.program.verifiedInsns
        : seen?.verdict.verifiedInsns;
    const verdict: ProgramVerdict = {
      program: name,
      section,
      accepted,
      ...(!accepted && { errno: errnoName(loaded.errno) ?? String(loaded.errno) }),
      ...(processed !== undefined && { processed }),
      log: accepted ? loaded.programs[0]!.log : logLevel > 0 ? (loaded.log ?? '') : '',
      messages: accepted ? [] : loaded.messages,
      ...(rejection && { explanation: explain(seen!.spec, seen!.env, rejection) }),
    };
    const wantsRecord = options.record !== undefined && seen !== undefined;
    return wantsRecord
      ? { verdict, exploration: recordExploration(seen.spec, seen.env) }
      : { verdict };
  };
}

/** The BTF of the kernel that a machine boots: programs attach to it and read its structs. */
async function kernelTypes(assets: Awaited<ReturnType<typeof hostAssets>>): Promise<Btf> {
  const machine = await bootMachine({}, assets);
  return machine.bpf.kernelBtf!.btf;
}

function print(verdict: ProgramVerdict, options: VerifyOptions): void {
  const { program, accepted, errno, processed, log, messages, explanation } = verdict;
  const counted = processed === undefined ? '' : ` (${processed} instructions processed)`;
  console.log(accepted ? `${program}: accepted${counted}` : `${program}: refused (${errno})`);
  if (log) console.log(indent(log));
  if (accepted) return;
  if (!explanation) {
    console.log(indent(messages.join('\n')));
  } else if (options.explain) {
    const paint = process.stdout.isTTY ? { paint: ansiPaint } : {};
    const width = process.stdout.isTTY ? { width: Math.max(60, process.stdout.columns) } : {};
    const text = renderExplanation(explanation, { ...paint, ...width, showState: true });
    console.log(`\n${text}\n`);
  } else {
    console.log(indent(headlineOf(explanation)));
    console.log(indent(`fix: ${explanation.fix}`));
  }
}

function logLevelOf({ logLevel = '0' }: VerifyOptions): number {
  const level = Number(logLevel);
  if (Number.isInteger(level) && level >= 0 && level <= 7) return level;
  throw new UsageError(`--log-level is a sum of 1, 2 and 4, not '${logLevel}'`);
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new UsageError(`cannot write ${file}: ${(error as Error).message}`);
  }
}

function indent(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}
