/**
 * A thread: its task_struct in RAM, and what only the kernel proper needs of it. What programs can
 * see (pid, comm, state, credentials, times) is in RAM; the objects behind it are members here.
 */
import type { FileTable } from '../fs/file-table.ts';
import type { FsStruct } from '../fs/fs-struct.ts';
import type { AddressSpace } from '../mm/address-space.ts';
import type { Ram } from '../ram/ram.ts';
import type { UserFlow, UserRequest } from '../syscall/abi.ts';
import type { SyscallRow } from '../syscall/row.ts';
import type { ViewOf } from '../types/struct.ts';
import { CredStruct, SchedEntityStruct, TaskStruct, ThreadInfoStruct } from '../types/task.ts';
import type { Ns, Pid, RamOffset } from '../types/units.ts';
import type { Credentials } from './credentials.ts';
import type { KernelFlow, WakeReason } from './flow.ts';
import type { Process } from './process.ts';
import { NO_SECCOMP, type SeccompState } from './seccomp-state.ts';
import { PendingSignals } from './signal.ts';
import type { SignalSet } from './signal.ts';
import type { EventHandle } from '../machine-types.ts';

/** One activation in user mode: the program itself, or a signal handler on top of it. */
export interface UserFrame {
  readonly flow: UserFlow<unknown>;
  /** Handlers: what to put back when it returns, and the call to make again (SA_RESTART). */
  readonly onReturn?: {
    readonly blocked: SignalSet;
    readonly value: number;
    readonly restart: SyscallRequest | undefined;
  };
}

export type SyscallRequest = Extract<UserRequest, { kind: 'syscall' }>;

/** The system call a task is in. */
export interface ActiveSyscall {
  /** Undefined for a number that the table does not have. */
  readonly row: SyscallRow | undefined;
  readonly request: SyscallRequest;
  /** Result, once there is one. */
  result: number;
  /** Its exit has been traced; what remains is signals. */
  left: boolean;
}

export interface TaskInit {
  readonly pid: Pid;
  readonly comm: string;
  readonly process: Process;
  readonly cred: Credentials;
  readonly flags: number;
}

export class Task {
  readonly pid: Pid;
  readonly process: Process;
  /** task_struct */
  readonly struct: ViewOf<typeof TaskStruct>;
  readonly #se: ViewOf<typeof SchedEntityStruct>;
  readonly #threadInfo: ViewOf<typeof ThreadInfoStruct>;
  readonly #cred: ViewOf<typeof CredStruct>;
  readonly #ram: Ram;
  #credentials!: Credentials;

  /** Null for kernel threads, and once the task has exited. */
  mm: AddressSpace | null = null;
  files: FileTable | null = null;
  fs: FsStruct | null = null;
  /** Path of the executable, for /proc/PID/exe. */
  exePath = '';

  /** Scheduling; the scheduler writes these. */
  cpu = 0;
  readonly cpusAllowed: Set<number>;
  onRq = false;
  onCpu = false;
  /** Weighted run time, ns. */
  vruntime = 0;
  /** Order among equals on a run queue. */
  rqSequence = 0;
  nice = 0;
  /** CPU time of this task when it was last picked. */
  pickedAtRuntimeNs = 0;
  sumExecNs = 0;
  utimeNs = 0;
  stimeNs = 0;
  sleepTimer: EventHandle | undefined;
  wakeReason: WakeReason = 'woken';
  sleepIsInterruptible = false;
  /** What is left of an interrupted burst of computation in user mode. */
  remainingUserNs = 0;

  /** Execution; see execute.ts. */
  readonly userFrames: UserFrame[] = [];
  kernelFlow: KernelFlow<number> | undefined;
  syscall: ActiveSyscall | undefined;
  /** Handed to the user frame when it goes on. */
  userValue = 0;
  /** What an ERESTART_RESTARTBLOCK call goes on with, where no handler ran. */
  restartBlock: (() => KernelFlow<number>) | undefined;
  seccomp: SeccompState = NO_SECCOMP;
  /** No exec gives it more privileges (PR_SET_NO_NEW_PRIVS). */
  noNewPrivs = false;
  /** The call to make again once the handler that is being set up returns. */
  restartRequest: SyscallRequest | undefined;

