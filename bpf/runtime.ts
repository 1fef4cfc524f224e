/**
 * What a running program and its helpers can reach. `BpfKernel` is the part that a kernel
 * implements; `bpf/testing/` has one that needs nothing but a RAM.
 *
 *   createRuntime(ram, core, kernel, programs)   the parts of one machine, put together
 */
import type { Ram } from '../kernel/ram/ram.ts';
import type { Ns, RamOffset } from '../kernel/types/units.ts';
import { Bug } from '../kernel/types/units.ts';
import type { Btf } from './btf/btf.ts';
import type { Executable } from './engine.ts';
import type { EngineState } from './engine-state.ts';
import type { SyncookieSecret } from './helpers/syncookie.ts';
import { DESTRUCTORS, kfuncNamed } from './kfuncs/table.ts';
import type { BpfMap, CpuEntry, CpuEntryInit } from './maps/map.ts';
import type { NativeCore } from './native/core.ts';
import type { VerifiedProgram } from './program.ts';
import type { ProgObject } from './syscall/objects.ts';
import type { BpfTimers } from './timers.ts';
import type { TraceBuffer } from './trace-buffer.ts';
import { timersOf } from './timers.ts';
import type { AttachType, MapType } from './uapi.ts';

/** What helpers need of the kernel around them. */
/** A task as iterators see it; `offset` of its task_struct. */
export interface BpfTask {
  readonly pid: number;
  readonly tgid: number;
  readonly offset: RamOffset;
}

