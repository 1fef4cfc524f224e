import { readFileSync, readdirSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RecordingKernel } from '../../test/support/recording-kernel.ts';
import { parseBtf } from '../btf/btf.ts';
import { checkBtf } from '../btf/check/check.ts';
import { parseBtfExt } from '../btf/ext.ts';
import { formatValue, printJson } from '../btf/format.ts';
import { BtfError } from '../btf/types.ts';
import { disasm } from '../isa/disasm.ts';
import { loadObject } from '../loader/load.ts';
import { runDirect } from '../loader/user.ts';
import { readElf } from './elf-file.ts';
import { ObjectError } from './error.ts';
import { readObject } from './object.ts';

/** Mutated real objects: whatever is done to them, readers fail with their own errors only. */
const objects = readdirSync('test/objects')
  .filter((name) => name.endsWith('.o'))
  .map((name) => ({ name, bytes: new Uint8Array(readFileSync(`test/objects/${name}`)) }));
const sections = objects.flatMap(({ name, bytes }) => {
  const elf = readElf(bytes, name);
  const [btf, ext] = [elf.sectionNamed('.BTF'), elf.sectionNamed('.BTF.ext')];
  return btf === undefined ? [] : [{ name, btf: btf.data, ext: ext!.data }];
});
const target = parseBtf(new Uint8Array(readFileSync('test/objects/core_target.btf')));

/** What is done to a file; places are fractions, so that they shrink towards the start. */
const mutation = fc.oneof(
  fc.record({ kind: fc.constant('byte' as const), at: fc.nat(0xffff), value: fc.nat(255) }),
  fc.record({
    kind: fc.constant('word' as const),
    at: fc.nat(0xffff),
    value: fc.constantFrom(0, 1, 7, 8, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff8, 0x01000000),
  }),
  fc.record({
    kind: fc.constant('nudge' as const),
    at: fc.nat(0xffff),
    value: fc.integer({ min: -9, max: 9 }),
  }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat(0xffff), value: fc.constant(0) }),
  fc.record({ kind: fc.constant('copy' as const), at: fc.nat(0xffff), value: fc.nat(0xffff) }),
);
type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

function mutate(original: Uint8Array, mutations: readonly Mutation[]): Uint8Array {
  let bytes = original.slice();
  for (const { kind, at, value } of mutations) {
    if (bytes.length < 8) return bytes;
    const place = Math.floor((at / 0x10000) * (bytes.length - 7));
    const word = place & ~3;
    const view = new DataView(bytes.buffer);
    if (kind === 'byte') bytes[place] = value;
    else if (kind === 'word') view.setUint32(word, value, true);
    else if (kind === 'nudge') view.setUint32(word, view.getUint32(word, true) + value, true);
    else if (kind === 'cut') bytes = bytes.slice(0, place);
    else bytes.copyWithin(place, Math.floor((value / 0x10000) * bytes.length), bytes.length);
  }
  return bytes;
}

const mutations = fc.array(mutation, { minLength: 1, maxLength: 4 });

/** The value, or undefined if one of these was thrown; anything else is a failure of the test. */
function tolerated<T>(
  attempt: () => T,
  errors: (new (...args: never[]) => Error)[],
): T | undefined {
  try {
    return attempt();
  } catch (error) {
    if (errors.some((kind) => error instanceof kind)) return undefined;
    throw error;
  }
}

describe('hostile input', () => {
  it('makes readObject throw ObjectError or succeed, and what was read can be worked with', () => {
    let read = 0;
    fc.assert(
      fc.property(fc.constantFrom(...objects), mutations, ({ name, bytes }, changes) => {
        const spec = tolerated(() => readObject(mutate(bytes, changes), name), [ObjectError]);
        if (spec === undefined) return;
        read++;
        for (const { insns } of spec.programs) disasm(insns);
        const kernel = new RecordingKernel();
        const options = { kernel: { btf: target }, wanted: () => true };
        const outcome = runDirect(loadObject(kernel, spec, options));
        expect(['loaded', 'failed']).toContain(outcome.kind);
      }),
      { numRuns: 4000 },
    );
    // Mutants that are all refused at the door would test nothing behind it.
    expect(read).toBeGreaterThan(500);
  });

  it('makes the BTF readers throw BtfError or succeed', () => {
    let read = 0;
    fc.assert(
      fc.property(fc.constantFrom(...sections), mutations, mutations, (section, first, second) => {
        const bytes = mutate(section.btf, first);
        const verdict = checkBtf(bytes, { log: true });
        const btf = tolerated(() => parseBtf(bytes), [BtfError]);
        // What the kernel takes can be read.
        if (verdict.errno === 0) expect(btf).toBeDefined();
        if (btf === undefined) return;
        read++;
        tolerated(() => parseBtfExt(mutate(section.ext, second), btf), [BtfError]);
        const zeros = new Uint8Array(4096);
        for (let id = 0; id < btf.types.length; id++) {
          btf.nameOf(id);
          btf.alignOf(id);
          btf.member(id, 'no such member');
          if ((btf.sizeOf(id) ?? Infinity) <= zeros.length) printJson(formatValue(btf, id, zeros));
        }
      }),
      { numRuns: 4000 },
    );
    expect(read).toBeGreaterThan(500);
  });

  it('makes random bytes behind an ELF header no worse', () => {
    const header = objects[0]!.bytes.subarray(0, 64);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (tail) => {
        const bytes = new Uint8Array(64 + tail.length);
        bytes.set(header);
        bytes.set(tail, 64);
        new DataView(bytes.buffer).setUint32(40, 64, true);
        tolerated(() => readObject(bytes, 'random.o'), [ObjectError]);
      }),
      { numRuns: 500 },
    );
  });
});
