/** Where sed's lines go: standard output, a file that is edited in place, and the files of `w`. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import {
  chmod,
  close,
  O_CREAT,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
  open,
  rename,
  stat,
  writeFile,
} from '../libc/files.ts';
import type { Process } from '../libc/process.ts';
import { Stream } from '../libc/stdio.ts';
import { strerror } from '../libc/strerror.ts';
import { concatBytes, decodeText, encodeText } from '../libc/text.ts';

/** A destination; a last line without its end gets one as soon as more follows. */
interface Sink {
  readonly write: (text: string) => UserFlow<void>;
  lacksEnd: boolean;
}

export class SedOutputs {
  readonly #p: Process;
  readonly #end: string;
  readonly #unbuffered: boolean;
  readonly #files = new Map<string, { readonly sink: Sink; readonly stream: Stream }>();
  readonly #standard: Sink;
  /** Pieces of the file that is edited in place. */
  #inPlace: Uint8Array[] | undefined;
  #current: Sink;

  constructor(p: Process, end: string, unbuffered: boolean) {
    this.#p = p;
    this.#end = end;
    this.#unbuffered = unbuffered;
    this.#standard = { write: (text) => p.print(text), lacksEnd: false };
    this.#current = this.#standard;
  }

  *line(text: string, hasEnd: boolean): UserFlow<void> {
    yield* this.text(text + (hasEnd ? this.#end : ''));
    this.#current.lacksEnd = !hasEnd;
  }

  *text(text: string): UserFlow<void> {
    yield* this.#put(this.#current, text);
    if (this.#unbuffered) yield* this.#p.stdout.flush();
  }

  /** A line that lacked its end gets it. */
  *endLine(): UserFlow<void> {
    if (!this.#current.lacksEnd) return;
    this.#current.lacksEnd = false;
    yield* this.#current.write(this.#end);
  }

  *#put(sink: Sink, text: string): UserFlow<void> {
    if (text === '') return;
    if (sink.lacksEnd) yield* sink.write(this.#end);
    sink.lacksEnd = false;
    yield* sink.write(text);
  }

  /** A whole file as it is; nothing where there is none. */
  *copy(name: string): UserFlow<void> {
    const stream = name === '/dev/stdin' ? this.#p.stdin : yield* openForReading(this.#p, name);
    if (!stream) return;
    const text = decodeText(yield* stream.readAll());
    yield* this.text(text);
    if (stream !== this.#p.stdin) {
      stream.dispose();
      yield* close(stream.fd);
    }
  }

  /** False, with a message, where the file cannot be made. */
  *prepare(name: string): UserFlow<boolean> {
    if (name === '/dev/stdout' || name === '/dev/stderr' || this.#files.has(name)) return true;
    const fd = yield* open(this.#p, name, O_WRONLY | O_CREAT | O_TRUNC);
    if (fd < 0) {
      yield* this.#p.error(`couldn't open file ${name}: ${strerror(fd)}`);
      return false;
    }
    const stream = new Stream(this.#p, fd, 'full');
    const write = (text: string): UserFlow<void> => stream.write(text);
    this.#files.set(name, { sink: { write, lacksEnd: false }, stream });
    return true;
  }

  *toFile(name: string, text: string): UserFlow<void> {
    const line = text + this.#end;
    if (name === '/dev/stdout') yield* this.#put(this.#standard, line);
    else if (name === '/dev/stderr') yield* this.#p.stderr.write(line);
    else {
      const file = this.#files.get(name)!;
      yield* this.#put(file.sink, line);
      // Others may look at it while sed runs.
      yield* file.stream.flush();
    }
  }

  startInPlace(): void {
    const parts: Uint8Array[] = [];
    this.#inPlace = parts;
    this.#current = {
      *write(text) {
        parts.push(encodeText(text));
      },
      lacksEnd: false,
    };
  }

  /** Put the new content under the file's name; the old one stays with the suffix. */
  *endInPlace(name: string, suffix: string): UserFlow<void> {
    const p = this.#p;
    const status = yield* stat(p, name);
    if (suffix !== '') {
      const backup = suffix.includes('*') ? suffix.replaceAll('*', name) : name + suffix;
      yield* rename(p, name, backup);
    }
    const failed = yield* writeFile(p, name, concatBytes(this.#inPlace ?? []));
    if (failed < 0) yield* p.error(`couldn't open file ${name}: ${strerror(failed)}`);
    else if (suffix !== '' && typeof status !== 'number') {
      yield* chmod(p, name, status.mode & 0o7777);
    }
    this.#inPlace = undefined;
    this.#current = this.#standard;
  }

  *close(): UserFlow<void> {
    for (const { stream } of this.#files.values()) {
      yield* stream.flush();
      yield* close(stream.fd);
    }
  }
}

function* openForReading(p: Process, name: string): UserFlow<Stream | undefined> {
  const fd = yield* open(p, name, O_RDONLY);
  return fd < 0 ? undefined : new Stream(p, fd, 'full');
}
