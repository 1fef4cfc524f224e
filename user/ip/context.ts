/** One run of ip: its options and words, and how it complains. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { type JsonTree, printJson } from '../../bpf/btf/format.ts';
import { Exit, type Process } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import type { NetlinkAnswer } from '../net/netlink.ts';

export interface IpOptions {
  json: boolean;
  pretty: boolean;
  brief: boolean;
  details: boolean;
  /** -s once or twice. */
  stats: number;
  oneline: boolean;
  /** AF_*; 0 for all. */
  family: number;
}

export class Ip {
  readonly p: Process;
  readonly options: IpOptions;
  readonly #words: string[];

  constructor(p: Process, options: IpOptions, words: readonly string[]) {
    this.p = p;
    this.options = options;
    this.#words = [...words];
  }

  get left(): number {
    return this.#words.length;
  }

  peek(): string {
    return this.#words[0] ?? '';
  }

  take(): string | undefined {
    return this.#words.shift();
  }

  /** The next word, or the complaint that there is none. */
  *need(): UserFlow<string> {
    const word = this.#words.shift();
    if (word !== undefined) return word;
    return yield* this.stop('Command line is not complete. Try option "help"', 255);
  }

  /** A message of ip's own on stderr, and the end. */
  *stop(message: string, status: number): UserFlow<never> {
    yield* this.p.stdout.flush();
    yield* this.p.stderr.write(`${message}\n`);
    throw new Exit(status);
  }

  /** `Error: either "dev" is duplicate, or "foo" is a garbage.` and the like. */
  invalid(message: string): UserFlow<never> {
    return this.stop(`Error: ${message}`, 255);
  }

  /** A line of output; with -o lines of one object are joined by backslashes. */
  get newline(): string {
    return this.options.oneline ? '\\' : '\n';
  }

  *emit(items: readonly JsonTree[]): UserFlow<void> {
    const { pretty } = this.options;
    const tree: JsonTree = { kind: 'array', items };
    yield* this.p.print(`${pretty ? prettyJson(tree, 0) : printJson(tree)}\n`);
  }

  /** The kernel's refusal, as iproute2 tells it. */
  *refused(answer: NetlinkAnswer): UserFlow<number> {
    yield* this.p.stdout.flush();
    const text = answer.message;
    if (text !== undefined) yield* this.p.stderr.write(`Error: ${text.replace(/\.?$/, '.')}\n`);
    else yield* this.p.stderr.write(`RTNETLINK answers: ${strerror(answer.error)}\n`);
    return 2;
  }
}

/** iproute2 pads where bpftool does not: `[ {` and arrays of scalars as `[ "a","b" ]`. */
function prettyJson(tree: JsonTree, depth: number): string {
  const indent = (levels: number): string => `\n${'    '.repeat(levels)}`;
  switch (tree.kind) {
    case 'array':
      if (tree.items.length === 0) return '[ ]';
      return `[ ${tree.items.map((item) => prettyJson(item, depth + 1)).join(',')} ]`;
    case 'object': {
      if (tree.members.length === 0) return '{ }';
      const members = tree.members.map(
        ([name, value]) =>
          `${indent(depth + 1)}${JSON.stringify(name)}: ${prettyJson(value, depth + 1)}`,
      );
      return `{${members.join(',')}${indent(depth)}}`;
    }
    default:
      return printJson(tree);
  }
}

/** iproute2 takes any start of a keyword, as long as it is not empty. */
export function matches(word: string, keyword: string): boolean {
  return word !== '' && keyword.startsWith(word);
}

/** True for a whole number in C's spelling. */
export function parseNumber(text: string): number | undefined {
  if (/^0[xX][0-9a-fA-F]+$/.test(text) || /^\d+$/.test(text)) return Number(text);
  return undefined;
}
