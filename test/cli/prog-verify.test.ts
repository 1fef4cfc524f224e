/** `skep prog verify`: what it prints for people and for machines, and its exit status. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { Exploration } from '../../bpf/verifier/exploration.ts';
import { main } from '../../ui/cli/main.ts';
import type { ProgramVerdict } from '../../ui/cli/prog-verify.ts';

const object = (name: string) => join(import.meta.dirname, '../objects/mistakes', name);
const directory = mkdtempSync(join(tmpdir(), 'skep-verify-'));

async function verify(
  ...args: string[]
): Promise<{ status: number; text: string; errors: string }> {
  let text = '';
  let errors = '';
  const log = vi
    .spyOn(console, 'log')
    .mockImplementation((line = '') => void (text += `${line}\n`));
  const error = vi.spyOn(console, 'error').mockImplementation((line) => void (errors += line));
  try {
    return {
      status: await main(
        ['prog', 'verify', ...args],
        async () => [],
        async () => '',
      ),
      text,
      errors,
    };
  } finally {
    log.mockRestore();
    error.mockRestore();
  }
}

describe('prog verify', { timeout: 60_000 }, () => {
  it('says in a line why a program is refused, and how it is mended', async () => {
    const { status, text } = await verify(object('packet.o'), '--program', 'no_length_check');
    expect(status).toBe(1);
    expect(text.split('\n')).toEqual([
      'no_length_check: refused (EACCES)',
      '    ./packet.bpf.c:11: Bytes 12 to 13 of the packet are read, but nothing checks that the packet is that long. [invalid-packet-access]',
      '    fix: Before the access: if (ptr + 14 > data_end) return …; with the pointer that is accessed.',
      '',
    ]);
  });

  it('says of an accepted one what it took', async () => {
    const args = [object('packet.o'), '--program', 'no_length_check_mended'];
    const { status, text } = await verify(...args);
    expect([status, text]).toEqual([
      0,
      'no_length_check_mended: accepted (13 instructions processed)\n',
    ]);
  });

  it('draws the picture, without colours where nobody sees them', async () => {
    const { text } = await verify(object('maps.o'), '--program', 'lookup_unchecked', '--explain');
    expect(text).toBe(`lookup_unchecked: refused (EACCES)

error[missing-null-check]: The result of bpf_map_lookup_elem may be NULL, and is read through without a check.
  --> ./maps.bpf.c:${lineOf('slots->used++;')}:14 (lookup_unchecked, instruction 7)
   |
${lineOf('slots->used++;') - 1} |   struct slots *slots = bpf_map_lookup_elem(&table, &key);
   |                         - R0 is the result of bpf_map_lookup_elem: a value of map 'table', or
   |                           NULL  [6: call bpf_map_lookup_elem#1]
${lineOf('slots->used++;')} |   slots->used++;
   |              ^ reads 4 bytes through R0: a value of map 'table', or NULL
   |                [7: r1 = *(u32 *)(r0 +4)]
   |
   = fix: Compare it with NULL first: if (!ptr) return …; then access.
   = see docs/verifier/missing-null-check.md
   = state before it:
       R0=map_value_or_null(id=1,off=0,ks=4,vs=24,imm=0) R10=fp0 fp-8=mmmm????

`);
  });

  it('prints the log where it is asked for', async () => {
    const args = [object('maps.o'), '--program', 'lookup_unchecked', '--log-level', '1'];
    const { text } = await verify(...args);
    expect(text).toContain("    R0 invalid mem access 'map_value_or_null'\n    processed 7 insns");
    const bad = await verify(object('maps.o'), '--log-level', 'all');
    expect([bad.status, bad.errors]).toEqual([
      2,
      "skep: --log-level is a sum of 1, 2 and 4, not 'all'",
    ]);
  });

  it('gives machines everything', async () => {
    const args = [object('records.o'), '--program', 'record_leaked', '--json'];
    const { text } = await verify(...args);
    const { verdicts } = JSON.parse(text) as { verdicts: ProgramVerdict[] };
    const told = verdicts[0]!.explanation!;
    expect(told).toMatchObject({
      reason: 'reference-leak',
      errno: 'EINVAL',
      program: 'record_leaked',
      at: { function: 'record_leaked', source: { file: './records.bpf.c', text: '}' } },
      page: 'docs/verifier/reference-leak.md',
      state: { refs: [2] },
    });
    expect(told.chain.map(({ role }) => role)).toEqual(['acquired', 'branch', 'branch']);
    expect(told.chain[0]!.state.frames[0]!.registers['R0']).toContain('ref_obj_id=2');
    expect(told.path.filter(({ jump }) => jump === 'taken').length).toBe(1);
    expect(told.pathStart!.frames[0]!.registers).toEqual({
      R1: 'ctx(off=0,imm=0)',
      R10: 'fp0',
    });
  });

  it('records the exploration', async () => {
    const file = join(directory, 'record.json');
    const args = [object('records.o'), '--program', 'record_leaked', '--record', file];
    expect((await verify(...args)).status).toBe(1);
    const { explorations } = JSON.parse(readFileSync(file, 'utf8')) as {
      explorations: Exploration[];
    };
    expect(explorations[0]).toMatchObject({ program: 'record_leaked', verdict: 'refused' });
    expect(explorations[0]!.paths.some(({ end }) => end.how === 'refused')).toBe(true);
    expect(explorations[0]!.instructions[0]!.source!.file).toBe('./records.bpf.c');
    const missing = await verify(...args.slice(0, 3), '--record', join(directory, 'no/such/file'));
    expect([missing.status, missing.errors]).toEqual([2, expect.stringContaining('cannot write')]);
  });

  it('verifies as the process that loads it', async () => {
    const args = [object('flow.o'), '--program', 'pointer_to_map'];
    expect((await verify(...args)).status).toBe(0);
    const less = await verify(...args, '--caps', 'bpf,net_admin');
    expect([less.status, less.text]).toEqual([1, expect.stringContaining('[pointer-leak]')]);
    const bad = await verify(...args, '--caps', 'root');
    expect([bad.status, bad.errors]).toEqual([2, expect.stringContaining("not 'root'")]);
  });
});

/** Line of the source that has the text, from 1. */
function lineOf(text: string): number {
  const lines = readFileSync(object('maps.bpf.c'), 'utf8').split('\n');
  return lines.findIndex((line) => line.trim() === text) + 1;
}
