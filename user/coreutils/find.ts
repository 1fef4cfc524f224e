/** find(1): tests -name -iname -path -type -size -empty -newer -perm -mindepth -maxdepth, actions
 *  -print -print0 -delete -exec -prune -quit, operators ! -a -o ( ). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { isDirectory, listNames } from '../libc/directory.ts';
import { lstat, rmdir, stat, unlink, type Stat } from '../libc/files.ts';
import { basename, Exit, type Process, type Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { run } from '../libc/tasks.ts';
import { matchPattern } from '../sh/pattern.ts';

const HELP = `Usage: find [PATH]... [EXPRESSION]
Search for files in a directory hierarchy.

Tests:     -name PATTERN  -iname PATTERN  -path PATTERN  -type [bcdflps]  -size [+-]N[ckMG]
           -empty  -newer FILE  -perm MODE
Actions:   -print  -print0  -delete  -exec COMMAND {} ;  -exec COMMAND {} +  -prune  -quit
Operators: ( EXPR )   ! EXPR   EXPR -a EXPR   EXPR -o EXPR
Options:   -mindepth N  -maxdepth N  -depth
`;

interface Visit {
  readonly path: string;
  readonly stat: Stat;
  readonly depth: number;
  /** Set by -prune. */
  pruned: boolean;
}

type Node = (visit: Visit) => UserFlow<boolean>;

class FindError extends Error {}

export const find: Tool = function* (p, args) {
  if (args.includes('--help')) {
    yield* p.print(HELP);
    return 0;
  }
  const split = args.findIndex((arg) => /^[-!()]/.test(arg) && arg !== '-');
  const roots = split < 0 ? [...args] : args.slice(0, split);
  const parser = new ExpressionParser(p, split < 0 ? [] : args.slice(split));
  let node: Node;
  try {
    node = yield* parser.whole();
  } catch (caught) {
    if (!(caught instanceof FindError)) throw caught;
    yield* p.error(caught.message);
    return 1;
  }
  const walker = new Walker(p, node, parser);
  for (const root of roots.length === 0 ? ['.'] : roots) yield* walker.visit(root, 0);
  for (const batch of parser.batches) {
    if (batch.paths.length > 0 && (yield* run(p, [...batch.command, ...batch.paths])) !== 0) {
      walker.status = 1;
    }
  }
  return walker.status;
};

class Walker {
  status = 0;
  readonly #p: Process;
  readonly #node: Node;
  readonly #limits: { minDepth: number; maxDepth: number; depthFirst: boolean };

  constructor(p: Process, node: Node, limits: ExpressionParser) {
    this.#p = p;
    this.#node = node;
    this.#limits = limits;
  }

