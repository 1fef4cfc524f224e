import { describe, expect, it } from 'vitest';
import { newVfs } from '../../test/support/kernel-flows.ts';
import { errno } from '../types/errno.ts';
import { linkAt, mkdirAt, mknodAt, renameAt, rmdirAt, symlinkAt, unlinkAt } from './entries.ts';
import {
  MS_RDONLY,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_TRUNC,
  O_WRONLY,
} from './fcntl.ts';
import { File, vfsWrite } from './file.ts';
import { makeDev } from './inode.ts';
import { lookup } from './namei.ts';
import { openAt } from './open.ts';
import { Tmpfs } from './tmpfs.ts';
import { S_IFCHR, S_IFIFO } from './vfs-types.ts';
import type { FsTask, Vfs } from './vfs.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

/** Names relative to the root, as a task sees them. */
function ops(vfs: Vfs, task: FsTask) {
  const start = task.fs!.cwd;
  return {
    mkdir: (name: string, mode = 0o777) => mkdirAt(vfs, task, start, name, mode),
    rmdir: (name: string) => rmdirAt(vfs, task, start, name),
    unlink: (name: string) => unlinkAt(vfs, task, start, name),
    rename: (from: string, to: string) => renameAt(vfs, task, start, from, start, to),
    symlink: (target: string, name: string) => symlinkAt(vfs, task, target, start, name),
    link: (from: string, to: string) =>
      linkAt(vfs, task, lookup(vfs.walkOf(task), start, from), start, to),
    mknod: (name: string, mode: number, dev = 0) => mknodAt(vfs, task, start, name, mode, dev),
    open: (name: string, flags = 0, mode = 0o666) => openAt(vfs, task, start, name, flags, mode),
    stat: (name: string, follow = true) => {
      const path = lookup(vfs.walkOf(task), start, name, { follow });
      return typeof path === 'number' ? path : path.dentry.inode;
    },
    where: (name: string) => {
      const path = lookup(vfs.walkOf(task), start, name);
      return typeof path === 'number' ? path : vfs.mounts.pathName(path, task.fs!.root);
    },
    touch: (name: string, mode = 0o666) => {
      const file = openAt(vfs, task, start, name, O_CREAT | O_WRONLY, mode);
      if (!(file instanceof File)) return file as number;
      file.put();
      return 0;
    },
  };
}

describe('walking paths', () => {
  it('follows links in the middle and at the end, relative and absolute', () => {
    const { vfs, root } = newVfs();
    const fs = ops(vfs, root);
    expect([fs.mkdir('a'), fs.mkdir('a/b'), fs.touch('a/b/f')]).toEqual([0, 0, 0]);
    fs.symlink('b', 'a/rel');
    fs.symlink('/a/rel', 'abs');
    fs.symlink('../a/../abs/f', 'a/twisted');
    expect(fs.where('abs/f')).toBe('/a/b/f');
    expect(fs.where('a/twisted')).toBe('/a/b/f');
    expect(fs.where('a//b/.//../b/')).toBe('/a/b');
    expect(fs.where('../../..')).toBe('/');
  });

  it('tells what is wrong with a path', () => {
    const { vfs, root } = newVfs();
    const fs = ops(vfs, root);
    fs.touch('f');
    fs.symlink('loop2', 'loop1');
    fs.symlink('loop1', 'loop2');
    fs.symlink('nowhere', 'dangling');
    expect(fs.where('')).toBe(-errno.ENOENT);
    expect(fs.where('f/x')).toBe(-errno.ENOTDIR);
    expect(fs.where('f/')).toBe(-errno.ENOTDIR);
    expect(fs.where('no/x')).toBe(-errno.ENOENT);
    expect(fs.where('loop1')).toBe(-errno.ELOOP);
    expect(fs.where('loop1/x')).toBe(-errno.ELOOP);
    expect(fs.where('dangling')).toBe(-errno.ENOENT);
    expect(fs.where('x'.repeat(256))).toBe(-errno.ENAMETOOLONG);
    expect(fs.where('x/'.repeat(2100))).toBe(-errno.ENAMETOOLONG);
  });

  it('allows exactly 40 links', () => {
    const { vfs, root } = newVfs();
    const fs = ops(vfs, root);
    fs.touch('link0');
    for (let i = 1; i <= 41; i++) fs.symlink(`link${i - 1}`, `link${i}`);
    expect(fs.where('link40')).toBe('/link0');
    expect(fs.where('link41')).toBe(-errno.ELOOP);
  });

  it('does not escape a chroot', () => {
    const { vfs, root } = newVfs();
    const fs = ops(vfs, root);
    fs.mkdir('jail');
    fs.mkdir('jail/etc');
    fs.symlink('/etc', 'jail/out');
    const jail = vfs.kernelLookup('/jail');
    if (typeof jail === 'number') throw new Error('no jail');
    root.fs!.setRoot(jail);
    root.fs!.setCwd(jail);
    const inside = ops(vfs, root);
    expect(inside.where('../../etc')).toBe('/etc');
    expect(inside.where('/out')).toBe('/etc');
    expect(inside.where('/jail')).toBe(-errno.ENOENT);
  });
});

