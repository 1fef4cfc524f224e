/**
 * `skep prog …`: an object file against skep's BPF, without a machine around it.
 *
 *   verify FILE.o            the verdict on each program, the verifier's log where it is refused
 *   dump FILE.o [--jited]    the program as the kernel has it after loading
 *   run FILE.o --pcap FILE   each packet of a capture through a program; what became of them
 */
import { readFileSync } from 'node:fs';
import { errno } from '../../kernel/types/errno.ts';
import { readObject } from '../../bpf/elf/object.ts';
import { ObjectError } from '../../bpf/elf/error.ts';
import type { ObjectSpec } from '../../bpf/elf/object-spec.ts';
import { disasmInsn } from '../../bpf/isa/disasm.ts';
import { helperName } from '../../bpf/helpers/table.ts';
import { createWasmJit } from '../../bpf/jit/jit.ts';
import type { LoadFailure } from '../../bpf/loader/failure.ts';
import { type LoadedObject, loadObject } from '../../bpf/loader/load.ts';
import { runDirect } from '../../bpf/loader/user.ts';
import { disassembleWasm } from '../../bpf/jit/wasm-disasm.ts';
import type { ProgObject } from '../../bpf/syscall/objects.ts';
import { XDP_ACTIONS } from '../../bpf/uapi.ts';
import { CaptureError } from '../../hw/nic/capture.ts';
import { readCapture } from '../../hw/nic/pcap.ts';
import { hostAssets } from './assets.ts';
import { BareMachine } from './bare-machine.ts';
import { EXIT, UsageError } from './usage.ts';

export interface ProgOptions {
  readonly program?: string;
  readonly logLevel?: string;
  readonly json?: boolean;
  readonly jited?: boolean;
  readonly pcap?: string;
  readonly level?: string;
}

export async function verifyCommand(file: string, options: ProgOptions): Promise<number> {
  const spec = readSpec(file);
  const machine = await bareMachine(options);
  const verdicts = chosen(spec, file, options).map((name) => {
    machine.caller.reset();
    const outcome = load(machine, spec, name, Number(options.logLevel ?? 0));
    const accepted = outcome.kind === 'loaded';
    const log = accepted ? outcome.programs[0]!.log : (outcome.log ?? '');
    const messages = accepted ? [] : outcome.messages;
    return { program: name, accepted, log, messages };
  });
  if (options.json) {
    console.log(JSON.stringify({ file, verdicts }));
  } else {
    for (const { program, accepted, log, messages } of verdicts) {
      console.log(`${program}: ${accepted ? 'accepted' : 'REFUSED'}`);
      if (log) console.log(indent(log));
      else if (!accepted) console.log(indent(messages.join('\n')));
    }
  }
  return verdicts.every(({ accepted }) => accepted) ? EXIT.ok : EXIT.failed;
}

export async function dumpCommand(file: string, options: ProgOptions): Promise<number> {
  const spec = readSpec(file);
  const machine = await bareMachine(options);
  for (const name of chosen(spec, file, options)) {
    machine.caller.reset();
    const outcome = load(machine, spec, name, 0);
    if (outcome.kind === 'failed') return refused(outcome);
    console.log(`${name}:`);
    const object = programOf(machine, outcome);
    console.log(options.jited ? jitedText(object) : xlatedText(object));
  }
  return EXIT.ok;
}

export async function runCommand(file: string, options: ProgOptions): Promise<number> {
  if (!options.pcap) throw new UsageError('prog run needs --pcap FILE');
  const spec = readSpec(file);
  const [name, ...more] = chosen(spec, file, options);
  if (more.length > 0) {
    throw new UsageError(`${file} holds ${spec.programs.length} programs: choose with --program`);
  }
  const capture = readPackets(options.pcap);
  const machine = await bareMachine(options);
  const outcome = load(machine, spec, name!, 0);
  if (outcome.kind === 'failed') return refused(outcome);
  const { fd, kind } = outcome.programs[0]!;
  const counts = new Map<string, number>();
  for (const { data } of capture.frames) {
    const { result, attr } = machine.call('prog_test_run', {
      prog_fd: fd,
      data_in: machine.caller.place(data),
      data_size_in: data.length,
      repeat: 1,
    });
    if (result === -errno.ENOTSUPP) {
      throw new UsageError(`a program of type ${kind.type} cannot be run on packets`);
    }
    const verdict = result < 0 ? `error ${-result}` : verdictName(kind.type, attr.retval);
    counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
  }
  const verdicts = Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  if (options.json) console.log(JSON.stringify({ packets: capture.frames.length, verdicts }));
  else {
    console.log(`${capture.frames.length} packets`);
    for (const [verdict, count] of Object.entries(verdicts)) {
      console.log(`${String(count).padStart(8)} ${verdict}`);
    }
  }
  return EXIT.ok;
}

