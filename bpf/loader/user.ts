/**
 * How the loader reaches a kernel: bpf(2) and a place for what its attributes point at. Everything
 * is a generator, so that a simulated process (whose syscalls are yielded) and a direct caller (who
 * yields nothing) use the same loader.
 *
 *   yield* loadObject(user, spec, options)      in a process
 *   runDirect(loadObject(user, spec, options))  with a user that never yields
 */
import { Bug } from '../../kernel/types/units.ts';

/** What the loader's steps yield is the user's own (a process's requests); `number` resumes it. */
export type BpfFlow<Y, T> = Generator<Y, T, number>;

export interface BpfUser<Y> {
  /** bpf(2): 0 or more, or a negative errno. What the kernel writes to `attr` is in it afterwards. */
  bpf(command: number, attr: Uint8Array): BpfFlow<Y, number>;
  close(fd: number): BpfFlow<Y, void>;
  /** Copy to user memory; the address. A NUL or more follows the bytes. */
  place(bytes: Uint8Array): BpfFlow<Y, bigint>;
  /** What is now at an address that `place` gave. */
  read(address: bigint, sizeBytes: number): Uint8Array;
  /** Give back all that was placed since the last release. */
  release(): BpfFlow<Y, void>;
}

export function runDirect<T>(flow: BpfFlow<never, T>): T {
  const step = flow.next();
  if (!step.done) throw new Bug('a direct caller of bpf(2) cannot wait');
  return step.value;
}
