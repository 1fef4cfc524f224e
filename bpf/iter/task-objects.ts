/**
 * What tasks have: their open files (bpf_iter_task_file) and areas of memory (bpf_iter_task_vma).
 * Threads that share them with their process are passed over.
 *
 * differs: neither has a struct in RAM of its own; while an iterator looks at one it gets one with
 * the members that programs print.
 */
import type { RamOffset } from '../../kernel/types/units.ts';
import { FileStruct, VmAreaStruct } from '../../kernel/types/iter-objects.ts';
import type { BpfRuntime, BpfTask } from '../runtime.ts';
import type { IterCursor } from './iterator.ts';

/** The next task after a pid of those that the link is about. */
export type NextTask = (after: number) => BpfTask | undefined;

interface Item {
  /** Greater than that of the one before, within a task. */
  readonly key: number;
  /** The arguments behind the task. */
  readonly args: readonly bigint[];
}

/** Goes over all items of all tasks. `itemAfter` finds the next of a task. */
function taskItems(
  { ram }: BpfRuntime,
  next: NextTask,
  itemAfter: (pid: number, key: number) => Item | undefined,
  block: RamOffset,
): IterCursor {
  let pid = 0;
  let key = -1;
  const here = (): { task: BpfTask; item: Item } | undefined => {
    // Where the last object was, then the tasks behind.
    for (let task = next(Math.max(pid - 1, 0)); task; task = next(task.pid)) {
      if (task.pid !== pid) [pid, key] = [task.pid, -1];
      const item = itemAfter(pid, key);
      if (item) return { task, item };
    }
    return undefined;
  };
  return {
    current() {
      const at = here();
      return at && [ram.kernelAddress(at.task.offset), ...at.item.args];
    },
    advance() {
      key = here()?.item.key ?? key;
    },
    free: () => ram.kfree(block),
  };
}

export function taskFileCursor(runtime: BpfRuntime, next: NextTask): IterCursor {
  const { ram, kernel } = runtime;
  const struct = FileStruct.alloc(ram);
  const fileAfter = (pid: number, key: number): Item | undefined => {
    const file = kernel.taskFiles?.(pid).find(({ fd }) => fd > key);
    if (!file) return undefined;
    struct.f_flags = file.flags;
    struct.f_mode = file.mode;
    struct.f_pos = BigInt(file.position);
    return { key: file.fd, args: [BigInt(file.fd), ram.kernelAddress(struct.offset)] };
  };
  return taskItems(runtime, next, fileAfter, struct.offset);
}

export function taskVmaCursor(runtime: BpfRuntime, next: NextTask): IterCursor {
  const { ram, kernel } = runtime;
  const struct = VmAreaStruct.alloc(ram);
  const areaAfter = (pid: number, key: number): Item | undefined => {
    const area = kernel.taskAreas?.(pid).find(({ start }) => start > key);
    if (!area) return undefined;
    struct.vm_start = BigInt(area.start);
    struct.vm_end = BigInt(area.end);
    struct.vm_flags = BigInt(area.flags);
    struct.vm_pgoff = BigInt(area.page);
    return { key: area.start, args: [ram.kernelAddress(struct.offset)] };
  };
  return taskItems(runtime, next, areaAfter, struct.offset);
}
