/** poll(2). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { syscall } from './files.ts';
import { NR } from './nr.ts';
import type { Process } from './process.ts';

export interface PollFd {
  readonly fd: number;
  readonly events: number;
  revents?: number;
}

/** Number of ready descriptors, whose `revents` are set; 0 on timeout, or a negative errno. */
export function* poll(p: Process, fds: PollFd[], timeoutMs: number): UserFlow<number> {
  const mark = p.mark();
  const bytes = new Uint8Array(8 * fds.length);
  const view = new DataView(bytes.buffer);
  fds.forEach(({ fd, events }, index) => {
    view.setInt32(8 * index, fd, true);
    view.setInt16(8 * index + 4, events, true);
  });
  const address = yield* p.takeBytes(bytes);
  const result = yield* syscall(NR.poll, address, fds.length, Math.ceil(timeoutMs));
  const after = p.memory.read(address, bytes.length);
  fds.forEach((entry, index) => {
    entry.revents = after[8 * index + 6]! | (after[8 * index + 7]! << 8);
  });
  p.release(mark);
  return result;
}
