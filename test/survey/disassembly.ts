/**
 * skep's disassembly of an object held against `llvm-objdump -d`: every instruction of every code
 * section, in LLVM's spelling.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readElf } from '../../bpf/elf/elf-file.ts';
import { isCodeSection } from '../../bpf/elf/functions.ts';
import { decodeInsns } from '../../bpf/isa/codec.ts';
import { llvmText } from '../../bpf/isa/llvm-text.ts';

const OBJDUMPS = ['llvm-objdump-19', 'llvm-objdump'];

export interface Objdump {
  readonly command: string;
  /** `19.1.7` */
  readonly version: string;
}

export function findObjdump(): Objdump | undefined {
  for (const command of OBJDUMPS) {
    const { stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
    const version = /LLVM version (\S+)/.exec(stdout ?? '')?.[1];
    if (version !== undefined) return { command, version };
  }
  return undefined;
}

/** As llvm-objdump is called without options, and told of all instructions. */
const SPELLINGS = [
  { options: [], alu32: false },
  { options: ['--mcpu=v4'], alu32: true },
] as const;
type Spelling = (typeof SPELLINGS)[number];

export interface TextComparison {
  readonly instructions: number;
  readonly differences: readonly string[];
}

export function compareText(bytes: Uint8Array, objdump: Objdump): TextComparison {
  const comparisons = SPELLINGS.map((spelling) => comparedAs(bytes, objdump, spelling));
  return {
    instructions: comparisons[0]!.instructions,
    differences: comparisons.flatMap(({ differences }) => differences),
  };
}

function comparedAs(bytes: Uint8Array, objdump: Objdump, spelling: Spelling): TextComparison {
  const ours = ownText(bytes, spelling);
  const theirs = objdumpText(bytes, objdump, spelling);
  const keys = new Set([...ours.keys(), ...theirs.keys()]);
  const differences = [...keys].flatMap((key) => {
    const [skep, llvm] = [ours.get(key), theirs.get(key)];
    return skep === llvm ? [] : [`${key}: skep '${skep}', llvm-objdump '${llvm}'`];
  });
  return { instructions: ours.size, differences };
}

/** Text by `SECTION:SLOT`. */
function ownText(bytes: Uint8Array, { alu32 }: Spelling): Map<string, string> {
  const text = new Map<string, string>();
  for (const section of readElf(bytes, 'object').sections.filter(isCodeSection)) {
    const insns = decodeInsns(section.data);
    for (let slot = 0; slot < insns.length; slot++) {
      text.set(`${section.name}:${slot}`, llvmText(insns, slot, { alu32 }));
      if (insns[slot]!.code === LD_IMM64) slot++;
    }
  }
  return text;
}

const LD_IMM64 = 0x18;

function objdumpText(
  bytes: Uint8Array,
  { command }: Objdump,
  { options }: Spelling,
): Map<string, string> {
  const place = mkdtempSync(join(tmpdir(), 'survey-'));
  try {
    const file = join(place, 'object.o');
    writeFileSync(file, bytes);
    const { stdout } = spawnSync(command, ['-d', '--no-show-raw-insn', ...options, file], {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    const text = new Map<string, string>();
    let section = '';
    for (const line of stdout.split('\n')) {
      section = /^Disassembly of section (.*):$/.exec(line)?.[1] ?? section;
      const match = /^\s+(\d+):\s+(.*?)\s*$/.exec(line);
      // Behind a jump stands the label that it goes to: <LBB0_2>.
      if (match) text.set(`${section}:${match[1]}`, match[2]!.replace(/ <[^<>]*>$/, ''));
    }
    return text;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}
