/**
 * Areas of a task's memory as programs see them.
 * differs: areas have no struct in RAM of their own; bpf_find_vma makes one for its callback, with
 * the members that follow from the area; vm_file stays NULL.
 */
import type { Ram } from '../ram/ram.ts';
import type { Task } from '../sched/task.ts';
import { errno } from '../types/errno.ts';
import * as t from '../types/task.ts';
import type { RamOffset } from '../types/units.ts';
import { MAP_GROWSDOWN, MAP_SHARED, type Vma } from '../mm/vma.ts';

const PAGE_SHIFT = 12n;

/** PROT_* are the lowest VM_* (VM_READ, VM_WRITE, VM_EXEC). */
function flagsOf({ prot, flags }: Vma): number {
  const shared = flags & MAP_SHARED ? t.VM_SHARED | t.VM_MAYSHARE : 0;
  const grows = flags & MAP_GROWSDOWN ? t.VM_GROWSDOWN : 0;
  return prot | t.VM_MAYREAD | t.VM_MAYWRITE | t.VM_MAYEXEC | shared | grows;
}

/** 0, or -ENOENT for an address that no area has. */
export function withVma(
  ram: Ram,
  { mm }: Task,
  address: bigint,
  use: (vma: RamOffset) => void,
): number {
  const area =
    address > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : mm?.areas.find(Number(address));
  if (!mm || !area) return -errno.ENOENT;
  const vma = t.VmAreaStruct.alloc(ram);
  vma.vm_start = BigInt(area.start);
  vma.vm_end = BigInt(area.end);
  vma.vm_mm = mm.struct.offset;
  vma.vm_flags = BigInt(flagsOf(area));
  vma.vm_pgoff = area.backing ? BigInt(area.page) : BigInt(area.start) >> PAGE_SHIFT;
  try {
    use(vma.offset);
  } finally {
    ram.kfree(vma.offset);
  }
  return 0;
}
