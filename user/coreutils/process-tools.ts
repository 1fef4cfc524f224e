/** killall(1), pidof(1), sleep(1), timeout(1), time(1), watch(1). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { basename, type Process, type Tool } from '../libc/process.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import { uname } from '../libc/system.ts';
import { strerror } from '../libc/strerror.ts';
import * as tasks from '../libc/tasks.ts';
import { windowSize } from '../libc/terminal.ts';
import {
  CLOCK_MONOTONIC,
  CLOCK_REALTIME,
  clockGettime,
  nanosleep,
  parseDuration,
  strftime,
} from '../libc/time.ts';
import { processes } from './proc.ts';

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

function* pidsOf(p: Process, name: string): UserFlow<number[]> {
  const self = yield* tasks.getpid();
  return (yield* processes(p))
    .filter(
      (info) => info.pid !== self && (info.comm === name || basename(info.argv[0] ?? '') === name),
    )
    .map((info) => info.pid);
}

export const pidof: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: 'NAME...',
    about: 'Find the process IDs of running programs.',
    options: [{ short: 's', long: 'single-shot', help: 'only one PID' }],
  });
  const found: number[] = [];
  for (const name of o.operands) found.push(...(yield* pidsOf(p, name)).reverse());
  if (found.length === 0) return 1;
  yield* p.println((o.has('single-shot') ? found.slice(0, 1) : found).join(' '));
  return 0;
};

export const killall: Tool = function* (p, args) {
  let signal: number | undefined = tasks.SIGTERM;
  const rest = [...args];
  const first = rest[0] ?? '';
  if (first === '-s') signal = tasks.signalNumber(rest.splice(0, 2)[1] ?? '');
  else if (/^-[A-Z0-9]/.test(first)) signal = tasks.signalNumber(rest.shift()!.slice(1));
  if (signal === undefined) return yield* p.die(1, `unknown signal; kill -l lists signals.`);
  const o = yield* getopt(p, rest, {
    usage: '[-SIGNAL] NAME...',
    about: 'Kill processes by name, with TERM if no SIGNAL is given.',
    options: [{ short: 'q', long: 'quiet', help: "don't print complaints" }],
  });
  if (o.operands.length === 0) return yield* usageError(p, 'missing operand');
  let status = 0;
  for (const name of o.operands) {
    const pids = yield* pidsOf(p, name);
    if (pids.length === 0) {
      status = 1;
      if (!o.has('quiet')) yield* p.stderr.write(`${name}: no process found\n`);
    }
    for (const pid of pids) {
      const failed = yield* tasks.kill(pid, signal);
      if (failed < 0) {
        yield* p.stderr.write(`${name}(${pid}): ${strerror(failed)}\n`);
        status = 1;
      }
    }
  }
  return status;
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
