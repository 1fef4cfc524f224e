/** All file system calls, for the one table. */
import { attributeRows } from './fs-attr.ts';
import { directoryRows } from './fs-dir.ts';
import { openRows } from './fs-open.ts';
import { pollRows } from './fs-poll.ts';
import { readWriteRows } from './fs-rw.ts';
import { statRows } from './fs-stat.ts';
import type { SyscallRow } from './row.ts';

export const fsRows: readonly SyscallRow[] = [
  ...readWriteRows,
  ...openRows,
  ...statRows,
  ...directoryRows,
  ...attributeRows,
  ...pollRows,
];
