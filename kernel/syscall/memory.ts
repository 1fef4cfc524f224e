/** Memory: brk, mmap, munmap, mprotect. */
import type { Kernel } from '../machine-types.ts';
import { TASK_SIZE, MMAP_MIN_ADDR } from '../mm/address-space.ts';
import { fileBacking } from '../mm/file-mapping.ts';
import * as v from '../mm/vma.ts';
import type { Backing } from '../mm/vma.ts';
import type { Task } from '../sched/task.ts';
import { PAGE_SIZE } from '../ram/ram.ts';
import { errno } from '../types/errno.ts';
import { syscall } from './row.ts';

const PROT_MASK = v.PROT_READ | v.PROT_WRITE | v.PROT_EXEC;
const pageUp = (bytes: number): number => Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE;

function mmap(
  kernel: Kernel,
  task: Task,
  hint: number,
  length: number,
  prot: number,
  flags: number,
  fd: number,
  offset: number,
): number {
  const mm = task.mm!;
  const size = pageUp(length);
  if (size === 0 || offset % PAGE_SIZE !== 0) return -errno.EINVAL;
  if (size > TASK_SIZE) return -errno.ENOMEM;
  const sharing = flags & v.MAP_SHARED_VALIDATE;
  if (sharing === 0) return -errno.EINVAL;
  const start = placeFor(task, hint, size, flags);
  if (start < 0) return start;
  let backing: Backing | undefined;
  if (!(flags & v.MAP_ANONYMOUS)) {
    const made = fileBacking(kernel, task, fd | 0, { length: size, offset, prot, flags });
    if (typeof made === 'number') return made;
    backing = made;
  }
  if (flags & v.MAP_FIXED) mm.unmap(start, start + size);
  mm.map({
    start,
    end: start + size,
    prot: prot & PROT_MASK,
    flags,
    name: '',
    page: backing ? offset / PAGE_SIZE : 0,
    ...(backing ? { backing } : {}),
  });
  return start;
}

function placeFor(task: Task, hint: number, size: number, flags: number): number {
  const mm = task.mm!;
  if (!(flags & (v.MAP_FIXED | v.MAP_FIXED_NOREPLACE))) {
    return mm.findRange(hint, size) ?? -errno.ENOMEM;
  }
  if (hint % PAGE_SIZE !== 0) return -errno.EINVAL;
  if (hint + size > TASK_SIZE) return -errno.ENOMEM;
  if (hint < MMAP_MIN_ADDR) return -errno.EPERM;
  if (flags & v.MAP_FIXED_NOREPLACE && !mm.areas.isFree(hint, hint + size)) return -errno.EEXIST;
  return hint;
}

export const memoryRows = [
  syscall(
    9,
    'mmap',
    'unsigned long addr, unsigned long len, unsigned long prot, unsigned long flags, ' +
      'unsigned long fd, unsigned long off',
    mmap,
  ),
  syscall(
    10,
    'mprotect',
    'unsigned long start, size_t len, unsigned long prot',
    (_kernel, task, start, length, prot) => {
      if (start % PAGE_SIZE !== 0) return -errno.EINVAL;
      return task.mm!.protect(start, start + pageUp(length), prot & PROT_MASK);
    },
  ),
  syscall(11, 'munmap', 'unsigned long addr, size_t len', (_kernel, task, start, length) => {
    if (start % PAGE_SIZE !== 0 || length === 0) return -errno.EINVAL;
    if (start + length > TASK_SIZE) return -errno.EINVAL;
    task.mm!.unmap(start, start + pageUp(length));
    return 0;
  }),
  syscall(12, 'brk', 'unsigned long brk', (_kernel, task, brk) => task.mm!.setBrk(brk)),
];