function verdictName(type: string, value: number): string {
  return (type === 'xdp' && XDP_ACTIONS[value]) || String(value);
}

async function bareMachine(options: ProgOptions): Promise<BareMachine> {
  const level = options.level ?? 'latest';
  if (level !== '6.1' && level !== 'latest') {
    throw new UsageError(`--level is 6.1 or latest, not '${level}'`);
  }
  const assets = await hostAssets();
  return new BareMachine(assets, { level, jit: createWasmJit() });
}

function load(
  machine: BareMachine,
  spec: ObjectSpec,
  name: string,
  logLevel: number,
): LoadedObject | LoadFailure {
  const wanted = (program: { readonly name: string }) => program.name === name;
  return runDirect(loadObject(machine.loaderUser(), spec, { wanted, logLevel }));
}

function programOf(machine: BareMachine, outcome: LoadedObject): ProgObject {
  return machine.caller.handleOfFd(outcome.programs[0]!.fd)!.object as ProgObject;
}

function xlatedText({ prog }: ProgObject): string {
  const { insns } = prog.verified;
  return insns
    .map((insn, slot) =>
      insn.code === 0
        ? undefined
        : `${String(slot).padStart(4)}: ${disasmInsn(insns, slot, { helper: fullName })}`,
    )
    .filter((line) => line !== undefined)
    .join('\n');
}

function jitedText({ prog }: ProgObject): string {
  prog.jit();
  const image = prog.executable.image?.();
  if (!image) return '  (the JIT does not take this program)';
  return disassembleWasm(image)
    .map(({ name, signature, instructions }) => {
      const lines = instructions.map(
        ({ offset, depth, text }) =>
          `${offset.toString(16).padStart(4)}:\t${'  '.repeat(depth)}${text}`,
      );
      return [`${name}: ${signature}`, ...lines].join('\n');
    })
    .join('\n\n');
}

function refused(failure: LoadFailure): number {
  for (const message of failure.messages) console.error(message);
  return EXIT.failed;
}

/** Programs asked for; all of them where none is named. */
function chosen(spec: ObjectSpec, file: string, { program }: ProgOptions): string[] {
  const names = spec.programs.map(({ name }) => name);
  if (names.length === 0) throw new UsageError(`${file} holds no programs`);
  if (program !== undefined && !names.includes(program)) {
    throw new UsageError(`${file} has no program '${program}'; there are: ${names.join(', ')}`);
  }
  const wanted = spec.programs.filter(({ name }) => program === undefined || name === program);
  const unknown = wanted.find(({ type }) => type === 'unspec');
  if (unknown) {
    throw new UsageError(
      `${file}: program '${unknown.name}' is in section '${unknown.section}', ` +
        'a name that stands for no program type',
    );
  }
  return wanted.map(({ name }) => name);
}

function readSpec(file: string): ObjectSpec {
  try {
    return readObject(readHost(file), file);
  } catch (error) {
    if (error instanceof ObjectError) throw new UsageError(error.message);
    throw error;
  }
}

function readPackets(file: string) {
  try {
    return readCapture(readHost(file), file);
  } catch (error) {
    if (error instanceof CaptureError) throw new UsageError(error.message);
    throw error;
  }
}

function readHost(file: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(file));
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${(error as Error).message}`);
  }
}

function indent(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}

function fullName(id: number): string | undefined {
  const name = helperName(id);
  return name && `bpf_${name}`;
}
