/** Pathname expansion (POSIX XCU 2.13.3): the paths that a pattern matches, sorted. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { byBytes, readDirectory } from '../libc/directory.ts';
import { lstat, stat } from '../libc/files.ts';
import type { Process } from '../libc/process.ts';
import { compilePattern, hasMagic, unquotePattern } from './pattern.ts';

/** dotglob, globstar, nocaseglob. */
type GlobOptions = ReadonlySet<string>;

/** `**` goes no deeper than this. */
const MAX_DEPTH = 64;

/** Empty if nothing matches. */
export function* glob(
  p: Process,
  pattern: string,
  options: GlobOptions = new Set(),
): UserFlow<string[]> {
  // Slashes stay as they were written, several of them too.
  const pieces = pattern.split(/(\/+)/);
  let paths = [''];
  for (let at = 0; at < pieces.length; at += 2) {
    const component = pieces[at]!;
    const slashes = pieces[at + 1] ?? '';
    const isLast = at + 1 >= pieces.length;
    const next: string[] = [];
    for (const base of paths) {
      if (component === '') {
        // Before a leading slash, or after one at the end.
        if (base !== '' || slashes !== '') next.push(base + slashes);
      } else if (!hasMagic(component)) {
        const path = base + unquotePattern(component);
        if (!isLast) next.push(path + slashes);
        else if (typeof (yield* lstat(p, path)) !== 'number') next.push(path);
      } else if (component === '**' && options.has('globstar')) {
        next.push(...(yield* below(p, base, options, isLast, 0)));
      } else {
        for (const name of yield* matching(p, base, component, options)) {
          if (isLast) next.push(base + name);
          else if (yield* leadsToDirectory(p, base + name)) next.push(base + name + slashes);
        }
      }
    }
    paths = next;
  }
  return paths.sort(byBytes);
}

function* matching(
  p: Process,
  base: string,
  component: string,
  options: GlobOptions,
): UserFlow<string[]> {
  const entries = yield* readDirectory(p, base === '' ? '.' : base);
  if (typeof entries === 'number') return [];
  const pattern = compilePattern(component, options.has('nocaseglob'));
  const hidden = component.startsWith('.') || component.startsWith('\\.');
  return entries
    .map(({ name }) => name)
    .filter((name) => {
      if (name === '.' || name === '..') return false;
      if (name.startsWith('.') && !hidden && !options.has('dotglob')) return false;
      return pattern.matches([...name]);
    });
}

/** `**`: what is below `base` at any depth; directories with a slash unless it is the last. */
function* below(
  p: Process,
  base: string,
  options: GlobOptions,
  isLast: boolean,
  depth: number,
): UserFlow<string[]> {
  const out = isLast && depth > 0 ? [] : [base];
  if (depth > MAX_DEPTH) return out;
  for (const name of yield* matching(p, base, '*', options)) {
    const path = base + name;
    const status = yield* lstat(p, path);
    const isDir = typeof status !== 'number' && (status.mode & 0o170000) === 0o040000;
    if (isLast) out.push(path);
    if (isDir) out.push(...(yield* below(p, `${path}/`, options, isLast, depth + 1)));
  }
  return isLast ? out.filter((path) => path !== '') : out;
}

function* leadsToDirectory(p: Process, path: string): UserFlow<boolean> {
  const status = yield* stat(p, path);
  return typeof status !== 'number' && (status.mode & 0o170000) === 0o040000;
}
