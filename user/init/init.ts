/**
 * init: process 1. Mounts what is not mounted, sets the host name, runs /etc/rc, then keeps a root
 * shell on the console and reaps whatever has lost its parent.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import {
  chdir,
  close,
  dup2,
  mkdir,
  mount,
  O_RDWR,
  open,
  readTextFile,
  stat,
  syscall,
} from '../libc/files.ts';
import { NR } from '../libc/nr.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { accounts, sethostname } from '../libc/system.ts';
import * as tasks from '../libc/tasks.ts';
import { TIOCSCTTY } from '../libc/terminal.ts';
import { CLOCK_MONOTONIC, clockGettime, nanosleep } from '../libc/time.ts';

const MOUNTS: readonly (readonly [source: string, target: string, type: string, data?: string])[] =
  [
    ['proc', '/proc', 'proc'],
    ['sysfs', '/sys', 'sysfs'],
    ['devtmpfs', '/dev', 'devtmpfs'],
    ['devpts', '/dev/pts', 'devpts'],
    ['tmpfs', '/run', 'tmpfs', 'mode=755'],
    ['debugfs', '/sys/kernel/debug', 'debugfs'],
    ['tracefs', '/sys/kernel/tracing', 'tracefs'],
    ['bpf', '/sys/fs/bpf', 'bpf'],
  ];

/** A shell that lives shorter than this is not started again at once. */
const RESPAWN_MIN_NS = 1_000_000_000;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export const init: Tool = function* (p) {
  yield* mountAll(p);
  const hostname = yield* readTextFile(p, '/etc/hostname');
  if (typeof hostname === 'string' && hostname.trim() !== '')
    yield* sethostname(p, hostname.trim());
  p.env.set('PATH', PATH);
  if (typeof (yield* stat(p, '/etc/rc')) !== 'number') yield* tasks.run(p, ['/bin/sh', '/etc/rc']);
  yield* printMotd(p);
  for (;;) {
    const started = yield* clockGettime(p, CLOCK_MONOTONIC);
    const shell = yield* startShell(p);
    if (shell < 0) {
      yield* p.perror('fork', shell);
      return 1;
    }
    yield* reapUntil(p, shell);
    const lived = Number((yield* clockGettime(p, CLOCK_MONOTONIC)) - started);
    if (lived < RESPAWN_MIN_NS) yield* nanosleep(p, RESPAWN_MIN_NS);
  }
};

function* mountAll(p: Process): UserFlow<void> {
  const table = yield* readTextFile(p, '/proc/mounts');
  const mounted =
    typeof table === 'string' ? table.split('\n').map((line) => line.split(' ')[1]) : [];
  for (const [source, target, type, data] of MOUNTS) {
    if (mounted.includes(target)) continue;
    yield* mkdir(p, target, 0o755);
    const failed = yield* mount(p, source, target, type, 0, data);
    const isExpected = failed === -errno.EBUSY || failed === -errno.ENODEV;
    if (failed < 0 && !isExpected) yield* p.perror(`mount ${target}`, failed);
  }
}

function* printMotd(p: Process): UserFlow<void> {
  const text = yield* readTextFile(p, '/etc/motd');
  if (typeof text === 'string') yield* p.print(text);
  yield* p.stdout.flush();
}

/** A session of its own, the console its terminal, a login shell in it. */
function* startShell(p: Process): UserFlow<number> {
  return yield* tasks.fork(p, function* (child) {
    yield* tasks.setsid();
    const fd = yield* open(child, '/dev/console', O_RDWR);
    if (fd < 0) {
      yield* child.perror('/dev/console', fd);
      return 1;
    }
    yield* syscall(NR.ioctl, fd, TIOCSCTTY, 0);
    for (const standard of [0, 1, 2]) yield* dup2(fd, standard);
    if (fd > 2) yield* close(fd);
    const root = (yield* accounts(child)).find((account) => account.uid === 0);
    const home = root?.home ?? '/';
    yield* chdir(child, home);
    const env = new Map([
      ['HOME', home],
      ['USER', root?.name ?? 'root'],
      ['LOGNAME', root?.name ?? 'root'],
      ['SHELL', root?.shell ?? '/bin/sh'],
      ['PATH', PATH],
      ['TERM', 'xterm-256color'],
      ['PWD', home],
    ]);
    const failed = yield* tasks.execve(child, root?.shell ?? '/bin/sh', ['-sh'], env);
    yield* child.error(`${root?.shell}: ${strerror(failed)}`);
    return 1;
  });
}

function* reapUntil(p: Process, shell: number): UserFlow<void> {
  for (;;) {
    const { pid } = yield* tasks.wait4(p, -1);
    if (pid === shell || pid === -errno.ECHILD) return;
  }
}
