/**
 * The machine's file systems in one place: mounts, device drivers, anonymous inodes, types that
 * mount(2) knows.
 *
 *   new Vfs(environment)                     nothing mounted yet; populate.ts builds the tree
 *   vfs.walkOf(task)                         how `task` sees the tree
 *   vfs.registerCharDevice(rdev, open)
 *   vfs.registerFileSystem(type, make)       for mount(2)
 *   vfs.anonFile(ops, flags)                 a File on anon_inode (bpf, perf, epoll)
 *   vfs.pseudoFile(ops, flags, mode)         a File with an inode of its own (sockets)
 *   vfs.readFile(path), vfs.writeFile(…)     the kernel's own access, no permission checks
 */
import type { Sleeper } from '../sched/wait-queue.ts';
import type { MaySleep } from '../sched/flow.ts';
import { errno } from '../types/errno.ts';
import type { Ns } from '../types/units.ts';
import type { Random } from '../time/random.ts';
import type { Cred } from './cred.ts';
import { KERNEL_CRED } from './cred.ts';
import { Dentry } from './dentry.ts';
import { File } from './file.ts';
import type { FileTable } from './file-table.ts';
import type { FsStruct } from './fs-struct.ts';
import { BaseInode, makeDev } from './inode.ts';
import { Mount, Mounts } from './mount.ts';
import type { Path } from './mount.ts';
import type { Walk } from './namei.ts';
import { lookup, resolve } from './namei.ts';
import { Pipe } from './pipe.ts';
import type { FileOps, FileSystem, Inode } from './vfs-types.ts';
import { S_IFREG } from './vfs-types.ts';

/** What file systems need of the machine around them. */
export interface FsEnvironment {
  readonly sleeper: Sleeper;
  readonly random: Random;
  /** Time stamps of inodes: nanoseconds since boot. */
  now(): Ns;
  /** CLOCK_REALTIME at boot, seconds since 1970. */
  readonly bootEpochSeconds: number;
  /** Send a signal to the running task, as a broken pipe does. */
  raise(signal: number): void;
}

/** What the file system needs of a task. `fs` and `files` are null for kernel threads only. */
export interface FsTask {
  readonly fs: FsStruct | null;
  readonly files: FileTable | null;
  readonly cred: Cred;
}

export type OpenDevice = (flags: number) => MaySleep<FileOps | number>;
export type MakeFileSystem = (options: string, source: string) => FileSystem | number;

/** UAPI linux/magic.h */
const ANON_INODE_FS_MAGIC = 0x09041934;

/** File systems that are never mounted in the tree: anon_inode, pipes and sockets. */
class AnonymousFs implements FileSystem {
  readonly type: string;
  readonly dev: number;
  readonly magic = ANON_INODE_FS_MAGIC;
  readonly root: Inode;
  readonly mount: Mount;

  constructor(type: string, dev: number, now: Ns) {
    this.type = type;
    this.dev = dev;
    this.root = new AnonymousInode(this, 1, S_IFREG | 0o600, now);
    this.mount = new Mount(0, this, new Dentry('/', undefined, this.root), type, 0);
  }
}

class AnonymousInode extends BaseInode {}

export class Vfs {
  readonly mounts = new Mounts();
  readonly environment: FsEnvironment;
  readonly charDevices = new Map<number, OpenDevice>();
  readonly fileSystemTypes = new Map<string, MakeFileSystem>();
  readonly #anonymous: AnonymousFs;
  /** Pipes of FIFOs that are open somewhere. */
  readonly #fifos = new Map<Inode, Pipe>();
  #nextDevice = 1;
  /** Inode numbers of pipes and sockets, one sequence as in Linux. */
  #nextIno = 2;

  constructor(environment: FsEnvironment) {
    this.environment = environment;
    this.#anonymous = new AnonymousFs('anon_inodefs', this.newDevice(), environment.now());
  }

