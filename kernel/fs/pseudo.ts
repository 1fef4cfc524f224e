/**
 * Trees that are views of kernel state: procfs, sysfs, tracefs. Nodes are made by the file system
 * object, which numbers them:
 *
 *   fs.directory()                      .add(name, node), .remove(name)
 *   fs.dynamicDirectory({names, get})   entries that come and go with kernel objects
 *   fs.text(render, {mode, write})      text rendered when a reader starts at position 0
 *   fs.binary(bytes), fs.link(target), fs.magicLink(name, path), fs.special(open)
 */
import type { MaySleep } from '../sched/flow.ts';
import { errno } from '../types/errno.ts';
import { decodeText, encodeText } from '../types/text.ts';
import type { Ns } from '../types/units.ts';
import { Bug } from '../types/units.ts';
import { O_ACCMODE, O_RDONLY, O_TRUNC } from './fcntl.ts';
import { BaseInode } from './inode.ts';
import type { Path } from './mount.ts';
import type { DirectoryEntry, FileOps, FileSystem, Inode } from './vfs-types.ts';
import { S_IFDIR, S_IFLNK, S_IFREG } from './vfs-types.ts';

export interface TextOptions {
  readonly mode?: number;
  /** One write(2), decoded; returns 0 or -errno (the write then counts as taken whole). */
  readonly write?: (text: string) => MaySleep<number>;
  /** Opened for writing with O_TRUNC, as `echo > FILE` does. */
  readonly truncate?: () => void;
}

export class PseudoFs implements FileSystem {
  readonly type: string;
  readonly dev: number;
  readonly magic: number;
  readonly options?: string;
  readonly root: PseudoDirectory;
  readonly #now: () => Ns;
  #nextIno = 1;

  constructor(config: {
    readonly type: string;
    readonly dev: number;
    readonly magic: number;
    readonly now: () => Ns;
    readonly options?: string;
    readonly rootMode?: number;
    /** Makes the root where it is not a plain directory. */
    readonly root?: (fs: PseudoFs) => PseudoDirectory;
  }) {
    this.type = config.type;
    this.dev = config.dev;
    this.magic = config.magic;
    this.#now = config.now;
    if (config.options !== undefined) this.options = config.options;
    this.root = config.root?.(this) ?? this.directory(config.rootMode);
  }

