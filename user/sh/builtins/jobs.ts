/** Builtins about jobs and processes: jobs, fg, bg, wait, kill. */
import type { UserFlow } from '../../../kernel/syscall/abi.ts';
import { errno } from '../../../kernel/types/errno.ts';
import * as tasks from '../../libc/tasks.ts';
import { Interrupted } from '../control.ts';
import type { Job } from '../jobs.ts';
import { codeOf, reap, waitForeground } from '../processes.ts';
import type { Shell } from '../shell.ts';
import { killTool } from '../../coreutils/kill.ts';
import type { BuiltinRows } from './builtin.ts';
import { complain, fromTool } from './builtin.ts';

function* jobOf(shell: Shell, command: string, text: string): UserFlow<Job | undefined> {
  const job = shell.jobs.find(text.startsWith('%') ? text : `%${text}`);
  if (!job) yield* complain(shell, command, `${text || 'current'}: no such job`);
  return job;
}

function* resume(shell: Shell, command: 'fg' | 'bg', text: string): UserFlow<number> {
  if (!shell.options.has('monitor')) return yield* complain(shell, command, 'no job control');
  const job = yield* jobOf(shell, command, text);
  if (!job) return 1;
  job.state = 'running';
  job.changed = false;
  shell.jobs.makeCurrent(job);
  if (command === 'bg') {
    yield* shell.p.println(`[${job.id}]+ ${job.text} &`);
    yield* tasks.kill(-job.group, tasks.SIGCONT);
    return 0;
  }
  yield* shell.p.println(job.text);
  yield* shell.p.stdout.flush();
  yield* tasks.kill(-job.group, tasks.SIGCONT);
  return yield* waitForeground(shell, job);
}

/** Until `pid` or all of `pids` have ended; -EINTR from a signal ends the waiting. */
function* waitFor(shell: Shell, job: Job): UserFlow<number> {
  while (job.state === 'running') {
    const pending = [...job.processes].find(([, status]) => status === undefined)!;
    const { pid, status } = yield* tasks.wait4(shell.p, pending[0], tasks.WUNTRACED);
    if (pid === -errno.EINTR) {
      if (shell.interrupted && shell.interactive) {
        shell.interrupted = false;
        throw new Interrupted('interrupted');
      }
      if (shell.pendingSignals.length > 0) return 128 + shell.pendingSignals[0]!;
    } else if (pid < 0) return 127;
    else shell.jobs.update(pid, status);
  }
  if (job.state === 'stopped') return 128 + tasks.stopSignal(job.status);
  shell.jobs.remove(job);
  return codeOf(job.status);
}

function* wait(shell: Shell, args: readonly string[]): UserFlow<number> {
  if (args.length === 0) {
    for (const job of [...shell.jobs.all]) {
      if (job.state !== 'stopped') yield* waitFor(shell, job);
    }
    return 0;
  }
  let status = 0;
  for (const arg of args) {
    if (arg.startsWith('%')) {
      const job = yield* jobOf(shell, 'wait', arg);
      status = job ? yield* waitFor(shell, job) : 127;
      continue;
    }
    const job = shell.jobs.ofProcess(Number(arg));
    if (job) status = yield* waitFor(shell, job);
    else status = yield* complain(shell, 'wait', `pid ${arg} is not a child of this shell`, 127);
  }
  return status;
}

export const jobBuiltins: BuiltinRows = {
  jobs: {
    usage: '[-l] [-p]',
    help: 'List the jobs; -l with process ids, -p those only.',
    *run(shell, args) {
      yield* reap(shell);
      for (const job of [...shell.jobs.all]) {
        const text = shell.jobs.describe(job);
        if (args.includes('-p')) yield* shell.p.println(String(job.group));
        else if (args.includes('-l')) {
          yield* shell.p.println(text.replace(/ {2}/, ` ${String(job.group).padStart(5)} `));
        } else yield* shell.p.println(text);
        job.changed = false;
        if (job.state === 'done') shell.jobs.remove(job);
      }
      return 0;
    },
  },
  fg: {
    usage: '[JOB]',
    help: 'Continue a job in the foreground.',
    run: (shell, args) => resume(shell, 'fg', args[0] ?? ''),
  },
  bg: {
    usage: '[JOB]',
    help: 'Continue a stopped job in the background.',
    run: (shell, args) => resume(shell, 'bg', args[0] ?? ''),
  },
  wait: {
    usage: '[PID | %JOB]...',
    help: 'Wait for background processes; the status is that of the last one named.',
    run: wait,
  },
  kill: {
    usage: '[-s SIGNAL | -SIGNAL] PID | %JOB ...',
    help: 'Send a signal, TERM if none is named; -l lists them.',
    *run(shell, args) {
      const targets: string[] = [];
      for (const arg of args) {
        if (!arg.startsWith('%')) {
          targets.push(arg);
          continue;
        }
        const job = yield* jobOf(shell, 'kill', arg);
        if (!job) return 1;
        targets.push(shell.options.has('monitor') ? `-${job.group}` : String(job.group));
      }
      const isGroup = targets.some((target, index) => index > 0 && /^-\d+$/.test(target));
      const line = isGroup && !targets[0]!.startsWith('-') ? ['-TERM', ...targets] : targets;
      if (/^-\d+$/.test(line[0] ?? '') && args[0]!.startsWith('%')) line.unshift('-TERM');
      return yield* fromTool('kill', '', '', killTool).run(shell, line);
    },
  },
};
