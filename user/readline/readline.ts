/**
 * readline: one line from a terminal, edited.
 *
 *   yield* readline(p, { prompt, history, complete, killed })
 *
 * The terminal is raw while the line is edited and as it was before after it. Without a terminal
 * lines are read as they come and no prompt is shown.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { read } from '../libc/files.ts';
import type { Process } from '../libc/process.ts';
import { SIG_DFL, sigaction, SIGWINCH } from '../libc/tasks.ts';
import { rawMode, tcgetattr, tcsetattr, windowSize } from '../libc/terminal.ts';
import type { Completion } from './completion.ts';
import { applyCompletion } from './completion.ts';
import { Display } from './display.ts';
import { LineEditor } from './editor.ts';
import { KeyDecoder } from './keys.ts';

export interface ReadlineOptions {
  /** May span lines and hold escape sequences. */
  readonly prompt: string;
  readonly history: readonly string[];
  readonly complete?: (line: string, cursor: number) => UserFlow<Completion>;
  /** Text for C-y. */
  readonly killed?: string;
}

export type ReadlineResult =
  | { readonly kind: 'line'; readonly text: string; readonly killed: string }
  | { readonly kind: 'eof' }
  | { readonly kind: 'interrupt' };

/** List without asking up to this many candidates (readline's completion-query-items). */
const MAX_LISTED = 100;

export function* readline(p: Process, options: ReadlineOptions): UserFlow<ReadlineResult> {
  const before = yield* tcgetattr(p, 0);
  if (typeof before === 'number') return yield* plainLine(p);
  yield* tcsetattr(p, 0, rawMode(before));
  const resized = { raised: false };
  yield* sigaction(p, SIGWINCH, function* () {
    resized.raised = true;
  });
  const session = new Session(p, options, resized);
  const result = yield* session.run();
  yield* tcsetattr(p, 0, before);
  yield* sigaction(p, SIGWINCH, SIG_DFL);
  return result;
}

function* plainLine(p: Process): UserFlow<ReadlineResult> {
  const text = yield* p.stdin.readLine();
  if (text === undefined) return { kind: 'eof' };
  return { kind: 'line', text, killed: '' };
}

class Session {
  readonly #p: Process;
  readonly #options: ReadlineOptions;
  readonly #resized: { raised: boolean };
  readonly #decoder = new KeyDecoder();
  readonly #editor: LineEditor;
  readonly #display = new Display(80);
  #columns = 80;
  /** The last line of the prompt; the lines above it are written once. */
  #prompt = '';

  constructor(p: Process, options: ReadlineOptions, resized: { raised: boolean }) {
    this.#p = p;
    this.#options = options;
    this.#resized = resized;
    this.#editor = new LineEditor(options.history, options.killed);
  }

  *run(): UserFlow<ReadlineResult> {
    const lines = this.#options.prompt.split('\n');
    this.#prompt = lines.pop()!;
    if (lines.length > 0) yield* this.#write(`${lines.join('\n')}\n`);
    yield* this.#measure();
    yield* this.#draw();
    let tabs = 0;
    for (;;) {
      const bytes = yield* read(this.#p, 0, 1);
      if (this.#resized.raised) {
        this.#resized.raised = false;
        yield* this.#measure();
        yield* this.#draw();
      }
      if (bytes === -errno.EINTR) continue;
      if (typeof bytes === 'number' || bytes.length === 0) return { kind: 'eof' };
      const key = this.#decoder.feed(bytes[0]!);
      if (!key) continue;
      const outcome = this.#editor.key(key);
      tabs = outcome === 'complete' ? tabs + 1 : 0;
      switch (outcome) {
        case 'accept': {
          const { text, killed } = this.#editor;
          yield* this.#draw();
          yield* this.#write(this.#display.finish());
          return { kind: 'line', text, killed };
        }
        case 'eof':
          return { kind: 'eof' };
        case 'interrupt':
          yield* this.#write(`^C${this.#display.finish()}`);
          return { kind: 'interrupt' };
        case 'clear':
          yield* this.#write('\x1b[H\x1b[2J');
          this.#display.reset();
          break;
        case 'complete':
          yield* this.#complete(tabs > 1);
          break;
        case 'bell':
          yield* this.#write('\x07');
          break;
      }
      yield* this.#draw();
    }
  }

  *#complete(list: boolean): UserFlow<void> {
    const { complete } = this.#options;
    if (!complete) return;
    const before = this.#editor.chars.slice(0, this.#editor.cursor).join('').length;
    const completion = yield* complete(this.#editor.text, before);
    const lines = applyCompletion(this.#editor, completion, this.#columns);
    if (!lines) return;
    if (!list || lines.length === 0) return yield* this.#write('\x07');
    const shown = lines.slice(0, MAX_LISTED);
    const left = lines.length - shown.length;
    yield* this.#write(this.#display.finish() + shown.map((line) => `${line}\n`).join(''));
    if (left > 0) yield* this.#write(`… ${left} more lines\n`);
  }

  *#measure(): UserFlow<void> {
    this.#columns = (yield* windowSize(this.#p, 0))?.columns ?? 80;
    this.#display.resize(this.#columns);
  }

  *#draw(): UserFlow<void> {
    const { searchPrompt, chars, cursor } = this.#editor;
    yield* this.#write(this.#display.draw(searchPrompt ?? this.#prompt, chars, cursor));
  }

  *#write(text: string): UserFlow<void> {
    if (text !== '') yield* this.#p.stderr.write(text);
  }
}
