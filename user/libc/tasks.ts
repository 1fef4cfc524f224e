/**
 * Process life: fork, exec, wait, signals, process groups.
 *
 * A generator cannot be copied as fork copies a stack, so the child's part is a function; it gets
 * its own Process. Spawning is fork and exec, as posix_spawn does it.
 */
import type { SignalHandler, UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { SIGCHLD } from '../../kernel/types/signal-numbers.ts';
import { access, close, dup2, O_CLOEXEC, pipe, readToEnd, syscall, X_OK } from './files.ts';
import { layout } from './layout.ts';
import { NR } from './nr.ts';
import type { Process } from './process.ts';
import { runTool } from './process.ts';
import { decodeText, encodeText } from './text.ts';

export * from '../../kernel/types/signal-numbers.ts';

/** Names without SIG; the index is the number. */
export const SIGNALS = [
  'EXIT',
  'HUP',
  'INT',
  'QUIT',
  'ILL',
  'TRAP',
  'ABRT',
  'BUS',
  'FPE',
  'KILL',
  'USR1',
  'SEGV',
  'USR2',
  'PIPE',
  'ALRM',
  'TERM',
  'STKFLT',
  'CHLD',
  'CONT',
  'STOP',
  'TSTP',
  'TTIN',
  'TTOU',
  'URG',
  'XCPU',
  'XFSZ',
  'VTALRM',
  'PROF',
  'WINCH',
  'IO',
  'PWR',
  'SYS',
] as const;

/** The first and last of the real-time signals, as glibc gives them to programs. */
const SIGRTMIN = 34;
const SIGRTMAX = 64;

/** Without SIG; undefined for the numbers that have none. */
export function signalName(signal: number): string | undefined {
  if (signal < SIGNALS.length) return signal < 1 ? undefined : SIGNALS[signal];
  if (signal < SIGRTMIN || signal > SIGRTMAX) return undefined;
  const [fromFirst, toLast] = [signal - SIGRTMIN, SIGRTMAX - signal];
  if (fromFirst <= 15) return `RTMIN${fromFirst === 0 ? '' : `+${fromFirst}`}`;
  return `RTMAX${toLast === 0 ? '' : `-${toLast}`}`;
}

/** '9', 'KILL', 'SIGKILL', 'RTMIN+1', any case; undefined if it is none. */
export function signalNumber(text: string): number | undefined {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    return number <= SIGRTMAX ? number : undefined;
  }
  const name = text.toUpperCase().replace(/^SIG/, '');
  const at = (SIGNALS as readonly string[]).indexOf(name);
  if (at >= 0) return at;
  const realTime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (!realTime) return undefined;
  const offset = Number(realTime[3] ?? 0) * (realTime[2] === '-' ? -1 : 1);
  const signal = (realTime[1] === 'MIN' ? SIGRTMIN : SIGRTMAX) + offset;
  return signal >= SIGRTMIN && signal <= SIGRTMAX ? signal : undefined;
}

/** strsignal(3), as shells report a death by signal. */
export function signalText(signal: number): string {
  const texts: Record<number, string> = {
    1: 'Hangup',
    2: 'Interrupt',
    3: 'Quit',
    4: 'Illegal instruction',
    5: 'Trace/breakpoint trap',
    6: 'Aborted',
    7: 'Bus error',
    8: 'Floating point exception',
    9: 'Killed',
    10: 'User defined signal 1',
    11: 'Segmentation fault',
    12: 'User defined signal 2',
    13: 'Broken pipe',
    14: 'Alarm clock',
    15: 'Terminated',
    19: 'Stopped (signal)',
    20: 'Stopped',
    21: 'Stopped (tty input)',
    22: 'Stopped (tty output)',
  };
  return texts[signal] ?? `Unknown signal ${signal}`;
}

/** Child's pid, or a negative errno. The child ends with what `child` returns, flushed. */
export function* fork(p: Process, child: (p: Process) => UserFlow<number>): UserFlow<number> {
  yield* p.stdout.flush();
  const forked = p.fork();
  return yield* startChild(forked, () => child(forked));
}

/** clone(2) for a child that `Process.fork` has made: whatever else it needs can be copied first. */
export function* startChild(child: Process, body: () => UserFlow<number>): UserFlow<number> {
  return yield {
    kind: 'syscall',
    nr: NR.clone,
    args: [SIGCHLD, 0, 0, 0, 0],
    child: function* (context) {
      child.adopt(context);
      return yield* runTool(child, body);
    },
  };
}

/** Returns only on failure. Strings and vectors are laid out as execve(2) wants them. */
export function* execve(
  p: Process,
  path: string,
  argv: readonly string[],
  env: ReadonlyMap<string, string>,
): UserFlow<number> {
  const strings = [path, ...argv, ...Array.from(env, ([name, value]) => `${name}=${value}`)].map(
    encodeText,
  );
  const stringBytes = strings.reduce((sum, string) => sum + string.length + 1, 0);
  const vectorBytes = 8 * (strings.length - 1 + 2);
  const block = yield* p.heap.malloc(vectorBytes + stringBytes);
  const image = new Uint8Array(vectorBytes + stringBytes);
  const view = new DataView(image.buffer);
  let at = vectorBytes;
  const addresses = strings.map((string) => {
    image.set(string, at);
    const address = block + at;
    at += string.length + 1;
    return address;
  });
  const argvAt = 0;
  const envpAt = 8 * (argv.length + 1);
  addresses.slice(1, 1 + argv.length).forEach((address, index) => {
    view.setBigUint64(argvAt + 8 * index, BigInt(address), true);
  });
  addresses.slice(1 + argv.length).forEach((address, index) => {
    view.setBigUint64(envpAt + 8 * index, BigInt(address), true);
  });
  p.memory.write(block, image);
  const result = yield* syscall(NR.execve, addresses[0]!, block + argvAt, block + envpAt);
  p.heap.free(block);
  return result;
}

