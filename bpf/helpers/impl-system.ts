/** System calls and look-ups of syscall programs (loaders), and memory of other tasks. */
import { errno } from '../../kernel/types/errno.ts';
import { BTF_KINDS } from '../btf/types.ts';
import { FdArrayMap } from '../maps/fd-array.ts';
import type { BpfRuntime } from '../runtime.ts';
import { BPF_COMMANDS, type BpfCommand } from '../uapi.ts';
import type { Implementations } from './implement.ts';
import { offset } from './implement.ts';

/** What bpf_sys_bpf takes (syscall_prog_func_proto's commands, kernel/bpf/syscall.c of 6.1). */
const ALLOWED: ReadonlySet<BpfCommand | undefined> = new Set<BpfCommand>([
  'map_create',
  'map_delete_elem',
  'map_update_elem',
  'map_freeze',
  'map_get_fd_by_id',
  'prog_load',
  'btf_load',
  'link_create',
  'raw_tracepoint_open',
]);

/** A name with its NUL as its last byte; -EINVAL for anything else. */
function nameAt({ ram }: BpfRuntime, at: number, sizeBytes: number): string | number {
  const size = sizeBytes >>> 0;
  const bytes = ram.bytes(offset(at), size);
  if (size <= 1 || bytes[size - 1] !== 0) return -errno.EINVAL;
  return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
}

export const systemImplementations: Implementations = {
  sys_bpf: {
    pass: ['i32', 'i32', 'i32'],
    returns: 'i32',
    bind: (runtime) => (command: number, attr: number, sizeBytes: number) => {
      if (!ALLOWED.has(BPF_COMMANDS[command])) return -errno.EINVAL;
      return runtime.sysBpf?.(command, offset(attr), sizeBytes >>> 0) ?? -errno.EINVAL;
    },
  },
  sys_close: {
    pass: ['i32'],
    returns: 'i32',
    bind: (runtime) => (fd: number) => runtime.sysClose?.(fd) ?? -errno.EBADF,
  },
  btf_find_by_name_kind: {
    pass: ['i32', 'i32', 'i32', 'i32'],
    returns: 'i64',
    bind: (runtime) => (at: number, sizeBytes: number, kind: number, flags: number) => {
      if (flags !== 0) return BigInt(-errno.EINVAL);
      const name = nameAt(runtime, at, sizeBytes);
      if (typeof name === 'number') return BigInt(name);
      const kindName = BTF_KINDS[kind];
      const id = kindName && runtime.kernelBtf?.find(name, kindName);
      return BigInt(id ?? -errno.ENOENT);
    },
  },
  kallsyms_lookup_name: {
    pass: ['i32', 'i32', 'i32', 'i32'],
    returns: 'i32',
    bind: (runtime) => (at: number, sizeBytes: number, flags: number, result: number) => {
      const { ram, kernel } = runtime;
      ram.writeU64(offset(result), 0n);
      if (flags !== 0) return -errno.EINVAL;
      const name = nameAt(runtime, at, sizeBytes);
      if (typeof name === 'number') return name;
      if (kernel.mayDumpAddresses && !kernel.mayDumpAddresses()) return -errno.EPERM;
      const address = kernel.symbolAddress?.(name);
      ram.writeU64(offset(result), address ?? 0n);
      return address === undefined ? -errno.ENOENT : 0;
    },
  },
  copy_from_user_task: {
    pass: ['i32', 'i32', 'i64', 'i32', 'i64'],
    returns: 'i32',
    bind: ({ ram, kernel }) => {
      return (out: number, sizeBytes: number, source: bigint, task: number, flags: bigint) => {
        const size = sizeBytes >>> 0;
        if (flags !== 0n) return -errno.EINVAL;
        if (size === 0) return 0;
        const address = BigInt.asUintN(64, source);
        if (kernel.copyFromTask?.(offset(task), offset(out), address, size)) return 0;
        ram.u8.fill(0, offset(out), offset(out) + size);
        return -errno.EFAULT;
      };
    },
  },
  current_task_under_cgroup: {
    pass: ['i32', 'i32'],
    returns: 'i32',
    bind: (runtime) => (mapAt: number, index: number) => {
      const map = runtime.mapAt(offset(mapAt));
      if (!(map instanceof FdArrayMap)) return -errno.EINVAL;
      if (index >>> 0 >= map.spec.maxEntries) return -errno.E2BIG;
      const cgroup = map.referenceAt(index >>> 0);
      if (cgroup === 0) return -errno.EAGAIN;
      return runtime.kernel.currentIsUnderCgroup?.(cgroup) ? 1 : 0;
    },
  },
};
