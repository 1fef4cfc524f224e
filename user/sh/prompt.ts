/** PS1's escapes, as bash has them. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { basename } from '../libc/process.ts';
import { accounts, getuid, uname } from '../libc/system.ts';
import { CLOCK_REALTIME, clockGettime, strftime } from '../libc/time.ts';
import type { Shell } from './shell.ts';

export const DEFAULT_PS1 = '\\u@\\h:\\w\\$ ';

export function* expandPrompt(shell: Shell, format: string): UserFlow<string> {
  if (!format.includes('\\')) return format;
  const uid = yield* getuid();
  const host = format.includes('\\h') ? (yield* uname(shell.p)).nodename : '';
  const user = /\\u/.test(format)
    ? (yield* accounts(shell.p)).find((account) => account.uid === uid)?.name
    : undefined;
  const now = /\\[tTA]/.test(format)
    ? Number((yield* clockGettime(shell.p, CLOCK_REALTIME)) / 1_000_000_000n)
    : 0;
  const directory = shell.get('PWD') ?? '/';
  const home = shell.get('HOME');
  const isHome = home !== undefined && home !== '/';
  const short =
    isHome && (directory === home || directory.startsWith(`${home}/`))
      ? `~${directory.slice(home.length)}`
      : directory;
  const values: Record<string, string> = {
    u: user ?? String(uid),
    h: host.split('.')[0]!,
    H: host,
    w: short,
    W: short === '~' ? short : basename(short),
    $: uid === 0 ? '#' : '$',
    n: '\n',
    e: '\x1b',
    a: '\x07',
    j: String(shell.jobs.all.length),
    s: 'sh',
    t: strftime('%T', now),
    A: strftime('%R', now),
    '!': String(shell.history.length + 1),
    '[': '',
    ']': '',
    '\\': '\\',
  };
  return format.replace(/\\(?:(0[0-7]{2})|(.))/g, (whole, octal?: string, letter?: string) =>
    octal !== undefined ? String.fromCharCode(parseInt(octal, 8)) : (values[letter!] ?? whole),
  );
}
