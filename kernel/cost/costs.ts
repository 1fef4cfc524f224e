/**
 * What kernel work costs in CPU time. Unless a line says otherwise, the figure was measured by
 * measure.c beside this file, in a virtual machine on an AMD EPYC under Linux 6.18 with the
 * mitigations that it boots with; a figure that is a difference of two says of which.
 */

/** Entry to and exit from the kernel: getpid. */
export const SYSCALL_NS = 140;

/** One switch and the wake-up before it: (pipe round trip - 2 × write and read) / 2. */
export const CONTEXT_SWITCH_NS = 1_800;

/** Anonymous page fault. */
export const PAGE_FAULT_NS = 1_500;

/** Copying an address space: fork, exit and wait, less the same with vfork. */
export const COPY_MM_NS = 53_000;

/**
 * From the reschedule interrupt until an idle CPU executes again: exit latency of state C1 of a
 * Skylake server (drivers/idle/intel_idle.c, skx_cstates).
 */
export const IDLE_EXIT_NS = 2_000;

/** Setting up a handler's frame and sigreturn: kill to oneself with a handler, less two syscalls. */
export const SIGNAL_DELIVERY_NS = 2_200;

/** Beyond SYSCALL_NS, by system call. Where a call is not listed, only SYSCALL_NS is charged. */
export const SYSCALL_EXTRA_NS: Readonly<Record<string, number>> = {
  // read of a byte of /dev/zero, write of one to /dev/null, less SYSCALL_NS.
  read: 80,
  write: 70,
  // open and close of a directory, less two SYSCALL_NS, shared out 3 to 1.
  open: 1_400,
  openat: 1_400,
  close: 460,
  // access of a path of one component; the other path walks cost the same.
  access: 610,
  faccessat: 610,
  newstat: 610,
  newlstat: 610,
  newfstatat: 610,
  readlink: 610,
  chdir: 610,
  sched_yield: 340,
  // mmap and munmap of a page, less two SYSCALL_NS, halved.
  mmap: 1_500,
  munmap: 1_500,
  mprotect: 1_500,
  brk: 1_500,
  // vfork, exit and wait take 25 µs, of which three switches are 5.4; shared out evenly.
  vfork: 6_500,
  exit_group: 6_500,
  exit: 6_500,
  wait4: 6_500,
  fork: 6_500,
  clone: 6_500,
  clone3: 6_500,
  // vfork, exec, exit and wait, less the same without exec.
  execve: 384_000,
  rt_sigaction: 130,
  rt_sigprocmask: 130,
  kill: 300,
  tgkill: 300,
};
