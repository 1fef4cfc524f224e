/** Where a process is in the tree: root, working directory, umask. Shared under CLONE_FS. */
import type { Path } from './mount.ts';

export class FsStruct {
  umask = 0o022;
  #root: Path;
  #cwd: Path;
  #users = 1;

  constructor(root: Path, cwd: Path = root) {
    this.#root = root;
    this.#cwd = cwd;
    root.mount.users++;
    cwd.mount.users++;
  }

  get root(): Path {
    return this.#root;
  }

  get cwd(): Path {
    return this.#cwd;
  }

  setRoot(path: Path): void {
    path.mount.users++;
    this.#root.mount.users--;
    this.#root = path;
  }

  setCwd(path: Path): void {
    path.mount.users++;
    this.#cwd.mount.users--;
    this.#cwd = path;
  }

  /** fork without CLONE_FS. */
  clone(): FsStruct {
    const copy = new FsStruct(this.#root, this.#cwd);
    copy.umask = this.umask;
    return copy;
  }

  /** clone(CLONE_FS): the same object for one more task. */
  share(): this {
    this.#users++;
    return this;
  }

  /** A task that used it has exited. */
  release(): void {
    if (--this.#users > 0) return;
    this.#root.mount.users--;
    this.#cwd.mount.users--;
  }
}
