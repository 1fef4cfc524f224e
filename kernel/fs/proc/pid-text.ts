/** The texts of /proc/PID/stat, statm, status and maps (proc(5), fs/proc/array.c). */
import { PAGE_SIZE } from '../../ram/ram.ts';
import { filtersOf } from '../../sched/seccomp-state.ts';
import type { SignalSet } from '../../sched/signal.ts';
import { SIG_DFL, SIG_IGN, signalBit } from '../../sched/signal.ts';
import type { Task } from '../../sched/task.ts';
import * as state from '../../types/task.ts';
import { PROT_EXEC, PROT_READ, PROT_WRITE, MAP_SHARED } from '../../mm/vma.ts';
import type { Vma } from '../../mm/vma.ts';
import { majorOf, minorOf } from '../inode.ts';
import { ticks } from './system.ts';

const STATES: readonly (readonly [bit: number, letter: string, name: string])[] = [
  [state.TASK_INTERRUPTIBLE, 'S', 'sleeping'],
  [state.TASK_UNINTERRUPTIBLE, 'D', 'disk sleep'],
  [state.TASK_STOPPED, 'T', 'stopped'],
  [state.TASK_TRACED, 't', 'tracing stop'],
];
const TASK_IDLE = state.TASK_UNINTERRUPTIBLE | state.TASK_NOLOAD;

export function stateOf(task: Task): readonly [letter: string, name: string] {
  const { exit_state: exitState } = task.struct;
  if (exitState & state.EXIT_ZOMBIE) return ['Z', 'zombie'];
  if (exitState & state.EXIT_DEAD) return ['X', 'dead'];
  if ((task.state & TASK_IDLE) === TASK_IDLE) return ['I', 'idle'];
  const found = STATES.find(([bit]) => task.state & bit);
  return found ? [found[1], found[2]] : ['R', 'running'];
}

function signalSets(task: Task): { readonly ignored: SignalSet; readonly caught: SignalSet } {
  let ignored = 0n;
  let caught = 0n;
  for (const [signal, { token }] of task.process.actions.entries()) {
    if (signal === 0) continue;
    if (token === BigInt(SIG_IGN)) ignored |= signalBit(signal);
    else if (token !== BigInt(SIG_DFL)) caught |= signalBit(signal);
  }
  return { ignored, caught };
}

/** The old fields hold signals 1 to 31 only. */
const low31 = (set: SignalSet): string => String(set & 0x7fffffffn);

export function statText(task: Task): string {
  const { process, mm, struct } = task;
  const { ignored, caught } = signalSets(task);
  const pending = task.pending.set | process.sharedPending.set;
  const fields = [
    task.pid,
    `(${task.comm})`,
    stateOf(task)[0],
    process.parent?.pid ?? 0,
    process.pgid,
    process.sid,
    process.tty?.device ?? 0,
    process.tty?.foregroundPgid ?? -1,
    struct.flags >>> 0,
    mm?.faults ?? 0,
    0,
    0,
    0,
    ticks(process.utimeNs),
    ticks(process.stimeNs),
    ticks(process.childrenUtimeNs),
    ticks(process.childrenStimeNs),
    task.prio - 100,
    task.nice,
    process.threads.length,
    0,
    ticks(struct.start_time),
    (mm?.totalPages ?? 0) * PAGE_SIZE,
    mm?.residentPages ?? 0,
    '18446744073709551615',
    // startcode, endcode, startstack, kstkesp, kstkeip: addresses that only a tracer may see.
    mm ? 1 : 0,
    mm ? 1 : 0,
    0,
    0,
    0,
    low31(pending),
    low31(task.blocked),
    low31(ignored),
    low31(caught),
    0,
    0,
    0,
    process.leader.struct.exit_signal,
    task.cpu,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    mm?.startBrk ?? 0,
    mm?.argStart ?? 0,
    mm?.argEnd ?? 0,
    mm?.envStart ?? 0,
    mm?.envEnd ?? 0,
    process.exitStatus,
  ];
  return `${fields.join(' ')}\n`;
}

/** size resident shared text lib data dt, in pages. */
export function statmText({ mm }: Task): string {
  if (!mm) return '0 0 0 0 0 0 0\n';
  let text = 0;
  let data = 0;
  for (const vma of mm.areas.all) {
    const pages = (vma.end - vma.start) / PAGE_SIZE;
    if (vma.prot & PROT_EXEC) text += pages;
    else if (vma.prot & PROT_WRITE) data += pages;
  }
  return `${mm.totalPages} ${mm.residentPages} 0 ${text} 0 ${data} 0\n`;
}

const mask = (set: bigint): string => set.toString(16).padStart(16, '0');

