/** sed(1): the options, and the cycle that runs a script over the lines of its input. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { getopt, type Options } from '../libc/getopt.ts';
import { readTextFile } from '../libc/files.ts';
import type { Process, Tool } from '../libc/process.ts';
import type { Regex } from '../libc/regex/regex.ts';
import { strerror } from '../libc/strerror.ts';
import { capture } from '../libc/tasks.ts';
import { decodeText } from '../libc/text.ts';
import { SedInput } from './sed-input.ts';
import { SedOutputs } from './sed-output.ts';
import type { Address, SedCommand } from './sed-script.ts';
import { compileSed, SedError } from './sed-script.ts';
import { listing, substituteLine } from './sed-text.ts';

export const sed: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... {script-only-if-no-other-script} [input-file]...',
    about: 'Transform text line by line.',
    options: [
      { short: 'n', long: 'quiet', help: 'suppress automatic printing of pattern space' },
      { long: 'silent', help: 'the same as --quiet' },
      { long: 'debug', help: '(ignored)' },
      { short: 'e', long: 'expression', arg: 'script', help: 'add the script to the commands' },
      { short: 'f', long: 'file', arg: 'script-file', help: 'add the contents of script-file' },
      { short: 'E', long: 'regexp-extended', help: 'use extended regular expressions' },
      { short: 'r', help: 'the same as -E' },
      {
        short: 'i',
        long: 'in-place',
        arg: 'SUFFIX',
        optional: true,
        help: 'edit files in place (makes backup if SUFFIX supplied)',
      },
      {
        short: 'l',
        long: 'line-length',
        arg: 'N',
        help: 'specify the desired line-wrap length for l',
      },
      { long: 'posix', help: '(ignored)' },
      { short: 's', long: 'separate', help: 'consider files as separate' },
      { short: 'u', long: 'unbuffered', help: 'flush the output buffers more often' },
      { short: 'z', long: 'null-data', help: 'separate lines by NUL characters' },
    ],
  });
  const source = yield* scriptOf(p, o);
  if (typeof source === 'number') return source;
  let script: SedCommand[];
  try {
    script = compileSed(source, { extended: o.has('regexp-extended') || o.has('r') });
  } catch (caught) {
    if (!(caught instanceof SedError)) throw caught;
    yield* p.error(caught.message);
    return caught.status;
  }
  const isQuiet = o.has('quiet') || o.has('silent') || /^#n(\n|$)/.test(source);
  const end = o.has('null-data') ? '\0' : '\n';
  const inPlace = o.has('in-place') ? (o.value('in-place') ?? '') : undefined;
  const outputs = new SedOutputs(p, end, o.has('unbuffered'));
  const input = new SedInput(p, o.operands, {
    end,
    separate: o.has('separate') || inPlace !== undefined,
    inPlace,
    outputs,
  });
  const editor = new Editor(p, script, input, outputs, {
    autoprint: !isQuiet,
    wrap: Number(o.value('line-length') ?? 70),
    end,
  });
  let status: number;
  try {
    status = yield* editor.run();
  } catch (caught) {
    if (!(caught instanceof SedError)) throw caught;
    yield* p.error(caught.message);
    status = 1;
  }
  yield* input.finish();
  yield* outputs.close();
  return status || input.status;
};

function* scriptOf(p: Process, o: Options): UserFlow<string | number> {
  const scripts: string[] = [];
  for (const { name, value } of o.given) {
    if (name === 'expression') scripts.push(value);
    else if (name === 'file') {
      const text = yield* value === '-' ? readStdin(p) : readTextFile(p, value);
      if (typeof text === 'number') {
        yield* p.error(`couldn't open file ${value}: ${strerror(text)}`);
        return 1;
      }
      scripts.push(text.replace(/\n$/, ''));
    }
  }
  if (scripts.length > 0) return scripts.join('\n');
  const first = o.operands.shift();
  if (first !== undefined) return first;
  yield* p.stderr.write(
    "Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...\nTry 'sed --help' for more information.\n",
  );
  return 1;
}

function* readStdin(p: Process): UserFlow<string> {
  return decodeText(yield* p.stdin.readAll());
}

type Next = 'go on' | 'end cycle' | 'restart' | 'quit' | 'quit silently';

interface EditorOptions {
  readonly autoprint: boolean;
  readonly wrap: number;
  readonly end: string;
}

/** A loop of branches without input would never end. */
const JUMP_NS = 200;

