/**
 * All specimens put through skep, and beside it through a real Linux 6.1: read, disassembled,
 * relocated against both kernels' types, loaded.
 *
 *   const { objects } = await survey(specimens, options)
 */
import type { Btf } from '../../bpf/btf/btf.ts';
import { parseBtf } from '../../bpf/btf/btf.ts';
import { ObjectError } from '../../bpf/elf/error.ts';
import type { ObjectProgram, ObjectSpec } from '../../bpf/elf/object-spec.ts';
import { BtfError } from '../../bpf/btf/types.ts';
import { CoreRelocator } from '../../bpf/btf/core-relo.ts';
import { readObject } from '../../bpf/elf/object.ts';
import { kernelConfigOf } from '../../bpf/loader/kconfig.ts';
import { loadObject } from '../../bpf/loader/load.ts';
import type { KernelKnowledge } from '../../bpf/loader/resolve.ts';
import { runDirect } from '../../bpf/loader/user.ts';
import { compareText, type Objdump, type TextComparison } from './disassembly.ts';
import { type CallComparison, compareCalls } from './libbpf.ts';
import type { KernelFacts, StepAnswer, SurveyJudge } from './judge.ts';
import type { SkepKernel } from './kernel.ts';
import { type LoadAnswer, loadAnswer } from './kernel.ts';
import type { MachineFacts } from './machine-facts.ts';
import type { Specimen } from './packages.ts';
import { type RecordedProgram, Recorder } from './recorder.ts';
import { settled, settledMap } from './targets.ts';

export interface SurveyedProgram {
  readonly name: string;
  readonly section: string;
  /** What the loader lacked in Linux's types, and in those of skep's machine. */
  readonly missingInLinux?: string;
  readonly missingInMachine?: string;
  /** Of the same call: what Linux said, what skep's verifier said with Linux's types. */
  readonly linux?: LoadAnswer;
  readonly skep?: LoadAnswer;
  /** On skep's own machine, with its own types. */
  readonly machine?: LoadAnswer;
  /** Types, fields and enumerators that the machine's types lack: `struct request.cmd_flags`. */
  readonly missingTypes: readonly string[];
  /** What it would be attached to, where the machine does not have that. */
  readonly missingTarget?: string;
}

export interface SurveyedObject {
  /** Names of all files that hold just these bytes. */
  readonly paths: readonly string[];
  readonly package: string;
  readonly sizeBytes: number;
  /** Why the reader refused it. */
  readonly unreadable?: string;
  readonly text?: TextComparison;
  readonly mapCount: number;
  /** Sections that the reader passed over. */
  readonly notes: readonly string[];
  /** Calls before the programs' that went wrong: maps, BTF. */
  readonly linuxSetup: readonly string[];
  /** The loader's calls beside libbpf's. */
  readonly calls?: CallComparison;
  readonly skepSetup: readonly string[];
  readonly programs: readonly SurveyedProgram[];
}

export interface SurveyOptions {
  readonly objdump: Objdump | undefined;
  readonly judge: SurveyJudge | undefined;
  readonly machine: MachineFacts;
  /** Command that runs libbpf. */
  readonly libbpf: string | undefined;
  /** A kernel of skep's with the given types. */
  readonly kernel: (btf: Btf, facts?: KernelFacts) => SkepKernel;
  readonly progress: (text: string) => void;
}

export function survey(specimens: readonly Specimen[], options: SurveyOptions): SurveyedObject[] {
  const kinds = distinct(specimens);
  const drafts = kinds.map((same) => draftOf(same, options));
  const { judge, machine, progress } = options;
  progress(`${kinds.length} different objects read and disassembled`);
  const recordedOwn = record(drafts, machine.knowledge);
  const ownAnswers = options.kernel(machine.knowledge.btf!).run(recordedOwn);
  const own = drafts.map((_, i) => ({ recorded: recordedOwn[i]!, answers: ownAnswers[i]! }));
  progress('loaded with the types of skep’s machine');
  if (!judge) return drafts.map((draft, i) => merged(draft, machine, own[i]!));
  const { facts } = judge;
  const btf = parseBtf(facts.btf);
  const knowledge: KernelKnowledge = {
    btf,
    config: kernelConfigOf(facts.config, facts.release),
    symbol: (name) => facts.symbols.get(name),
  };
  const recorded = record(drafts, knowledge);
  const calls = options.libbpf && callsOf(options.libbpf, facts, drafts, recorded);
  if (calls) progress('calls compared with libbpf’s');
  const skep = options.kernel(btf, facts).run(recorded);
  progress(`judged by skep’s verifier with the types of Linux ${facts.release}`);
  const linux = judge.run(recorded.map(({ script }) => script));
  progress('loaded into Linux');
  return drafts.map((draft, i) =>
    merged(draft, machine, own[i]!, {
      recorded: recorded[i]!,
      answers: linux[i]!,
      skep: skep[i]!,
      ...(calls && { calls: calls[i]! }),
    }),
  );
}

function callsOf(
  libbpf: string,
  facts: KernelFacts,
  drafts: readonly Draft[],
  recorded: readonly Recorded[],
): CallComparison[] {
  const objects = drafts.map(({ same, spec }, i) => ({
    bytes: same[0]!.bytes,
    file: same[0]!.file,
    script: recorded[i]!.script,
    programs: spec?.programs ?? [],
    loaded: new Set(recorded[i]!.programs.keys()),
  }));
  return compareCalls(libbpf, facts.files, objects);
}

/** Files with the same bytes, together. */
function distinct(specimens: readonly Specimen[]): Specimen[][] {
  const byBytes = new Map<string, Specimen[]>();
  for (const specimen of specimens) {
    const key = Buffer.from(specimen.bytes).toString('latin1');
    const same = byBytes.get(key);
    if (same === undefined) byBytes.set(key, [specimen]);
    else same.push(specimen);
  }
  return [...byBytes.values()];
}

