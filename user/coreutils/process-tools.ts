/** sleep(1), timeout(1), time(1), watch(1), and tools that run a command in some way: nice(1), renice(1), nohup(1), setsid(1), chroot(1). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import type { Process, Tool } from '../libc/process.ts';
import {
  chdir,
  chroot as changeRoot,
  dup2,
  O_APPEND,
  O_CREAT,
  O_WRONLY,
  open,
  syscall,
} from '../libc/files.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import { NR } from '../libc/nr.ts';
import { uname } from '../libc/system.ts';
import { strerror } from '../libc/strerror.ts';
import * as tasks from '../libc/tasks.ts';
import { isatty, windowSize } from '../libc/terminal.ts';
import {
  CLOCK_MONOTONIC,
  CLOCK_REALTIME,
  clockGettime,
  nanosleep,
  parseDuration,
  strftime,
} from '../libc/time.ts';

export const sleep: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: 'NUMBER[SUFFIX]...',
    about: "Pause for NUMBER seconds; SUFFIX may be 's', 'm', 'h' or 'd'.",
  });
  if (o.operands.length === 0) return yield* usageError(p, 'missing operand');
  let total = 0;
  for (const text of o.operands) {
    const ns = text === 'infinity' ? Number.MAX_SAFE_INTEGER : parseDuration(text);
    if (ns === undefined) return yield* usageError(p, `invalid time interval '${text}'`);
    total += ns;
  }
  yield* nanosleep(p, total);
  return 0;
};

/** Fork and exec; the child's pid. */
function* start(p: Process, argv: readonly string[]): UserFlow<number> {
  return yield* tasks.fork(p, function* (child) {
    const failed = yield* tasks.execvp(child, argv);
    yield* child.error(`failed to run command '${argv[0]}': ${strerror(failed)}`);
    return failed === -errno.ENOENT ? 127 : 126;
  });
}

export const timeout: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION] DURATION COMMAND [ARG]...',
    about: 'Start COMMAND, and kill it if still running after DURATION.',
    stopAtOperand: true,
    badUsage: 125,
    options: [
      { short: 's', long: 'signal', arg: 'SIGNAL', help: 'the signal to be sent, TERM by default' },
      { short: 'k', long: 'kill-after', arg: 'DURATION', help: 'also send KILL this long after' },
      { long: 'preserve-status', help: "exit with COMMAND's status even when it times out" },
      { long: 'foreground', help: '(accepted; signals go to COMMAND alone)' },
    ],
  });
  const [durationText, ...command] = o.operands;
  if (durationText === undefined || command.length === 0) {
    return yield* usageError(p, 'missing operand', 125);
  }
  const durationNs = parseDuration(durationText);
  if (durationNs === undefined) {
    return yield* usageError(p, `invalid time interval '${durationText}'`, 125);
  }
  const signal = tasks.signalNumber(o.value('signal') ?? 'TERM');
  if (signal === undefined)
    return yield* usageError(p, `'${o.value('signal')}': invalid signal`, 125);
  const pid = yield* start(p, command);
  // A watcher process sleeps and then signals; the command's end stops it.
  const killAfter = parseDuration(o.value('kill-after') ?? '');
  const watcher = yield* tasks.fork(p, function* (child) {
    yield* nanosleep(child, durationNs);
    yield* tasks.kill(pid, signal);
    if (killAfter !== undefined) {
      yield* nanosleep(child, killAfter);
      yield* tasks.kill(pid, tasks.SIGKILL);
    }
    return 0;
  });
  let timedOut = false;
  for (;;) {
    const { pid: waited, status } = yield* tasks.wait4(p, -1);
    if (waited === watcher) {
      timedOut = true;
      continue;
    }
    if (waited !== pid) continue;
    if (!timedOut) yield* tasks.kill(watcher, tasks.SIGKILL);
    const { exited, exitStatus, termSignal } = tasks;
    const code = exited(status) ? exitStatus(status) : 128 + termSignal(status);
    const isOurs = timedOut || (!exited(status) && termSignal(status) === signal);
    if (!isOurs || o.has('preserve-status')) return code;
    return code === 128 + tasks.SIGKILL ? code : 124;
  }
};

