/**
 * The boundary between user programs and the kernel: what a process may ask for.
 *
 * A user program is a generator function. It yields requests and is resumed with the result, a
 * number as in rax: 0 or more, or a negative errno. Nothing else crosses: buffers and strings are
 * bytes in the process's own user memory, passed by address.
 */
import type { UserAddress } from '../types/units.ts';

export type UserRequest =
  | {
      readonly kind: 'syscall';
      readonly nr: number;
      /** Up to six; addresses, fds and sizes fit a double. */
      readonly args: readonly number[];
      /** clone only: what the child runs (a generator cannot be copied as fork copies a stack). */
      readonly child?: ChildMain;
      /** rt_sigaction only: the handler, where it is a function and not SIG_IGN or SIG_DFL. */
      readonly handler?: SignalHandler;
    }
  /** Computation in user mode that takes `ns` of CPU time; may be preempted. */
  | { readonly kind: 'compute'; readonly ns: number };

export type UserFlow<T = void> = Generator<UserRequest, T, number>;

/** The process's own loads and stores. An unmapped address throws UserFault, which is SIGSEGV. */
export interface UserMemory {
  read(address: UserAddress, sizeBytes: number): Uint8Array;
  write(address: UserAddress, bytes: Uint8Array): void;
  /** Up to and without the NUL. */
  readString(address: UserAddress, limit?: number): string;
  readU32(address: UserAddress): number;
  readU64(address: UserAddress): bigint;
  writeU32(address: UserAddress, value: number): void;
  writeU64(address: UserAddress, value: bigint): void;
}

/** What a program sees of the process it runs in. */
export interface UserContext {
  readonly memory: UserMemory;
}

export type ChildMain = (context: UserContext) => UserFlow<number>;
export type SignalHandler = (signal: number) => UserFlow<void>;
/** Entry point of an executable; returns the exit status. */
export type UserMain = (
  context: UserContext,
  argv: readonly string[],
  envp: readonly string[],
) => UserFlow<number>;

/**
 * Executables by name. A file whose content is `\x7fSKEP` followed by a name is the executable of
 * that name (binfmt of the simulated machine); `#!` scripts work as in Linux.
 */
export type ProgramRegistry = ReadonlyMap<string, UserMain>;
export const EXECUTABLE_MAGIC = '\x7fSKEP';

export class UserFault extends Error {
  override name = 'UserFault';
  readonly address: number;
  constructor(address: number) {
    super(`user address 0x${address.toString(16)} is not mapped`);
    this.address = address;
  }
}
