/**
 * task_struct and what hangs off it, with the members of Linux 6.1's structs (include/linux/sched.h,
 * cred.h, mm_types.h) that programs read and that this kernel keeps up to date. Order as in Linux;
 * offsets are ours (programs relocate by BTF).
 */
import {
  array,
  charArray,
  embed,
  i32,
  i64,
  long,
  nsTime,
  pointer,
  struct,
  u32,
  u64,
  ulong,
  u16,
} from './struct.ts';

/** TASK_COMM_LEN */
export const TASK_COMM_LEN = 16;

/** __state (include/linux/sched.h); what sched_switch prints is made of these. */
export const TASK_RUNNING = 0x0;
export const TASK_INTERRUPTIBLE = 0x1;
export const TASK_UNINTERRUPTIBLE = 0x2;
export const TASK_STOPPED = 0x4;
export const TASK_TRACED = 0x8;
export const EXIT_DEAD = 0x10;
export const EXIT_ZOMBIE = 0x20;
export const TASK_PARKED = 0x40;
export const TASK_DEAD = 0x80;
export const TASK_WAKING = 0x200;
export const TASK_NOLOAD = 0x400;
export const TASK_NEW = 0x800;

/** PF_* of task_struct.flags. */
export const PF_IDLE = 0x2;
export const PF_EXITING = 0x4;
export const PF_FORKNOEXEC = 0x40;
export const PF_SUPERPRIV = 0x100;
export const PF_KTHREAD = 0x200000;
export const PF_NO_SETAFFINITY = 0x4000000;

export const ThreadInfoStruct = struct('thread_info', {
  flags: ulong,
  syscall_work: ulong,
  status: u32,
  cpu: u32,
});

export const KernelCapStruct = struct('kernel_cap_struct', { cap: array(u32, 2) });

export const CredStruct = struct('cred', {
  usage: i32,
  uid: u32,
  gid: u32,
  suid: u32,
  sgid: u32,
  euid: u32,
  egid: u32,
  fsuid: u32,
  fsgid: u32,
  securebits: u32,
  cap_inheritable: embed(KernelCapStruct),
  cap_permitted: embed(KernelCapStruct),
  cap_effective: embed(KernelCapStruct),
  cap_bset: embed(KernelCapStruct),
  cap_ambient: embed(KernelCapStruct),
});

export const MmStruct = struct('mm_struct', {
  mm_users: i32,
  map_count: i32,
  total_vm: ulong,
  start_code: ulong,
  end_code: ulong,
  start_data: ulong,
  end_data: ulong,
  start_brk: ulong,
  brk: ulong,
  start_stack: ulong,
  arg_start: ulong,
  arg_end: ulong,
  env_start: ulong,
  env_end: ulong,
});

export const SchedEntityStruct = struct('sched_entity', {
  on_rq: u32,
  exec_start: nsTime,
  sum_exec_runtime: nsTime,
  vruntime: nsTime,
  prev_sum_exec_runtime: nsTime,
  nr_migrations: u64,
});

export const SignalStruct = struct('signal_struct', {
  nr_threads: i32,
  group_exit_code: i32,
  leader: u32,
  group_stop_count: i32,
});

export const TaskStruct = struct('task_struct', {
  thread_info: embed(ThreadInfoStruct),
  __state: u32,
  stack: pointer('void'),
  usage: i32,
  flags: u32,
  on_cpu: i32,
  wake_cpu: i32,
  on_rq: i32,
  prio: i32,
  static_prio: i32,
  normal_prio: i32,
  rt_priority: u32,
  se: embed(SchedEntityStruct),
  policy: u32,
  nr_cpus_allowed: i32,
  migration_disabled: u16,
  mm: pointer('mm_struct'),
  active_mm: pointer('mm_struct'),
  exit_state: i32,
  exit_code: i32,
  exit_signal: i32,
  pdeath_signal: i32,
  pid: i32,
  tgid: i32,
  real_parent: pointer('task_struct'),
  parent: pointer('task_struct'),
  group_leader: pointer('task_struct'),
  utime: nsTime,
  stime: nsTime,
  nvcsw: ulong,
  nivcsw: ulong,
  start_time: nsTime,
  start_boottime: nsTime,
  min_flt: ulong,
  maj_flt: ulong,
  real_cred: pointer('cred'),
  cred: pointer('cred'),
  comm: charArray(TASK_COMM_LEN),
  signal: pointer('signal_struct'),
  parent_exec_id: u32,
  self_exec_id: u32,
  cgroups: pointer('css_set'),
  utask: pointer('uprobe_task'),
  timer_slack_ns: nsTime,
  trace_recursion: long,
  last_switch_time: i64,
});

/** At Linux 6.1's offsets on x86-64 (read from its BTF); made for whoever asks for an area. */
export const VmAreaStruct = struct(
  'vm_area_struct',
  {
    vm_start: ulong,
    vm_end: ulong,
    vm_mm: pointer('mm_struct'),
    vm_page_prot: ulong,
    vm_flags: ulong,
    /** Pages into the file. */
    vm_pgoff: ulong,
    vm_file: pointer('file'),
    vm_private_data: pointer('void'),
  },
  { size: 152, offsets: { vm_pgoff: 104, vm_file: 112 } },
);
/** VM_* of vm_flags (include/linux/mm.h). */
export const VM_SHARED = 0x8;
export const VM_MAYREAD = 0x10;
export const VM_MAYWRITE = 0x20;
export const VM_MAYEXEC = 0x40;
export const VM_MAYSHARE = 0x80;
export const VM_GROWSDOWN = 0x100;
