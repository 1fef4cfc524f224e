/** Pathname expansion (POSIX XCU 2.13.3): the paths that a pattern matches, sorted. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { byBytes, readDirectory } from '../libc/directory.ts';
import { lstat, stat } from '../libc/files.ts';
import type { Process } from '../libc/process.ts';
import { hasMagic, matchPattern, unquotePattern } from './pattern.ts';

/** Empty if nothing matches. */
export function* glob(p: Process, pattern: string): UserFlow<string[]> {
  const isAbsolute = pattern.startsWith('/');
  const components = pattern.split('/').filter((component) => component !== '');
  const wantsDirectory = pattern.endsWith('/');
  let paths = [isAbsolute ? '/' : ''];
  for (const [index, component] of components.entries()) {
    const isLast = index === components.length - 1;
    const next: string[] = [];
    for (const base of paths) {
      if (!hasMagic(component)) {
        const path = base + unquotePattern(component);
        if (!isLast) next.push(`${path}/`);
        else if (typeof (yield* lstat(p, path)) !== 'number') next.push(path);
        continue;
      }
      const entries = yield* readDirectory(p, base === '' ? '.' : base);
      if (typeof entries === 'number') continue;
      for (const { name } of entries) {
        if (name === '.' || name === '..') continue;
        if (name.startsWith('.') && !component.startsWith('.')) continue;
        if (!matchPattern(component, name)) continue;
        if (isLast && !wantsDirectory) next.push(base + name);
        else if (yield* leadsToDirectory(p, base + name)) next.push(`${base}${name}/`);
      }
    }
    paths = next;
  }
  return paths.sort(byBytes);
}

function* leadsToDirectory(p: Process, path: string): UserFlow<boolean> {
  const status = yield* stat(p, path);
  return typeof status !== 'number' && (status.mode & 0o170000) === 0o040000;
}
