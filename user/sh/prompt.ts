/** PS1: its escapes, as bash has them, and then variables and commands in it. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { basename } from '../libc/process.ts';
import { accounts, getuid, uname } from '../libc/system.ts';
import { CLOCK_REALTIME, clockGettime, strftime } from '../libc/time.ts';
import { parseQuoted } from './parser.ts';
import type { Identity, Shell } from './shell.ts';

export const DEFAULT_PS1 = '\\u@\\h:\\w\\$ ';

/** Looked up once, as bash does: a prompt should not open files. */
function* identityOf(shell: Shell): UserFlow<Identity> {
  if (!shell.identity) {
    const uid = yield* getuid();
    const account = (yield* accounts(shell.p)).find((candidate) => candidate.uid === uid);
    const { nodename } = yield* uname(shell.p);
    shell.identity = { uid, user: account?.name ?? String(uid), host: nodename };
  }
  return shell.identity;
}

export function* expandPrompt(shell: Shell, format: string): UserFlow<string> {
  const text = yield* expandEscapes(shell, format);
  if (!/[$`]/.test(format.replaceAll('\\$', ''))) return text;
  const { status } = shell;
  const expanded = yield* shell.executor.expandText(shell, parseQuoted(text));
  shell.status = status;
  return expanded;
}

function* expandEscapes(shell: Shell, format: string): UserFlow<string> {
  if (!format.includes('\\')) return format;
  const { uid, user, host } = yield* identityOf(shell);
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
    u: user,
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
