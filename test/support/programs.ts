/**
 * Small programs for tests of the kernel: system calls by name, strings put into user memory, and a
 * machine whose first process is the test's program.
 *
 *   const { output, machine } = await runProgram(function* (u) {
 *     yield* u.say(`pid ${yield* u.call('getpid')}`);
 *   });
 */
import type { MachineConfig } from '../../kernel/config.ts';
import type { Machine } from '../../kernel/machine.ts';
import { bootMachine } from '../../kernel/machine.ts';
import type {
  ProgramRegistry,
  SignalHandler,
  UserContext,
  UserFlow,
  UserMain,
  UserMemory,
} from '../../kernel/syscall/abi.ts';
import { syscallRows } from '../../kernel/syscall/rows.ts';
import type { UserAddress } from '../../kernel/types/units.ts';
import { coreModule } from './assets.ts';

const numbers = new Map(syscallRows.map((row) => [row.name, row.nr]));

/** A place for arguments in memory; one area, used from its start for each call. */
const SCRATCH_BYTES = 65536;

export class User {
  readonly memory: UserMemory;
  readonly argv: readonly string[];
  readonly envp: readonly string[];
  #scratch = 0;
  #used = 0;

  constructor({ memory }: UserContext, argv: readonly string[] = [], envp: readonly string[] = []) {
    this.memory = memory;
    this.argv = argv;
    this.envp = envp;
  }

  /** Strings and byte arrays among the arguments are put into memory first. */
  *call(name: string, ...args: readonly (number | string | Uint8Array)[]): UserFlow<number> {
    const nr = numbers.get(name);
    if (nr === undefined) throw new Error(`no system call ${name}`);
    const used = this.#used;
    const values: number[] = [];
    for (const arg of args) {
      if (typeof arg === 'number') values.push(arg);
      else if (typeof arg === 'string') values.push(yield* this.put(`${arg}\0`));
      else values.push(yield* this.put(arg));
    }
    const result = yield { kind: 'syscall', nr, args: values };
    this.#used = used;
    return result;
  }

  /** Put bytes into the scratch area; they stay until the call that made the area's next use. */
  *put(data: string | Uint8Array): UserFlow<UserAddress> {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
    const at = yield* this.room(bytes.length);
    this.memory.write(at, bytes);
    return at;
  }

  *room(sizeBytes: number): UserFlow<UserAddress> {
    if (this.#scratch === 0) {
      const flags = 0x22; // MAP_PRIVATE | MAP_ANONYMOUS
      const args = [0, SCRATCH_BYTES, 3, flags, -1, 0];
      this.#scratch = yield { kind: 'syscall', nr: numbers.get('mmap')!, args };
    }
    const at = this.#scratch + this.#used;
    this.#used += Math.ceil(sizeBytes / 16) * 16;
    return at as UserAddress;
  }

  *say(text: string): UserFlow<void> {
    const bytes = new TextEncoder().encode(`${text}\n`);
    yield* this.call('write', 1, bytes, bytes.length);
  }

  *fork(child: (u: User) => UserFlow<number>, flags = 17, name = 'clone'): UserFlow<number> {
    const nr = numbers.get(name)!;
    const { argv, envp } = this;
    return yield {
      kind: 'syscall',
      nr,
      args: name === 'clone' ? [flags, 0, 0, 0, 0] : [],
      child: (context) => child(new User(context, argv, envp)),
    };
  }

  *exec(path: string, argv: readonly string[], envp: readonly string[] = []): UserFlow<number> {
    const vector = function* (u: User, strings: readonly string[]): UserFlow<UserAddress> {
      const pointers = new BigUint64Array(strings.length + 1);
      for (const [i, text] of strings.entries()) pointers[i] = BigInt(yield* u.put(`${text}\0`));
      return yield* u.put(new Uint8Array(pointers.buffer));
    };
    const args = yield* vector(this, argv);
    const env = yield* vector(this, envp);
    return yield* this.call('execve', path, args, env);
  }

  /** What wait4 stored, and whom for. */
  *wait(pid = -1, options = 0): UserFlow<{ pid: number; status: number }> {
    const at = yield* this.room(4);
    this.memory.writeU32(at, 0);
    const waited = yield* this.call('wait4', pid, at, options, 0);
    return { pid: waited, status: this.memory.readU32(at) };
  }

  /** `action`: 'default', 'ignore' or a handler. */
  *sigaction(
    signal: number,
    action: 'default' | 'ignore' | SignalHandler,
    flags = 0,
  ): UserFlow<number> {
    const isHandler = typeof action === 'function';
    const words = new BigUint64Array(4);
    words[0] = isHandler ? 0x401000n : action === 'ignore' ? 1n : 0n;
    words[1] = BigInt(flags);
    const at = yield* this.put(new Uint8Array(words.buffer));
    const nr = numbers.get('rt_sigaction')!;
    const args = [signal, at, 0, 8];
    return isHandler
      ? yield { kind: 'syscall', nr, args, handler: action }
      : yield { kind: 'syscall', nr, args };
  }

  *sleep(ns: number): UserFlow<number> {
    const words = new BigInt64Array([BigInt(Math.floor(ns / 1e9)), BigInt(ns % 1e9)]);
    return yield* this.call('nanosleep', new Uint8Array(words.buffer), 0);
  }

  *compute(ns: number): UserFlow<void> {
    yield { kind: 'compute', ns };
  }

  *powerOff(): UserFlow<number> {
    return yield* this.call('reboot', 0xfee1dead, 0x28121969, 0x4321fedc);
  }
}

export type Program = (u: User) => UserFlow<number | void>;

export function mainOf(program: Program): UserMain {
  return function* (context, argv, envp) {
    return Number((yield* program(new User(context, argv, envp))) ?? 0);
  };
}

export function registry(programs: Readonly<Record<string, Program>>): ProgramRegistry {
  return new Map(Object.entries(programs).map(([name, program]) => [name, mainOf(program)]));
}

export interface Run {
  readonly machine: Machine;
  /** What the console showed. */
  readonly output: () => string;
}

/** A machine whose pid 1 is `program`; booted, not run. */
export async function bootProgram(
  program: Program,
  config: MachineConfig & { readonly more?: Readonly<Record<string, Program>> } = {},
): Promise<Run> {
  const { more = {}, ...rest } = config;
  const programs = registry({ '/sbin/init': program, ...more });
  const machine = await bootMachine({ ...rest, programs }, { core: await coreModule() });
  let output = '';
  machine.console.onOutput((bytes) => {
    output += new TextDecoder().decode(bytes).replaceAll('\r\n', '\n');
  });
  return { machine, output: () => output };
}

/** Run `program` as pid 1; when it returns, the machine is powered off. The console's text. */
export async function runProgram(
  program: Program,
  config: MachineConfig & { readonly more?: Readonly<Record<string, Program>> } = {},
): Promise<{ readonly machine: Machine; readonly output: string }> {
  const whole: Program = function* (u) {
    yield* program(u);
    yield* u.powerOff();
  };
  const { machine, output } = await bootProgram(whole, config);
  const result = await machine.runAsync({ untilNs: 3600e9 });
  if (result.reason !== 'halted' || result.how !== 'poweroff') {
    throw new Error(`the machine did not power off (${JSON.stringify(result)}): ${output()}`);
  }
  return { machine, output: output() };
}
