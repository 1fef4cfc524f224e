/**
 * Mounts and paths. A `Path` is a dentry as seen through a mount, as Linux's struct path.
 *
 *   mounts.mountRoot(fs)                 once, at boot
 *   mounts.mount(fs, at, flags, source)  0 or -errno
 *   mounts.unmount(path, detach)         0 or -errno (-EBUSY while in use)
 *   mounts.down(path), mounts.up(path, root)   crossing mount points while walking
 *   mounts.pathName(path, root)          what getcwd and /proc show
 */
import { errno } from '../types/errno.ts';
import { Dentry } from './dentry.ts';
import { MS_NOATIME, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_RELATIME } from './fcntl.ts';
import type { FileSystem } from './vfs-types.ts';

export interface Path {
  readonly mount: Mount;
  readonly dentry: Dentry;
}

export class Mount {
  readonly id: number;
  readonly fs: FileSystem;
  readonly root: Dentry;
  /** First column of /proc/mounts. */
  readonly source: string;
  /** MS_* */
  flags: number;
  /** Where it is mounted; undefined for the root and once it is detached. */
  at: Path | undefined;
  /** Open files, cwds and roots that keep it busy. */
  users = 0;

  constructor(id: number, fs: FileSystem, root: Dentry, source: string, flags: number, at?: Path) {
    this.id = id;
    this.fs = fs;
    this.root = root;
    this.source = source;
    this.flags = flags;
    this.at = at;
  }

  get readOnly(): boolean {
    return (this.flags & MS_RDONLY) !== 0;
  }
}

export const samePath = (a: Path, b: Path): boolean => a.mount === b.mount && a.dentry === b.dentry;

export class Mounts {
  /** In the order mounted, as /proc/mounts lists them. */
  readonly list: Mount[] = [];
  /** One root dentry a file system, however often it is mounted. */
  readonly #roots = new Map<FileSystem, Dentry>();
  readonly #byPoint = new Map<Dentry, Mount[]>();
  #nextId = 1;

  get rootPath(): Path {
    const mount = this.list[0]!;
    return this.down({ mount, dentry: mount.root });
  }