export const time: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[-p] COMMAND [ARG]...',
    about: 'Run COMMAND and tell how much time it took.',
    stopAtOperand: true,
    options: [{ short: 'p', long: 'portability', help: 'POSIX format' }],
  });
  if (o.operands.length === 0) return 0;
  const before = yield* clockGettime(p, CLOCK_MONOTONIC);
  const pid = yield* start(p, o.operands);
  const { status, user, system } = yield* waitWithUsage(p, pid);
  const real = Number((yield* clockGettime(p, CLOCK_MONOTONIC)) - before) / 1e9;
  const show = (seconds: number): string =>
    o.has('portability')
      ? seconds.toFixed(2)
      : `${Math.floor(seconds / 60)}m${(seconds % 60).toFixed(3)}s`;
  const gap = o.has('portability') ? ' ' : '\t';
  yield* p.stderr.write(
    `${o.has('portability') ? '' : '\n'}real${gap}${show(real)}\nuser${gap}${show(user)}\nsys${gap}${show(system)}\n`,
  );
  return tasks.exited(status) ? tasks.exitStatus(status) : 128 + tasks.termSignal(status);
};

/** wait4 with its struct rusage: user and system seconds. */
function* waitWithUsage(
  p: Process,
  pid: number,
): UserFlow<{ status: number; user: number; system: number }> {
  const mark = p.mark();
  const address = yield* p.takeBytes(new Uint8Array(8 + 144));
  const usage = address + 8;
  let result: number;
  do {
    result = yield { kind: 'syscall', nr: 61, args: [pid, address, 0, usage] };
  } while (result === -errno.EINTR);
  const bytes = p.memory.read(address, 8 + 144);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const seconds = (at: number): number =>
    Number(view.getBigInt64(at, true)) + Number(view.getBigInt64(at + 8, true)) / 1e6;
  const out = { status: view.getUint32(0, true), user: seconds(8), system: seconds(24) };
  p.release(mark);
  return out;
}

export const watch: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... COMMAND',
    about: 'Execute a program periodically, showing its output fullscreen.',
    stopAtOperand: true,
    options: [
      { short: 'n', long: 'interval', arg: 'SECS', help: 'seconds to wait between updates (2)' },
      { short: 't', long: 'no-title', help: 'turn off header' },
      { short: 'x', long: 'exec', help: 'pass command to exec instead of "sh -c"' },
    ],
  });
  if (o.operands.length === 0) return yield* usageError(p, 'missing operand');
  const interval = Number(o.value('interval') ?? 2);
  const command = o.operands.join(' ');
  const argv = o.has('exec') ? o.operands : ['sh', '-c', command];
  const { nodename } = yield* uname(p);
  for (;;) {
    yield* p.print('\x1b[H\x1b[2J');
    if (!o.has('no-title')) {
      const now = Number((yield* clockGettime(p, CLOCK_REALTIME)) / 1_000_000_000n);
      const left = `Every ${interval.toFixed(1)}s: ${command}`;
      const right = `${nodename}: ${strftime('%c', now)}`;
      const width = (yield* windowSize(p, 1))?.columns ?? 80;
      const gap = Math.max(1, width - left.length - right.length);
      yield* p.print(`${left}${' '.repeat(gap)}${right}\n\n`);
    }
    yield* p.stdout.flush();
    yield* tasks.run(p, argv);
    yield* nanosleep(p, interval * 1e9);
  }
};

/** setpriority(2)'s `which` for one process. */
const PRIO_PROCESS = 0;
/** The kernel gives 20 - nice, so that no result looks like an error. */
const NICE_OFFSET = 20;

function* niceOf(pid: number): UserFlow<number> {
  const value = yield* syscall(NR.getpriority, PRIO_PROCESS, pid);
  return value < 0 ? value : NICE_OFFSET - value;
}

export const nice: Tool = function* (p, args) {
  // -5 is an adjustment of 5, --5 of -5.
  const words = args.map((arg, at) =>
    at === 0 && /^-{1,2}\d+$/.test(arg) ? `--adjustment=${arg.slice(1)}` : arg,
  );
  const o = yield* getopt(p, words, {
    usage: '[OPTION] [COMMAND [ARG]...]',
    about: 'Run COMMAND with an adjusted niceness, or print the current niceness.',
    stopAtOperand: true,
    badUsage: 125,
    options: [
      {
        short: 'n',
        long: 'adjustment',
        arg: 'N',
        help: 'add integer N to the niceness (default 10)',
      },
    ],
  });
  const current = yield* niceOf(0);
  if (o.operands.length === 0) {
    if (o.has('adjustment'))
      return yield* usageError(p, 'a command must be given with an adjustment', 125);
    yield* p.println(String(current));
    return 0;
  }
  const text = o.value('adjustment') ?? '10';
  if (!/^[-+]?\d+$/.test(text)) {
    yield* p.error(`invalid adjustment '${text}'`);
    return 125;
  }
  const wanted = Math.max(-20, Math.min(19, current + Number(text)));
  const failed = yield* syscall(NR.setpriority, PRIO_PROCESS, 0, wanted);
  if (failed < 0) yield* p.error(`cannot set niceness: ${strerror(failed)}`);
  return yield* become(p, o.operands);
};

