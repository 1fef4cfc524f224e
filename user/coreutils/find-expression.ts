/**
 * find's expressions: operators over tests and actions, each a function of what is visited. What a
 * predicate's name means is in `find-tests.ts` and `find-actions.ts`.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { Stat } from '../libc/files.ts';
import type { Process } from '../libc/process.ts';
import { actionNamed } from './find-actions.ts';
import { testNamed } from './find-tests.ts';

export interface Visit {
  readonly path: string;
  /** The operand that it was found under. */
  readonly root: string;
  readonly stat: Stat;
  readonly depth: number;
  /** Set by -prune. */
  pruned: boolean;
}

export type Node = (visit: Visit) => UserFlow<boolean>;

export class FindError extends Error {}

export interface FindOptions {
  minDepth: number;
  maxDepth: number;
  depthFirst: boolean;
  oneDevice: boolean;
  follow: boolean;
  regexType: string;
}

export class ExpressionParser {
  readonly options: FindOptions = {
    minDepth: 0,
    maxDepth: Infinity,
    depthFirst: false,
    oneDevice: false,
    follow: false,
    regexType: 'emacs',
  };
  /** Set by actions that fail. */
  status = 0;
  /** -exec … +: run once, at the end. */
  readonly batches: { readonly command: readonly string[]; readonly paths: string[] }[] = [];
  readonly p: Process;
  readonly #args: readonly string[];
  #at = 0;
  #hasAction = false;
  #depth = 0;

  constructor(p: Process, args: readonly string[]) {
    this.p = p;
    this.#args = args;
  }

  *whole(): UserFlow<Node> {
    const { p } = this;
    const node = this.#args.length === 0 ? undefined : yield* this.#comma();
    const left = this.#args[this.#at];
    if (left === ')') throw new FindError("invalid expression; you have too many ')'");
    if (left !== undefined) throw new FindError(`paths must precede expression: \`${left}'`);
    if (node && this.#hasAction) return node;
    return function* (visit) {
      if (node && !(yield* node(visit))) return false;
      yield* p.println(visit.path);
      return true;
    };
  }

  argument(name: string): string {
    const value = this.#args[this.#at++];
    if (value === undefined) throw new FindError(`missing argument to \`${name}'`);
    return value;
  }

  *#comma(): UserFlow<Node> {
    let left = yield* this.#or();
    while (this.#args[this.#at] === ',') {
      this.#at++;
      const first = left;
      const second = yield* this.#or();
      left = function* (visit) {
        yield* first(visit);
        return yield* second(visit);
      };
    }
    return left;
  }

  *#or(): UserFlow<Node> {
    let left = yield* this.#and();
    while (['-o', '-or'].includes(this.#args[this.#at] ?? '')) {
      this.#at++;
      const first = left;
      const second = yield* this.#and();
      left = function* (visit) {
        return (yield* first(visit)) || (yield* second(visit));
      };
    }
    return left;
  }

  *#and(): UserFlow<Node> {
    let left = yield* this.#not();
    for (;;) {
      const next = this.#args[this.#at];
      if (next === undefined || [')', '-o', '-or', ','].includes(next)) return left;
      if (next === '-a' || next === '-and') this.#at++;
      const first = left;
      const second = yield* this.#not();
      left = function* (visit) {
        return (yield* first(visit)) && (yield* second(visit));
      };
    }
  }

  *#not(): UserFlow<Node> {
    const word = this.#args[this.#at];
    if (word === '!' || word === '-not') {
      this.#at++;
      const inner = yield* this.#not();
      return function* (visit) {
        return !(yield* inner(visit));
      };
    }
    if (word !== '(') return yield* this.#primary();
    this.#at++;
    if (++this.#depth > 100) throw new FindError('expression nested too deeply');
    if (this.#args[this.#at] === ')') {
      throw new FindError('invalid expression; empty parentheses are not allowed.');
    }
    const inner = yield* this.#comma();
    this.#depth--;
    if (this.#args[this.#at++] !== ')') {
      throw new FindError(
        "invalid expression; I was expecting to find a ')' somewhere but did not see one.",
      );
    }
    return inner;
  }

  *#primary(): UserFlow<Node> {
    const name = this.#args[this.#at++];
    if (name === undefined) throw new FindError('expected an expression');
    if (!name.startsWith('-')) throw new FindError(`paths must precede expression: \`${name}'`);
    const option = this.#option(name);
    if (option) return option;
    const test = yield* testNamed(this, name);
    if (test) return test;
    const action = yield* actionNamed(this, name);
    if (!action) throw new FindError(`unknown predicate \`${name}'`);
    if (name !== '-prune') this.#hasAction = true;
    return action;
  }

  /** Options are always true. */
  #option(name: string): Node | undefined {
    const { options } = this;
    switch (name) {
      case '-mindepth':
      case '-maxdepth': {
        const text = this.argument(name);
        if (!/^\d+$/.test(text)) {
          throw new FindError(
            `Expected a positive decimal integer argument to ${name}, but got '${text}'`,
          );
        }
        if (name === '-mindepth') options.minDepth = Number(text);
        else options.maxDepth = Number(text);
        break;
      }
      case '-depth':
      case '-d':
        options.depthFirst = true;
        break;
      case '-mount':
      case '-xdev':
        options.oneDevice = true;
        break;
      case '-follow':
        options.follow = true;
        break;
      case '-regextype':
        options.regexType = this.argument(name);
        break;
      case '-daystart':
      case '-noleaf':
      case '-warn':
      case '-nowarn':
        break;
      default:
        return undefined;
    }
    return function* () {
      return true;
    };
  }
}
