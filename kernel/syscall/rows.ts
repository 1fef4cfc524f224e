/** All system calls of the kernel, from the files that define them. */
import { bpfRows } from './bpf.ts';
import { credRows } from './creds.ts';
import { fsRows } from './fs.ts';
import { futexRows } from './futex.ts';
import { limitRows } from './limits.ts';
import { memoryRows } from './memory.ts';
import { netRows } from './net.ts';
import { perfRows } from './perf.ts';
import { processRows } from './process.ts';
import type { SyscallRow } from './row.ts';
import { seccompRows } from './seccomp.ts';
import { signalRows } from './signal.ts';
import { systemRows } from './system.ts';
import { timeRows } from './time.ts';

export const syscallRows: readonly SyscallRow[] = [
  ...fsRows,
  ...processRows,
  ...credRows,
  ...signalRows,
  ...memoryRows,
  ...timeRows,
  ...systemRows,
  ...limitRows,
  ...futexRows,
  ...bpfRows,
  ...perfRows,
  ...netRows,
  ...seccompRows,
];
