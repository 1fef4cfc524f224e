/** What is said of objects that cannot be loaded: word for word what libbpf 1.1.2 says of them. */
import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseBtf } from '../../bpf/btf/btf.ts';
import { ObjectError } from '../../bpf/elf/error.ts';
import { readObject } from '../../bpf/elf/object.ts';
import { kernelConfigOf } from '../../bpf/loader/kconfig.ts';
import { loadObject } from '../../bpf/loader/load.ts';
import { runDirect } from '../../bpf/loader/user.ts';
import { RecordingKernel } from '../support/recording-kernel.ts';

const FOLDER = 'test/objects/faults';
const bytesOf = (path: string) => new Uint8Array(readFileSync(path));
const kernel = {
  btf: parseBtf(bytesOf('test/objects/core_target.btf')),
  config: kernelConfigOf('CONFIG_BPF=y\n', '6.1.0'),
  symbol: () => undefined,
};

const expected = new Map<string, string[]>();
for (const line of readFileSync(`${FOLDER}/faults.txt`, 'utf8').trimEnd().split('\n')) {
  const [, name, message] = /^(\w+): (.*)$/.exec(line)!;
  expected.set(name!, [...(expected.get(name!) ?? []), message!]);
}

/** A reader's error names file and section itself; libbpf's line does so in words of its own. */
function messagesOf(name: string): readonly string[] {
  try {
    const spec = readObject(bytesOf(`${FOLDER}/${name}.o`), `${name}.o`);
    const outcome = runDirect(loadObject(new RecordingKernel(), spec, { kernel }));
    if (outcome.kind === 'loaded') return [];
    return outcome.messages.map((message) => message.replace(/^libbpf: /, ''));
  } catch (error) {
    if (!(error instanceof ObjectError)) throw error;
    return [error.reason];
  }
}

describe('faults in objects', () => {
  it('each object has its messages', () => {
    const objects = readdirSync(FOLDER).filter((file) => file.endsWith('.o'));
    expect(objects.map((file) => file.slice(0, -2)).sort()).toEqual([...expected.keys()].sort());
  });

  it.each([...expected])('%s', (name, lines) => {
    const plain = lines.map((line) => line.replace(/^sec '\w+': /, '').replace(/\.$/, ''));
    expect(messagesOf(name)).toEqual(plain);
  });
});
