/**
 * Who calls bpf(2), as bpf(2) sees it. The kernel implements it for a task; a test or the batch
 * command for a bare RAM. Addresses are the caller's user addresses.
 */
import type { Fd } from '../../kernel/types/units.ts';
import type { BpfObject } from './objects.ts';

export interface BpfCaps {
  /** CAP_BPF or CAP_SYS_ADMIN, which includes it; the same for the next. */
  readonly bpf: boolean;
  readonly perfmon: boolean;
  /** CAP_NET_ADMIN itself. */
  readonly netAdmin: boolean;
  readonly sysAdmin: boolean;
}

export const ALL_CAPS: BpfCaps = { bpf: true, perfmon: true, netAdmin: true, sysAdmin: true };
export const NO_CAPS: BpfCaps = { bpf: false, perfmon: false, netAdmin: false, sysAdmin: false };

/** What one file descriptor of bpf(2) stands for. The kernel wraps it in a file. */
export interface BpfHandle {
  readonly object: BpfObject;
  /** FMODE_READ and FMODE_WRITE of the descriptor, from BPF_F_RDONLY and BPF_F_WRONLY. */
  readonly canRead: boolean;
  readonly canWrite: boolean;
}

export interface BpfCaller {
  readonly caps: BpfCaps;
  readonly uid: number;
  /** Undefined where a byte is not mapped: -EFAULT. */
  copyFromUser(address: bigint, sizeBytes: number): Uint8Array | undefined;
  /** False where a byte is not mapped. */
  copyToUser(address: bigint, bytes: Uint8Array): boolean;
  /** A new descriptor (close-on-exec, as bpf(2)'s are), or a negative errno. Takes one user reference. */
  installFd(handle: BpfHandle): Fd | number;
  /** close(2): 0 or -EBADF. */
  closeFd(fd: number): number;
  /** undefined: no such descriptor (-EBADF); null: a descriptor of something else (-EINVAL). */
  handleOfFd(fd: number): BpfHandle | null | undefined;
  /** Pin to a path of a bpf file system: 0 or a negative errno. Takes one user reference. */
  pin(path: string, object: BpfObject): number;
  /** The object pinned at a path, or a negative errno. */
  pinned(path: string, write: boolean): BpfObject | number;
}