export interface BpfKernel {
  readonly cpuCount: number;
  /** CPU that runs the program. */
  cpu(): number;
  /** CLOCK_MONOTONIC, CLOCK_BOOTTIME and so on start at boot in skep, so one clock serves. */
  nowNs(): Ns;
  /** Run on another CPU while the caller waits (smp_call_function_single). */
  onCpu?(cpu: number, run: () => void): void;
  /** The current task_struct, or 0 in a context without one. */
  currentTask(): RamOffset;
  currentPid(): number;
  currentTgid(): number;
  currentUid(): number;
  currentGid(): number;
  currentComm(): string;
  /** Of the default hierarchy; where there are no cgroups, all is the root's. */
  currentCgroupId?(): bigint;
  /** 0 where the task's cgroup is not that deep. */
  currentAncestorCgroupId?(level: number): bigint;
  /** Seeded; the same sequence for the same machine. */
  random32(): number;
  /** One line into the trace ring, as bpf_trace_printk writes it (without newline handling). */
  tracePrintk(text: string): void;
  /** Copy from the current task's user memory to RAM. False if any byte is not mapped. */
  copyFromUser(destination: RamOffset, source: bigint, sizeBytes: number): boolean;
  copyToUser(destination: bigint, source: RamOffset, sizeBytes: number): boolean;
  /**
   * What a perf_event descriptor (cgroup directory) of the current task stands for: a handle above
   * 0, which the kernel keeps until it is put, or a negative errno.
   */
  perfEventOfFd?(fd: number): number;
  putPerfEvent?(event: number): void;
  cgroupOfFd?(fd: number): number;
  putCgroup?(cgroup: number): void;
  /** The struct sock of a socket descriptor that fits a map of `type`, or a negative errno. */
  sockOfFd?(fd: number, type: MapType): RamOffset | number;
  putSock?(sock: RamOffset): void;
  sockCookie?(sock: RamOffset): bigint;
  /** The socket, inode or task whose storage a descriptor stands for, or a negative errno. */
  storageOwnerOfFd?(fd: number, type: MapType): RamOffset | number;
  sockUid?(sock: RamOffset): number;
  /** The sk_buff has a larger buffer now: give `head` back. Absent: it is kmalloc's or a page. */
  skbFreeHead?(skb: RamOffset, head: RamOffset): void;
  /** A copy of the packet to a device, to send or as if received: 0 or -errno. */
  skbCloneRedirect?(skb: RamOffset, ifindex: number, ingress: boolean): number;
  /** Key of the cgroup storage of the program that runs (CgroupStorageMap.keyText). */
  cgroupStorageKey?(): string;
  /** The task with the smallest pid above `pid`. */
  taskAfter?(pid: number): BpfTask | undefined;
  /** Open files of a task, by descriptor; `flags` O_*, `mode` FMODE_*. */
  taskFiles?(pid: number): readonly {
    readonly fd: number;
    readonly flags: number;
    readonly mode: number;
    readonly position: number;
  }[];
  /** Areas of a task's memory, by address; `flags` VM_*, `page` into the file. */
  taskAreas?(pid: number): readonly {
    readonly start: number;
    readonly end: number;
    readonly flags: number;
    readonly page: number;
  }[];
  /** Stack of any task, in kernel or user mode; undefined where there is none to walk. */
  taskCallchain?(task: RamOffset, user: boolean, maxDepth: number): readonly bigint[] | undefined;
  /** Address of a kernel symbol. */
  symbolAddress?(name: string): bigint | undefined;
  /** Whether the current task may see kernel addresses (kallsyms_show_value). */
  mayDumpAddresses?(): boolean;
  /** The same as copyFromUser from another task's memory, which may be faulted in. */
  copyFromTask?(
    task: RamOffset,
    destination: RamOffset,
    source: bigint,
    sizeBytes: number,
  ): boolean;
  /** The current task belongs to the cgroup with that handle, or to one below it. */
  currentIsUnderCgroup?(cgroup: number): boolean;
  /** struct net_device of an interface, 0 where there is none. */
  netDevice?(ifindex: number): RamOffset;
  /** Whether IPv4 packets that come in by an interface are forwarded (its `forwarding` setting). */
  forwards4?(ifindex: number): boolean;
  /** The unicast route that forwards to an address; undefined where there is none. */
  fibHop4?(query: FibQuery): FibHop | undefined;
  /** The socket that a packet would be delivered to, NULL where there is none. */
  findSock?(query: SockQuery): RamOffset;
  /** A reference that findSock gave to a program comes back (sock_gen_put). */
  releaseSock?(sock: RamOffset): void;
  /** Of the machine's one network namespace. */
  netnsCookie?(): bigint;
  /** The default hierarchy's cgroup of a socket; where there are no cgroups, all is the root's. */
  sockCgroupId?(sock: RamOffset): bigint;
  sockAncestorCgroupId?(sock: RamOffset, level: number): bigint;
  sockIsUnderCgroup?(sock: RamOffset, cgroup: number): boolean;
  /** What an event has counted, for the CPU and task that run now; or -errno (perf_event_read_local). */
  perfEventRead?(event: number): PerfEventValue | number;
  /** What the CPU that runs has recorded of branches, the latest first; absent: it records none. */
  lastBranches?(): readonly LastBranch[];
  /** The pid namespace of the current task: its file in nsfs, and the task's ids in it. */
  pidNamespace?(): {
    readonly device: bigint;
    readonly inode: bigint;
    readonly pid: number;
    readonly tgid: number;
  };
  /**
   * A struct vm_area_struct of the area that an address of a task lies in, while `use` runs; 0 or
   * -ENOENT where there is none.
   */
  withVma?(task: RamOffset, address: bigint, use: (vma: RamOffset) => void): number;
  /** A frame of a test run goes where the program's verdict sends it. */
  liveXdpFrame?(verdict: number, xdp: RamOffset, progId: number): void;
  /** A batch of such frames is through (xdp_do_flush). */
  endLiveXdpBatch?(): void;
  /** A signal to the current thread, or to its whole process: 0 or -errno. */
  sendSignal?(signal: number, toThread: boolean): number;
  /**
   * An XDP program of the current task, made for entries of such a map, and a reference to it; or a
   * negative errno.
   */
  xdpProgramOfFd?(fd: number, attachType: AttachType): ProgObject | number;
  /**
   * An entry of a cpumap comes to life, or -ENOMEM; where absent, entries only say what they were
   * given.
   */
  startCpuEntry?(init: CpuEntryInit): CpuEntry | number;
  /** A network device that packets can be sent to. */
  netDeviceExists?(ifindex: number): boolean;
  /**
   * Return addresses from the innermost on, of the kernel or of the current task in user mode;
   * undefined where there is no stack to walk. `ctx` is the program's.
   */
  callchain?(ctx: RamOffset, user: boolean, maxDepth: number): readonly bigint[] | undefined;
  /**
   * bpf_perf_event_output: a PERF_RECORD_SAMPLE with these bytes of RAM as its raw data, one part
   * after the other, into the event's ring. 0, or as perf_event_output and its checks fail:
   * -EINVAL (not a BPF output event), -EOPNOTSUPP (another CPU's), -ENOSPC (ring full).
   */
  perfEventOutput?(
    event: number,
    raw: readonly { readonly offset: RamOffset; readonly sizeBytes: number }[],
    ctx: RamOffset,
  ): number;
  /**
   * Calls `expire` in softirq context of this CPU, `delayNs` from now (a soft hrtimer); at once
   * where that is not after now.
   */
  startTimer?(delayNs: bigint, expire: () => void): PendingTimer;
  /** Ring buffer or perf buffer of `map` has data and its reader should be woken. */
  wakeMapReaders(map: BpfMap): void;
  /**
   * LD_ABS and LD_IND: `bytes` of the packet of the sk_buff at `skb`, big-endian as on the wire, in
   * host order; undefined beyond its end. Negative offsets are Linux's SKF_NET_OFF and SKF_LL_OFF.
   */
  packetWord?(skb: RamOffset, offset: number, bytes: 1 | 2 | 4): number | undefined;
  /** The symbol that a kernel address is in (`%pS`), undefined if it is in none. */
  symbolAt?(
    address: bigint,
  ): { readonly name: string; readonly offset: number; readonly size?: number } | undefined;
}