interface Draft {
  readonly same: readonly Specimen[];
  readonly spec: ObjectSpec | undefined;
  readonly unreadable?: string;
  readonly text?: TextComparison;
}

function draftOf(same: readonly Specimen[], { objdump }: SurveyOptions): Draft {
  const { bytes, file } = same[0]!;
  try {
    const spec = readObject(bytes, file);
    const programs = spec.programs.map(settled);
    const text = objdump && { text: compareText(bytes, objdump) };
    return { same, spec: { ...spec, programs }, ...text };
  } catch (error) {
    if (!(error instanceof ObjectError)) throw error;
    return { same, spec: undefined, unreadable: error.message };
  }
}

export interface Recorded {
  readonly script: Recorder['script'];
  /** By the program's whole name; the kernel is told only its beginning. */
  readonly programs: ReadonlyMap<string, RecordedProgram>;
  /** What the loader said of programs that it could not even offer to the kernel. */
  readonly missing: ReadonlyMap<string, string>;
  /** Why nothing of the object could be loaded. */
  readonly failed?: string;
}

/** BPF_LOG_STATS: the error and the counts, without the states on the way. */
const LOG_LEVEL = 4;

function record(drafts: readonly Draft[], kernel: KernelKnowledge): Recorded[] {
  return drafts.map(({ spec }) => {
    const missing = new Map<string, string>();
    const recorder = new Recorder(spec?.file ?? '');
    if (spec === undefined) return { script: recorder.script, programs: new Map(), missing };
    const outcome = runDirect(
      loadObject(recorder, spec, {
        kernel,
        logLevel: LOG_LEVEL,
        mapDef: settledMap,
        wanted: ({ type }) => type !== 'unspec',
        refused: ({ name }, { messages }) => missing.set(name, told(messages[0] ?? '')),
      }),
    );
    if (outcome.kind === 'failed') {
      const failed = told(outcome.messages[0]!);
      return { script: recorder.script, programs: new Map(), missing, failed };
    }
    const programs = outcome.programs.map(({ name }, i) => [name, recorder.programs[i]!] as const);
    return { script: recorder.script, programs: new Map(programs), missing };
  });
}

/** libbpf's line without what every line begins with. */
const told = (message: string) => message.replace(/^libbpf: (prog '[^']*': )?/, '');

/** A recording and what a kernel answered to it. */
interface Heard {
  readonly recorded: Recorded;
  readonly answers: readonly StepAnswer[];
}

/** The same of Linux, with what skep's verifier answered with its types. */
interface Judged extends Heard {
  readonly skep: readonly StepAnswer[];
  readonly calls?: CallComparison;
}

function merged(
  { same, spec, unreadable, text }: Draft,
  machine: MachineFacts,
  own: Heard,
  judged?: Judged,
): SurveyedObject {
  const answerTo = (name: string, heard?: Heard) => {
    const program = heard?.recorded.programs.get(name);
    return program && loadAnswer(program, heard!.answers);
  };
  const missing = (name: string, heard?: Heard) =>
    heard?.recorded.missing.get(name) ?? heard?.recorded.failed;
  const relocator = spec?.btf && new CoreRelocator(spec.btf, machine.knowledge.btf!);
  const described = (program: ObjectProgram): SurveyedProgram => {
    const { name, section } = program;
    const all = {
      missingInLinux: missing(name, judged),
      missingInMachine: missing(name, own),
      linux: answerTo(name, judged),
      skep: judged && answerTo(name, { ...judged, answers: judged.skep }),
      machine: answerTo(name, own),
      missingTarget: machine.missingTarget(program),
    };
    const known = Object.entries(all).filter(([, value]) => value !== undefined);
    const missingTypes = relocator ? missingTypesOf(program, relocator) : [];
    return { name, section, missingTypes, ...Object.fromEntries(known) };
  };
  return {
    paths: same.map(({ path }) => path),
    package: same[0]!.package,
    sizeBytes: same[0]!.bytes.length,
    ...(unreadable !== undefined && { unreadable }),
    ...(text && { text }),
    mapCount: spec?.maps.length ?? 0,
    notes: spec?.notes ?? [],
    linuxSetup: judged ? setupErrors(judged.recorded, judged.answers) : [],
    skepSetup: judged ? setupErrors(judged.recorded, judged.skep) : [],
    ...(judged?.calls && { calls: judged.calls }),
    programs: (spec?.programs ?? []).map(described),
  };
}

/** What relocations found nothing for; those that only ask whether something is there do not count. */
function missingTypesOf({ insns, coreRelos }: ObjectProgram, relocator: CoreRelocator): string[] {
  try {
    const { poisoned } = relocator.relocate(insns, coreRelos);
    return [...new Set(poisoned.map(({ what }) => plainName(what)))].sort();
  } catch (error) {
    if (error instanceof BtfError) return [error.message];
    throw error;
  }
}

/** `<byte_off> [4] struct task_struct.pid (0:0 @ offset 0)` without all but the name. */
const plainName = (what: string) => what.replace(/^<\w+> \[\d+\] /, '').replace(/ (\(|= ).*$/, '');

function setupErrors(recorded: Recorded, answers: readonly StepAnswer[]): string[] {
  return recorded.script.steps.flatMap((step, i) => {
    const result = answers[i];
    if (!('call' in step) || step.call === 'prog_load' || typeof result !== 'number') return [];
    return result < 0 ? [`${step.call} ${step.attr?.['map_name'] ?? ''}: ${result}`] : [];
  });
}
