/**
 * `skep prog verify FILE.o`: the verdict on each program, and for those that are refused, why.
 *
 *   --explain         the cause as a compiler would print it: source lines, the steps, the fix
 *   --log-level N     the verifier's log as Linux prints it
 *   --record FILE     the whole exploration as JSON, for pictures of it
 *   --caps LIST       as a process with these capabilities
 *   --json            everything as one JSON object
 */
import { writeFileSync } from 'node:fs';
import type { Btf } from '../../bpf/btf/btf.ts';
import type { ObjectSpec } from '../../bpf/elf/object-spec.ts';
import type { ProgramSpec, Verdict } from '../../bpf/program.ts';
import type { LoadFailure } from '../../bpf/loader/failure.ts';
import type { LoadedObject } from '../../bpf/loader/load.ts';
import type { BpfUser } from '../../bpf/loader/user.ts';
import { ALL_CAPS, type BpfCaps, NO_CAPS } from '../../bpf/syscall/caller.ts';
import { explain, type Explanation } from '../../bpf/verifier/explain.ts';
import { ansiPaint, headlineOf, renderExplanation } from '../../bpf/verifier/explain/render.ts';
import { recordExploration, type Exploration } from '../../bpf/verifier/exploration.ts';
import { BPF_COMMANDS } from '../../bpf/uapi.ts';
import type { VerifierEnv } from '../../bpf/verifier/verify.ts';
import { bootMachine } from '../../kernel/machine.ts';
import { errnoName } from '../../kernel/types/errno.ts';
import { hostAssets } from './assets.ts';
import { BareMachine } from '../../hooks/bare-machine.ts';
import { chosen, levelOf, load, readSpec, type ProgOptions } from './prog-object.ts';
import { EXIT, UsageError } from './usage.ts';

export interface VerifyOptions extends ProgOptions {
  readonly explain?: boolean;
  readonly record?: string;
  readonly caps?: string;
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

/** What was seen of a verification while the maps of the program were there. */
interface Seen {
  readonly verdict: Verdict;
  readonly explanation?: Explanation;
  readonly exploration?: Exploration;
}

/** A bare machine with the kernel's types, which keeps what it last saw of a verification. */
async function createVerifier(options: VerifyOptions): Promise<Verifier> {
  // The loader may try twice, for the log: the first verdict is the same.
  let seen: Seen | undefined;
  const assets = await hostAssets();
  const btf = await kernelTypes(assets);
  const machine = new BareMachine(assets, {
    level: levelOf(options),
    caps: capsOf(options),
    kernelBtf: btf,
    verified: (spec, env, verdict) => (seen ??= look(spec, env, verdict, options)),
  });
  return (object, name, logLevel) => {
    machine.caller.reset();
    seen = undefined;
    const user = machine.loaderUser();
    const once = logLevel > 0 ? user : answeredOnce(user, () => seen);
    const loaded = load(machine, object, name, logLevel, { btf }, once);
    return outcomeOf(object, name, logLevel > 0, loaded, seen);
  };
}

/**
 * The loader tries a refused program again and again, with ever larger logs. Where no log is
 * wanted, the first answer stands for all.
 */
function answeredOnce(user: BpfUser<never>, seen: () => Seen | undefined): BpfUser<never> {
  const progLoad = BPF_COMMANDS.indexOf('prog_load');
  return {
    ...user,
    *bpf(command, attr) {
      const before = seen()?.verdict;
      if (command === progLoad && before?.kind === 'rejected') return -before.errno;
      return yield* user.bpf(command, attr);
    },
  };
}

function look(spec: ProgramSpec, env: VerifierEnv, verdict: Verdict, options: VerifyOptions): Seen {
  return {
    verdict,
    ...(verdict.kind === 'rejected' && { explanation: explain(spec, env, verdict) }),
    ...(options.record !== undefined && { exploration: recordExploration(spec, env) }),
  };
}

function outcomeOf(
  object: ObjectSpec,
  name: string,
  wantsLog: boolean,
  loaded: LoadedObject | LoadFailure,
  seen: Seen | undefined,
): Outcome {
  const { section } = object.programs.find((program) => program.name === name)!;
  const accepted = loaded.kind === 'loaded';
  // The verifier's own, where it was the verifier: the loader's second try is for the log.
  const errno =
    seen?.verdict.kind === 'rejected' ? seen.verdict.errno : accepted ? 0 : loaded.errno;
  const verdict: ProgramVerdict = {
    program: name,
    section,
    accepted,
    ...(!accepted && { errno: errnoName(errno) ?? String(errno) }),
    ...(seen && { processed: processedOf(seen.verdict) }),
    log: accepted ? loaded.programs[0]!.log : wantsLog ? (loaded.log ?? '') : '',
    messages: accepted ? [] : loaded.messages,
    ...(seen?.explanation && { explanation: seen.explanation }),
  };
  return { verdict, ...(seen?.exploration && { exploration: seen.exploration }) };
}

const processedOf = (verdict: Verdict): number =>
  verdict.kind === 'accepted' ? verdict.program.verifiedInsns : verdict.verifiedInsns;

const CAPS = { bpf: 'bpf', perfmon: 'perfmon', net_admin: 'netAdmin', sys_admin: 'sysAdmin' };

/** `all`, `none`, or a list like `bpf,net_admin`. */
function capsOf({ caps = 'all' }: VerifyOptions): BpfCaps {
  if (caps === 'all') return ALL_CAPS;
  if (caps === 'none') return NO_CAPS;
  const given: Record<string, boolean> = { ...NO_CAPS };
  for (const name of caps.split(',')) {
    const cap = CAPS[name.trim() as keyof typeof CAPS] as string | undefined;
    if (!cap) {
      const known = Object.keys(CAPS).join(', ');
      throw new UsageError(`--caps takes all, none or some of ${known}, not '${name}'`);
    }
    given[cap] = true;
  }
  return given as unknown as BpfCaps;
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