export const renice: Tool = function* (p, args) {
  const words = args.filter((arg) => !['-n', '--priority', '-p', '--pid'].includes(arg));
  if (words.includes('--help') || words.length < 2) {
    yield* p.print(
      'Usage: renice [-n] PRIORITY [-p] PID...\nAlter the priority of running processes.\n',
    );
    return words.includes('--help') ? 0 : 1;
  }
  const [value, ...pids] = words;
  if (!/^[-+]?\d+$/.test(value!)) {
    yield* p.error(`invalid priority '${value}'`);
    return 1;
  }
  let status = 0;
  for (const text of pids) {
    const pid = Number(text);
    const before = yield* niceOf(pid);
    const failed = Number.isInteger(pid)
      ? yield* syscall(NR.setpriority, PRIO_PROCESS, pid, Number(value))
      : -errno.EINVAL;
    if (failed < 0) {
      yield* p.error(`failed to set priority for ${text} (process ID): ${strerror(failed)}`);
      status = 1;
    } else
      yield* p.println(
        `${pid} (process ID) old priority ${before}, new priority ${yield* niceOf(pid)}`,
      );
  }
  return status;
};

/** exec, or the usual complaint and its status. */
function* become(p: Process, argv: readonly string[]): UserFlow<number> {
  const failed = yield* tasks.execvp(p, argv);
  yield* p.error(`failed to run command '${argv[0]}': ${strerror(failed)}`);
  return failed === -errno.ENOENT ? 127 : 126;
}

export const nohup: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: 'COMMAND [ARG]...',
    about: 'Run COMMAND, ignoring hangup signals.',
    stopAtOperand: true,
    badUsage: 125,
  });
  if (o.operands.length === 0) return yield* usageError(p, 'missing operand', 125);
  yield* tasks.sigaction(p, tasks.SIGHUP, tasks.SIG_IGN);
  const ignoresInput = yield* isatty(p, 0);
  if (ignoresInput) yield* dup2(yield* open(p, '/dev/null', O_WRONLY), 0);
  const toFile = yield* isatty(p, 1);
  if (toFile) {
    let name = 'nohup.out';
    let fd = yield* open(p, name, O_WRONLY | O_CREAT | O_APPEND, 0o600);
    if (fd < 0) {
      name = `${p.env.get('HOME') ?? ''}/nohup.out`;
      fd = yield* open(p, name, O_WRONLY | O_CREAT | O_APPEND, 0o600);
    }
    if (fd < 0) {
      yield* p.error(`failed to open '${name}': ${strerror(fd)}`);
      return 125;
    }
    const what = ignoresInput ? 'ignoring input and appending output to' : 'appending output to';
    yield* p.error(`${what} '${name}'`);
    yield* dup2(fd, 1);
  } else if (ignoresInput) yield* p.error('ignoring input');
  if (yield* isatty(p, 2)) yield* dup2(1, 2);
  return yield* become(p, o.operands);
};

export const setsid: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... PROGRAM [ARG]...',
    about: 'Run a program in a new session.',
    stopAtOperand: true,
    options: [
      { short: 'c', long: 'ctty', help: 'set the controlling terminal to the current one' },
      { short: 'f', long: 'fork', help: 'always fork' },
      { short: 'w', long: 'wait', help: 'wait program to exit, and use the same return' },
    ],
  });
  if (o.operands.length === 0) return yield* usageError(p, 'no command specified');
  const self = yield* tasks.getpid();
  const isLeader = (yield* tasks.getpgid(0)) === self;
  if (isLeader || o.has('fork')) {
    const pid = yield* tasks.fork(p, function* (child) {
      yield* tasks.setsid();
      return yield* become(child, o.operands);
    });
    if (!o.has('wait')) return 0;
    const { status } = yield* tasks.wait4(p, pid);
    return tasks.exited(status) ? tasks.exitStatus(status) : 128 + tasks.termSignal(status);
  }
  yield* tasks.setsid();
  return yield* become(p, o.operands);
};

export const chroot: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: 'NEWROOT [COMMAND [ARG]...]',
    about: 'Run COMMAND with root directory set to NEWROOT.',
    stopAtOperand: true,
    badUsage: 125,
  });
  const [root, ...command] = o.operands;
  if (root === undefined) return yield* usageError(p, 'missing operand', 125);
  const failed = yield* changeRoot(p, root);
  if (failed < 0) {
    yield* p.error(`cannot change root directory to '${root}': ${strerror(failed)}`);
    return 125;
  }
  yield* chdir(p, '/');
  return yield* become(p, command.length > 0 ? command : [p.env.get('SHELL') ?? '/bin/sh', '-i']);
};
