/**
 * Child processes of a shell: starting them in their process group, giving them the terminal,
 * waiting for them, and telling what became of jobs.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { dup2, close, O_RDONLY, open } from '../libc/files.ts';
import { runDeep } from '../libc/deep-call.ts';
import { strerror } from '../libc/strerror.ts';
import * as tasks from '../libc/tasks.ts';
import { tcgetattr, tcsetattr, tcsetpgrp } from '../libc/terminal.ts';
import { Interrupted } from './control.ts';
import type { Job } from './jobs.ts';
import type { Shell } from './shell.ts';
import { ShellError } from './shell.ts';
import { withExitTrap } from './traps.ts';

/** What an interactive shell ignores or catches, and its children must not. */
const SHELL_SIGNALS = [
  tasks.SIGINT,
  tasks.SIGQUIT,
  tasks.SIGTERM,
  tasks.SIGTSTP,
  tasks.SIGTTIN,
  tasks.SIGTTOU,
];

export interface Placement {
  readonly background: boolean;
  /** Process group to join; 0 starts one. Meaningless without job control. */
  readonly group: number;
}

/** Fork a child that runs `body` on a copy of the shell. */
export function* spawn(
  shell: Shell,
  placement: Placement,
  body: (child: Shell) => UserFlow<number>,
): UserFlow<number> {
  const controls = shell.options.has('monitor');
  yield* shell.p.stdout.flush();
  const p = shell.p.fork();
  const child = shell.fork(p);
  const pid = yield* tasks.startChild(p, function* () {
    if (controls) {
      yield* tasks.setpgid(0, placement.group);
      if (!placement.background) {
        yield* tcsetpgrp(p, 0, placement.group || (yield* tasks.getpid()));
      }
    } else if (placement.background) {
      yield* tasks.sigaction(p, tasks.SIGINT, tasks.SIG_IGN);
      yield* tasks.sigaction(p, tasks.SIGQUIT, tasks.SIG_IGN);
      const nothing = yield* open(p, '/dev/null', O_RDONLY);
      if (nothing > 0) {
        yield* dup2(nothing, 0);
        yield* close(nothing);
      }
    }
    yield* resetSignals(shell, child, placement.background && !controls);
    return yield* runDeep(withExitTrap(child, () => body(child)));
  });
  if (pid < 0) throw new ShellError(`fork: ${strerror(pid)}`, 254);
  if (controls) yield* tasks.setpgid(pid, placement.group || pid);
  return pid;
}

function* resetSignals(shell: Shell, child: Shell, keepInterrupts: boolean): UserFlow<void> {
  if (shell.interactive) {
    for (const signal of SHELL_SIGNALS) yield* tasks.sigaction(child.p, signal, tasks.SIG_DFL);
  }
  for (const [name, command] of shell.traps) {
    const signal = tasks.signalNumber(name) ?? 0;
    if (signal === 0 || (keepInterrupts && signal === tasks.SIGINT)) continue;
    if (command !== '') yield* tasks.sigaction(child.p, signal, tasks.SIG_DFL);
    else child.traps.set(name, command);
  }
}

/** Wait for a job in the foreground; the exit status of its last process. */
export function* waitForeground(shell: Shell, job: Job): UserFlow<number> {
  const controls = shell.options.has('monitor');
  const modes = controls ? yield* tcgetattr(shell.p, 0) : undefined;
  if (controls) yield* tcsetpgrp(shell.p, 0, job.group);
  yield* waitForJob(shell, job, controls);
  if (controls) {
    yield* tcsetpgrp(shell.p, 0, shell.group);
    const endedNormally = job.state === 'done' && tasks.exited(job.status);
    if (!endedNormally && typeof modes === 'object') yield* tcsetattr(shell.p, 0, modes);
  }
  if (job.state === 'stopped') {
    yield* shell.p.stderr.write(`\n${shell.jobs.describe(job)}\n`);
    job.changed = false;
    return 128 + tasks.stopSignal(job.status);
  }
  shell.jobs.remove(job);
  return yield* finished(shell, job);
}

/** The shell's status for an ended job; deaths by signal are told as bash tells them. */
function* finished(shell: Shell, job: Job): UserFlow<number> {
  const { status } = job;
  const codes = [...job.processes.values()].map((value) => codeOf(value ?? 0));
  shell.pipeStatus = codes;
  if (tasks.exited(status)) {
    if (!shell.options.has('pipefail')) return tasks.exitStatus(status);
    return codes.findLast((code) => code !== 0) ?? 0;
  }
  const signal = tasks.termSignal(status);
  if (signal === tasks.SIGINT) {
    if (shell.interactive) {
      shell.status = 130;
      throw new Interrupted('interrupted');
    }
  } else if (signal !== tasks.SIGPIPE) {
    yield* shell.p.stderr.write(`${tasks.signalText(signal)}\n`);
  }
  return 128 + signal;
}

export function codeOf(status: number): number {
  return tasks.exited(status) ? tasks.exitStatus(status) : 128 + tasks.termSignal(status);
}

/** Until all of a job's processes have ended, or it has stopped. */
export function* waitForJob(shell: Shell, job: Job, untilStopped: boolean): UserFlow<void> {
  const options = untilStopped ? tasks.WUNTRACED : 0;
  for (;;) {
    const pending = [...job.processes].find(([, status]) => status === undefined);
    if (!pending || job.state === 'stopped') return;
    const { pid, status } = yield* tasks.wait4(shell.p, pending[0], options);
    if (pid === -errno.EINTR) {
      // Ctrl-C goes to the job as well; what it does decides. `wait` alone gives up.
      continue;
    }
    if (pid < 0) {
      job.processes.set(pending[0], 127 << 8);
      job.state = [...job.processes.values()].includes(undefined) ? job.state : 'done';
      job.status = 127 << 8;
      continue;
    }
    shell.jobs.update(pid, status);
  }
}

/** Collect what background processes have become, without waiting. */
export function* reap(shell: Shell): UserFlow<void> {
  for (;;) {
    const options = tasks.WNOHANG | tasks.WUNTRACED | tasks.WCONTINUED;
    const { pid, status } = yield* tasks.wait4(shell.p, -1, options);
    if (pid <= 0) return;
    shell.jobs.update(pid, status);
  }
}

/** Tell the user of an interactive shell which jobs have ended or stopped; forget the ended. */
export function* notifyJobs(shell: Shell): UserFlow<void> {
  yield* reap(shell);
  for (const job of [...shell.jobs.all]) {
    if (!job.changed) continue;
    job.changed = false;
    const text = shell.jobs.describe(job);
    if (shell.interactive && job.state !== 'running') yield* shell.p.stderr.write(`${text}\n`);
    if (job.state === 'done') shell.jobs.remove(job);
  }
}