export interface PendingTimer {
  /** True if it had not expired; it will not now. */
  cancel(): boolean;
}

/** A reference to a program in the machine. */
export interface ProgramHold {
  /** Runs `call` as a part of the program: a fault is reported, not thrown. */
  guard(call: () => void): void;
  put(): void;
}

/** What a program that is attached learns of its attachment (struct bpf_run_ctx and its kin). */
export interface HookContext {
  /** bpf_cookie of a perf event or tracing link. */
  readonly cookie?: bigint;
  /** The probed instruction or traced function. */
  readonly address?: bigint;
  /** The traced function has run: fexit, fmod_ret. */
  readonly hasResult?: true;
  /** What the hooked operation is to return, which cgroup programs hand on. */
  retval?: number;
}

/** What bpf_fib_lookup asks; IPv4 addresses are numbers in host order. */
export interface FibQuery {
  readonly destination: number;
  /** Only in this table; undefined: in all, as the routing rules say. */
  readonly table: number | undefined;
  /** Only routes out of this interface. */
  readonly outputIndex: number | undefined;
}

export interface FibHop {
  readonly ifindex: number;
  readonly mtu: number;
  readonly metric: number;
  readonly gateway: number | undefined;
  /** The address of ours that a packet on this route would come from. */
  readonly source: number;
  /** Of the interface. */
  readonly mac: Uint8Array;
  /** Of the next hop, where it is known (NUD_VALID). */
  readonly neighbour: Uint8Array | undefined;
}

/** A struct bpf_sock_tuple, in network order as in the packet. */
export interface SockQuery {
  readonly protocol: 'tcp' | 'udp';
  readonly family: 'inet' | 'inet6';
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Also sockets that are no full ones: requests and timewait. */
  readonly anyState: boolean;
}

/** struct perf_branch_entry, as far as cores of skep fill it. */
export interface LastBranch {
  readonly from: bigint;
  readonly to: bigint;
  readonly mispredicted: boolean;
  readonly cycles: number;
}

/** struct bpf_perf_event_value */
export interface PerfEventValue {
  readonly counter: bigint;
  readonly enabled: bigint;
  readonly running: bigint;
}

/** Where a program that returned XDP_REDIRECT or TC_ACT_REDIRECT wants its packet (redirect_info). */
export interface Redirect {
  /** Interface index, or the index in `map`. */
  readonly index: number;
  readonly map: BpfMap | undefined;
  readonly flags: number;
  /** Not out of the interface as it is: to its peer's input, or with a neighbour's address. */
  readonly how?: 'peer' | 'neighbour';
  /** struct bpf_redir_neigh: the neighbour, where the program names it. */
  readonly nexthop?: Uint8Array;
}

/** The engine's side of a running program, for helpers that call back into it. */
export interface RunningProgram {
  /** Call the BPF function that a PSEUDO_FUNC ld_imm64 denotes, on this program's engine. */
  callback(func: bigint, r1: bigint, r2: bigint, r3: bigint, r4: bigint, r5: bigint): bigint;
  readonly ctx: RamOffset;
}

