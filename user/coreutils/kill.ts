/** kill(1), also the shell's builtin. */
import type { Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { kill, signalNumber, SIGNALS, SIGTERM } from '../libc/tasks.ts';

const HELP = `Usage: kill [-s SIGNAL | -SIGNAL] PID...
       kill -l [SIGNAL]
Send a signal to processes, TERM if none is named; a negative PID is a process group.
`;

export const killTool: Tool = function* (p, args) {
  let signal: number | undefined = SIGTERM;
  let at = 0;
  const first = args[0] ?? '';
  if (first === '--help') {
    yield* p.print(HELP);
    return 0;
  }
  if (first === '-l' || first === '-L') {
    const text = args[1];
    if (text === undefined) {
      yield* p.println(SIGNALS.slice(1).join(' '));
      return 0;
    }
    const number = signalNumber(text);
    if (number === undefined) {
      yield* p.error(`${text}: invalid signal specification`);
      return 1;
    }
    const isNumber = /^\d+$/.test(text);
    yield* p.println(isNumber ? (SIGNALS[number % 128] ?? text) : String(number));
    return 0;
  }
  if (first === '-s' || first === '-n') {
    signal = signalNumber(args[1] ?? '');
    at = 2;
  } else if (first === '--') at = 1;
  else if (/^-./.test(first)) {
    signal = signalNumber(first.slice(1));
    at = 1;
  }
  if (signal === undefined) {
    yield* p.error(`${args[at - 1]!.replace(/^-/, '')}: invalid signal specification`);
    return 1;
  }
  const pids = args[at] === '--' ? args.slice(at + 1) : args.slice(at);
  if (pids.length === 0) {
    yield* p.stderr.write(HELP);
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
