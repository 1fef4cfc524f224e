/**
 * From the kernel to user space: the first process, whose pid is 1, opens the console and becomes
 * /sbin/init; kthreadd, whose pid is 2, is the parent of all kernel threads.
 */
import { O_RDWR } from './fs/fcntl.ts';
import { FileTable } from './fs/file-table.ts';
import { FsStruct } from './fs/fs-struct.ts';
import { openAt } from './fs/open.ts';
import type { Kernel } from './machine-types.ts';
import { Credentials } from './sched/credentials.ts';
import { exec } from './sched/exec.ts';
import type { KernelFlow } from './sched/flow.ts';
import { isFlow } from './sched/flow.ts';
import { Process } from './sched/process.ts';
import type { Task } from './sched/task.ts';
import { WaitQueue } from './sched/wait-queue.ts';
import { errno } from './types/errno.ts';

/** argv_init and envp_init of init/main.c. */
const INIT_ENV = ['HOME=/', 'TERM=linux'];

export function kernelInit(kernel: Kernel): void {
  const { processes, sched } = kernel;
  const pid = processes.allocatePid()!;
  const process = new Process(sched, pid, pid);
  const cred = Credentials.root();
  const task = processes.add({ pid, comm: 'swapper/0', process, cred, flags: 0 }, undefined, 0);
  processes.init = process;
  const root = kernel.vfs.mounts.rootPath;
  task.fs = new FsStruct(root);
  task.files = new FileTable();
  task.kernelFlow = becomeInit(kernel, task);
  processes.kthread('kthreadd', sleepForEver(kernel));
  sched.start(task);
}

/** Its children are made by whoever needs one; nothing is left for it to do. */
function* sleepForEver(kernel: Kernel): KernelFlow<number> {
  const nothing = new WaitQueue(kernel.sched);
  for (;;) yield* nothing.wait(() => false, { interruptible: true });
}

function* becomeInit(kernel: Kernel, task: Task): KernelFlow<number> {
  const path = kernel.config.init;
  const root = kernel.vfs.mounts.rootPath;
  const opened = openAt(kernel.vfs, task, root, '/dev/console', O_RDWR, 0);
  const file = isFlow(opened) ? yield* opened : opened;
  if (typeof file === 'number') {
    kernel.log.warn('Warning: unable to open an initial console.');
  } else {
    for (let fd = 0; fd < 3; fd++) task.files!.install(fd === 0 ? file : file.get());
  }
  if (!kernel.config.programs.size) return yield* sleepForEver(kernel);
  kernel.log.info(`Run ${path} as init process`);
  const result = yield* exec(kernel, task, root, path, [path], INIT_ENV);
  if (result < 0) {
    const why = result === -errno.ENOENT ? '' : ` (error ${result})`;
    kernel.panic(`Requested init ${path} failed${why}.`);
  }
  return result;
}