  *visit(path: string, depth: number): UserFlow<void> {
    const status = yield* lstat(this.#p, path);
    if (typeof status === 'number') {
      yield* this.#p.error(`'${path}': ${strerror(status)}`);
      this.status = 1;
      return;
    }
    const { minDepth, maxDepth, depthFirst } = this.#limits;
    const visit: Visit = { path, stat: status, depth, pruned: false };
    if (!depthFirst && depth >= minDepth) yield* this.#node(visit);
    if (isDirectory(status.mode) && depth < maxDepth && !visit.pruned) {
      const names = yield* listNames(this.#p, path);
      if (typeof names === 'number') {
        yield* this.#p.error(`'${path}': ${strerror(names)}`);
        this.status = 1;
      } else {
        for (const name of names)
          yield* this.visit(`${path.replace(/\/$/, '')}/${name}`, depth + 1);
      }
    }
    if (depthFirst && depth >= minDepth) yield* this.#node(visit);
  }
}

class ExpressionParser {
  minDepth = 0;
  maxDepth = Infinity;
  depthFirst = false;
  /** -exec … +: run once, at the end. */
  readonly batches: { readonly command: readonly string[]; readonly paths: string[] }[] = [];
  readonly #p: Process;
  readonly #args: readonly string[];
  #at = 0;
  #hasAction = false;

  constructor(p: Process, args: readonly string[]) {
    this.#p = p;
    this.#args = args;
  }

  *whole(): UserFlow<Node> {
    const p = this.#p;
    const node = this.#args.length === 0 ? undefined : yield* this.#or();
    if (this.#at < this.#args.length) {
      throw new FindError(`paths must precede expression: \`${this.#args[this.#at]}'`);
    }
    if (node && this.#hasAction) return node;
    return function* (visit) {
      if (node && !(yield* node(visit))) return false;
      yield* p.println(visit.path);
      return true;
    };
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
      if (next === undefined || [')', '-o', '-or'].includes(next)) return left;
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
    if (word === '(') {
      this.#at++;
      const inner = yield* this.#or();
      if (this.#args[this.#at++] !== ')') throw new FindError('missing closing parenthesis');
      return inner;
    }
    return yield* this.#primary();
  }

  #argument(name: string): string {
    const value = this.#args[this.#at++];
    if (value === undefined) throw new FindError(`missing argument to \`${name}'`);
    return value;
  }

  *#primary(): UserFlow<Node> {
    const p = this.#p;
    const name = this.#args[this.#at++];
    if (name === undefined) throw new FindError('expected an expression');
    switch (name) {
      case '-name':
      case '-iname': {
        const fold = (text: string): string => (name === '-iname' ? text.toLowerCase() : text);
        const pattern = fold(this.#argument(name));
        return test((visit) => matchPattern(pattern, fold(basename(visit.path))));
      }
      case '-path': {
        const pattern = this.#argument(name);
        return test((visit) => matchPattern(pattern, visit.path));
      }
      case '-type': {
        const types: Record<string, number> = { b: 6, c: 2, d: 4, f: 8, l: 10, p: 1, s: 12 };
        const letters = this.#argument(name).split(',');
        const wanted = letters.map((letter) => types[letter]);
        if (wanted.includes(undefined))
          throw new FindError(`Unknown argument to -type: ${letters}`);
        return test((visit) => wanted.includes((visit.stat.mode & 0o170000) >> 12));
      }
      case '-size':
        return this.#size(this.#argument(name));
      case '-perm': {
        const text = this.#argument(name);
        const bits = parseInt(text.replace(/^[-/]/, ''), 8);
        return test((visit) => {
          const mode = visit.stat.mode & 0o7777;
          if (text.startsWith('-')) return (mode & bits) === bits;
          return text.startsWith('/') ? (mode & bits) !== 0 : mode === bits;
        });
      }
      case '-empty':
        return function* (visit) {
          if (!isDirectory(visit.stat.mode)) return visit.stat.size === 0;
          const names = yield* listNames(p, visit.path);
          return typeof names !== 'number' && names.length === 0;
        };
      case '-newer': {
        const file = this.#argument(name);
        const status = yield* stat(p, file);
        if (typeof status === 'number') throw new FindError(`'${file}': ${strerror(status)}`);
        const time = (s: Stat): number => s.mtimeSec * 1e9 + s.mtimeNsec;
        return test((visit) => time(visit.stat) > time(status));
      }
      case '-mindepth':
        this.minDepth = Number(this.#argument(name));
        return test(() => true);
      case '-maxdepth':
        this.maxDepth = Number(this.#argument(name));
        return test(() => true);
      case '-depth':
        this.depthFirst = true;
        return test(() => true);
      case '-true':
        return test(() => true);
      case '-false':
        return test(() => false);
      case '-prune':
        return test((visit) => {
          visit.pruned = true;
          return true;
        });
    }
    this.#hasAction = true;
    switch (name) {
      case '-print':
      case '-print0':
        return function* (visit) {
          yield* p.print(visit.path + (name === '-print' ? '\n' : '\0'));
          return true;
        };
      case '-delete':
        this.depthFirst = true;
        return function* (visit) {
          const failed = yield* (isDirectory(visit.stat.mode) ? rmdir : unlink)(p, visit.path);
          if (failed < 0) yield* p.error(`cannot delete '${visit.path}': ${strerror(failed)}`);
          return failed >= 0;
        };
      case '-quit':
        return function* () {
          throw new Exit(0);
        };
      case '-exec':
        return this.#exec();
    }
    throw new FindError(`unknown predicate \`${name}'`);
  }

  #exec(): Node {
    const p = this.#p;
    const command: string[] = [];
    for (;;) {
      const word = this.#argument('-exec');
      if (word === ';') break;
      if (word === '+' && command.at(-1) === '{}') {
        const batch = { command: command.slice(0, -1), paths: [] as string[] };
        this.batches.push(batch);
        return test((visit) => {
          batch.paths.push(visit.path);
          return true;
        });
      }
      command.push(word);
    }
    return function* (visit) {
      return (
        (yield* run(
          p,
          command.map((word) => word.replaceAll('{}', visit.path)),
        )) === 0
      );
    };
  }

  #size(text: string): Node {
    const match = /^([-+]?)(\d+)([cwbkMG]?)$/.exec(text);
    if (!match) throw new FindError(`Invalid argument \`${text}' to -size`);
    const units: Record<string, number> = {
      c: 1,
      w: 2,
      b: 512,
      '': 512,
      k: 1024,
      M: 2 ** 20,
      G: 2 ** 30,
    };
    const unit = units[match[3]!]!;
    const wanted = Number(match[2]);
    return test((visit) => {
      const size = Math.ceil(visit.stat.size / unit);
      return match[1] === '+' ? size > wanted : match[1] === '-' ? size < wanted : size === wanted;
    });
  }
}

function test(holds: (visit: Visit) => boolean): Node {
  return function* (visit) {
    return holds(visit);
  };
}
