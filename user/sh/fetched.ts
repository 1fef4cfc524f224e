/** Variables whose values the kernel tells when they are asked for. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { geteuid, getuid, uname } from '../libc/system.ts';
import { getpid, getppid } from '../libc/tasks.ts';
import { CLOCK_MONOTONIC, CLOCK_REALTIME, clockGettime } from '../libc/time.ts';
import type { Shell } from './shell.ts';

const NS = 1_000_000_000n;

const VALUES: Readonly<Record<string, (shell: Shell) => UserFlow<string>>> = {
  *BASHPID() {
    return String(yield* getpid());
  },
  *PPID() {
    return String(yield* getppid());
  },
  *UID() {
    return String(yield* getuid());
  },
  *EUID() {
    return String(yield* geteuid());
  },
  *HOSTNAME(shell) {
    return (yield* uname(shell.p)).nodename;
  },
  *SECONDS(shell) {
    const now = yield* clockGettime(shell.p, CLOCK_MONOTONIC);
    return String((now - (shell.startedNs ?? now)) / NS);
  },
  *EPOCHSECONDS(shell) {
    return String((yield* clockGettime(shell.p, CLOCK_REALTIME)) / NS);
  },
  *EPOCHREALTIME(shell) {
    const now = yield* clockGettime(shell.p, CLOCK_REALTIME);
    return `${now / NS}.${String((now % NS) / 1000n).padStart(6, '0')}`;
  },
};

/** Make `shell.parameter` know the value of each of `names` that is such a variable. */
export function* fetchValues(shell: Shell, names: readonly string[]): UserFlow<void> {
  for (const name of names) {
    const value = Object.hasOwn(VALUES, name) ? VALUES[name] : undefined;
    if (value) shell.fetched.set(name, yield* value(shell));
  }
}