class Editor {
  readonly #p: Process;
  readonly #script: readonly SedCommand[];
  readonly #input: SedInput;
  readonly #outputs: SedOutputs;
  readonly #options: EditorOptions;
  #pattern = '';
  #hold = '';
  /** What a, r and R have queued for the end of the cycle. */
  #appended: { readonly kind: 'text' | 'file' | 'line'; readonly text: string | undefined }[] = [];
  /** s has done something since the line was read: what t asks. */
  #replaced = false;
  #lastRegex: Regex | undefined;
  #status = 0;
  /** Commands whose range is open, and the line number it ends at if that is known. */
  readonly #open = new Map<SedCommand, number | undefined>();

  constructor(
    p: Process,
    script: readonly SedCommand[],
    input: SedInput,
    outputs: SedOutputs,
    options: EditorOptions,
  ) {
    this.#p = p;
    this.#script = script;
    this.#input = input;
    this.#outputs = outputs;
    this.#options = options;
  }

  *run(): UserFlow<number> {
    // `w` files exist, empty, even if nothing is written to them.
    for (const { name, text, substitution } of this.#script) {
      const file = name === 'w' || name === 'W' ? text : substitution?.file;
      if (file !== undefined && !(yield* this.#outputs.prepare(file))) return 4;
    }
    let keeps = false;
    for (;;) {
      if (!keeps) {
        const line = yield* this.#input.next();
        if (line === undefined) return this.#status;
        if (this.#input.isNewFile) this.#open.clear();
        this.#pattern = line;
        this.#replaced = false;
      }
      const next = yield* this.#commands();
      keeps = next === 'restart';
      const prints = this.#options.autoprint && (next === 'go on' || next === 'quit');
      if (prints) yield* this.#print(this.#pattern);
      yield* this.#flushAppended();
      if (next === 'quit' || next === 'quit silently') return this.#status;
    }
  }

  #print(text: string): UserFlow<void> {
    return this.#outputs.line(text, this.#input.hasEnd);
  }

  *#flushAppended(): UserFlow<void> {
    for (const { kind, text } of this.#appended.splice(0)) {
      if (text === undefined) yield* this.#outputs.endLine();
      else if (kind === 'text') yield* this.#outputs.line(text, true);
      else if (kind === 'file') yield* this.#outputs.copy(text);
      else {
        const line = yield* this.#input.lineOf(text);
        if (line !== undefined) yield* this.#outputs.line(line, true);
      }
    }
  }

  *#commands(): UserFlow<Next> {
    for (let at = 0; at < this.#script.length;) {
      const command = this.#script[at++]!;
      const isSelected = yield* this.#selected(command);
      if (command.name === '{') {
        if (!isSelected) at = command.target;
        continue;
      }
      if (!isSelected) continue;
      if ('btT'.includes(command.name)) {
        const jumps = command.name === 'b' || this.#replaced === (command.name === 't');
        if (command.name !== 'b') this.#replaced = false;
        if (!jumps) continue;
        at = command.target;
        yield { kind: 'compute', ns: JUMP_NS };
        continue;
      }
      const next = yield* this.#command(command);
      if (next !== 'go on') return next;
    }
    return 'go on';
  }

