/**
 * sed(1): s y p d q = n N D G H g h x a i c { }, addresses (numbers, $, /re/, ranges, !), -n -E -e -f.
 * The script is compiled to a list of commands, and a cycle runs them over the pattern space.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { readTextFile } from '../libc/files.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { decodeText } from '../libc/text.ts';
import { eachInput } from './input.ts';
import type { SedCommand } from './sed-script.ts';
import { compileSed, matchesAddress, substituteLine } from './sed-script.ts';

export const sed: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... {script-only-if-no-other-script} [input-file]...',
    about: 'Transform text line by line.',
    options: [
      { short: 'n', long: 'quiet', help: 'suppress automatic printing of pattern space' },
      { short: 'e', long: 'expression', arg: 'script', help: 'add the script to the commands' },
      { short: 'f', long: 'file', arg: 'script-file', help: 'add the contents of script-file' },
      { short: 'E', long: 'regexp-extended', help: 'use extended regular expressions' },
      { short: 'r', help: 'the same as -E' },
      { short: 's', long: 'separate', help: '(accepted; files are one stream)' },
    ],
  });
  const scripts: string[] = [];
  for (const { name, value } of o.given) {
    if (name === 'expression') scripts.push(value);
    else if (name === 'file') {
      const text = yield* readTextFile(p, value);
      if (typeof text === 'number') {
        yield* p.error(`couldn't open file ${value}: ${strerror(text)}`);
        return 1;
      }
      scripts.push(text);
    }
  }
  if (scripts.length === 0) {
    const first = o.operands.shift();
    if (first === undefined) return yield* usageError(p, 'no script specified');
    scripts.push(first);
  }
  const script = compileSed(scripts.join('\n'), o.has('regexp-extended') || o.has('r'));
  if (typeof script === 'string') {
    yield* p.error(`-e expression #1: ${script}`);
    return 1;
  }
  const lines: string[] = [];
  const status = yield* eachInput(p, o.operands, function* (stream) {
    const text = decodeText(yield* stream.readAll());
    if (text !== '') lines.push(...text.replace(/\n$/, '').split('\n'));
  });
  const editor = new Editor(p, script, lines, !o.has('quiet'));
  return (yield* editor.run()) || status;
};

type Next = 'go on' | 'end cycle' | 'restart' | 'quit';

class Editor {
  readonly #p: Process;
  readonly #script: readonly SedCommand[];
  readonly #lines: readonly string[];
  readonly #autoprint: boolean;
  #at = 0;
  #pattern = '';
  #hold = '';
  #appended: string[] = [];
  #status = 0;
  /** Commands whose range is open, and the line number it ends at if that is known. */
  readonly #open = new Map<SedCommand, number | undefined>();

  constructor(p: Process, script: readonly SedCommand[], lines: readonly string[], auto: boolean) {
    this.#p = p;
    this.#script = script;
    this.#lines = lines;
    this.#autoprint = auto;
  }

  *run(): UserFlow<number> {
    while (this.#at < this.#lines.length) {
      this.#pattern = this.#lines[this.#at++]!;
      let next = yield* this.#commands(this.#script);
      while (next === 'restart') next = yield* this.#commands(this.#script);
      if (this.#autoprint && next !== 'end cycle') yield* this.#p.println(this.#pattern);
      for (const text of this.#appended.splice(0)) yield* this.#p.println(text);
      if (next === 'quit') break;
    }
    return this.#status;
  }

  *#commands(commands: readonly SedCommand[]): UserFlow<Next> {
    for (const command of commands) {
      if (!this.#selected(command)) continue;
      const next = yield* this.#command(command);
      if (next !== 'go on') return next;
    }
    return 'go on';
  }

  #selected(command: SedCommand): boolean {
    const { first, second, negated } = command;
    const on = { number: this.#at, isLast: this.#at >= this.#lines.length, text: this.#pattern };
    let hit: boolean;
    if (!first) hit = true;
    else if (!second) hit = matchesAddress(first, on);
    else if (this.#open.has(command)) {
      const end = this.#open.get(command);
      hit = true;
      const ends = end === undefined ? matchesAddress(second, on) : this.#at >= end;
      if (ends) this.#open.delete(command);
    } else {
      hit = matchesAddress(first, on);
      const end =
        second.kind === 'line'
          ? second.number
          : second.kind === 'plus'
            ? this.#at + second.number
            : undefined;
      if (hit && (end === undefined || end > this.#at)) this.#open.set(command, end);
    }
    return hit !== negated;
  }

  *#command(command: SedCommand): UserFlow<Next> {
    const p = this.#p;
    switch (command.name) {
      case '{':
        return yield* this.#commands(command.block!);
      case 's': {
        const result = substituteLine(command.substitution!, this.#pattern);
        if (result === undefined) return 'go on';
        this.#pattern = result;
        if (command.substitution!.print) yield* p.println(result);
        return 'go on';
      }
      case 'y':
        this.#pattern = Array.from(this.#pattern, (c) => command.map!.get(c) ?? c).join('');
        return 'go on';
      case 'p':
        yield* p.println(this.#pattern);
        return 'go on';
      case 'P':
        yield* p.println(this.#pattern.split('\n')[0]);
        return 'go on';
      case '=':
        yield* p.println(String(this.#at));
        return 'go on';
      case 'd':
        return 'end cycle';
      case 'D': {
        const newline = this.#pattern.indexOf('\n');
        if (newline < 0) return 'end cycle';
        this.#pattern = this.#pattern.slice(newline + 1);
        return 'restart';
      }
      case 'n':
        if (this.#at >= this.#lines.length) return 'quit';
        if (this.#autoprint) yield* p.println(this.#pattern);
        this.#pattern = this.#lines[this.#at++]!;
        return 'go on';
      case 'N':
        if (this.#at >= this.#lines.length) return 'quit';
        this.#pattern += `\n${this.#lines[this.#at++]!}`;
        return 'go on';
      case 'h':
        this.#hold = this.#pattern;
        return 'go on';
      case 'H':
        this.#hold += `\n${this.#pattern}`;
        return 'go on';
      case 'g':
        this.#pattern = this.#hold;
        return 'go on';
      case 'G':
        this.#pattern += `\n${this.#hold}`;
        return 'go on';
      case 'x':
        [this.#pattern, this.#hold] = [this.#hold, this.#pattern];
        return 'go on';
      case 'a':
        this.#appended.push(command.text!);
        return 'go on';
      case 'i':
        yield* p.println(command.text);
        return 'go on';
      case 'c':
        if (!this.#open.has(command)) yield* p.println(command.text);
        return 'end cycle';
      default:
        this.#status = command.number ?? 0;
        return command.name === 'q' ? 'quit' : 'end cycle';
    }
  }
}
