/** Runs scripts in a booted machine, each by `sh FILE` in an empty directory of its own. */
import type { HostAssets } from '../../kernel/config.ts';
import { bootMachine } from '../../kernel/machine.ts';
import type { UserMain } from '../../kernel/syscall/abi.ts';
import {
  chdir,
  close,
  dup2,
  mkdir,
  O_RDONLY,
  open,
  pipe,
  readToEnd,
  syscall,
} from '../../user/libc/files.ts';
import { NR } from '../../user/libc/nr.ts';
import { program } from '../../user/libc/process.ts';
import * as tasks from '../../user/libc/tasks.ts';
import { machineDefaults } from '../../user/index.ts';

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A script that takes longer than this in virtual time has hung, and is killed. */
const PATIENCE_SECONDS = 10;
/** Setting up and killing takes some more. */
const MARGIN_SECONDS = 5;

export async function runScripts(
  assets: HostAssets,
  scripts: readonly string[],
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const defaults = machineDefaults();
  const files: Record<string, string | Uint8Array> = { ...defaults.files };
  for (const [index, script] of scripts.entries()) files[`/t/${index}.sh`] = script;
  const machine = await bootMachine(
    {
      ...defaults,
      cpus: 2,
      ramMiB: 256,
      files,
      programs: new Map([...defaults.programs, ['/sbin/init', runner(scripts.length, outcomes)]]),
    },
    assets,
  );
  const patienceNs = (PATIENCE_SECONDS + MARGIN_SECONDS) * 1e9;
  for (let done = -1; done < outcomes.length && outcomes.length < scripts.length;) {
    done = outcomes.length;
    const end = machine.now + patienceNs;
    while (outcomes.length === done && machine.now < end && !machine.halted) {
      await machine.runAsync({ untilNs: machine.now + 1e8 });
    }
  }
  return outcomes;
}

/** The first process: scripts one after the other, their output read through pipes. */
function runner(count: number, outcomes: Outcome[]): UserMain {
  return program(function* (p) {
    let running = 0;
    yield* tasks.sigaction(p, tasks.SIGALRM, function* () {
      yield* tasks.kill(-running, tasks.SIGKILL);
    });
    for (let index = 0; index < count; index++) {
      const directory = `/tmp/${index}`;
      yield* mkdir(p, directory);
      const out = yield* pipe(p);
      const errors = yield* pipe(p);
      if (typeof out === 'number' || typeof errors === 'number') return 1;
      const pid = yield* tasks.fork(p, function* (child) {
        yield* tasks.setsid();
        yield* chdir(child, directory);
        yield* dup2(yield* open(child, '/dev/null', O_RDONLY), 0);
        yield* dup2(out.writeEnd, 1);
        yield* dup2(errors.writeEnd, 2);
        for (let fd = 3; fd < 16; fd++) yield* close(fd);
        const env = new Map([
          ['HOME', directory],
          ['PATH', '/usr/sbin:/usr/bin:/sbin:/bin'],
          ['LC_ALL', 'C.UTF-8'],
        ]);
        yield* tasks.execve(child, '/bin/sh', ['sh', `/t/${index}.sh`], env);
        return 127;
      });
      running = pid;
      yield* syscall(NR.alarm, PATIENCE_SECONDS);
      yield* close(out.writeEnd);
      yield* close(errors.writeEnd);
      const stdout = yield* readToEnd(p, out.readEnd);
      const stderr = yield* readToEnd(p, errors.readEnd);
      yield* syscall(NR.alarm, 0);
      yield* close(out.readEnd);
      yield* close(errors.readEnd);
      let waited = yield* tasks.wait4(p, pid);
      while (waited.pid < 0) waited = yield* tasks.wait4(p, pid);
      // Orphans of the script.
      while ((yield* tasks.wait4(p, -1, tasks.WNOHANG)).pid > 0);
      const decode = (bytes: Uint8Array | number): string =>
        typeof bytes === 'number' ? '' : new TextDecoder().decode(bytes);
      outcomes.push({
        status: tasks.exited(waited.status)
          ? tasks.exitStatus(waited.status)
          : 128 + tasks.termSignal(waited.status),
        stdout: decode(stdout),
        stderr: decode(stderr),
      });
    }
    return 0;
  });
}
