/**
 * mmap of files: pages that the kernel owns (BPF maps, ring buffers, perf buffers) are shared with
 * the process; those of ordinary files are read in when touched, private to it.
 */
import type { Kernel } from '../machine-types.ts';
import type { RamOffset } from '../types/units.ts';
import { PAGE_SIZE } from '../ram/ram.ts';
import type { Task } from '../sched/task.ts';
import { errno } from '../types/errno.ts';
import type { Backing } from './vma.ts';
import { MAP_PRIVATE, MAP_SHARED_VALIDATE, PROT_WRITE } from './vma.ts';

export interface MmapRequest {
  /** Bytes, a multiple of the page size; and where in the object it starts. */
  readonly length: number;
  readonly offset: number;
  readonly prot: number;
  readonly flags: number;
}

/** What FileOps.mmap gives: the pages of the object, and whom to tell about its users. */
export interface MappedPages {
  /** RAM offset of page `index`, counted from the object's start; undefined beyond its end. */
  page(index: number): RamOffset | undefined;
  open?(): void;
  close?(): void;
}

export function fileBacking(
  kernel: Kernel,
  task: Task,
  fd: number,
  request: MmapRequest,
): Backing | number {
  const file = task.files!.get(fd);
  if (!file) return -errno.EBADF;
  if (!file.readable) return -errno.EACCES;
  const shared = (request.flags & MAP_SHARED_VALIDATE) !== MAP_PRIVATE;
  if (shared && request.prot & PROT_WRITE && !file.writable) return -errno.EACCES;
  const { inode, ops } = file;
  const named = kernel.vfs.mounts.pathName(file.path, kernel.vfs.mounts.rootPath);
  const path = ops.linkName ?? named ?? '';
  const common = { path, inode: inode.ino, device: inode.fs.dev };
  file.get();
  let users = 1;
  const open = () => void users++;
  const close = () => {
    if (--users === 0) file.put();
  };
  if (ops.mmap) {
    const pages = ops.mmap(request);
    if (typeof pages === 'number') {
      file.put();
      return pages;
    }
    return {
      ...common,
      sharedPage: (index) => pages.page(index),
      open: () => {
        open();
        pages.open?.();
      },
      close: () => {
        pages.close?.();
        close();
      },
    };
  }
  // differs: files are not kept in RAM's pages, so they cannot be shared, only read.
  if ((shared && request.prot & PROT_WRITE) || !ops.read) {
    file.put();
    return -errno.ENODEV;
  }
  return {
    ...common,
    readPage(index) {
      const data = ops.read!(PAGE_SIZE, index * PAGE_SIZE, file.flags);
      return data instanceof Uint8Array ? data : new Uint8Array(0);
    },
    open,
    close,
  };
}
