/** echo: as in bash, so no --help; -n, -e, -E. */
import { unescape } from '../libc/format.ts';
import type { Tool } from '../libc/process.ts';

export const echoTool: Tool = function* (p, args) {
  let newline = true;
  let escapes = false;
  let at = 0;
  for (; at < args.length && /^-[neE]+$/.test(args[at]!); at++) {
    for (const letter of args[at]!.slice(1)) {
      if (letter === 'n') newline = false;
      else escapes = letter === 'e';
    }
  }
  let text = args.slice(at).join(' ');
  if (escapes) {
    const result = unescape(text, 'echo');
    text = result.text;
    if (result.stop) newline = false;
  }
  yield* p.print(newline ? `${text}\n` : text);
  return 0;
};
