/**
 * The table of jobs: pipelines that run in the background or are stopped, and how they are told.
 * It holds no process itself; `processes.ts` waits and reports what it saw through `update`.
 */
import { exited, exitStatus, signalText, stopped, stopSignal, termSignal } from '../libc/tasks.ts';

export type JobState = 'running' | 'stopped' | 'done';

export interface Job {
  readonly id: number;
  /** Process group, where job control is on; else the first process. */
  readonly group: number;
  readonly text: string;
  /** Wait status by process; undefined while it runs. */
  readonly processes: Map<number, number | undefined>;
  state: JobState;
  /** Wait status of the last process of the pipeline. */
  status: number;
  /** It changed since the user was last told. */
  changed: boolean;
}

/** How many statuses of ended background processes `wait` may still ask for (CHILD_MAX). */
const MAX_REMEMBERED = 4096;

export class JobTable {
  readonly #jobs: Job[] = [];
  /** Wait statuses of processes whose jobs are gone. */
  readonly #ended = new Map<number, number>();
  /** What the parent of a subshell had: to be listed, not waited for. */
  #inherited: readonly string[] = [];
  /** Ids, most recently current last. */
  #order: number[] = [];

  get all(): readonly Job[] {
    return this.#jobs;
  }

  /** The job that `%` and `%+` mean, and the one that `%-` means. */
  get current(): Job | undefined {
    return this.#byId(this.#order.at(-1));
  }

  get previous(): Job | undefined {
    return this.#byId(this.#order.at(-2));
  }

  add(group: number, pids: readonly number[], text: string): Job {
    const id = Math.max(0, ...this.#jobs.map((job) => job.id)) + 1;
    const job: Job = {
      id,
      group,
      text,
      processes: new Map(pids.map((pid) => [pid, undefined])),
      state: 'running',
      status: 0,
      changed: false,
    };
    this.#jobs.push(job);
    this.#order.push(id);
    return job;
  }

  makeCurrent(job: Job): void {
    this.#order = this.#order.filter((id) => id !== job.id);
    this.#order.push(job.id);
  }

  /** A subshell lists the jobs of the shell that it came from. */
  inherit(parent: JobTable): void {
    this.#inherited = parent.#jobs.map((job) => parent.describe(job));
  }

  get inherited(): readonly string[] {
    return this.#inherited;
  }

  /** Wait status of a process whose job has been removed. */
  endedStatus(pid: number): number | undefined {
    return this.#ended.get(pid);
  }

  remove(job: Job): void {
    for (const [pid, status] of job.processes) {
      if (status === undefined) continue;
      this.#ended.set(pid, status);
      if (this.#ended.size > MAX_REMEMBERED) this.#ended.delete(this.#ended.keys().next().value!);
    }
    this.#jobs.splice(this.#jobs.indexOf(job), 1);
    this.#order = this.#order.filter((id) => id !== job.id);
  }

  ofProcess(pid: number): Job | undefined {
    return this.#jobs.find((job) => job.processes.has(pid));
  }

  /** Take in what wait4 said of one process. */
  update(pid: number, status: number): void {
    const job = this.ofProcess(pid);
    if (!job) return;
    if (status === 0xffff) job.state = 'running';
    else if (stopped(status)) {
      job.state = 'stopped';
      job.status = status;
      this.makeCurrent(job);
    } else {
      job.processes.set(pid, status);
      const statuses = [...job.processes.values()];
      if (!statuses.includes(undefined)) {
        job.state = 'done';
        job.status = statuses.at(-1)!;
      }
    }
    job.changed = true;
  }

  /** '%1', '%+', '%-', '%%', '%name', or undefined. */
  find(text: string): Job | undefined {
    const name = text.slice(1);
    if (name === '' || name === '%' || name === '+') return this.current;
    if (name === '-') return this.previous;
    if (/^\d+$/.test(name)) return this.#byId(Number(name));
    return this.#jobs.find((job) => job.text.startsWith(name));
  }

  #byId(id: number | undefined): Job | undefined {
    return this.#jobs.find((job) => job.id === id);
  }

  /** '[1]+  Running                 sleep 100 &'. */
  describe(job: Job): string {
    const mark = job === this.current ? '+' : job === this.previous ? '-' : ' ';
    const text = job.state === 'running' ? `${job.text} &` : job.text;
    return `[${job.id}]${mark}  ${stateText(job).padEnd(24)}${text}`;
  }
}

function stateText(job: Job): string {
  if (job.state === 'running') return 'Running';
  if (job.state === 'stopped') {
    const signal = stopSignal(job.status);
    return signal === 20 ? 'Stopped' : signalText(signal);
  }
  if (!exited(job.status)) return signalText(termSignal(job.status));
  const status = exitStatus(job.status);
  return status === 0 ? 'Done' : `Exit ${status}`;
}
