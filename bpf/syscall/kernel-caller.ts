/**
 * bpf(2) called by a program (bpf_sys_bpf): the attr is the program's memory, and what the attr
 * points at may be the kernel's (a bpfptr of 6.1) or the user's; descriptors are the user's.
 */
import type { RamOffset } from '../../kernel/types/units.ts';
import type { BpfCaller } from './caller.ts';
import type { BpfSubsystem } from './subsystem.ts';

export function sysBpfFor(
  bpf: BpfSubsystem,
  user: BpfCaller,
): (command: number, attr: RamOffset, sizeBytes: number) => number {
  const caller = kernelCaller(bpf, user);
  const { ram } = bpf.host.runtime;
  return (command, attr, sizeBytes) =>
    bpf.command(command, ram.kernelAddress(attr), sizeBytes, caller);
}

function kernelCaller(bpf: BpfSubsystem, user: BpfCaller): BpfCaller {
  const { ram } = bpf.host.runtime;
  /** Undefined where it is none of RAM's. */
  const inRam = (address: bigint, sizeBytes: number) => {
    const at = ram.offsetOf(address);
    return at !== undefined && at + sizeBytes <= ram.sizeBytes ? at : undefined;
  };
  return {
    caps: user.caps,
    uid: user.uid,
    copyFromUser(address, sizeBytes) {
      const at = inRam(address, sizeBytes);
      return at === undefined
        ? user.copyFromUser(address, sizeBytes)
        : ram.bytes(at, sizeBytes).slice();
    },
    copyToUser(address, bytes) {
      const at = inRam(address, bytes.length);
      if (at === undefined) return user.copyToUser(address, bytes);
      ram.u8.set(bytes, at);
      return true;
    },
    installFd: (handle) => user.installFd(handle),
    closeFd: (fd) => user.closeFd(fd),
    handleOfFd: (fd) => user.handleOfFd(fd),
    pin: (path, object) => user.pin(path, object),
    pinned: (path, write) => user.pinned(path, write),
  };
}