  *#selected(command: SedCommand): UserFlow<boolean> {
    const { first, second, negated } = command;
    if (!first) return !negated;
    if (!second) return (yield* this.#matches(first)) !== negated;
    const { number } = this.#input;
    if (this.#open.has(command)) {
      const end = this.#open.get(command);
      if (end !== undefined && number > end) {
        // A line number that is past already: only if the range begins anew.
        this.#open.delete(command);
        return (yield* this.#begins(command, first, second)) !== negated;
      }
      const ends = end === undefined ? yield* this.#matches(second) : number === end;
      if (ends) this.#open.delete(command);
      return !negated;
    }
    return (yield* this.#begins(command, first, second)) !== negated;
  }

  /** Does a range begin at this line? Line 0 has been before the first one. */
  *#begins(command: SedCommand, first: Address, second: Address): UserFlow<boolean> {
    const { number } = this.#input;
    if (first.kind === 'line' && first.number === 0) {
      if (number !== 1) return false;
      if (!(yield* this.#matches(second))) this.#open.set(command, undefined);
      return true;
    }
    if (!(yield* this.#matches(first))) return false;
    let end: number | undefined;
    if (second.kind === 'line') end = second.number;
    else if (second.kind === 'plus') end = number + second.number;
    else if (second.kind === 'multiple') {
      end = second.number === 0 ? number : Math.ceil(number / second.number) * second.number;
    } else if (second.kind === 'last' && (yield* this.#input.isLast())) end = number;
    if (end === undefined || end > number) this.#open.set(command, end);
    return true;
  }

  *#matches(address: Address): UserFlow<boolean> {
    switch (address.kind) {
      case 'line':
        return this.#input.number === address.number;
      case 'step':
        return (
          this.#input.number >= address.first &&
          (this.#input.number - address.first) % address.step === 0
        );
      case 'last':
        return yield* this.#input.isLast();
      case 'regex':
        return this.#regexOf(address.regex).test(this.#pattern);
      default:
        return false;
    }
  }

  #regexOf(regex: Regex | undefined): Regex {
    const used = regex ?? this.#lastRegex;
    if (!used) throw new SedError('no previous regular expression');
    this.#lastRegex = used;
    return used;
  }

  *#command(command: SedCommand): UserFlow<Next> {
    switch (command.name) {
      case 's':
        yield* this.#substitute(command);
        return 'go on';
      case 'y':
        this.#pattern = Array.from(this.#pattern, (c) => command.map!.get(c) ?? c).join('');
        return 'go on';
      case 'p':
        yield* this.#print(this.#pattern);
        return 'go on';
      case 'P':
        yield* this.#outputs.line(this.#pattern.split(this.#options.end)[0]!, true);
        return 'go on';
      case '=':
        yield* this.#outputs.text(`${this.#input.number}\n`);
        return 'go on';
      case 'l':
        yield* this.#outputs.text(listing(this.#pattern, command.number ?? this.#options.wrap));
        return 'go on';
      case 'F':
        yield* this.#outputs.text(`${this.#input.name}\n`);
        return 'go on';
      case 'd':
        return 'end cycle';
      case 'D': {
        const newline = this.#pattern.indexOf(this.#options.end);
        if (newline < 0) return 'end cycle';
        this.#pattern = this.#pattern.slice(newline + 1);
        return 'restart';
      }
      case 'n':
      case 'N':
        return yield* this.#nextLine(command.name === 'N');
      case 'h':
        this.#hold = this.#pattern;
        return 'go on';
      case 'H':
        this.#hold += this.#options.end + this.#pattern;
        return 'go on';
      case 'g':
        this.#pattern = this.#hold;
        return 'go on';
      case 'G':
        this.#pattern += this.#options.end + this.#hold;
        return 'go on';
      case 'x':
        [this.#pattern, this.#hold] = [this.#hold, this.#pattern];
        return 'go on';
      case 'z':
        this.#pattern = '';
        return 'go on';
      case 'a':
        this.#appended.push({ kind: 'text', text: command.text });
        return 'go on';
      case 'i':
        yield* this.#outputs.text(`${command.text ?? ''}\n`);
        return 'go on';
      case 'c':
        if (!command.second || command.negated || !this.#open.has(command)) {
          yield* this.#outputs.text(`${command.text!}\n`);
        }
        return 'end cycle';
      case 'r':
        this.#appended.push({ kind: 'file', text: command.text! });
        return 'go on';
      case 'R':
        this.#appended.push({ kind: 'line', text: command.text! });
        return 'go on';
      case 'w':
        yield* this.#outputs.toFile(command.text!, this.#pattern);
        return 'go on';
      case 'W':
        yield* this.#outputs.toFile(command.text!, this.#pattern.split('\n')[0]!);
        return 'go on';
      case 'e':
        if (command.text === '') {
          this.#pattern = (yield* capture(this.#p, this.#pattern)).replace(/\n$/, '');
        } else yield* this.#outputs.text(yield* capture(this.#p, command.text!));
        return 'go on';
      case 'q':
      case 'Q':
        this.#status = command.number ?? 0;
        return command.name === 'q' ? 'quit' : 'quit silently';
      default:
        return 'go on';
    }
  }

  *#nextLine(appends: boolean): UserFlow<Next> {
    if (yield* this.#input.isEnd()) return 'quit';
    if (!appends && this.#options.autoprint) yield* this.#print(this.#pattern);
    yield* this.#flushAppended();
    const line = (yield* this.#input.next()) ?? '';
    this.#pattern = appends ? this.#pattern + this.#options.end + line : line;
    return 'go on';
  }

  *#substitute(command: SedCommand): UserFlow<void> {
    const s = command.substitution!;
    const result = substituteLine(s, this.#regexOf(s.regex), this.#pattern);
    if (result === undefined) return;
    this.#pattern = result;
    this.#replaced = true;
    if (s.evaluate) this.#pattern = (yield* capture(this.#p, result)).replace(/\n$/, '');
    if (s.print) yield* this.#print(this.#pattern);
    if (s.file !== undefined) yield* this.#outputs.toFile(s.file, this.#pattern);
  }
}
