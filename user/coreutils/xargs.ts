/** xargs(1): -n -I -r -0 -t -d. */
import { getopt } from '../libc/getopt.ts';
import type { Tool } from '../libc/process.ts';
import { run } from '../libc/tasks.ts';
import { decodeText } from '../libc/text.ts';
import { quoteWord } from '../sh/quote.ts';

/** Bytes of arguments in one command line (POSIX's minimum room, as findutils defaults to 128 KiB). */
const MAX_CHARS = 131072;

export const xargs: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... COMMAND [INITIAL-ARGS]...',
    about: 'Run COMMAND with arguments INITIAL-ARGS and more arguments read from input.',
    stopAtOperand: true,
    options: [
      { short: '0', long: 'null', help: 'items are separated by a null, not whitespace' },
      { short: 'd', long: 'delimiter', arg: 'CHARACTER', help: 'items are separated by CHARACTER' },
      { short: 'I', arg: 'R', help: 'replace R in INITIAL-ARGS with names read' },
      { short: 'n', long: 'max-args', arg: 'N', help: 'use at most N arguments per command line' },
      {
        short: 'r',
        long: 'no-run-if-empty',
        help: 'if there are no arguments, do not run COMMAND',
      },
      { short: 't', long: 'verbose', help: 'print commands before executing them' },
    ],
  });
  const command = o.operands.length === 0 ? ['echo'] : o.operands;
  const replace = o.value('I');
  const text = decodeText(yield* p.stdin.readAll());
  const delimiter = o.has('null') ? '\0' : o.value('delimiter');
  const items =
    delimiter !== undefined
      ? text
          .split(delimiter === '\\n' ? '\n' : delimiter)
          .filter((item, i, all) => item !== '' || i < all.length - 1)
      : replace !== undefined
        ? text
            .split('\n')
            .map((line) => line.trim())
            .filter((line) => line !== '')
        : words(text);
  if (typeof items === 'string') {
    yield* p.error(items);
    return 1;
  }
  const most = replace !== undefined ? 1 : Number(o.value('max-args') ?? Infinity);
  let status = 0;
  for (let at = 0; ;) {
    const batch: string[] = [];
    let size = 0;
    while (at < items.length && batch.length < most && size < MAX_CHARS) {
      size += items[at]!.length + 1;
      batch.push(items[at++]!);
    }
    if (
      batch.length === 0 &&
      (items.length > 0 || o.has('no-run-if-empty') || replace !== undefined)
    ) {
      return status;
    }
    const argv =
      replace === undefined
        ? [...command, ...batch]
        : command.map((word) => word.replaceAll(replace, batch[0]!));
    if (o.has('verbose')) yield* p.stderr.write(`${argv.map(quoteWord).join(' ')}\n`);
    const code = yield* run(p, argv);
    if (code >= 126) return code === 127 ? 127 : code === 126 ? 126 : 125;
    if (code === 255) return 124;
    if (code !== 0) status = 123;
    if (at >= items.length) return status;
  }
};

/** Blanks separate; quotes and backslashes protect. */
function words(text: string): string[] | string {
  const out: string[] = [];
  for (const match of text.matchAll(/(?:'[^'\n]*'|"[^"\n]*"|\\[^]|[^\s'"\\])+|['"]/g)) {
    if (match[0] === "'" || match[0] === '"') {
      return `unmatched ${match[0] === "'" ? 'single' : 'double'} quote`;
    }
    out.push(
      match[0].replace(
        /'([^'\n]*)'|"([^"\n]*)"|\\([^])/g,
        (_, a?: string, b?: string, c?: string) => a ?? b ?? c!,
      ),
    );
  }
  return out;
}
