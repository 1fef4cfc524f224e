/**
 * A scheduler for tests of single kernel parts: tasks that are nothing but a kernel flow each, run
 * in turn until all sleep. Time stands still, but for sleeps that nothing else ends.
 *
 *   const flows = new KernelFlows();
 *   const reader = flows.spawn(() => pipe.read(10, 0));
 *   flows.run();  reader.done, reader.result
 */
import type { Block, KernelFlow, MaySleep, WakeReason } from '../../kernel/sched/flow.ts';
import { isFlow } from '../../kernel/sched/flow.ts';
import type { Task } from '../../kernel/sched/task.ts';
import type { Sleeper } from '../../kernel/sched/wait-queue.ts';
import { Credentials } from '../../kernel/sched/credentials.ts';
import type { CredentialValues } from '../../kernel/sched/credentials.ts';
import { FileTable } from '../../kernel/fs/file-table.ts';
import { FsStruct } from '../../kernel/fs/fs-struct.ts';
import { Vfs } from '../../kernel/fs/vfs.ts';
import type { FsTask } from '../../kernel/fs/vfs.ts';
import { Tmpfs } from '../../kernel/fs/tmpfs.ts';
import { Random } from '../../kernel/time/random.ts';
import type { Ns } from '../../kernel/types/units.ts';

/** A flat user memory, enough for copies in and out. */
export class FakeMemory {
  readonly bytes = new Uint8Array(1 << 16);

  copyIn(address: number, size: number): Uint8Array<ArrayBuffer> | null {
    if (address < 16 || address + size > this.bytes.length) return null;
    return this.bytes.slice(address, address + size);
  }

  copyOut(address: number, data: Uint8Array): boolean {
    if (address < 16 || address + data.length > this.bytes.length) return false;
    this.bytes.set(data, address);
    return true;
  }

  stringIn(address: number): string {
    const end = this.bytes.indexOf(0, address);
    return new TextDecoder().decode(this.bytes.subarray(address, end));
  }
}

export interface FakeProcess {
  pid: number;
  pgid: number;
  sid: number;
  tty: unknown;
}

/** The members of a Task that file systems and ttys look at. */
export interface FakeTask {
  signalPending: boolean;
  cred: Credentials;
  readonly process: FakeProcess;
  readonly mm: FakeMemory;
  files: FileTable | null;
  fs: FsStruct | null;
}

export interface Spawned<T> {
  readonly task: FakeTask;
  done: boolean;
  result: T | undefined;
}

interface Runnable {
  readonly task: FakeTask;
  flow: KernelFlow<unknown> | undefined;
  readonly start: () => MaySleep<unknown>;
  reason: WakeReason;
  sleeping: Extract<Block, { kind: 'sleep' }> | undefined;
  readonly finish: (result: unknown) => void;
}

export class KernelFlows implements Sleeper {
  now = 0 as Ns;
  #nextPid = 1;
  #runnables: Runnable[] = [];
  #current: FakeTask = this.newTask();

  newTask(process?: FakeProcess): FakeTask {
    const pid = this.#nextPid++;
    return {
      signalPending: false,
      cred: Credentials.root(),
      process: process ?? { pid, pgid: pid, sid: pid, tty: undefined },
      mm: new FakeMemory(),
      files: new FileTable(),
      fs: null,
    };
  }

  get current(): Task {
    return this.#current as unknown as Task;
  }

  /** Code that runs outside of any flow runs as this task. */
  become(task: FakeTask): void {
    this.#current = task;
  }

  clock(): Ns {
    return this.now;
  }

  wake(task: Task, reason: WakeReason = 'woken'): boolean {
    const runnable = this.#runnables.find((one) => (one.task as unknown) === task);
    if (!runnable?.sleeping) return false;
    if (reason === 'signal' && !runnable.sleeping.interruptible) return false;
    runnable.sleeping = undefined;
    runnable.reason = reason;
    return true;
  }

  /** As an unblocked signal does it. */
  interrupt(task: FakeTask): void {
    task.signalPending = true;
    this.wake(task as unknown as Task, 'signal');
  }

  spawn<T>(start: () => MaySleep<T>, task = this.newTask()): Spawned<T> {
    const spawned: Spawned<T> = { task, done: false, result: undefined };
    const finish = (result: unknown): void => {
      spawned.done = true;
      spawned.result = result as T;
    };
    const runnable = { task, flow: undefined, start, reason: 'woken', sleeping: undefined, finish };
    this.#runnables.push(runnable as Runnable);
    return spawned;
  }

  /** Until everyone sleeps for ever or is done; sleeps with an end are run to it. */
  run(): void {
    for (;;) {
      const ready = this.#runnables.find((runnable) => !runnable.sleeping);
      if (ready) {
        this.#step(ready);
        continue;
      }
      const timed = this.#runnables
        .filter(({ sleeping }) => sleeping?.untilNs !== undefined)
        .sort((a, b) => a.sleeping!.untilNs! - b.sleeping!.untilNs!)[0];
      if (!timed) return;
      this.now = timed.sleeping!.untilNs!;
      this.wake(timed.task as unknown as Task, 'timeout');
    }
  }

  #step(runnable: Runnable): void {
    const outer = this.#current;
    this.#current = runnable.task;
    try {
      if (!runnable.flow) {
        const result = runnable.start();
        if (!isFlow(result)) return this.#finish(runnable, result);
        runnable.flow = result;
      }
      const { value, done } = runnable.flow.next(runnable.reason);
      if (done) return this.#finish(runnable, value);
      if (value.kind === 'sleep') runnable.sleeping = value;
    } finally {
      this.#current = outer;
    }
  }

  #finish(runnable: Runnable, result: unknown): void {
    this.#runnables.splice(this.#runnables.indexOf(runnable), 1);
    runnable.finish(result);
  }
}

/** A Vfs with an empty tmpfs as its root, and a root user in it. */
export function newVfs(flows = new KernelFlows()) {
  const raised: number[] = [];
  const vfs = new Vfs({
    sleeper: flows,
    random: new Random(1),
    now: () => flows.now,
    bootEpochSeconds: 1_700_000_000,
    raise: (signal) => raised.push(signal),
  });
  const now = () => flows.now;
  vfs.mounts.mountRoot(new Tmpfs({ dev: vfs.newDevice(), now, maxBytes: 1 << 20 }));
  const taskOf = (ids: Partial<CredentialValues> = {}): FsTask => ({
    fs: new FsStruct(vfs.mounts.rootPath),
    files: new FileTable(),
    cred: Credentials.root().with({ ...(ids.fsuid ? { capEffective: 0n } : {}), ...ids }),
  });
  return { vfs, flows, raised, taskOf, root: taskOf() };
}
