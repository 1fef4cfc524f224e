/**
 * `skep boot`: a machine whose console is this terminal. On a terminal, virtual time follows the
 * wall clock and the keys go to the machine's tty (Ctrl-] leaves). With piped input the machine
 * runs as fast as it can: each line is typed when the shell waits for one, and the end of the
 * input is Ctrl-D.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { bootMachine, type Machine } from '../../kernel/machine.ts';
import { withCompare } from '../../scenarios/compare/shell.ts';
import { machineDefaults } from '../../user/index.ts';
import { compareHost, hostAssets } from './assets.ts';
import { EXIT, UsageError } from './usage.ts';

export interface BootOptions {
  readonly cpus: string;
  readonly ram: string;
  readonly seed: string;
  readonly cmdline?: string;
  readonly file?: readonly string[];
}

const LEAVE_KEY = 0x1d;
/** Wall time between two looks at keys and output, ms. */
const FRAME_MS = 15;
/** Virtual time between two looks whether a piped command is done. */
const LOOK_NS = 1e6;
/** A piped command may take this long in virtual time. */
const PATIENCE_NS = 3600e9;

export async function boot(options: BootOptions): Promise<number> {
  const files: Record<string, Uint8Array> = {};
  for (const path of options.file ?? []) files[`/root/${basename(path)}`] = readHostFile(path);
  const defaults = machineDefaults();
  const assets = await hostAssets();
  const config = withCompare(
    {
      ...defaults,
      cpus: wholeNumber('--cpus', options.cpus, 1, 64),
      ramMiB: wholeNumber('--ram', options.ram, 32, 4096),
      seed: wholeNumber('--seed', options.seed, 0, 2 ** 32 - 1),
      ...(options.cmdline !== undefined && { cmdline: options.cmdline }),
      nics: [{ name: 'eth0', queues: 2 }],
      files: { ...defaults.files, ...files },
    },
    compareHost(assets),
  );
  const machine = await bootMachine(config, assets);
  machine.console.onOutput((bytes) => process.stdout.write(bytes));
  await (process.stdin.isTTY ? interactive(machine) : piped(machine));
  return EXIT.ok;
}

async function interactive(machine: Machine): Promise<void> {
  const { stdin, stdout } = process;
  let leave = false;
  const resize = () => {
    machine.input({ kind: 'tty-size', columns: stdout.columns ?? 80, rows: stdout.rows ?? 24 });
  };
  const type = (data: Buffer) => {
    if (data.includes(LEAVE_KEY)) leave = true;
    else machine.input({ kind: 'tty', data: new Uint8Array(data) });
  };
  process.stderr.write('skep: Ctrl-] leaves\r\n');
  stdin.setRawMode(true);
  stdin.on('data', type);
  stdout.on('resize', resize);
  resize();
  try {
    let last = performance.now();
    while (!leave && !machine.halted) {
      await new Promise((resolve) => setTimeout(resolve, FRAME_MS));
      const now = performance.now();
      await machine.runAsync({ untilNs: machine.now + (now - last) * 1e6 });
      last = now;
    }
  } finally {
    stdin.setRawMode(false);
    stdin.off('data', type);
    stdin.pause();
    process.stderr.write('\r\n');
  }
}

async function piped(machine: Machine): Promise<void> {
  const text = readFileSync(0, 'utf8');
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  await untilInput(machine);
  for (const line of lines) {
    type(machine, `${line}\r`);
    await untilInput(machine);
    if (machine.halted) return;
  }
  type(machine, '\x04');
  await untilInput(machine);
}

function type(machine: Machine, text: string): void {
  machine.input({ kind: 'tty', data: new TextEncoder().encode(text) });
}

async function untilInput(machine: Machine): Promise<void> {
  const deadline = machine.now + PATIENCE_NS;
  do await machine.runAsync({ untilNs: machine.now + LOOK_NS });
  while (!machine.console.awaitsInput && !machine.halted && machine.now < deadline);
}

function readHostFile(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${(error as Error).message}`);
  }
}

function wholeNumber(option: string, text: string, minimum: number, maximum: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return value;
  throw new UsageError(
    `${option} takes a whole number from ${minimum} to ${maximum}, not '${text}'`,
  );
}
