/** The survey's own parts, on objects of ours: images are found, recorded loads come out the same. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseBtf } from '../../bpf/btf/btf.ts';
import { decodeInsns } from '../../bpf/isa/codec.ts';
import { coreModule } from '../support/assets.ts';
import { imagesIn } from './images.ts';
import { SkepKernel } from './kernel.ts';
import { callLines } from './libbpf.ts';
import { differencesIn } from './page.ts';
import { survey } from './survey.ts';

const bytesOf = (name: string) => new Uint8Array(readFileSync(`test/objects/${name}`));
const counters = bytesOf('counters.o');
const nested = bytesOf('nested_maps.o');

describe('images in executables', () => {
  const noise = Uint8Array.from({ length: 999 }, (_, i) => (i * 7919) & 255);
  const ofAnother = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1, 1);
  const file = Buffer.concat([ofAnother, noise, counters, noise, ofAnother, nested, noise]);

  it('are found, whole', () => {
    expect(imagesIn(file).map((image) => Buffer.from(image))).toEqual(
      [counters, nested].map((image) => Buffer.from(image)),
    );
  });

  it('are left out where their end is missing', () => {
    const cut = file.subarray(0, 7 + 999 + counters.length - 1);
    expect(imagesIn(cut)).toEqual([]);
  });
});

describe('a survey', () => {
  const target = parseBtf(bytesOf('core_target.btf'));
  const specimens = ['nested_maps.o', 'counters.o', 'tracing.o', 'counters.o'].map((file) => ({
    package: 'libxdp1' as const,
    path: `/${file}`,
    file,
    bytes: bytesOf(file),
  }));

  it('says of each program whether it loads, and what it misses', async () => {
    const core = await coreModule();
    const objects = survey(specimens, {
      objdump: undefined,
      judge: undefined,
      libbpf: undefined,
      machine: {
        knowledge: { btf: target },
        missingTarget: ({ target }) => (target === '' ? undefined : `function ${target}`),
      },
      kernel: (btf) => new SkepKernel({ core }, btf),
      progress: () => undefined,
    });
    expect(objects.map(({ paths }) => paths)).toEqual([
      ['/nested_maps.o'],
      ['/counters.o', '/counters.o'],
      ['/tracing.o'],
    ]);
    const [maps, data, tracing] = objects;
    expect(maps!.programs.every(({ machine }) => machine?.accepted)).toBe(true);
    expect(data!.programs.map(({ name, machine }) => [name, machine?.accepted])).toEqual([
      ['count_packets', true],
      ['sum_head', true],
    ]);
    // It wants the kernel's configuration, and nothing can be said of it without.
    expect(new Set(tracing!.programs.map((program) => program.missingInMachine))).toEqual(
      new Set(['failed to open system Kconfig']),
    );
    expect(differencesIn(objects)).toEqual([]);
  });
});

it('a recorded call names maps where a program has their descriptors', () => {
  const insns = Buffer.from('18110000000000000000000000000000', 'hex');
  const lines = callLines({
    name: 'one.o',
    steps: [
      { call: 'map_create', attr: { map_type: 2, map_name: 'one' } },
      { buf: 'b0', size: 17, hex: insns.toString('hex'), fds: [[4, '$0']] },
      { call: 'prog_load', attr: { prog_type: 6, prog_name: 'main', insns: '@b0' } },
    ],
  });
  expect(decodeInsns(insns)[0]).toMatchObject({ code: 0x18, src: 1 });
  expect(lines[1]).toBe(
    `prog main type=6 attach=0 flags=0 btf=0 maps=0:one, insns=${insns.toString('hex')} funcs= lines=`,
  );
});
