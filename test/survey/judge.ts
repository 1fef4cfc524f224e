/**
 * The real kernel's side of the survey: its types, symbols and configuration, and what it makes of
 * recorded loads. The oracle's kernel and the script runner of test/syscall-script do the work.
 *
 *   openJudge()                  or why there is none
 *   judge.facts                  BTF, symbols, configuration
 *   judge.run(scripts)           per script, the answers of its steps
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findJudge } from '../oracle/judge.ts';
import { heardFrom, linesOf } from '../syscall-script/linux.ts';
import type { Script } from '../syscall-script/script.ts';
import { HOME } from './packages.ts';

/** Where the same is kept, for tools that read files. */
export interface FactFiles {
  readonly btf: string;
  readonly kallsyms: string;
  readonly config: string;
  readonly release: string;
}

export interface KernelFacts {
  /** `6.1.0-57-cloud-amd64` */
  readonly release: string;
  /** Contents of /sys/kernel/btf/vmlinux. */
  readonly btf: Uint8Array;
  readonly symbols: ReadonlyMap<string, bigint>;
  /** Contents of /boot/config-RELEASE. */
  readonly config: string;
  readonly files: FactFiles;
}

/** What came of a step: the result of a call, or the text of a buffer. */
export type StepAnswer = number | string | undefined;

export interface SurveyJudge {
  readonly facts: KernelFacts;
  run(scripts: readonly Script[]): StepAnswer[][];
}

const BOOT = join(import.meta.dirname, '../../.build/oracle/kernel/boot');
/** Loads under an emulated processor, a boot's worth of them, ms. */
const PATIENCE_MS = 900_000;
/** Scripts a boot: they travel in its initramfs. */
const SCRIPTS_A_BOOT = 40;

export function openJudge(): SurveyJudge | { readonly missing: string } {
  const found = findJudge();
  if ('missing' in found) return found;
  return {
    facts: kernelFacts(),
    run: (scripts) => {
      const answers: StepAnswer[][] = [];
      for (let at = 0; at < scripts.length; at += SCRIPTS_A_BOOT) {
        answers.push(...runBatch(scripts.slice(at, at + SCRIPTS_A_BOOT)));
      }
      return answers;
    },
  };
}

const BTF_PATH = '/sys/kernel/btf/vmlinux';
const SYMBOLS_PATH = '/proc/kallsyms';

/** Asked of the running kernel once, then kept beside the packages. */
function kernelFacts(): KernelFacts {
  const vmlinuz = readdirSync(BOOT).find((name) => name.startsWith('vmlinuz-'))!;
  const release = vmlinuz.slice('vmlinuz-'.length);
  const btfFile = join(HOME, `btf-${release}`);
  const symbolsFile = join(HOME, `kallsyms-${release}`);
  if (!existsSync(btfFile) || !existsSync(symbolsFile)) {
    const lines = `file ${BTF_PATH}\nfile ${SYMBOLS_PATH}\n`;
    const files = new Map(pieces(heardFrom(lines, PATIENCE_MS)).flatMap(filePiece));
    writeFileSync(btfFile, files.get(BTF_PATH)!);
    writeFileSync(symbolsFile, files.get(SYMBOLS_PATH)!);
  }
  return {
    release,
    btf: new Uint8Array(readFileSync(btfFile)),
    symbols: symbolsOf(readFileSync(symbolsFile, 'utf8')),
    config: readFileSync(join(BOOT, `config-${release}`), 'utf8'),
    files: {
      btf: btfFile,
      kallsyms: symbolsFile,
      config: join(BOOT, `config-${release}`),
      release,
    },
  };
}

function symbolsOf(kallsyms: string): Map<string, bigint> {
  const symbols = new Map<string, bigint>();
  for (const line of kallsyms.split('\n')) {
    const [address, , name] = line.split(/\s+/);
    if (name !== undefined && !symbols.has(name)) symbols.set(name, BigInt(`0x${address}`));
  }
  return symbols;
}

function runBatch(scripts: readonly Script[]): StepAnswer[][] {
  const heard = pieces(heardFrom(scripts.map(linesOf).join(''), PATIENCE_MS));
  const answers: StepAnswer[][] = [];
  for (const { words, body } of heard) {
    const step = Number(words[1]);
    if (words[0] === 'begin') answers.push([]);
    if (words[0] === 'result') answers.at(-1)![step] = Number(words[2]);
    if (words[0] === 'text') answers.at(-1)![step] = body.toString();
  }
  if (heard.at(-1)?.words[0] !== 'bye') throw new Error('the kernel stopped before the end');
  return answers;
}

interface Piece {
  readonly words: readonly string[];
  readonly body: Buffer;
}

/** Lines of answers; `text` and `file` say how many raw bytes follow theirs. */
function pieces(output: Buffer): Piece[] {
  const found: Piece[] = [];
  for (let at = 0; at < output.length;) {
    const end = output.indexOf(10, at);
    if (end < 0) break;
    const words = output.toString('latin1', at, end).split(' ');
    const hasBody = words[0] === 'text' || words[0] === 'file';
    const bytes = hasBody ? Number(words[2]) : 0;
    found.push({ words, body: output.subarray(end + 1, end + 1 + bytes) });
    at = end + 1 + (hasBody ? bytes + 1 : 0);
  }
  return found;
}

const filePiece = ({ words, body }: Piece) =>
  words[0] === 'file' ? [[words[1]!, body] as const] : [];