  directory(mode = 0o555): PseudoDirectory {
    return new PseudoDirectory(this, this.#nextIno++, S_IFDIR | mode, this.#now());
  }

  dynamicDirectory(source: DynamicEntries, mode = 0o555): PseudoDirectory {
    return new PseudoDirectory(this, this.#nextIno++, S_IFDIR | mode, this.#now(), source);
  }

  text(render: () => string, options: TextOptions = {}): Inode {
    const mode = options.mode ?? (options.write ? 0o644 : 0o444);
    return this.special(mode, (flags) => {
      if ((flags & O_ACCMODE) !== O_RDONLY && flags & O_TRUNC) options.truncate?.();
      return new TextFile(render, options.write);
    });
  }

  binary(bytes: () => Uint8Array, mode = 0o444): Inode {
    const inode = this.special(mode, () => ({
      read: (count, position) => bytes().slice(position, position + count),
    }));
    // The bytes may be expensive to make: they are, when somebody asks how many there are.
    Object.defineProperty(inode, 'size', { get: () => bytes().length });
    return inode;
  }

  link(target: () => string | number, mode = 0o777): Inode {
    return new PseudoLink(this, this.#nextIno++, S_IFLNK | mode, this.#now(), target);
  }

  /** `target` names the object for readlink, `path` leads there whatever its name. */
  magicLink(target: () => string | number, path: () => Path | number, mode = 0o777): Inode {
    return new MagicLink(this, this.#nextIno++, S_IFLNK | mode, this.#now(), target, path);
  }

  /** A regular file with operations of its own for each open. */
  special(mode: number, open: (flags: number) => FileOps | number): Inode {
    return new PseudoFile(this, this.#nextIno++, S_IFREG | mode, this.#now(), open);
  }
}

export interface DynamicEntries {
  names(): Iterable<string>;
  /** The same inode for the same object each time, or undefined for -ENOENT. */
  get(name: string): Inode | undefined;
}

export class PseudoDirectory extends BaseInode {
  readonly #entries = new Map<string, Inode>();
  #dynamic: DynamicEntries | undefined;

  constructor(fs: FileSystem, ino: number, mode: number, now: Ns, dynamic?: DynamicEntries) {
    super(fs, ino, mode, now);
    this.#dynamic = dynamic;
  }

  /** Entries that come and go, besides those that were added; one source a directory. */
  addDynamic(source: DynamicEntries): void {
    if (this.#dynamic) throw new Bug('a directory with two sources of entries');
    this.#dynamic = source;
  }

  add<T extends Inode>(name: string, inode: T): T {
    this.#entries.set(name, inode);
    if (inode instanceof PseudoDirectory) this.nlink++;
    return inode;
  }

  remove(name: string): void {
    if (this.#entries.get(name) instanceof PseudoDirectory) this.nlink--;
    this.#entries.delete(name);
  }

  lookup(name: string): Inode | number {
    return this.#entries.get(name) ?? this.#dynamic?.get(name) ?? -errno.ENOENT;
  }

  readdir(): readonly DirectoryEntry[] {
    const entries = [...this.#entries].map(([name, inode]) => ({ name, inode }));
    for (const name of this.#dynamic?.names() ?? []) {
      const inode = this.#dynamic!.get(name);
      if (inode) entries.push({ name, inode });
    }
    return entries;
  }
}

class PseudoFile extends BaseInode {
  readonly #open: (flags: number) => FileOps | number;

  constructor(
    fs: FileSystem,
    ino: number,
    mode: number,
    now: Ns,
    open: (flags: number) => FileOps | number,
  ) {
    super(fs, ino, mode, now);
    this.#open = open;
  }

  open(flags: number): FileOps | number {
    return this.#open(flags);
  }

  /** O_TRUNC and truncate(2) on a pseudo file change nothing by themselves. */
  truncate(): number {
    return 0;
  }
}

class PseudoLink extends BaseInode {
  readonly #target: () => string | number;

  constructor(fs: FileSystem, ino: number, mode: number, now: Ns, target: () => string | number) {
    super(fs, ino, mode, now);
    this.#target = target;
  }

  readlink(): string | number {
    return this.#target();
  }
}

class MagicLink extends PseudoLink {
  readonly #path: () => Path | number;

  constructor(
    fs: FileSystem,
    ino: number,
    mode: number,
    now: Ns,
    target: () => string | number,
    path: () => Path | number,
  ) {
    super(fs, ino, mode, now, target);
    this.#path = path;
  }

  magicLink(): Path | number {
    return this.#path();
  }
}

/** One open of a text file: rendered at position 0, then read on from the same rendering. */
class TextFile implements FileOps {
  readonly #render: () => string;
  readonly #write: ((text: string) => MaySleep<number>) | undefined;
  #text: Uint8Array | undefined;

  constructor(render: () => string, write?: (text: string) => MaySleep<number>) {
    this.#render = render;
    this.#write = write;
  }

  read(count: number, position: number): Uint8Array {
    if (position === 0 || !this.#text) this.#text = encodeText(this.#render());
    return this.#text.slice(position, position + count);
  }

  write(data: Uint8Array): MaySleep<number> {
    if (!this.#write) return -errno.EIO;
    const result = this.#write(decodeText(data));
    if (typeof result === 'number') return result < 0 ? result : data.length;
    return (function* () {
      const slept = yield* result;
      return slept < 0 ? slept : data.length;
    })();
  }
}