  mountRoot(fs: FileSystem, source = 'rootfs'): Path {
    const mount = new Mount(this.#nextId++, fs, this.#rootOf(fs), source, MS_RELATIME);
    this.list.push(mount);
    return { mount, dentry: mount.root };
  }

  mount(fs: FileSystem, at: Path, flags: number, source: string): number {
    return this.#attach(fs, this.#rootOf(fs), at, flags, source);
  }

  /** mount --bind: the tree below `from`, seen again at `at`. */
  bind(from: Path, at: Path): number {
    const { fs, source, flags } = from.mount;
    return this.#attach(fs, from.dentry, at, flags, source);
  }

  /** `at` and `from` are where a walk ended; `from` is the root of a mount. */
  move(from: Path, at: Path): number {
    const { mount } = from;
    if (!mount.at || mount.root !== from.dentry) return -errno.EINVAL;
    for (let above: Path | undefined = at; above; above = above.mount.at) {
      if (above.mount === mount) return -errno.ELOOP;
    }
    this.#leavePoint(mount);
    mount.at = at;
    this.#enterPoint(mount);
    return 0;
  }

  unmount(path: Path, detach: boolean): number {
    const { mount } = path;
    if (mount.root !== path.dentry || !mount.at) return -errno.EINVAL;
    const below = this.list.filter((other) => this.#isBelow(other, mount));
    if (!detach && (below.length > 0 || mount.users > 0)) return -errno.EBUSY;
    for (const gone of [...below, mount]) {
      this.#leavePoint(gone);
      this.list.splice(this.list.indexOf(gone), 1);
      if (gone === mount) gone.at = undefined;
    }
    return 0;
  }

  /** From a mount point to the root of what is mounted there, as deep as mounts are stacked. */
  down(path: Path): Path {
    let at = path;
    for (;;) {
      const mount = this.#mountedAt(at);
      if (!mount) return at;
      at = { mount, dentry: mount.root };
    }
  }

  /** The parent directory, not above `root`. */
  up(path: Path, root: Path): Path {
    let at = path;
    while (!samePath(at, root)) {
      if (at.dentry !== at.mount.root) {
        return this.down({ mount: at.mount, dentry: at.dentry.parent! });
      }
      if (!at.mount.at) return at;
      at = at.mount.at;
    }
    return at;
  }

  isMountPoint(dentry: Dentry): boolean {
    return (this.#byPoint.get(dentry)?.length ?? 0) > 0;
  }

  /** The absolute name as seen from `root`; undefined if it cannot be reached from there. */
  pathName(path: Path, root: Path): string | undefined {
    const parts: string[] = [];
    let at = path;
    while (!samePath(at, root)) {
      if (at.dentry === at.mount.root) {
        if (!at.mount.at) return at.mount === this.list[0] ? join(parts) : undefined;
        at = at.mount.at;
        continue;
      }
      if (!at.dentry.parent) return undefined;
      parts.push(at.dentry.name);
      at = { mount: at.mount, dentry: at.dentry.parent };
    }
    return join(parts);
  }

  /** Text of /proc/mounts for a process with this root. */
  describe(root: Path): string {
    let text = '';
    for (const mount of this.list) {
      const point = this.pathName({ mount, dentry: mount.root }, root);
      if (point === undefined) continue;
      const { type } = mount.fs;
      const options = mountOptions(mount);
      text += `${octalEscaped(mount.source)} ${octalEscaped(point)} ${type} ${options} 0 0\n`;
    }
    return text;
  }

  #rootOf(fs: FileSystem): Dentry {
    let root = this.#roots.get(fs);
    if (!root) this.#roots.set(fs, (root = new Dentry('/', undefined, fs.root)));
    return root;
  }

  #attach(fs: FileSystem, root: Dentry, at: Path, flags: number, source: string): number {
    if (Boolean(root.inode.lookup) !== Boolean(at.dentry.inode.lookup)) return -errno.ENOTDIR;
    const mount = new Mount(this.#nextId++, fs, root, source, flags, at);
    this.#enterPoint(mount);
    this.list.push(mount);
    return 0;
  }

  #mountedAt(path: Path): Mount | undefined {
    const stack = this.#byPoint.get(path.dentry);
    return stack?.findLast((mount) => mount.at!.mount === path.mount);
  }

  #enterPoint(mount: Mount): void {
    const point = mount.at!.dentry;
    const stack = this.#byPoint.get(point);
    if (stack) stack.push(mount);
    else this.#byPoint.set(point, [mount]);
  }

  #leavePoint(mount: Mount): void {
    const point = mount.at!.dentry;
    const stack = this.#byPoint.get(point)!.filter((other) => other !== mount);
    if (stack.length > 0) this.#byPoint.set(point, stack);
    else this.#byPoint.delete(point);
  }

  #isBelow(mount: Mount, ancestor: Mount): boolean {
    for (let at = mount.at; at; at = at.mount.at) if (at.mount === ancestor) return true;
    return false;
  }
}

const join = (reversed: string[]): string => '/' + reversed.reverse().join('/');

export function mountOptions(mount: Mount): string {
  const words = [mount.readOnly ? 'ro' : 'rw'];
  const { flags } = mount;
  if (flags & MS_NOSUID) words.push('nosuid');
  if (flags & MS_NODEV) words.push('nodev');
  if (flags & MS_NOEXEC) words.push('noexec');
  words.push(flags & MS_NOATIME ? 'noatime' : 'relatime');
  if (mount.fs.options) words.push(mount.fs.options);
  return words.join(',');
}

/** Blanks, tabs, newlines and backslashes as \040 and so on, so that columns stay columns. */
function octalEscaped(text: string): string {
  return text.replace(/[ \t\n\\]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
}
