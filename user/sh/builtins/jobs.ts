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

/** Until the job has ended; a signal with a trap ends the waiting. */
function* waitFor(shell: Shell, job: Job): UserFlow<number> {
  while (job.state === 'running') {
    const pending = [...job.processes].find(([, status]) => status === undefined)!;
    const waited = yield* waitOnce(shell, pending[0]);
    if (waited !== undefined) return waited;
  }
  if (job.state === 'stopped') return 128 + tasks.stopSignal(job.status);
  shell.jobs.remove(job);
  return codeOf(job.status);
}

/** A status to give where the waiting is over without the job's end. */
function* waitOnce(shell: Shell, target: number): UserFlow<number | undefined> {
  const { pid, status } = yield* tasks.wait4(shell.p, target, tasks.WUNTRACED);
  if (pid === -errno.EINTR) {
    if (shell.interrupted && shell.interactive) {
      shell.interrupted = false;
      throw new Interrupted('interrupted');
    }
    return shell.pendingSignals.length > 0 ? 128 + shell.pendingSignals[0]! : undefined;
  }
  if (pid < 0) return 127;
  shell.jobs.update(pid, status);
  return undefined;
}

/** `wait -n`: whichever ends next. */
function* waitNext(shell: Shell): UserFlow<number> {
  for (;;) {
    const done = shell.jobs.all.find((job) => job.state === 'done');
    if (done) {
      shell.jobs.remove(done);
      return codeOf(done.status);
    }
    if (!shell.jobs.all.some((job) => job.state === 'running')) return 127;
    const waited = yield* waitOnce(shell, -1);
    if (waited !== undefined) return waited;
  }
}

function* wait(shell: Shell, args: readonly string[]): UserFlow<number> {
  if (args[0] === '-n') return yield* waitNext(shell);
  const operands = args.filter((arg) => arg !== '-f' && arg !== '--');
  if (operands.length === 0) {
    for (const job of [...shell.jobs.all]) {
      if (job.state === 'stopped') continue;
      const status = yield* waitFor(shell, job);
      if (shell.pendingSignals.length > 0) return status;
    }
    for (const pid of shell.processPids.splice(0)) yield* waitOnce(shell, pid);
    return 0;
  }
  let status = 0;
  for (const operand of operands) status = yield* waitOperand(shell, operand);
  return status;
}

function* waitOperand(shell: Shell, operand: string): UserFlow<number> {
  if (operand.startsWith('%')) {
    const job = yield* jobOf(shell, 'wait', operand);
    return job ? yield* waitFor(shell, job) : 127;
  }
  if (!/^\d+$/.test(operand)) {
    return yield* complain(shell, 'wait', `\`${operand}': not a pid or valid job spec`, 1);
  }
  const pid = Number(operand);
  const job = shell.jobs.ofProcess(pid);
  if (job) return yield* waitFor(shell, job);
  const ended = shell.jobs.endedStatus(pid);
  if (ended !== undefined) return codeOf(ended);
  const at = shell.processPids.indexOf(pid);
  if (at >= 0) {
    shell.processPids.splice(at, 1);
    const waited = yield* tasks.wait4(shell.p, pid);
    return waited.pid < 0 ? 127 : codeOf(waited.status);
  }
  return yield* complain(shell, 'wait', `pid ${operand} is not a child of this shell`, 127);
}

function* jobs(shell: Shell, args: readonly string[]): UserFlow<number> {
  yield* reap(shell);
  const flags = args.filter((arg) => arg.startsWith('-')).join('');
  const names = args.filter((arg) => !arg.startsWith('-'));
  if (shell.jobs.all.length === 0 && flags === '') {
    for (const line of shell.jobs.inherited) yield* shell.p.println(line);
  }
  const shown = names.length === 0 ? [...shell.jobs.all] : [];
  for (const name of names) {
    const job = yield* jobOf(shell, 'jobs', name);
    if (!job) return 1;
    shown.push(job);
  }
  for (const job of shown) {
    if (flags.includes('r') && job.state !== 'running') continue;
    if (flags.includes('s') && job.state !== 'stopped') continue;
    const text = shell.jobs.describe(job);
    if (flags.includes('p')) yield* shell.p.println(String(job.group));
    else if (flags.includes('l')) {
      yield* shell.p.println(text.replace(/ {2}/, ` ${String(job.group).padStart(5)} `));
    } else yield* shell.p.println(text);
    job.changed = false;
    if (job.state === 'done') shell.jobs.remove(job);
  }
  return 0;
}

/** Jobs by their names become processes or groups of them, as kill(1) takes them. */
function* killBuiltin(shell: Shell, args: readonly string[]): UserFlow<number> {
  const words: string[] = [];
  for (const arg of args) {
    if (!arg.startsWith('%')) {
      words.push(arg);
      continue;
    }
    const job = yield* jobOf(shell, 'kill', arg);
    if (!job) return 1;
    if (words.length === 0) words.push('-TERM');
    if (shell.options.has('monitor')) words.push(`-${job.group}`);
    else words.push(...[...job.processes.keys()].map(String));
  }
  return yield* fromTool('kill', '', '', killTool).run(shell, words);
}

export const jobBuiltins: BuiltinRows = {
  jobs: {
    usage: '[-lprs] [JOB]...',
    help: 'List the jobs; -l with process ids, -p those only, -r running and -s stopped ones.',
    run: jobs,
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
    usage: '[-n] [PID | %JOB]...',
    help: 'Wait for background processes; the status is that of the last one named.',
    run: wait,
  },
  disown: {
    usage: '[-a] [PID | %JOB]...',
    help: 'Forget jobs, the current one or those named; they run on.',
    *run(shell, args) {
      const all = args.includes('-a') || args.includes('-r');
      const names = args.filter((arg) => !arg.startsWith('-'));
      for (const job of all ? [...shell.jobs.all] : []) shell.jobs.remove(job);
      if (all) return 0;
      for (const name of names.length > 0 ? names : ['']) {
        const job = shell.jobs.ofProcess(Number(name)) ?? (yield* jobOf(shell, 'disown', name));
        if (!job) return 1;
        shell.jobs.remove(job);
      }
      return 0;
    },
  },
  kill: {
    usage: '[-s SIGNAL | -SIGNAL] PID | %JOB ...',
    help: 'Send a signal, TERM if none is named; -l lists them.',
    run: killBuiltin,
  },
};
