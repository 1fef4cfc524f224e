/** devpts: /dev/pts with one node for each slave, and the ptmx node of the mount. */
import type { MaySleep } from '../sched/flow.ts';
import { errno } from '../types/errno.ts';
import type { Ns } from '../types/units.ts';
import { BaseInode, makeDev } from '../fs/inode.ts';
import type { DirectoryEntry, FileOps, FileSystem, Inode } from '../fs/vfs-types.ts';
import { S_IFCHR, S_IFDIR } from '../fs/vfs-types.ts';
import type { Ptys, Slave } from './pty.ts';
import { PTS_MAJOR } from './pty.ts';

export const PTMX_DEVICE = makeDev(5, 2);
/** UAPI linux/magic.h */
const DEVPTS_SUPER_MAGIC = 0x1cd1;
/** Group `tty`, as distributions mount it (gid=5). */
const TTY_GROUP = 5;

export class Devpts implements FileSystem {
  readonly type = 'devpts';
  readonly magic = DEVPTS_SUPER_MAGIC;
  readonly options = `gid=${TTY_GROUP},mode=620,ptmxmode=000`;
  readonly dev: number;
  readonly root: Inode;

  constructor(dev: number, ptys: Ptys, now: () => Ns) {
    this.dev = dev;
    this.root = new DevptsRoot(this, ptys, now);
  }
}

class DevptsRoot extends BaseInode {
  readonly #ptys: Ptys;
  readonly #now: () => Ns;
  readonly #ptmx: PtsNode;
  readonly #nodes = new WeakMap<Slave, Inode>();

  constructor(fs: FileSystem, ptys: Ptys, now: () => Ns) {
    super(fs, 1, S_IFDIR | 0o755, now());
    this.#ptys = ptys;
    this.#now = now;
    const open = () => ptys.openMaster();
    this.#ptmx = new PtsNode(fs, 2, S_IFCHR, now(), PTMX_DEVICE, open);
  }

  lookup(name: string): Inode | number {
    if (name === 'ptmx') return this.#ptmx;
    const slave = /^(0|[1-9]\d*)$/.test(name) ? this.#ptys.slaves.get(Number(name)) : undefined;
    return slave ? this.#nodeOf(slave) : -errno.ENOENT;
  }

  readdir(): readonly DirectoryEntry[] {
    const entries: DirectoryEntry[] = [{ name: 'ptmx', inode: this.#ptmx }];
    for (const slave of this.#ptys.slaves.values()) {
      entries.push({ name: String(slave.number), inode: this.#nodeOf(slave) });
    }
    return entries;
  }

  #nodeOf(slave: Slave): Inode {
    let node = this.#nodes.get(slave);
    if (!node) {
      const { number } = slave;
      const open = (flags: number) => this.#ptys.openSlave(number, flags);
      const device = makeDev(PTS_MAJOR, number);
      // Inode numbers of slaves are 3 + N, as devpts_pty_new gives them.
      node = new PtsNode(this.fs, number + 3, S_IFCHR | 0o620, this.#now(), device, open);
      node.uid = slave.uid;
      node.gid = TTY_GROUP;
      this.#nodes.set(slave, node);
    }
    return node;
  }
}

class PtsNode extends BaseInode {
  readonly #open: (flags: number) => MaySleep<FileOps | number>;

  constructor(
    fs: FileSystem,
    ino: number,
    mode: number,
    now: Ns,
    rdev: number,
    open: (flags: number) => MaySleep<FileOps | number>,
  ) {
    super(fs, ino, mode, now, rdev);
    this.#open = open;
  }

  open(flags: number): MaySleep<FileOps | number> {
    return this.#open(flags);
  }
}
