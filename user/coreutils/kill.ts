/** kill(1), also the shell's builtin. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { kill, signalName, signalNumber, SIGTERM } from '../libc/tasks.ts';

const HELP = `Usage: kill [-s SIGNAL | -SIGNAL] PID...
       kill -l [SIGNAL]...
Send a signal to processes, TERM if none is named; a negative PID is a process group.

  -s, --signal SIGNAL   name or number of the signal to be sent
  -l, --list [SIGNAL]   list signal names, or convert names and numbers
      --help            display this help and exit
`;
const LAST_SIGNAL = 64;
const COLUMNS = 5;

/** The table that `kill -l` and `trap -l` print. */
export function* listSignals(p: Process): UserFlow<void> {
  const cells: string[] = [];
  for (let signal = 1; signal <= LAST_SIGNAL; signal++) {
    const name = signalName(signal);
    if (name !== undefined) cells.push(`${String(signal).padStart(2)}) SIG${name}`);
  }
  for (let at = 0; at < cells.length; at += COLUMNS) {
    yield* p.println(cells.slice(at, at + COLUMNS).join('\t'));
  }
}

function* convert(p: Process, texts: readonly string[]): UserFlow<number> {
  let status = 0;
  for (const text of texts) {
    const isNumber = /^\d+$/.test(text);
    // An exit status stands for the signal that made it.
    const wanted = isNumber && Number(text) > 128 ? String(Number(text) - 128) : text;
    const signal = signalNumber(wanted);
    const name = signal === undefined ? undefined : signalName(signal);
    if (signal === undefined || (isNumber && name === undefined && signal !== 0)) {
      yield* p.error(`${text}: invalid signal specification`);
      status = 1;
    } else yield* p.println(isNumber ? (name ?? 'EXIT') : String(signal));
  }
  return status;
}

export const killTool: Tool = function* (p, args) {
  let signal: number | undefined = SIGTERM;
  let at = 0;
  const first = args[0] ?? '';
  if (first === '--help') {
    yield* p.print(HELP);
    return 0;
  }
  if (first === '-l' || first === '-L' || first === '--list' || first === '--table') {
    if (args.length > 1) return yield* convert(p, args.slice(1));
    yield* listSignals(p);
    return 0;
  }
  if (first === '-s' || first === '-n' || first === '--signal') {
    signal = signalNumber(args[1] ?? '');
    at = 2;
  } else if (first === '--') at = 1;
  else if (/^-./.test(first)) {
    signal = signalNumber(first.slice(1));
    at = 1;
  }
  if (signal === undefined) {
    yield* p.error(`${(args[at - 1] ?? '').replace(/^-/, '')}: invalid signal specification`);
    return 1;
  }
  const pids = args[at] === '--' ? args.slice(at + 1) : args.slice(at);
  if (pids.length === 0) {
    yield* p.stderr.write(
      `${p.name}: usage: kill [-s sigspec | -n signum | -sigspec] pid | jobspec ... or kill -l [sigspec]\n`,
    );
    return 2;
  }
  let status = 0;
  for (const text of pids) {
    if (!/^-?\d+$/.test(text)) {
      yield* p.error(`${text}: arguments must be process or job IDs`);
      status = 1;
      continue;
    }
    const failed = yield* kill(Number(text), signal);
    if (failed < 0) {
      yield* p.error(`(${text}) - ${strerror(failed)}`);
      status = 1;
    }
  }
  return status;
};