/** The executable that PATH finds for `name`; a name with a slash is itself. */
export function* findExecutable(
  p: Process,
  name: string,
  pathVariable = p.env.get('PATH') ?? '/bin:/usr/bin',
): UserFlow<string | undefined> {
  if (name.includes('/')) return name;
  for (const directory of pathVariable.split(':')) {
    const candidate = `${directory === '' ? '.' : directory}/${name}`;
    if ((yield* access(p, candidate, X_OK)) >= 0) return candidate;
  }
  return undefined;
}

/** execvp(3): only a failure returns. */
export function* execvp(p: Process, argv: readonly string[]): UserFlow<number> {
  const path = yield* findExecutable(p, argv[0]!);
  if (path === undefined) return -errno.ENOENT;
  return yield* execve(p, path, argv, p.env);
}

export interface WaitResult {
  /** 0: nothing to report (WNOHANG); negative: errno. */
  readonly pid: number;
  readonly status: number;
}

export const WNOHANG = 1;
export const WUNTRACED = 2;
export const WCONTINUED = 8;
export const exited = (status: number): boolean => (status & 0x7f) === 0;
export const exitStatus = (status: number): number => (status >> 8) & 0xff;
export const stopped = (status: number): boolean => (status & 0xff) === 0x7f;
export const stopSignal = exitStatus;
export const continued = (status: number): boolean => status === 0xffff;
export const signaled = (status: number): boolean =>
  !exited(status) && !stopped(status) && !continued(status);
export const termSignal = (status: number): number => status & 0x7f;

export function* wait4(p: Process, pid: number, options = 0): UserFlow<WaitResult> {
  const mark = p.mark();
  const address = yield* p.take(4);
  p.memory.writeU32(address, 0);
  const result = yield* syscall(NR.wait4, pid, address, options, 0);
  const status = p.memory.readU32(address);
  p.release(mark);
  return { pid: result, status };
}

/** Run a program to its end; the shell-like status: 128 + signal where one killed it. */
export function* run(p: Process, argv: readonly string[]): UserFlow<number> {
  const pid = yield* fork(p, function* (child) {
    const failed = yield* execvp(child, argv);
    yield* child.perror(argv[0]!, failed);
    return failed === -errno.ENOENT ? 127 : 126;
  });
  if (pid < 0) return 126;
  for (;;) {
    const { pid: waited, status } = yield* wait4(p, pid);
    if (waited === -errno.EINTR) continue;
    if (waited < 0) return 127;
    return exited(status) ? exitStatus(status) : 128 + termSignal(status);
  }
}

export const kill = (pid: number, signal: number): UserFlow<number> =>
  syscall(NR.kill, pid, signal);
export const getpid = (): UserFlow<number> => syscall(NR.getpid);
export const getppid = (): UserFlow<number> => syscall(NR.getppid);
export const getpgid = (pid: number): UserFlow<number> => syscall(NR.getpgid, pid);
export const setpgid = (pid: number, group: number): UserFlow<number> =>
  syscall(NR.setpgid, pid, group);
export const setsid = (): UserFlow<number> => syscall(NR.setsid);

/** struct sigaction as the kernel takes it (arch/x86/include/uapi/asm/signal.h). */
const Sigaction = layout({ handler: 'n64', flags: 'n64', restorer: 'n64', mask: 'n64' });
export const SIG_DFL = 0;
export const SIG_IGN = 1;
export const SA_RESTART = 0x10000000;
/** A handler's address: there is no code in user memory, so one fixed text address stands for it. */
const HANDLER_ADDRESS = 0x401000;

export function* sigaction(
  p: Process,
  signal: number,
  action: typeof SIG_DFL | typeof SIG_IGN | SignalHandler,
  flags = 0,
): UserFlow<number> {
  const mark = p.mark();
  const isHandler = typeof action === 'function';
  const bytes = Sigaction.encode({ handler: isHandler ? HANDLER_ADDRESS : action, flags });
  const address = yield* p.takeBytes(bytes);
  const result = yield {
    kind: 'syscall',
    nr: NR.rt_sigaction,
    args: [signal, address, 0, 8],
    ...(isHandler ? { handler: action } : {}),
  };
  p.release(mark);
  return result;
}

/** A flag that a signal sets: for loops that end on Ctrl-C. */
export function* signalFlag(p: Process, signal: number): UserFlow<{ raised: boolean }> {
  const flag = { raised: false };
  yield* sigaction(p, signal, function* () {
    flag.raised = true;
  });
  return flag;
}

/** popen(3) for reading: what `sh -c COMMAND` prints; `status` gets its wait status. */
export function* capture(
  p: Process,
  command: string,
  status: { wait: number } = { wait: 0 },
): UserFlow<string> {
  const ends = yield* pipe(p, O_CLOEXEC);
  if (typeof ends === 'number') return '';
  const pid = yield* fork(p, function* (child) {
    yield* dup2(ends.writeEnd, 1);
    const failed = yield* execve(child, '/bin/sh', ['sh', '-c', command], child.env);
    return failed === -errno.ENOENT ? 127 : 126;
  });
  yield* close(ends.writeEnd);
  const bytes = yield* readToEnd(p, ends.readEnd);
  yield* close(ends.readEnd);
  let waited = yield* wait4(p, pid);
  while (waited.pid === -errno.EINTR) waited = yield* wait4(p, pid);
  status.wait = waited.status;
  return typeof bytes === 'number' ? '' : decodeText(bytes);
}