describe('open', () => {
  it('creates through a dangling link, but not with O_EXCL', () => {
    const { vfs, root } = newVfs();
    const fs = ops(vfs, root);
    fs.symlink('target', 'link');
    expect(fs.open('link', O_CREAT | O_EXCL | O_WRONLY)).toBe(-errno.EEXIST);
    expect(fs.touch('link')).toBe(0);
    expect(fs.where('target')).toBe('/target');
  });

  it('refuses what the name is not', () => {
    const { vfs, root } = newVfs();
    const fs = ops(vfs, root);
    fs.mkdir('d');
    fs.touch('f');
    fs.symlink('f', 'l');
    expect(fs.open('d', O_WRONLY)).toBe(-errno.EISDIR);
    expect(fs.open('d', O_CREAT)).toBe(-errno.EISDIR);
    expect(fs.open('new/', O_CREAT)).toBe(-errno.EISDIR);
    expect(fs.open('f', O_DIRECTORY)).toBe(-errno.ENOTDIR);
    expect(fs.open('l', O_NOFOLLOW)).toBe(-errno.ELOOP);
    expect(fs.open('l', O_NOFOLLOW | O_PATH)).toBeInstanceOf(File);
    fs.mknod('dev', S_IFCHR | 0o600, makeDev(99, 1));
    expect(fs.open('dev')).toBe(-errno.ENXIO);
  });

  it('applies umask, truncates, appends', () => {
    const { vfs, root } = newVfs();
    const fs = ops(vfs, root);
    root.fs!.umask = 0o027;
    fs.touch('f', 0o666);
    expect((fs.stat('f') as { mode: number }).mode & 0o777).toBe(0o640);
    const file = fs.open('f', O_WRONLY) as File;
    vfsWrite(file, bytes('hello'));
    expect(vfs.readFile('/f')).toEqual(bytes('hello'));
    (fs.open('f', O_WRONLY | O_TRUNC) as File).put();
    expect(file.inode.size).toBe(0);
    // The writer's position has not moved: a hole of zeros appears.
    vfsWrite(file, bytes('!'));
    expect(vfs.readFile('/f')).toEqual(bytes('\0\0\0\0\0!'));
  });
});

