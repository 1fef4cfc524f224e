/**
 * `skep prog …`: an object file against skep's BPF, without a machine around it.
 *
 *   verify FILE.o            see prog-verify.ts
 *   dump FILE.o [--jited]    the program as the kernel has it after loading
 *   run FILE.o --pcap FILE   each packet of a capture through a program; what became of them
 */
import { errno } from '../../kernel/types/errno.ts';
import { disasmInsn } from '../../bpf/isa/disasm.ts';
import { helperName } from '../../bpf/helpers/table.ts';
import { createWasmJit } from '../../bpf/jit/jit.ts';
import type { LoadFailure } from '../../bpf/loader/failure.ts';
import type { LoadedObject } from '../../bpf/loader/load.ts';
import { disassembleWasm } from '../../bpf/jit/wasm-disasm.ts';
import type { ProgObject } from '../../bpf/syscall/objects.ts';
import { XDP_ACTIONS } from '../../bpf/uapi.ts';
import { CaptureError } from '../../hw/nic/capture.ts';
import { readCapture } from '../../hw/nic/pcap.ts';
import { hostAssets } from './assets.ts';
import { BareMachine } from '../../hooks/bare-machine.ts';
import { chosen, levelOf, load, readHost, readSpec, type ProgOptions } from './prog-object.ts';
import { EXIT, UsageError } from './usage.ts';

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
  const level = levelOf(options);
  const assets = await hostAssets();
  return new BareMachine(assets, { level, jit: createWasmJit() });
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

function readPackets(file: string) {
  try {
    return readCapture(readHost(file), file);
  } catch (error) {
    if (error instanceof CaptureError) throw new UsageError(error.message);
    throw error;
  }
}

function fullName(id: number): string | undefined {
  const name = helperName(id);
  return name && `bpf_${name}`;
}