export function statusText(task: Task): string {
  const { process, mm, cred, fs, struct } = task;
  const { values: ids } = cred;
  const [letter, name] = stateOf(task);
  const { ignored, caught } = signalSets(task);
  const kB = (pages: number): string => String((pages * PAGE_SIZE) / 1024).padStart(8);
  const lines: string[] = [`Name:\t${task.comm}`];
  if (fs) lines.push(`Umask:\t${fs.umask.toString(8).padStart(4, '0')}`);
  lines.push(
    `State:\t${letter} (${name})`,
    `Tgid:\t${process.pid}`,
    'Ngid:\t0',
    `Pid:\t${task.pid}`,
    `PPid:\t${process.parent?.pid ?? 0}`,
    'TracerPid:\t0',
    `Uid:\t${[ids.uid, ids.euid, ids.suid, ids.fsuid].join('\t')}`,
    `Gid:\t${[ids.gid, ids.egid, ids.sgid, ids.fsgid].join('\t')}`,
    `FDSize:\t${descriptorSlots(task)}`,
    `Groups:\t${ids.groups.join(' ')} `,
  );
  if (mm) {
    const areas = mm.areas.all;
    const pagesOf = (which: (vma: Vma) => boolean): number =>
      areas.reduce((sum, vma) => sum + (which(vma) ? (vma.end - vma.start) / PAGE_SIZE : 0), 0);
    const isStack = (vma: Vma): boolean => vma.name === '[stack]';
    lines.push(
      `VmSize:\t${kB(mm.totalPages)} kB`,
      `VmRSS:\t${kB(mm.residentPages)} kB`,
      `VmData:\t${kB(pagesOf((vma) => !isStack(vma) && (vma.prot & PROT_WRITE) !== 0))} kB`,
      `VmStk:\t${kB(pagesOf(isStack))} kB`,
      `VmExe:\t${kB(pagesOf((vma) => (vma.prot & PROT_EXEC) !== 0))} kB`,
    );
  }
  const cpus = [...task.cpusAllowed].sort((a, b) => a - b);
  const cpuMask = cpus.reduce((set, cpu) => set | (1n << BigInt(cpu)), 0n);
  lines.push(
    `Threads:\t${process.threads.length}`,
    `SigPnd:\t${mask(task.pending.set)}`,
    `ShdPnd:\t${mask(process.sharedPending.set)}`,
    `SigBlk:\t${mask(task.blocked)}`,
    `SigIgn:\t${mask(ignored)}`,
    `SigCgt:\t${mask(caught)}`,
    `CapInh:\t${mask(ids.capInheritable)}`,
    `CapPrm:\t${mask(ids.capPermitted)}`,
    `CapEff:\t${mask(ids.capEffective)}`,
    `CapBnd:\t${mask(ids.capBounding)}`,
    `CapAmb:\t${mask(ids.capAmbient)}`,
    `NoNewPrivs:\t${task.noNewPrivs ? 1 : 0}`,
    `Seccomp:\t${task.seccomp.mode}`,
    `Seccomp_filters:\t${[...filtersOf(task.seccomp)].length}`,
    `Cpus_allowed:\t${cpuMask.toString(16)}`,
    `Cpus_allowed_list:\t${ranges(cpus)}`,
    `voluntary_ctxt_switches:\t${struct.nvcsw}`,
    `nonvoluntary_ctxt_switches:\t${struct.nivcsw}`,
  );
  return `${lines.join('\n')}\n`;
}

/** The table's size: 64, doubled as descriptors need it. */
function descriptorSlots({ files }: Task): number {
  if (!files) return 0;
  let highest = 0;
  for (const [fd] of files.entries()) highest = fd;
  let slots = 64;
  while (slots <= highest) slots *= 2;
  return slots;
}

/** '0-2,5' */
function ranges(sorted: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < sorted.length;) {
    let end = i;
    while (sorted[end + 1] === sorted[end]! + 1) end++;
    parts.push(end > i ? `${sorted[i]}-${sorted[end]}` : String(sorted[i]));
    i = end + 1;
  }
  return parts.join(',');
}

/** Width of the part before the name: 25 + 6 addresses' worth - 1 (fs/proc/task_mmu.c). */
const MAPS_PREFIX = 72;

export function mapsText({ mm }: Task): string {
  let text = '';
  for (const vma of mm?.areas.all ?? []) {
    const flag = (bit: number, letter: string) => (vma.prot & bit ? letter : '-');
    const permissions =
      flag(PROT_READ, 'r') +
      flag(PROT_WRITE, 'w') +
      flag(PROT_EXEC, 'x') +
      (vma.flags & MAP_SHARED ? 's' : 'p');
    const hex = (value: number, width: number) => value.toString(16).padStart(width, '0');
    const { inode, device, path } = vma.backing ?? { inode: 0, device: 0, path: '' };
    const prefix =
      `${hex(vma.start, 8)}-${hex(vma.end, 8)} ${permissions} ` +
      `${hex(vma.backing ? vma.page * PAGE_SIZE : 0, 8)} ` +
      `${hex(majorOf(device), 2)}:${hex(minorOf(device), 2)} ${inode} `;
    const name = vma.name || path;
    text += name ? `${prefix.padEnd(MAPS_PREFIX)} ${name}\n` : `${prefix}\n`;
  }
  return text;
}
