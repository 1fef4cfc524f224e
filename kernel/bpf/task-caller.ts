/** A task as a caller of bpf(2): its user memory, descriptors and capabilities. */
import type { BpfCaller, BpfCaps, BpfHandle } from '../../bpf/syscall/caller.ts';
import { newReading } from '../../bpf/syscall/link-commands.ts';
import type { BpfObject } from '../../bpf/syscall/objects.ts';
import { CAP_SYS_ADMIN } from '../fs/cred.ts';
import { pinnedObject, pinObject } from '../fs/bpffs.ts';
import type { OpenPinned } from '../fs/bpffs.ts';
import { O_RDONLY, O_RDWR, O_WRONLY } from '../fs/fcntl.ts';
import type { Kernel } from '../machine-types.ts';
import { CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON } from '../sched/credentials.ts';
import type { Task } from '../sched/task.ts';
import type { Fd } from '../types/units.ts';
import { BpfFile, bpfHandle } from './bpf-file.ts';

export class TaskCaller implements BpfCaller {
  readonly caps: BpfCaps;
  readonly uid: number;
  readonly #kernel: Kernel;
  readonly #task: Task;

  constructor(kernel: Kernel, task: Task) {
    this.#kernel = kernel;
    this.#task = task;
    this.uid = task.cred.uid;
    const sysAdmin = task.cred.capable(CAP_SYS_ADMIN);
    this.caps = {
      sysAdmin,
      bpf: sysAdmin || task.cred.capable(CAP_BPF),
      perfmon: sysAdmin || task.cred.capable(CAP_PERFMON),
      netAdmin: task.cred.capable(CAP_NET_ADMIN),
    };
  }

  copyFromUser(address: bigint, sizeBytes: number): Uint8Array | undefined {
    return this.#task.mm?.copyIn(Number(address), sizeBytes) ?? undefined;
  }

  copyToUser(address: bigint, bytes: Uint8Array): boolean {
    return this.#task.mm?.copyOut(Number(address), bytes) ?? false;
  }

  installFd(handle: BpfHandle): Fd | number {
    const { vfs, bpfReaders } = this.#kernel;
    const { canRead, canWrite } = handle;
    const flags = canRead && canWrite ? O_RDWR : canWrite ? O_WRONLY : O_RDONLY;
    const file = vfs.anonFile(new BpfFile(handle, (map) => bpfReaders.of(map)), flags);
    const fd = this.#task.files!.install(file, { cloexec: true });
    if (fd < 0) file.put();
    return fd;
  }

  closeFd(fd: number): number {
    return this.#task.files!.close(fd as Fd);
  }

  handleOfFd(fd: number): BpfHandle | null | undefined {
    return bpfHandle(this.#task, fd);
  }

  pin(path: string, object: BpfObject): number {
    return pinObject(this.#kernel.vfs, this.#task, path, object, this.#opener(object));
  }

  /** A pinned iterator is read like a file. */
  #opener(object: BpfObject): OpenPinned | undefined {
    if (object.kind !== 'link' || object.attachment.type !== 'iter') return undefined;
    return () => {
      const reading = newReading(object);
      if (typeof reading === 'number') return reading;
      const handle = { object: reading, canRead: true, canWrite: false };
      return new BpfFile(handle, (map) => this.#kernel.bpfReaders.of(map));
    };
  }

  pinned(path: string, write: boolean): BpfObject | number {
    return pinnedObject(this.#kernel.vfs, this.#task, path, write) as BpfObject | number;
  }
}