  /** Signals. */
  blocked: SignalSet = 0n;
  readonly pending = new PendingSignals();
  /** TIF_SIGPENDING: something unblocked is pending; signal-delivery.ts keeps it. */
  signalPending = false;
  /** Another thread of its process calls exec: this one is to end. */
  killedByExec = false;
  /** The signal of a fault of its own: kills even the first process. */
  forced = 0;
  /** sigsuspend: the mask to restore once a handler has run. */
  savedBlocked: SignalSet | undefined;
  clearChildTid = 0;
  exited = false;

  constructor(ram: Ram, cpuCount: number, init: TaskInit) {
    this.#ram = ram;
    this.pid = init.pid;
    this.process = init.process;
    this.struct = TaskStruct.alloc(ram);
    this.#se = SchedEntityStruct.at(ram, this.struct.se);
    this.#threadInfo = ThreadInfoStruct.at(ram, this.struct.thread_info);
    this.#cred = CredStruct.alloc(ram);
    this.cpusAllowed = new Set(Array.from({ length: cpuCount }, (_, cpu) => cpu));
    const { struct } = this;
    struct.pid = init.pid;
    struct.flags = init.flags;
    struct.comm = init.comm;
    struct.usage = 1;
    struct.static_prio = 120;
    struct.normal_prio = 120;
    struct.prio = 120;
    struct.nr_cpus_allowed = cpuCount;
    struct.cred = this.#cred.offset;
    struct.real_cred = this.#cred.offset;
    struct.timer_slack_ns = 50_000 as Ns;
    this.cred = init.cred;
  }

  /** RAM offset of the task_struct. */
  get offset(): RamOffset {
    return this.struct.offset;
  }

  get tgid(): Pid {
    return this.process.pid;
  }

  get comm(): string {
    return this.struct.comm;
  }

  set comm(value: string) {
    this.struct.comm = value;
  }

  /** TASK_* of kernel/types/task.ts. */
  get state(): number {
    return this.struct.__state;
  }

  set state(value: number) {
    this.struct.__state = value;
  }

  get flags(): number {
    return this.struct.flags;
  }

  set flags(value: number) {
    this.struct.flags = value;
  }

  /** 100 to 139 for ordinary tasks: 120 plus nice. */
  get prio(): number {
    return this.struct.prio;
  }

  get cred(): Credentials {
    return this.#credentials;
  }

  set cred(cred: Credentials) {
    this.#credentials = cred;
    const { values } = cred;
    const view = this.#cred;
    view.usage = 1;
    view.uid = values.uid;
    view.gid = values.gid;
    view.euid = values.euid;
    view.egid = values.egid;
    view.suid = values.suid;
    view.sgid = values.sgid;
    view.fsuid = values.fsuid;
    view.fsgid = values.fsgid;
    const ram = this.#ram;
    ram.writeU64(view.cap_inheritable, values.capInheritable);
    ram.writeU64(view.cap_permitted, values.capPermitted);
    ram.writeU64(view.cap_effective, values.capEffective);
    ram.writeU64(view.cap_bset, values.capBounding);
    ram.writeU64(view.cap_ambient, values.capAmbient);
  }

  /** Put what changes at each switch where programs can read it. */
  publishTimes(): void {
    this.#se.sum_exec_runtime = this.sumExecNs as Ns;
    this.#se.vruntime = Math.max(0, Math.floor(this.vruntime)) as Ns;
    this.struct.utime = this.utimeNs as Ns;
    this.struct.stime = this.stimeNs as Ns;
  }

  publishCpu(): void {
    this.#threadInfo.cpu = this.cpu;
    this.struct.wake_cpu = this.cpu;
  }

  publishNice(): void {
    this.struct.static_prio = 120 + this.nice;
    this.struct.normal_prio = 120 + this.nice;
    this.struct.prio = 120 + this.nice;
  }

  freeStructs(): void {
    this.#ram.kfree(this.#cred.offset);
    this.#ram.kfree(this.offset);
  }
}
