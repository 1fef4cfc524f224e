/**
 * Walking paths.
 *
 *   resolve(walk, start, name, {follow})   parent, last component, and what it leads to
 *   lookup(walk, start, name, {follow})    just the path, or -errno
 *   mayCreate, mayDelete                   may this walker add to or take from a directory?
 *
 * `start` is where a relative name begins (cwd or a directory fd). Links are followed to depth 40,
 * then -ELOOP. A trailing slash asks for a directory and follows a link, as in Linux.
 */
import { errno } from '../types/errno.ts';
import { encodedLength } from '../types/text.ts';
import type { Cred } from './cred.ts';
import { CAP_FOWNER, inodePermission, MAY_EXEC, MAY_WRITE } from './cred.ts';
import { MAXSYMLINKS, NAME_MAX, PATH_MAX } from './fcntl.ts';
import type { Mounts, Path } from './mount.ts';
import type { Inode } from './vfs-types.ts';
import { S_IFDIR, S_IFLNK, S_IFMT } from './vfs-types.ts';

/** Who walks, and in which tree. */
export interface Walk {
  readonly mounts: Mounts;
  readonly root: Path;
  readonly cred: Cred;
}

export interface Resolved {
  /** The directory that holds (or would hold) the last component. */
  readonly parent: Path;
  /** Last component, links followed; '' for the root itself, '.' and '..' as they stand. */
  readonly last: string;
  /** Where it leads; a negative errno, -ENOENT if only the last component is missing. */
  readonly found: Path | number;
  readonly trailingSlash: boolean;
}

export interface WalkOptions {
  /** Follow a symbolic link in the last component. */
  readonly follow: boolean;
}

export const isDirectory = (inode: Inode): boolean => (inode.mode & S_IFMT) === S_IFDIR;
export const isSymlink = (inode: Inode): boolean => (inode.mode & S_IFMT) === S_IFLNK;

export function lookup(
  walk: Walk,
  start: Path,
  name: string,
  options: WalkOptions = { follow: true },
): Path | number {
  const resolved = resolve(walk, start, name, options);
  return typeof resolved === 'number' ? resolved : resolved.found;
}

export function resolve(
  walk: Walk,
  start: Path,
  name: string,
  options: WalkOptions,
): Resolved | number {
  if (name === '') return -errno.ENOENT;
  if (encodedLength(name) >= PATH_MAX) return -errno.ENAMETOOLONG;
  const { mounts, root } = walk;
  const trailingSlash = name.endsWith('/');
  const follow = options.follow || trailingSlash;
  let at = name.startsWith('/') ? root : start;
  let links = 0;
  const todo = components(name);
  let parent = at;
  let last = '';
  /** Set once a link in the last place has ended in a slash of its own. */
  let mustBeDirectory = trailingSlash;
  while (todo.length > 0) {
    const component = todo.pop()!;
    const refused = maySearch(at.dentry.inode, walk.cred);
    if (refused < 0) return refused;
    if (encodedLength(component) > NAME_MAX) return -errno.ENAMETOOLONG;
    const isLast = todo.length === 0;
    if (isLast) {
      parent = at;
      last = component;
    }
    if (component === '.') continue;
    if (component === '..') {
      at = mounts.up(at, root);
      continue;
    }
    const child = at.dentry.child(component);
    if (typeof child === 'number') {
      return isLast ? { parent, last, found: child, trailingSlash: mustBeDirectory } : child;
    }
    const next = mounts.down({ mount: at.mount, dentry: child });
    if (!isSymlink(child.inode) || (isLast && !follow)) {
      at = next;
      continue;
    }
    if (++links > MAXSYMLINKS) return -errno.ELOOP;
    const magic = child.inode.magicLink?.();
    if (typeof magic === 'number') return magic;
    if (magic) {
      at = magic;
      continue;
    }
    const target = child.inode.readlink!();
    if (typeof target === 'number') return target;
    if (target === '') return -errno.ENOENT;
    if (target.startsWith('/')) at = root;
    if (isLast && target.endsWith('/')) mustBeDirectory = true;
    parent = at;
    last = '';
    todo.push(...components(target));
  }
  if (mustBeDirectory && !isDirectory(at.dentry.inode)) {
    return { parent, last, found: -errno.ENOTDIR, trailingSlash: mustBeDirectory };
  }
  return { parent, last, found: at, trailingSlash: mustBeDirectory };
}

/** Last component first, so that the walk pops them in order. */
function components(name: string): string[] {
  return name
    .split('/')
    .filter((part) => part !== '')
    .reverse();
}

function maySearch(inode: Inode, cred: Cred): number {
  if (!isDirectory(inode)) return -errno.ENOTDIR;
  return inodePermission(inode, cred, MAY_EXEC);
}

/** May `cred` add an entry to the directory `parent`? 0 or -errno. */
export function mayCreate(parent: Path, cred: Cred): number {
  const { inode } = parent.dentry;
  if (parent.mount.readOnly) return -errno.EROFS;
  if (inode.nlink === 0) return -errno.ENOENT;
  return inodePermission(inode, cred, MAY_WRITE | MAY_EXEC);
}

/** May `cred` take `victim` out of `parent`? Kind errors (EISDIR, ENOTDIR) come after EACCES. */
export function mayDelete(parent: Path, victim: Inode, cred: Cred, wantDirectory: boolean): number {
  const { inode } = parent.dentry;
  if (parent.mount.readOnly) return -errno.EROFS;
  const refused = inodePermission(inode, cred, MAY_WRITE | MAY_EXEC);
  if (refused < 0) return refused;
  const sticky = (inode.mode & 0o1000) !== 0;
  const owns = cred.fsuid === victim.uid || cred.fsuid === inode.uid;
  if (sticky && !owns && !cred.capable(CAP_FOWNER)) return -errno.EPERM;
  if (wantDirectory && !isDirectory(victim)) return -errno.ENOTDIR;
  if (!wantDirectory && isDirectory(victim)) return -errno.EISDIR;
  return 0;
}
