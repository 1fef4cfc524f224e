/**
 * skep's loader held against libbpf's: the calls of bpf(2) that each makes for an object, with the
 * same kernel's types: maps, their contents, BTF, programs after CO-RE and relocation with their
 * function and line information. libbpf runs in libbpf.c, which needs no kernel.
 *
 *   buildLibbpf()                                    or what is missing
 *   compareCalls(command, facts, file, asked)        calls, and those that differ
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { ObjectProgram } from '../../bpf/elf/object-spec.ts';
import type { Script } from '../syscall-script/script.ts';
import type { FactFiles } from './judge.ts';
import { HOME } from './packages.ts';

export function buildLibbpf(): string | { readonly missing: string } {
  const binary = join(HOME, 'libbpf');
  const source = join(import.meta.dirname, 'libbpf.c');
  const args = ['-O1', '-Wall', '-rdynamic', source, '-o', binary, '-lbpf', '-ldl'];
  const built = spawnSync('gcc', args, { encoding: 'utf8' });
  if (built.status === 0) return binary;
  return { missing: `gcc with libbpf-dev is needed: ${(built.stderr ?? '').split('\n')[0]}` };
}

export interface CallComparison {
  readonly calls: number;
  readonly differences: readonly string[];
}

export interface AskedObject {
  readonly bytes: Uint8Array;
  readonly file: string;
  readonly script: Script;
  readonly programs: readonly ObjectProgram[];
  /** Programs that skep's loader could put together. */
  readonly loaded: ReadonlySet<string>;
}

export function compareCalls(
  command: string,
  { btf, kallsyms, config, release }: FactFiles,
  objects: readonly AskedObject[],
): CallComparison[] {
  const place = mkdtempSync(join(tmpdir(), 'survey-'));
  try {
    const files = objects.map(({ bytes, file, programs, loaded }, i) => {
      const folder = mkdtempSync(join(place, `${i}-`));
      const path = join(folder, basename(file));
      writeFileSync(path, bytes);
      return `${path}:${programs.flatMap((program) => wordFor(program, loaded)).join(',')}`;
    });
    const { stdout } = spawnSync(command, [btf, kallsyms, config, release, ...files], {
      encoding: 'utf8',
      maxBuffer: 2 ** 30,
    });
    const heard = stdout.split(/^object .*\n/m).slice(1);
    return objects.map(({ script }, i) => compared(callLines(script), linesOf(heard[i] ?? '')));
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

function wordFor({ name, section, target }: ObjectProgram, loaded: ReadonlySet<string>): string[] {
  if (!loaded.has(name)) return [name];
  const isSettled = target !== '' && !section.endsWith(`/${target}`);
  return isSettled ? [`${name}=${target}`] : [];
}

/** Without the small programs and maps with which libbpf finds out what a kernel can do. */
const linesOf = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '' && !/^(prog|map|bind) (|libbpf_\w+|test) /.test(line));

function compared(skep: readonly string[], libbpf: readonly string[]): CallComparison {
  const theirs = new Set(libbpf);
  const ours = new Set(skep);
  // BTF that is tried out is no call of the object's.
  const missed = libbpf.filter((line) => !ours.has(line) && !/^(btf|update libbpf_)/.test(line));
  const failed = missed.filter((line) => /^loaded -/.test(line));
  const differing = skep.filter((line) => !theirs.has(line));
  const calls = missed.filter((line) => !line.startsWith('loaded '));
  return {
    calls: skep.length,
    differences: [
      ...differing.map((line) => `only skep: ${line.slice(0, SHOWN)}`),
      ...calls.map((line) => `only libbpf: ${line.slice(0, SHOWN)}`),
      ...failed.map((line) => `libbpf ${line}`),
    ],
  };
}

const SHOWN = 200;

/** The calls of a script in the form that libbpf.c prints. */
export function callLines({ steps }: Script): string[] {
  const names = new Map<string, string>();
  const buffers = new Map<string, Extract<Script['steps'][number], { buf: string }>>();
  return steps.flatMap((step, index) => {
    if ('buf' in step) buffers.set(`@${step.buf}`, step);
    if (!('call' in step)) return [];
    const value = (field: string) => step.attr?.[field] ?? 0;
    const name = (field: string) => names.get(String(value(field))) ?? '';
    const hex = (field: string) => {
      const buffer = buffers.get(String(value(field)));
      // A recorded buffer has a zero more than what was placed.
      return buffer ? (buffer.hex ?? '').padEnd((buffer.size! - 1) * 2, '0') : '';
    };
    const own = String(step.attr?.['map_name'] ?? step.attr?.['prog_name'] ?? '');
    names.set(`$${index}`, own);
    switch (step.call) {
      case 'map_create':
        return [
          `map ${own} type=${value('map_type')} key=${value('key_size')} ` +
            `value=${value('value_size')} entries=${value('max_entries')} ` +
            `flags=${value('map_flags')} extra=${value('map_extra')} ` +
            `types=${value('btf_key_type_id')},${value('btf_value_type_id')},` +
            `${value('btf_vmlinux_value_type_id')} inner=${name('inner_map_fd')}`,
        ];
      case 'map_update_elem':
        return [`update ${name('map_fd')} key=${Buffer.from(hex('key'), 'hex').readUInt32LE(0)}`];
      case 'map_freeze':
        return [`freeze ${name('map_fd')}`];
      case 'prog_bind_map':
        return [`bind ${name('prog_fd')} ${name('map_fd')}`];
      case 'btf_load':
        return [`btf data=${hex('btf')}`];
      case 'prog_load': {
        const fds = buffers.get(String(value('insns')))?.fds ?? [];
        const maps = fds.map(([at, fd]) => `${(at - 4) / 8}:${names.get(fd) ?? ''},`).join('');
        return [
          `prog ${own} type=${value('prog_type')} attach=${value('expected_attach_type')} ` +
            `flags=${value('prog_flags')} btf=${value('attach_btf_id')} maps=${maps} ` +
            `insns=${hex('insns')} funcs=${hex('func_info')} lines=${hex('line_info')}`,
        ];
      }
      default:
        return [];
    }
  });
}