describe('names', () => {
  it('mkdir, rmdir and unlink fail as Linux does', () => {
    const { vfs, root } = newVfs();
    const fs = ops(vfs, root);
    expect(fs.mkdir('d/')).toBe(0);
    expect(fs.mkdir('d')).toBe(-errno.EEXIST);
    expect(fs.mkdir('/')).toBe(-errno.EEXIST);
    expect(fs.mkdir('no/d')).toBe(-errno.ENOENT);
    fs.touch('d/f');
    expect(fs.rmdir('d')).toBe(-errno.ENOTEMPTY);
    expect(fs.rmdir('d/f')).toBe(-errno.ENOTDIR);
    expect(fs.rmdir('d/.')).toBe(-errno.EINVAL);
    expect(fs.rmdir('/')).toBe(-errno.EBUSY);
    expect(fs.unlink('d')).toBe(-errno.EISDIR);
    expect(fs.unlink('d/f/')).toBe(-errno.ENOTDIR);
    expect(fs.unlink('d/f')).toBe(0);
    expect(fs.rmdir('d/')).toBe(0);
    expect(fs.rmdir('d')).toBe(-errno.ENOENT);
  });

  it('counts links and keeps the inode until the last name goes', () => {
    const { vfs, root } = newVfs();
    const fs = ops(vfs, root);
    fs.touch('a');
    expect(fs.link('a', 'b')).toBe(0);
    expect(fs.stat('a')).toBe(fs.stat('b'));
    const inode = fs.stat('a') as { nlink: number };
    expect(inode.nlink).toBe(2);
    fs.unlink('a');
    expect(inode.nlink).toBe(1);
    fs.mkdir('d');
    expect((fs.stat('/') as { nlink: number }).nlink).toBe(3);
    expect(fs.link('d', 'e')).toBe(-errno.EPERM);
  });

  it('renames over files and empty directories, never into itself', () => {
    const { vfs, root } = newVfs();
    const fs = ops(vfs, root);
    for (const d of ['d', 'd/sub', 'e', 'full', 'full/x']) fs.mkdir(d);
    fs.touch('f');
    fs.touch('g');
    expect(fs.rename('f', 'g')).toBe(0);
    expect(fs.where('f')).toBe(-errno.ENOENT);
    expect(fs.rename('d', 'd/sub/d')).toBe(-errno.EINVAL);
    expect(fs.rename('d/sub', 'd')).toBe(-errno.ENOTEMPTY);
    expect(fs.rename('d', 'full')).toBe(-errno.ENOTEMPTY);
    expect(fs.rename('d', 'g')).toBe(-errno.ENOTDIR);
    expect(fs.rename('g', 'd')).toBe(-errno.EISDIR);
    expect(fs.rename('g', 'h/')).toBe(-errno.ENOTDIR);
    expect(fs.rename('d', 'e')).toBe(0);
    expect(fs.where('e/sub')).toBe('/e/sub');
    expect(fs.rename('e/.', 'x')).toBe(-errno.EBUSY);
  });

  it('takes working directories along', () => {
    const { vfs, root } = newVfs();
    const fs = ops(vfs, root);
    for (const d of ['a', 'a/b', 'c']) fs.mkdir(d);
    const b = vfs.kernelLookup('/a/b');
    if (typeof b === 'number') throw new Error('no b');
    fs.rename('a', 'c/moved');
    expect(vfs.mounts.pathName(b, vfs.mounts.rootPath)).toBe('/c/moved/b');
    expect(b.dentry.unlinked).toBe(false);
    fs.rmdir('c/moved/b');
    expect(b.dentry.unlinked).toBe(true);
    // A new entry of the same name is another one.
    fs.mkdir('c/moved/b');
    expect(b.dentry.unlinked).toBe(true);
  });
});

describe('permissions', () => {
  it('keeps others out of directories and files', () => {
    const { vfs, root, taskOf } = newVfs();
    const mine = ops(vfs, root);
    mine.mkdir('private', 0o700);
    mine.touch('private/f', 0o666);
    mine.touch('readonly', 0o644);
    const user = ops(vfs, taskOf({ fsuid: 1000, fsgid: 1000 }));
    expect(user.stat('private/f')).toBe(-errno.EACCES);
    expect(user.open('readonly', O_WRONLY)).toBe(-errno.EACCES);
    expect(user.open('readonly')).toBeInstanceOf(File);
    expect(user.touch('new')).toBe(-errno.EACCES);
    expect(user.mkdir('newdir')).toBe(-errno.EACCES);
    expect(user.unlink('readonly')).toBe(-errno.EACCES);
  });

  it('the class that applies decides alone', () => {
    const { vfs, root, taskOf } = newVfs();
    const mine = ops(vfs, root);
    mine.mkdir('tmp', 0o777);
    const inode = mine.stat('tmp') as { mode: number; uid: number; gid: number };
    // The owner is shut out although all others may.
    Object.assign(inode, { mode: (inode.mode & ~0o777) | 0o077, uid: 1000 });
    expect(ops(vfs, taskOf({ fsuid: 1000 })).touch('tmp/f')).toBe(-errno.EACCES);
    expect(ops(vfs, taskOf({ fsuid: 1001 })).touch('tmp/f')).toBe(0);
    Object.assign(inode, { mode: (inode.mode & ~0o777) | 0o707, gid: 50 });
    expect(ops(vfs, taskOf({ fsuid: 2, groups: [50] })).touch('tmp/g')).toBe(-errno.EACCES);
  });

  it('sticky directories are for owners', () => {
    const { vfs, root, taskOf } = newVfs();
    const mine = ops(vfs, root);
    mine.mkdir('tmp');
    (mine.stat('tmp') as { mode: number }).mode |= 0o1777;
    const alice = ops(vfs, taskOf({ fsuid: 1000 }));
    const bob = ops(vfs, taskOf({ fsuid: 1001 }));
    expect(alice.touch('tmp/hers')).toBe(0);
    expect(bob.unlink('tmp/hers')).toBe(-errno.EPERM);
    expect(bob.rename('tmp/hers', 'tmp/his')).toBe(-errno.EPERM);
    expect(alice.unlink('tmp/hers')).toBe(0);
  });

  it('only CAP_MKNOD makes devices, anyone makes a fifo', () => {
    const { vfs, root, taskOf } = newVfs();
    ops(vfs, root).mkdir('tmp');
    (ops(vfs, root).stat('tmp') as { mode: number }).mode |= 0o777;
    const user = ops(vfs, taskOf({ fsuid: 1000 }));
    expect(user.mknod('tmp/null', S_IFCHR | 0o666, makeDev(1, 3))).toBe(-errno.EPERM);
    expect(user.mknod('tmp/pipe', S_IFIFO | 0o666)).toBe(0);
  });
});

