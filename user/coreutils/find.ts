/** find(1): walks directories and asks the expression (`find-expression.ts`) about what it finds. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { isDirectory, isSymlink, listNames } from '../libc/directory.ts';
import { lstat, stat, type Stat } from '../libc/files.ts';
import { Exit, type Process, type Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { run } from '../libc/tasks.ts';
import type { Node, Visit } from './find-expression.ts';
import { ExpressionParser, FindError } from './find-expression.ts';

const HELP = `Usage: find [-H] [-L] [-P] [PATH]... [EXPRESSION]
Search for files in a directory hierarchy.

Operators: ( EXPR )   ! EXPR   -not EXPR   EXPR -a EXPR   EXPR -o EXPR   EXPR , EXPR
Options:   -mindepth N  -maxdepth N  -depth  -mount  -xdev  -follow  -daystart
Tests:     -name PATTERN  -iname PATTERN  -path PATTERN  -ipath PATTERN  -lname PATTERN
           -regex PATTERN  -iregex PATTERN  -regextype TYPE  -type [bcdflps]  -xtype [bcdflps]
           -size [+-]N[bcwkMG]  -empty  -perm [-/]MODE  -links N  -inum N  -samefile NAME
           -user NAME  -group NAME  -uid N  -gid N  -nouser  -nogroup
           -amin N  -cmin N  -mmin N  -atime N  -ctime N  -mtime N  -newer FILE  -newermt DATE
           -readable  -writable  -executable  -true  -false
Actions:   -print  -print0  -printf FORMAT  -fprint FILE  -ls  -delete  -prune  -quit
           -exec COMMAND {} ;  -exec COMMAND {} +  -execdir COMMAND {} ;  -ok COMMAND {} ;
`;

export const find: Tool = function* (p, args) {
  if (args.includes('--help') || args.includes('-help')) {
    yield* p.print(HELP);
    return 0;
  }
  let follow: 'never' | 'operands' | 'always' = 'never';
  let at = 0;
  for (; /^-[HLP]$/.test(args[at] ?? ''); at++) {
    follow = args[at] === '-L' ? 'always' : args[at] === '-H' ? 'operands' : 'never';
  }
  const rest = args.slice(at);
  const split = rest.findIndex((arg) => /^(?:-.|[!(),])/.test(arg));
  const roots = split < 0 ? rest : rest.slice(0, split);
  const parser = new ExpressionParser(p, split < 0 ? [] : rest.slice(split));
  let node: Node;
  try {
    node = yield* parser.whole();
  } catch (caught) {
    if (!(caught instanceof FindError)) throw caught;
    yield* p.error(caught.message);
    return 1;
  }
  const walker = new Walker(p, node, parser, parser.options.follow ? 'always' : follow);
  try {
    for (const root of roots.length === 0 ? ['.'] : roots) yield* walker.start(root);
  } catch (caught) {
    if (!(caught instanceof Exit)) throw caught;
  }
  yield* p.stdout.flush();
  for (const batch of parser.batches) {
    if (batch.paths.length > 0 && (yield* run(p, [...batch.command, ...batch.paths])) !== 0) {
      walker.status = 1;
    }
  }
  return walker.status || parser.status;
};

/** Links that are followed may lead round in circles. */
const MAX_DEPTH = 1000;

class Walker {
  status = 0;
  readonly #p: Process;
  readonly #node: Node;
  readonly #parser: ExpressionParser;
  readonly #follow: 'never' | 'operands' | 'always';
  #device = 0;

  constructor(
    p: Process,
    node: Node,
    parser: ExpressionParser,
    follow: 'never' | 'operands' | 'always',
  ) {
    this.#p = p;
    this.#node = node;
    this.#parser = parser;
    this.#follow = follow;
  }

  *start(root: string): UserFlow<void> {
    const status = yield* this.#statOf(root, this.#follow !== 'never');
    if (typeof status !== 'number') this.#device = status.dev;
    yield* this.#visit(root, root, 0, []);
  }

  *#statOf(path: string, follows: boolean): UserFlow<Stat | number> {
    if (follows) {
      const status = yield* stat(this.#p, path);
      if (typeof status !== 'number') return status;
    }
    return yield* lstat(this.#p, path);
  }

  *#visit(
    path: string,
    root: string,
    depth: number,
    above: readonly { readonly dev: number; readonly ino: number }[],
  ): UserFlow<void> {
    const follows = this.#follow === 'always' || (this.#follow === 'operands' && depth === 0);
    const status = yield* this.#statOf(path, follows);
    if (typeof status === 'number') return yield* this.#fail(path, strerror(status));
    const { minDepth, maxDepth, depthFirst, oneDevice } = this.#parser.options;
    const visit: Visit = { path, root, stat: status, depth, pruned: false };
    if (follows && above.some(({ dev, ino }) => dev === status.dev && ino === status.ino)) {
      return yield* this.#fail(path, 'File system loop detected');
    }
    if (!depthFirst && depth >= minDepth) yield* this.#node(visit);
    const enters =
      isDirectory(status.mode) &&
      !isSymlink(status.mode) &&
      depth < Math.min(maxDepth, MAX_DEPTH) &&
      !visit.pruned &&
      !(oneDevice && status.dev !== this.#device);
    if (enters) {
      const names = yield* listNames(this.#p, path);
      if (typeof names === 'number') yield* this.#fail(path, strerror(names));
      else {
        const here = [...above, { dev: status.dev, ino: status.ino }];
        const prefix = path.endsWith('/') ? path : `${path}/`;
        for (const name of names) yield* this.#visit(prefix + name, root, depth + 1, here);
      }
    }
    if (depthFirst && depth >= minDepth) yield* this.#node(visit);
  }

  *#fail(path: string, reason: string): UserFlow<void> {
    yield* this.#p.error(`'${path}': ${reason}`);
    this.status = 1;
  }
}
