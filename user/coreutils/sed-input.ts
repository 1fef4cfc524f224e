/** The lines that sed reads: of all files one after the other, or each file by itself (-s, -i). */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { isDirectory } from '../libc/directory.ts';
import { fstat } from '../libc/files.ts';
import type { Process } from '../libc/process.ts';
import type { Stream } from '../libc/stdio.ts';
import { decodeText } from '../libc/text.ts';
import { closeStream, openStream } from './input.ts';
import type { SedOutputs } from './sed-output.ts';

interface InputOptions {
  readonly end: string;
  readonly separate: boolean;
  /** Suffix of backups, where files are edited in place. */
  readonly inPlace: string | undefined;
  readonly outputs: SedOutputs;
}

interface Line {
  readonly text: string;
  readonly hasEnd: boolean;
}

export class SedInput {
  /** Line number, counted over all files or anew in each. */
  number = 0;
  status = 0;
  /** The current line is the first of a file that counts for itself. */
  isNewFile = false;
  /** The current line ended as lines do. */
  hasEnd = true;
  /** Name of the current file. */
  name = '-';
  readonly #p: Process;
  readonly #names: string[];
  readonly #options: InputOptions;
  readonly #others = new Map<string, Stream>();
  #stream: Stream | undefined;
  #ahead: Line | undefined;

  constructor(p: Process, names: readonly string[], options: InputOptions) {
    this.#p = p;
    this.#names = names.length === 0 ? ['-'] : [...names];
    this.#options = options;
  }

  *next(): UserFlow<string | undefined> {
    let line = this.#ahead ?? (yield* this.#read());
    this.#ahead = undefined;
    this.isNewFile = false;
    while (!line) {
      if (!(yield* this.#nextFile())) return undefined;
      if (this.#options.separate) {
        this.number = 0;
        this.isNewFile = true;
      }
      line = yield* this.#read();
    }
    this.number++;
    this.hasEnd = line.hasEnd;
    return line.text;
  }

  /** No line follows: in this file where files count for themselves, else in any. */
  *isLast(): UserFlow<boolean> {
    this.#ahead ??= yield* this.#read();
    if (this.#ahead) return false;
    return this.#options.separate || (yield* this.isEnd());
  }

  *isEnd(): UserFlow<boolean> {
    this.#ahead ??= yield* this.#read();
    // A file in place is left only by the cycle that reads on.
    if (this.#options.separate && !this.#ahead) return this.#names.length === 0;
    while (!this.#ahead) {
      if (!(yield* this.#nextFile())) return true;
      this.#ahead = yield* this.#read();
    }
    return false;
  }

  /** The next line of a file that R names. */
  *lineOf(name: string): UserFlow<string | undefined> {
    let stream = this.#others.get(name);
    if (!stream) {
      stream = yield* openStream(this.#p, name === '/dev/stdin' ? '-' : name, 'silent');
      if (!stream) return undefined;
      this.#others.set(name, stream);
    }
    return yield* stream.readLine();
  }

  /** After the last cycle: what is left of a file in place is kept as it is. */
  *finish(): UserFlow<void> {
    const { inPlace, outputs } = this.#options;
    if (!this.#stream) return;
    if (inPlace !== undefined) {
      if (this.#ahead) yield* outputs.line(this.#ahead.text, this.#ahead.hasEnd);
      for (let line = yield* this.#read(); line; line = yield* this.#read()) {
        yield* outputs.line(line.text, line.hasEnd);
      }
    }
    yield* this.#leave();
  }

  *#read(): UserFlow<Line | undefined> {
    const { end } = this.#options;
    const bytes = yield* this.#stream?.readLineBytes(end.charCodeAt(0)) ?? nothing();
    if (!bytes) return undefined;
    const text = decodeText(bytes);
    return text.endsWith(end) ? { text: text.slice(0, -1), hasEnd: true } : { text, hasEnd: false };
  }

  *#leave(): UserFlow<void> {
    const stream = this.#stream;
    this.#stream = undefined;
    if (!stream) return;
    yield* closeStream(this.#p, stream);
    if (this.#options.inPlace !== undefined) {
      yield* this.#options.outputs.endInPlace(this.name, this.#options.inPlace);
    }
  }

  *#nextFile(): UserFlow<boolean> {
    yield* this.#leave();
    const { inPlace, outputs } = this.#options;
    for (;;) {
      const name = this.#names.shift();
      if (name === undefined) return false;
      const stream = yield* openStream(
        this.#p,
        name,
        (file, reason) => `can't read ${file}: ${reason}`,
      );
      if (!stream) {
        this.status = 2;
        continue;
      }
      const status = yield* fstat(this.#p, stream.fd);
      if (typeof status !== 'number' && isDirectory(status.mode)) {
        const what =
          inPlace === undefined
            ? `read error on ${name}: Is a directory`
            : `couldn't edit ${name}: not a regular file`;
        yield* this.#p.error(what);
        this.status = inPlace === undefined ? 2 : 4;
        yield* closeStream(this.#p, stream);
        continue;
      }
      this.#stream = stream;
      this.name = name;
      if (inPlace !== undefined) outputs.startInPlace();
      return true;
    }
  }
}

function* nothing(): UserFlow<undefined> {
  return undefined;
}
