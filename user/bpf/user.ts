/**
 * bpf(2) of a process, in the shape that the loader and bpf/loader/commands want it.
 *
 *   const user = bpfUser(p);  yield* mapLookup(user, fd, key, bytes);  yield* user.release();
 */
import type { UserFlow, UserRequest } from '../../kernel/syscall/abi.ts';
import type { UserAddress } from '../../kernel/types/units.ts';
import { BPF_ATTR_BYTES } from '../../bpf/attr.ts';
import type { BpfUser } from '../../bpf/loader/user.ts';
import { close, syscall } from '../libc/files.ts';
import { NR } from '../libc/nr.ts';
import type { Process } from '../libc/process.ts';

export type ProcessBpf = BpfUser<UserRequest>;

export function bpfUser(p: Process): ProcessBpf {
  const placed: UserAddress[] = [];
  return {
    *bpf(command, attr): UserFlow<number> {
      const mark = p.mark();
      const address = yield* p.take(BPF_ATTR_BYTES);
      p.memory.write(address, attr);
      const result = yield* syscall(NR.bpf, command, address, attr.length);
      attr.set(p.memory.read(address, attr.length));
      p.release(mark);
      return result;
    },
    *close(fd): UserFlow<void> {
      yield* close(fd);
    },
    *place(bytes): UserFlow<bigint> {
      const address = yield* p.heap.malloc(bytes.length + 8);
      placed.push(address);
      const image = new Uint8Array(bytes.length + 8);
      image.set(bytes);
      p.memory.write(address, image);
      return BigInt(address);
    },
    read: (address, sizeBytes) => p.memory.read(Number(address) as UserAddress, sizeBytes).slice(),
    *release(): UserFlow<void> {
      for (const address of placed.splice(0)) p.heap.free(address);
    },
  };
}