describe('mounts', () => {
  const mounted = () => {
    const setup = newVfs();
    const { vfs, root } = setup;
    const fs = ops(vfs, root);
    fs.mkdir('mnt');
    fs.touch('mnt/hidden');
    const at = vfs.kernelLookup('/mnt');
    if (typeof at === 'number') throw new Error('no mnt');
    const now = () => 0 as never;
    const other = new Tmpfs({ dev: vfs.newDevice(), now, maxBytes: 4096 });
    expect(vfs.mounts.mount(other, at, 0, 'none')).toBe(0);
    return { ...setup, fs, other };
  };

  it('hides what is below and is crossed both ways', () => {
    const { vfs, fs, other } = mounted();
    expect(fs.where('mnt/hidden')).toBe(-errno.ENOENT);
    expect(fs.mkdir('mnt/d')).toBe(0);
    expect(fs.where('mnt/d/../..')).toBe('/');
    expect((fs.stat('mnt') as { fs: unknown }).fs).toBe(other);
    expect(fs.rename('mnt/d', 'd')).toBe(-errno.EXDEV);
    expect(fs.rmdir('mnt')).toBe(-errno.EBUSY);
    expect(fs.rename('mnt', 'elsewhere')).toBe(-errno.EBUSY);
    const at = vfs.kernelLookup('/mnt');
    expect(typeof at === 'number' ? at : vfs.mounts.unmount(at, false)).toBe(0);
    expect(fs.where('mnt/hidden')).toBe('/mnt/hidden');
  });

  it('is busy while something of it is open', () => {
    const { vfs, fs } = mounted();
    fs.touch('mnt/f');
    const file = fs.open('mnt/f') as File;
    const at = vfs.kernelLookup('/mnt');
    if (typeof at === 'number') throw new Error('no mnt');
    expect(vfs.mounts.unmount(at, false)).toBe(-errno.EBUSY);
    file.put();
    expect(vfs.mounts.unmount(at, false)).toBe(0);
  });

  it('a read-only mount refuses changes, and a full one bytes', () => {
    const { vfs, fs } = mounted();
    fs.touch('mnt/f');
    const file = fs.open('mnt/f', O_WRONLY) as File;
    expect(vfsWrite(file, new Uint8Array(4097))).toBe(-errno.ENOSPC);
    expect(vfsWrite(file, new Uint8Array(4096))).toBe(4096);
    const at = vfs.kernelLookup('/mnt');
    if (typeof at === 'number') throw new Error('no mnt');
    at.mount.flags |= MS_RDONLY;
    expect(fs.touch('mnt/g')).toBe(-errno.EROFS);
    expect(fs.unlink('mnt/f')).toBe(-errno.EROFS);
    expect(fs.open('mnt/f', O_WRONLY)).toBe(-errno.EROFS);
  });
});
