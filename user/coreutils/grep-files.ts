/** The files that grep searches: its operands, or with -r what is below them. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { isDirectory, readDirectory } from '../libc/directory.ts';
import { lstat, stat } from '../libc/files.ts';
import { basename, type Process } from '../libc/process.ts';
import { matchPattern } from '../sh/pattern.ts';

export interface WalkOptions {
  readonly recursive: boolean;
  readonly followLinks: boolean;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly excludeDir: readonly string[];
  /** Names below '.' are shown without it. */
  readonly hidesRoot: boolean;
}

/** Links may lead round in circles; no tree is this deep. */
const MAX_DEPTH = 64;

export function* walkFiles(
  p: Process,
  roots: readonly string[],
  options: WalkOptions,
): UserFlow<string[]> {
  const out: string[] = [];
  for (const root of roots) {
    if (root === '-' || !options.recursive) {
      if (!isExcluded(root, options)) out.push(root);
      continue;
    }
    const prefix = options.hidesRoot && root === '.' ? '' : `${root.replace(/\/+$/, '')}/`;
    const status = yield* stat(p, root);
    if (typeof status === 'number' || !isDirectory(status.mode)) out.push(root);
    else yield* below(p, root, prefix, options, out, 0);
  }
  return out;
}

function isExcluded(path: string, { include, exclude }: WalkOptions): boolean {
  const name = basename(path);
  const matches = (glob: string): boolean => matchPattern(glob, name) || matchPattern(glob, path);
  return exclude.some(matches) || (include.length > 0 && !include.some(matches));
}

/** In the order of the directory, as fts reads it. */
function* below(
  p: Process,
  directory: string,
  prefix: string,
  options: WalkOptions,
  out: string[],
  depth: number,
): UserFlow<void> {
  const entries = yield* readDirectory(p, directory);
  if (typeof entries === 'number' || depth > MAX_DEPTH) return;
  for (const { name } of entries) {
    if (name === '.' || name === '..') continue;
    const path = `${prefix}${name}`;
    const status = yield* (options.followLinks ? stat : lstat)(p, path);
    const type = typeof status === 'number' ? 0o100000 : status.mode & 0o170000;
    if (type === 0o040000) {
      if (options.excludeDir.some((glob) => matchPattern(glob, name))) continue;
      yield* below(p, path, `${path}/`, options, out, depth + 1);
    } else if (type === 0o100000 && !isExcluded(path, options)) out.push(path);
  }
}
