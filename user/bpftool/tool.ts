/**
 * One run of bpftool: its options, its words, and its two ways to answer, text and JSON.
 *
 *   t.words            what is left of the command line (`next`, `peek`, `accept`)
 *   yield* t.print()   text;  yield* t.emit(tree)  JSON
 *   yield* t.fail()    `Error: …`, and the status that a command returns for it
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { printJson, type JsonTree } from '../../bpf/btf/format.ts';
import type { ProcessBpf } from '../bpf/user.ts';
import { bpfUser } from '../bpf/user.ts';
import type { Process } from '../libc/process.ts';
import { Words } from './words.ts';

/** What bpftool's commands return on failure; as an exit status 255. */
export const FAILED = -1;

export interface ToolOptions {
  json: boolean;
  pretty: boolean;
  /** -f: show where objects are pinned. */
  bpffs: boolean;
  /** -d: verifier logs. */
  debug: boolean;
  /** -n: never mount a bpf file system. */
  noMount: boolean;
}

export type Command = (t: Bpftool) => UserFlow<number>;

export class Bpftool {
  readonly p: Process;
  readonly user: ProcessBpf;
  readonly options: ToolOptions;
  words: Words;
  /** What the last complaint stands for. */
  failure = FAILED;
  #emitted = false;
  /** In a batch the answers are collected. */
  #collected: JsonTree[] | undefined;

  constructor(p: Process, options: ToolOptions, words: readonly string[]) {
    this.p = p;
    this.user = bpfUser(p);
    this.options = options;
    this.words = new Words(words);
  }

  get json(): boolean {
    return this.options.json;
  }

  print(text: string): UserFlow<void> {
    return this.p.print(text);
  }

  println(text = ''): UserFlow<void> {
    return this.p.println(text);
  }

  *emit(tree: JsonTree): UserFlow<void> {
    this.#emitted = true;
    if (this.#collected) this.#collected.push(tree);
    else yield* this.p.print(`${printJson(tree, { pretty: this.options.pretty })}\n`);
  }

  /** Run `body` and give what it emits instead of printing it. */
  *collect(body: () => UserFlow<number>): UserFlow<{ status: number; trees: JsonTree[] }> {
    const outer = this.#collected;
    const trees: JsonTree[] = [];
    this.#collected = trees;
    const status = yield* body();
    this.#collected = outer;
    return { status, trees };
  }

  /** JSON ends its line even where there was nothing to say. */
  *finish(): UserFlow<void> {
    if (this.json && !this.#emitted) yield* this.p.print('\n');
  }

  /** Success of a command that has nothing to say: JSON says null. */
  *done(): UserFlow<number> {
    if (this.json) yield* this.emit({ kind: 'raw', text: 'null' });
    return 0;
  }

  /** @param status what the command returns: a negative errno where its users can tell */
  *fail(message: string, status = FAILED): UserFlow<number> {
    this.failure = status;
    if (this.json) {
      yield* this.emit({ kind: 'object', members: [['error', { kind: 'string', text: message }]] });
    } else {
      yield* this.p.stdout.flush();
      yield* this.p.stderr.write(`Error: ${message}\n`);
    }
    return status;
  }

  /** A remark on stderr; JSON stays silent. */
  *info(message: string): UserFlow<void> {
    if (this.json) return;
    yield* this.p.stdout.flush();
    yield* this.p.stderr.write(`${message}\n`);
  }

  /** False, and the complaint, where fewer than `count` words are left. */
  *needs(count: number): UserFlow<boolean> {
    const { words } = this;
    if (words.left >= count) return true;
    yield* this.fail(`'${words.previous}' needs at least ${count} arguments, ${words.left} found`);
    return false;
  }
}
