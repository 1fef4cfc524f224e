/**
 * A booted machine with this user space, seen through its console: for tests of programs.
 *
 *   const session = await bootSession(assets); await session.run('ls /')   the output as text
 */
import type { HostAssets, MachineConfig } from '../../kernel/config.ts';
import { bootMachine, type Machine } from '../../kernel/machine.ts';
import { machineDefaults } from '../index.ts';

const STEP_NS = 1e6;
const PATIENCE_NS = 60e9;

export class ConsoleSession {
  readonly machine: Machine;
  #output = '';
  readonly #decoder = new TextDecoder();

  constructor(machine: Machine) {
    this.machine = machine;
    machine.console.onOutput((bytes) => {
      this.#output += this.#decoder.decode(bytes);
    });
  }

  /** Everything shown since the last call. */
  take(): string {
    const text = this.#output;
    this.#output = '';
    return text;
  }

  /** Keys, exactly. */
  async type(keys: string): Promise<void> {
    this.machine.input({ kind: 'tty', data: new TextEncoder().encode(keys) });
    await this.settle();
  }

  /** Until somebody waits for input at the console again, or patience ends. */
  async settle(patienceNs = PATIENCE_NS): Promise<void> {
    const end = this.machine.now + patienceNs;
    do await this.machine.runAsync({ untilNs: this.machine.now + STEP_NS });
    while (!this.machine.console.awaitsInput && this.machine.now < end && !this.machine.halted);
  }

  async pass(ns: number): Promise<void> {
    await this.machine.runAsync({ untilNs: this.machine.now + ns });
  }

  /** A command line, entered; what it printed, without the echoed line and the prompt after it. */
  async run(command: string): Promise<string> {
    await this.settle();
    this.take();
    await this.type(`${command}\r`);
    const text = this.take().replaceAll('\r\n', '\n').replaceAll('\r', '');
    const start = text.indexOf('\n') + 1;
    const prompt = text.lastIndexOf('\n') + 1;
    return text.slice(start, Math.max(start, prompt));
  }
}

export async function bootSession(
  assets: HostAssets,
  config: MachineConfig = {},
): Promise<ConsoleSession> {
  const defaults = machineDefaults();
  const files = { ...defaults.files, ...config.files };
  const machine = await bootMachine({ ...defaults, ...config, files }, assets);
  const session = new ConsoleSession(machine);
  // Wide, so that no command line of a test wraps.
  machine.input({ kind: 'tty-size', columns: 200, rows: 50 });
  await session.settle();
  return session;
}
