/**
 * One process as its program sees it: memory, heap, scratch stack, environment, standard streams.
 *
 *   program(tool)        a UserMain from a tool: `(p, args) => exit status`
 *   p.print, p.error     stdout text; "name: text" on stderr
 *   throw new Exit(n)    exit(3) from any depth
 *   p.fork()             the process that a fork makes of it
 *
 * Everything that reaches the kernel is a generator of syscall requests; wrappers are free functions
 * that take the process first, and return 0 or more, or a negative errno.
 */
import type { UserContext, UserFlow, UserMain, UserMemory } from '../../kernel/syscall/abi.ts';
import type { UserAddress } from '../../kernel/types/units.ts';
import { OutOfMemory } from '../../kernel/ram/page-allocator.ts';
import { UserFault } from '../../kernel/syscall/abi.ts';
import { encodeText } from './text.ts';
import { Heap, OutOfUserMemory } from './heap.ts';
import { Stream } from './stdio.ts';
import { strerror } from './strerror.ts';

/** exit(3): unwinds to the start of the program, streams are flushed. */
export class Exit extends Error {
  override name = 'Exit';
  readonly status: number;
  constructor(status: number) {
    super(`exit ${status}`);
    this.status = status;
  }
}

/** A tool's main: arguments without argv[0]. */
export type Tool = (p: Process, args: readonly string[]) => UserFlow<number>;

/** Scratch blocks are at least this large; a path and a struct fit many times. */
const SCRATCH_BYTES = 32 * 1024;

export class Process {
  #memory: UserMemory;
  readonly heap: Heap;
  /** argv[0] without its directories: how messages call the program. */
  name: string;
  readonly env: Map<string, string>;
  readonly stdin: Stream;
  readonly stdout: Stream;
  readonly stderr: Stream;
  #scratch = { base: 0, top: 0, size: 0 };

  constructor(memory: UserMemory, name: string, env: Map<string, string>, heap = new Heap()) {
    this.#memory = memory;
    this.heap = heap;
    this.name = name;
    this.env = env;
    this.stdin = new Stream(this, 0, 'full');
    this.stdout = new Stream(this, 1, 'auto');
    this.stderr = new Stream(this, 2, 'none');
  }

  get memory(): UserMemory {
    return this.#memory;
  }

  /**
   * The child that a fork now makes: same heap contents, streams without buffered bytes. A copy of
   * this moment, since the parent may run on before the child does; the child's own memory comes
   * with its context, see `adopt`.
   */
  fork(): Process {
    const child = new Process(this.#memory, this.name, new Map(this.env), this.heap.fork());
    child.#scratch = { ...this.#scratch };
    return child;
  }

  /** The forked child runs, in memory of its own. */
  adopt(context: UserContext): void {
    this.#memory = context.memory;
  }

  print(text: string | Uint8Array): UserFlow<void> {
    return this.stdout.write(text);
  }

  println(text = ''): UserFlow<void> {
    return this.stdout.write(`${text}\n`);
  }

  /** `name: text` on stderr, after what stdout holds. */
  *error(text: string): UserFlow<void> {
    yield* this.stdout.flush();
    yield* this.stderr.write(`${this.name}: ${text}\n`);
  }

  /** perror(3): `name: what: No such file or directory`. */
  perror(what: string, error: number): UserFlow<void> {
    return this.error(`${what}: ${strerror(error)}`);
  }

  /** Print a message and exit. */
  *die(status: number, text: string): UserFlow<never> {
    yield* this.error(text);
    throw new Exit(status);
  }

  /** Where the scratch stack stands; give it back to `release` what was taken since. */
  mark(): number {
    return this.#scratch.top;
  }

  release(mark: number): void {
    this.#scratch.top = mark;
  }

  /**
   * Room on the scratch stack, 16-byte aligned, contents undefined. Requests of more than the
   * stack's size are the caller's to malloc.
   */
  *take(sizeBytes: number): UserFlow<UserAddress> {
    const scratch = this.#scratch;
    if (scratch.base === 0) {
      scratch.size = SCRATCH_BYTES;
      scratch.base = yield* this.heap.malloc(SCRATCH_BYTES);
    }
    const start = scratch.top;
    if (start + sizeBytes > scratch.size) {
      throw new OutOfUserMemory(`scratch stack: ${sizeBytes} bytes do not fit`);
    }
    scratch.top = Math.ceil((start + sizeBytes) / 16) * 16;
    return (scratch.base + start) as UserAddress;
  }

  *takeBytes(bytes: Uint8Array): UserFlow<UserAddress> {
    const address = yield* this.take(bytes.length);
    this.memory.write(address, bytes);
    return address;
  }

  /** A NUL-terminated copy. */
  takeString(text: string): UserFlow<UserAddress> {
    const bytes = encodeText(text);
    const terminated = new Uint8Array(bytes.length + 1);
    terminated.set(bytes);
    return this.takeBytes(terminated);
  }
}

/** A UserMain that sets a Process up, runs the tool and flushes its streams. */
export function program(tool: Tool): UserMain {
  return function* main(context, argv, envp) {
    const name = basename(argv[0] ?? '');
    const p = new Process(context.memory, name, parseEnvironment(envp));
    return yield* runTool(p, () => tool(p, argv.slice(1)));
  };
}

/** abort(3)'s exit status as shells see it. */
const ABORTED = 128 + 6;

/**
 * Run `body` as a program: Exit gives its status, refused memory a message and 127. A fault of
 * ours ends the process, not the machine, as a bug of a program does anywhere; what belongs to the
 * kernel (a segmentation fault, no RAM left) goes on to it.
 */
export function* runTool(p: Process, body: () => UserFlow<number>): UserFlow<number> {
  let status: number;
  try {
    status = yield* body();
  } catch (caught) {
    if (caught instanceof UserFault || caught instanceof OutOfMemory) throw caught;
    if (caught instanceof Exit) status = caught.status;
    else if (caught instanceof OutOfUserMemory) {
      yield* p.error(caught.message);
      status = 127;
    } else {
      yield* p.error(`internal error: ${caught instanceof Error ? caught.message : 'unknown'}`);
      status = ABORTED;
    }
  }
  const failed = yield* p.stdout.flush();
  if (failed < 0) {
    yield* p.perror('write error', failed);
    if (status === 0) status = 1;
  }
  return status;
}

function parseEnvironment(envp: readonly string[]): Map<string, string> {
  const env = new Map<string, string>();
  for (const entry of envp) {
    const at = entry.indexOf('=');
    if (at > 0) env.set(entry.slice(0, at), entry.slice(at + 1));
  }
  return env;
}

/** The last component; '/' stays '/'. */
export function basename(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  if (trimmed === '') return path === '' ? '' : '/';
  return trimmed.slice(trimmed.lastIndexOf('/') + 1);
}

export function dirname(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  const at = trimmed.lastIndexOf('/');
  if (at < 0) return path.startsWith('/') ? '/' : '.';
  return trimmed.slice(0, at).replace(/\/+$/, '') || '/';
}