  /** st_dev of one more file system without a block device. */
  newDevice(): number {
    return makeDev(0, this.#nextDevice++);
  }

  newIno(): number {
    return this.#nextIno++;
  }

  walkOf(task: FsTask, cred: Cred = task.cred): Walk {
    return { mounts: this.mounts, root: task.fs!.root, cred };
  }

  registerCharDevice(rdev: number, open: OpenDevice): void {
    this.charDevices.set(rdev, open);
  }

  registerFileSystem(type: string, make: MakeFileSystem): void {
    this.fileSystemTypes.set(type, make);
  }

  /** One reference, for files.install. `ops.linkName` is what /proc/PID/fd shows. */
  anonFile(ops: FileOps, flags: number): File {
    return this.#file(this.#anonymous.root, ops, flags);
  }

  /** As anonFile, with an inode of its own: `mode` carries the type (S_IFSOCK …). */
  pseudoFile(ops: FileOps, flags: number, mode: number, ino = this.newIno()): File {
    const now = this.environment.now();
    return this.#file(new AnonymousInode(this.#anonymous, ino, mode, now), ops, flags);
  }

  /** pipe(2): the read end and the write end. */
  pipe(flags: number): [File, File] {
    const pipe = new Pipe(this.environment, this.newIno());
    const inode = new PipeInode(this.#anonymous, pipe, this.environment.now());
    return [
      this.#file(inode, pipe.openReader(), flags),
      this.#file(inode, pipe.openWriter(), flags | 1),
    ];
  }

  /** The pipe behind a FIFO's inode; made at the first open, gone after the last close. */
  fifo(inode: Inode): Pipe {
    let pipe = this.#fifos.get(inode);
    if (!pipe) {
      pipe = new Pipe(this.environment, inode.ino, () => this.#fifos.delete(inode));
      this.#fifos.set(inode, pipe);
    }
    return pipe;
  }

  #file(inode: Inode, ops: FileOps, flags: number): File {
    const dentry = new Dentry(ops.linkName ?? '', undefined, inode);
    return new File({ mount: this.#anonymous.mount, dentry }, ops, flags);
  }

  get kernelWalk(): Walk {
    return { mounts: this.mounts, root: this.mounts.rootPath, cred: KERNEL_CRED };
  }

  /** Where an absolute path leads, for the kernel itself. */
  kernelLookup(path: string): Path | number {
    return lookup(this.kernelWalk, this.mounts.rootPath, path);
  }

  /** The whole content of a regular file, or -errno. */
  readFile(path: string): Uint8Array | number {
    const found = this.kernelLookup(path);
    if (typeof found === 'number') return found;
    const { inode } = found.dentry;
    const ops = inode.open?.(0);
    if (ops === undefined || typeof ops === 'number' || !('read' in ops)) return -errno.EINVAL;
    const data = ops.read!(inode.size, 0, 0);
    ops.release?.();
    return data instanceof Uint8Array ? data : -errno.EINVAL;
  }

  /** Create or replace a regular file; directories above it are made as needed. */
  writeFile(path: string, data: Uint8Array, mode = 0o644): number {
    const directory = this.makeDirectories(path.slice(0, path.lastIndexOf('/')) || '/');
    if (typeof directory === 'number') return directory;
    const resolved = resolve(this.kernelWalk, this.mounts.rootPath, path, { follow: true });
    if (typeof resolved === 'number') return resolved;
    const { found, parent, last } = resolved;
    if (typeof found === 'number' && found !== -errno.ENOENT) return found;
    const inode =
      typeof found === 'number' ? parent.dentry.inode.create?.(last, mode) : found.dentry.inode;
    if (inode === undefined) return -errno.EPERM;
    if (typeof inode === 'number') return inode;
    inode.truncate?.(0);
    const ops = inode.open?.(2);
    if (ops === undefined || typeof ops === 'number' || !('write' in ops)) return -errno.EINVAL;
    const written = ops.write!(data, 0, 0);
    ops.release?.();
    return typeof written === 'number' && written < 0 ? written : 0;
  }

  /** mkdir -p: the directory, or -errno. */
  makeDirectories(path: string, mode = 0o755): Path | number {
    let at = this.mounts.rootPath;
    for (const name of path.split('/').filter((part) => part !== '')) {
      let next = lookup(this.kernelWalk, at, name);
      if (next === -errno.ENOENT) {
        const made = at.dentry.inode.mkdir?.(name, mode) ?? -errno.EPERM;
        if (typeof made === 'number') return made;
        next = lookup(this.kernelWalk, at, name);
      }
      if (typeof next === 'number') return next;
      at = next;
    }
    return at;
  }
}

/** An unnamed pipe, which can be opened again through /proc/PID/fd. */
class PipeInode extends BaseInode {
  readonly #pipe: Pipe;

  constructor(fs: FileSystem, pipe: Pipe, now: Ns) {
    super(fs, pipe.ino, 0o010600, now);
    this.#pipe = pipe;
  }

  open(flags: number): FileOps {
    return this.#pipe.reopen(flags);
  }
}
