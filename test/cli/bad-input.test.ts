/**
 * Bad input on the command line: a message that names file and cause, exit status 2, no stack
 * trace. Objects and captures come from strangers.
 */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { main } from '../../ui/cli/main.ts';

const directory = mkdtempSync(join(tmpdir(), 'skep-bad-input-'));
const firstLight = join(import.meta.dirname, '../../scenarios/first-light');
const goodObject = readFileSync(join(firstLight, 'xdp_count.bpf.o'));
const goodCapture = readFileSync(join(firstLight, 'traffic.pcap'));

function file(name: string, bytes: Uint8Array | string): string {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
}

async function skep(...args: string[]): Promise<{ status: number; errors: string }> {
  let errors = '';
  const toErrors = (...parts: unknown[]) => void (errors += `${parts.join(' ')}\n`);
  const error = vi.spyOn(console, 'error').mockImplementation(toErrors);
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    errors += String(text);
    return true;
  });
  try {
    return {
      status: await main(
        args,
        async () => [],
        async () => '',
      ),
      errors,
    };
  } finally {
    for (const spy of [error, log, write]) spy.mockRestore();
  }
}

/** The object with one program section renamed to something no kernel knows. */
function withUnknownSection(): Uint8Array {
  const bytes = Buffer.from(readFileSync(join(firstLight, 'bad_bounds.bpf.o')));
  const at = bytes.lastIndexOf('\0xdp\0') + 1;
  bytes.write('xyz', at, 'latin1');
  return bytes;
}

describe('bad input', () => {
  it.each([
    ['a missing file', () => join(directory, 'none.o'), /none\.o: ENOENT/],
    ['an empty file', () => file('empty.o', ''), /empty\.o: /],
    ['a text file', () => file('text.o', 'int main;\n'.repeat(50)), /text\.o: .*ELF/],
    ['a truncated object', () => file('cut.o', goodObject.subarray(0, 3000)), /cut\.o: /],
    ['an object of another machine', () => '/proc/self/exe', /exe: not a relocatable object/],
  ])('%s is told by name and cause', async (_what, path, message) => {
    const { status, errors } = await skep('prog', 'verify', path());
    expect(errors).toMatch(message);
    expect(errors).not.toMatch(/\n\s+at /);
    expect(status).toBe(2);
  });

  it('an unknown section is named, with the program in it', async () => {
    const { status, errors } = await skep('prog', 'verify', file('odd.o', withUnknownSection()));
    expect(errors).toMatch(/xyz/);
    expect(status).toBe(2);
  });

  it('a program that is not in the object is told with those that are', async () => {
    const object = file('good.o', goodObject);
    const { status, errors } = await skep('prog', 'verify', object, '--program', 'nope');
    expect(errors).toContain("has no program 'nope'; there are: xdp_count");
    expect(status).toBe(2);
  });

  it('a corrupt capture is told with the place', async () => {
    const object = file('good.o', goodObject);
    const capture = file('cut.pcap', goodCapture.subarray(0, 5000));
    const { status, errors } = await skep('prog', 'run', object, '--pcap', capture);
    expect(errors).toMatch(/cut\.pcap: .*at byte \d+/);
    expect(status).toBe(2);
  });

  it.each([
    [['run', 'no-such-scenario'], /no scenario 'no-such-scenario'; there are: first-light/],
    [['boot', '--cpus', 'many'], /--cpus takes a whole number/],
    [['frobnicate'], /unknown command 'frobnicate'/],
  ])('bad usage %j says what would do', async (args, message) => {
    const { status, errors } = await skep(...args);
    expect(errors).toMatch(message);
    expect(status).toBe(2);
  });
});
