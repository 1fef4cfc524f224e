/** What programs ask about tasks and their memory: ids in a namespace, areas of the address space. */
import { errno } from '../../kernel/types/errno.ts';
import { Bug } from '../../kernel/types/units.ts';
import type { Implementations } from './implement.ts';
import { offset } from './implement.ts';

/** struct bpf_pidns_info: pid and tgid. */
const PIDNS_INFO_BYTES = 8;

export const taskImplementations: Implementations = {
  get_ns_current_pid_tgid: {
    pass: ['i64', 'i64', 'i32', 'i32'],
    returns: 'i32',
    bind:
      ({ ram, kernel }) =>
      (device: bigint, inode: bigint, out: number, sizeBytes: number) => {
        const [to, size] = [offset(out), sizeBytes >>> 0];
        const refuse = () => {
          ram.u8.fill(0, to, to + size);
          return -errno.EINVAL;
        };
        const dev = BigInt.asUintN(64, device);
        // A dev_t has 32 bits.
        if (size !== PIDNS_INFO_BYTES || BigInt.asUintN(32, dev) !== dev) return refuse();
        const namespace = kernel.pidNamespace?.();
        const isIt = namespace?.device === dev && namespace.inode === BigInt.asUintN(64, inode);
        if (!namespace || !isIt) return refuse();
        ram.view.setUint32(to, namespace.pid, true);
        ram.view.setUint32(to + 4, namespace.tgid, true);
        return 0;
      },
  },
  find_vma: {
    pass: ['i32', 'i64', 'i64', 'i64', 'i64'],
    returns: 'i32',
    bind: (runtime) => {
      const { ram, kernel } = runtime;
      return (task: number, address: bigint, func: bigint, context: bigint, flags: bigint) => {
        if (flags !== 0n) return -errno.EINVAL;
        const at = offset(task);
        if (at === 0) return -errno.ENOENT;
        const { running } = runtime;
        if (!running) throw new Bug('a helper with a callback was called outside a program');
        const taskAddress = ram.kernelAddress(at);
        const found = kernel.withVma?.(at, BigInt.asUintN(64, address), (vma) => {
          running.callback(func, taskAddress, ram.kernelAddress(vma), context, 0n, 0n);
        });
        return found ?? -errno.ENOENT;
      };
    },
  },
};
