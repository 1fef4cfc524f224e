/**
 * The descriptors of a process.
 *
 *   files.install(file, {cloexec, from})   lowest free fd >= from, or -EMFILE; takes the reference
 *   files.get(fd)                          the File, or undefined (-EBADF); no reference taken
 *   files.close(fd)                        0 or -EBADF
 *   files.dupTo(old, new, cloexec)         dup2, dup3
 *   files.clone(), files.share()           fork; clone(CLONE_FILES)
 *   files.closeOnExec(), files.release()   exec; exit
 */
import { errno } from '../types/errno.ts';
import type { File } from './file.ts';

interface Descriptor {
  readonly file: File;
  cloexec: boolean;
}

/** RLIMIT_NOFILE's soft limit at boot (include/asm-generic/resource.h, INR_OPEN_CUR). */
export const DEFAULT_OPEN_FILES = 1024;

export class FileTable {
  #descriptors: (Descriptor | undefined)[] = [];
  #users = 1;
  /** RLIMIT_NOFILE: fds are below this. */
  limit = DEFAULT_OPEN_FILES;

  install(file: File, options: { cloexec?: boolean; from?: number } = {}): number {
    let fd = options.from ?? 0;
    while (this.#descriptors[fd]) fd++;
    if (fd >= this.limit) return -errno.EMFILE;
    this.#descriptors[fd] = { file, cloexec: options.cloexec ?? false };
    return fd;
  }

  get(fd: number): File | undefined {
    return this.#descriptors[fd]?.file;
  }

  close(fd: number): number {
    const descriptor = this.#descriptors[fd];
    if (!descriptor) return -errno.EBADF;
    this.#descriptors[fd] = undefined;
    descriptor.file.put();
    return 0;
  }

  dupTo(oldFd: number, newFd: number, cloexec: boolean): number {
    if (newFd < 0 || newFd >= this.limit) return -errno.EBADF;
    const file = this.get(oldFd);
    if (!file) return -errno.EBADF;
    const replaced = this.#descriptors[newFd];
    this.#descriptors[newFd] = { file: file.get(), cloexec };
    replaced?.file.put();
    return newFd;
  }

  cloexec(fd: number): boolean {
    return this.#descriptors[fd]?.cloexec ?? false;
  }

  setCloexec(fd: number, cloexec: boolean): void {
    const descriptor = this.#descriptors[fd];
    if (descriptor) descriptor.cloexec = cloexec;
  }

  /** Open descriptors in ascending order. */
  *entries(): Generator<[fd: number, file: File]> {
    for (const [fd, descriptor] of this.#descriptors.entries()) {
      if (descriptor) yield [fd, descriptor.file];
    }
  }

  clone(): FileTable {
    const copy = new FileTable();
    copy.limit = this.limit;
    copy.#descriptors = this.#descriptors.map(
      (descriptor) => descriptor && { file: descriptor.file.get(), cloexec: descriptor.cloexec },
    );
    return copy;
  }

  share(): this {
    this.#users++;
    return this;
  }

  closeOnExec(): void {
    for (const [fd, descriptor] of this.#descriptors.entries()) {
      if (descriptor?.cloexec) this.close(fd);
    }
  }

  /** A task that used the table has exited; the last one closes everything. */
  release(): void {
    if (--this.#users > 0) return;
    for (const fd of this.#descriptors.keys()) this.close(fd);
  }
}