export interface BpfRuntime {
  readonly ram: Ram;
  readonly core: NativeCore;
  readonly kernel: BpfKernel;
  /** Innermost running program; undefined outside one. Engines push and pop it. */
  running: RunningProgram | undefined;
  /** What /sys/kernel/btf/vmlinux shows, where bpf(2) has one. */
  kernelBtf?: Btf;
  /** A command of bpf(2) on behalf of whoever runs the program; while a syscall program runs. */
  sysBpf?: ((command: number, attr: RamOffset, sizeBytes: number) => number) | undefined;
  /** close(2) of a descriptor of theirs. */
  sysClose?: ((fd: number) => number) | undefined;
  /** Of the attachment whose program runs; undefined in test runs. */
  hook?: HookContext | undefined;
  /** What the last redirect helper asked for; the kernel reads it when the program returns so. */
  redirect?: Redirect | undefined;
  /** The metadata_dst of each CPU that bpf_skb_set_tunnel_key fills; made when first used. */
  tunnels?: Map<number, RamOffset>;
  /** The one object of the kernel functions for trying (kfuncs/test-run.ts); made when first used. */
  kfuncTestObject?: RamOffset;
  /** The key of SYN cookies; drawn when first used. */
  syncookieSecret?: SyncookieSecret;
  /** Maps by the offset of their struct bpf_map; a map enters when made, leaves when freed. */
  readonly maps?: Map<RamOffset, BpfMap>;
  /** The map whose struct bpf_map is at `offset`. */
  mapAt(offset: RamOffset): BpfMap | undefined;
  /** Timers in map values; made when first used. */
  timers?: BpfTimers;
  /** Set by bpf(2), which counts references; absent where nothing does. */
  holdProgram?: (program: VerifiedProgram) => ProgramHold | undefined;
  /** What the engines share: BPF stack and callbacks. Made by the first that compiles. */
  engineState?: EngineState;
  /** What traced engines note; made by the first that compiles. */
  trace?: TraceBuffer;
  /** The executable that a prog_array slot denotes, for tail calls; by program id. */
  executableOf(progId: number): Executable | undefined;
}

/** Where programs are found, which bpf(2) keeps. */
export interface ProgramDirectory {
  executableOf(progId: number): Executable | undefined;
}

const NO_PROGRAMS: ProgramDirectory = { executableOf: () => undefined };

export function createRuntime(
  ram: Ram,
  core: NativeCore,
  kernel: BpfKernel,
  programs: ProgramDirectory = NO_PROGRAMS,
): BpfRuntime {
  const maps = new Map<RamOffset, BpfMap>();
  const mapAt = (offset: RamOffset): BpfMap => {
    const map = maps.get(offset);
    if (!map) throw new Bug(`no map is at ${offset.toString(16)}`);
    return map;
  };
  core.host = {
    wakeReaders: (map) => kernel.wakeMapReaders(mapAt(map)),
    freeSpecialFields: (map, value) => freeSpecialFields(runtime, mapAt(map), value),
    // References to inner maps are counted where descriptors are, in bpf/syscall.
    putInnerMap: () => {},
    lookup: (map, key) => mapAt(map).lookup(key),
    update: (map, key, value, flags) => mapAt(map).update(key, value, Number(flags)),
    delete: (map, key) => mapAt(map).delete(key),
    nextKey: (map, key, next) => mapAt(map).nextKey(key, next),
  };
  const runtime: BpfRuntime = {
    ram,
    core,
    kernel,
    running: undefined,
    maps,
    mapAt: (offset) => maps.get(offset),
    executableOf: (id) => programs.executableOf(id),
  };
  return runtime;
}

/**
 * A value goes away (check_and_free_fields): its timer ends, and what it owns is given back to who
 * hands such objects out.
 */
export function freeSpecialFields(runtime: BpfRuntime, map: BpfMap, value: RamOffset): void {
  if (map.timerOffset !== undefined) {
    timersOf(runtime).free((value + map.timerOffset) as RamOffset);
  }
  const { ram } = runtime;
  for (const { at, owned } of map.kptrs ?? []) {
    const place = (value + at) as RamOffset;
    const object = ram.readU64(place);
    ram.writeU64(place, 0n);
    if (owned !== undefined && object !== 0n) destroy(runtime, owned, object);
  }
}

/** An object of a kernel struct that a map owned. */
function destroy(runtime: BpfRuntime, struct: string, object: bigint): void {
  const name = DESTRUCTORS[struct];
  const destructor = name === undefined ? undefined : kfuncNamed(name)?.bind?.(runtime);
  (destructor as ((object: number) => void) | undefined)?.(Number(BigInt.asUintN(32, object)));
}
