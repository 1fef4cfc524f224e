/** bpftool: options, objects, batch files. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { JsonTree } from '../../bpf/btf/format.ts';
import { readTextFile } from '../libc/files.ts';
import type { Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { decodeText } from '../libc/text.ts';
import { btfCommands } from './btf.ts';
import { cgroupCommands } from './cgroup.ts';
import { featureCommands } from './feature.ts';
import { genCommands } from './gen.ts';
import { array, bool, object, string } from './json.ts';
import { iterCommands } from './iter.ts';
import { linkCommands } from './link.ts';
import { mapCommands } from './map.ts';
import { netCommands } from './net.ts';
import { perfCommands } from './perf.ts';
import { progCommands } from './prog.ts';
import { structOpsCommands } from './struct-ops.ts';
import { Bpftool, type Command, FAILED, type ToolOptions } from './tool.ts';
import { help, type HelpTopic, usage } from './usage.ts';
import { isPrefix, Words } from './words.ts';

/** The release whose formats these are, and the libbpf that belongs to it. */
const VERSION = '7.1.0';
const LIBBPF_VERSION = '1.1';

/** The first whose name the word is the start of; none: help and failure. */
function* select(
  t: Bpftool,
  commands: Readonly<Record<string, Command>>,
  topic: HelpTopic,
): UserFlow<number> {
  if (t.words.left === 0) return yield* Object.values(commands)[0]!(t);
  const name = Object.keys(commands).find((word) => isPrefix(t.words.peek(), word));
  if (name === undefined) {
    yield* help(t, topic);
    return FAILED;
  }
  t.words.next();
  return yield* commands[name]!(t);
}

const group =
  (commands: Readonly<Record<string, Command>>, topic: HelpTopic): Command =>
  (t) =>
    select(t, commands, topic);

const OBJECTS: Readonly<Record<string, Command>> = {
  help: (t) => help(t, 'bpftool'),
  batch,
  prog: group(progCommands, 'prog'),
  map: group(mapCommands, 'map'),
  link: group(linkCommands, 'link'),
  cgroup: group(cgroupCommands, 'cgroup'),
  perf: group(perfCommands, 'perf'),
  net: group(netCommands, 'net'),
  feature: group(featureCommands, 'feature'),
  btf: group(btfCommands, 'btf'),
  gen: group(genCommands, 'gen'),
  struct_ops: group(structOpsCommands, 'struct_ops'),
  iter: group(iterCommands, 'iter'),
  version,
};

function* version(t: Bpftool): UserFlow<number> {
  if (t.json) {
    yield* t.emit(
      object(
        ['version', string(VERSION)],
        ['libbpf_version', string(LIBBPF_VERSION)],
        [
          'features',
          object(
            ['libbfd', bool(false)],
            ['libbpf_strict', bool(true)],
            ['skeletons', bool(false)],
          ),
        ],
      ),
    );
    return 0;
  }
  yield* t.println(`bpftool v${VERSION}`);
  yield* t.println(`using libbpf v${LIBBPF_VERSION}`);
  yield* t.println('features: libbpf_strict');
  return 0;
}

function* batch(t: Bpftool): UserFlow<number> {
  const { words } = t;
  if (words.left < 2) return yield* t.fail('too few parameters for batch');
  if (words.left > 2) return yield* t.fail('too many parameters for batch');
  if (!words.accept('file')) return yield* t.fail(`expected 'file', got: ${words.peek()}`);
  const path = words.next();
  const text =
    path === '-' ? decodeText(yield* t.p.stdin.readAll()) : yield* readTextFile(t.p, path);
  if (typeof text === 'number') {
    return yield* t.fail(`Can't open file (${path}): ${strerror(text)}`);
  }
  const lines = text
    .replace(/#[^\n]*/g, '')
    .replace(/\\\n/g, '')
    .split('\n');
  const answers: JsonTree[] = [];
  let count = 0;
  for (const line of lines) {
    const parts = splitWords(line);
    if (parts === undefined) {
      return yield* t.fail(`unterminated quoted string in command ${count}`);
    }
    if (parts.length === 0) continue;
    t.words = new Words(parts);
    const run = (): UserFlow<number> => select(t, OBJECTS, 'bpftool');
    let status: number;
    if (t.json) {
      const collected = yield* t.collect(run);
      ({ status } = collected);
      const [output] = collected.trees;
      answers.push(object(['command', array(parts.map(string))], output && ['output', output]));
    } else status = yield* run();
    if (status !== 0) {
      if (t.json) yield* t.emit(array(answers));
      return status;
    }
    count++;
  }
  if (t.json) yield* t.emit(array(answers));
  else yield* t.println(`processed ${count} commands`);
  return 0;
}

/** Words of a batch line; undefined where a quote is open. */
function splitWords(line: string): string[] | undefined {
  const out: string[] = [];
  for (const match of line.matchAll(/'([^']*)('?)|"([^"]*)("?)|[^\s'"]\S*/g)) {
    const [whole, single, singleEnd, double, doubleEnd] = match;
    if (single !== undefined && singleEnd === '') return undefined;
    if (double !== undefined && doubleEnd === '') return undefined;
    out.push(single ?? double ?? whole);
  }
  return out;
}

const LONG: Readonly<Record<string, string>> = {
  json: 'j',
  help: 'h',
  pretty: 'p',
  version: 'V',
  bpffs: 'f',
  mapcompat: 'm',
  nomount: 'n',
  debug: 'd',
  'use-loader': 'L',
  legacy: 'l',
};

export const bpftool: Tool = function* (p, args) {
  const options: ToolOptions = {
    json: false,
    pretty: false,
    bpffs: false,
    debug: false,
    noMount: false,
  };
  const words: string[] = [];
  let wantsVersion = false;
  let wantsHelp = false;
  let unknown: string | undefined;
  for (const [index, arg] of args.entries()) {
    if (arg === '--') {
      words.push(...args.slice(index + 1));
      break;
    }
    // A word that starts with a dash and is a file or a number stays a word.
    if (!/^-[a-zA-Z-]/.test(arg)) {
      words.push(arg);
      continue;
    }
    const letters = arg.startsWith('--') ? (LONG[arg.slice(2)] ?? '?') : arg.slice(1);
    for (const letter of letters) {
      if (letter === 'j') options.json = true;
      else if (letter === 'p') options.json = options.pretty = true;
      else if (letter === 'f') options.bpffs = true;
      else if (letter === 'd') options.debug = true;
      else if (letter === 'n') options.noMount = true;
      else if (letter === 'V') wantsVersion = true;
      else if (letter === 'h') wantsHelp = true;
      else if (!'mLl'.includes(letter)) unknown ??= arg;
    }
  }
  const t = new Bpftool(p, options, words);
  if (unknown !== undefined) {
    const status = yield* t.fail(`unrecognized option '${unknown}'`);
    if (!t.json) yield* usage(t, 'bpftool');
    return status & 0xff;
  }
  if (wantsHelp) return yield* help(t, 'bpftool');
  if (wantsVersion) return yield* version(t);
  const status = yield* select(t, OBJECTS, 'bpftool');
  yield* t.finish();
  return status & 0xff;
};
