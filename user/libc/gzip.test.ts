import { deflateRawSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { kernelConfigGzip, kernelConfigText } from '../../kernel/ikconfig.ts';
import { gunzip } from './gzip.ts';

const text = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);

it('reads what zlib writes, however it was made smaller', () => {
  const contents = fc.oneof(
    fc.uint8Array({ maxLength: 2000 }),
    fc
      .array(fc.constantFrom('CONFIG_', 'BPF', '=y\n', ' is not set'), { maxLength: 800 })
      .map((words) => new TextEncoder().encode(words.join(''))),
  );
  fc.assert(
    fc.property(contents, fc.constantFrom(0, 1, 6, 9), (data, level) => {
      expect(Buffer.from(gunzip(gzipSync(data, { level }))!)).toEqual(Buffer.from(data));
    }),
    { numRuns: 300 },
  );
  const long = new Uint8Array(300_000).map((_, at) => (at * at) >> 7);
  expect(Buffer.from(gunzip(gzipSync(long))!).equals(Buffer.from(long))).toBe(true);
});

it('reads the configuration that the kernel shows', () => {
  for (const arch of ['x86_64', 'arm64'] as const) {
    expect(text(gunzip(kernelConfigGzip(arch)))).toBe(kernelConfigText(arch));
  }
});

it('knows damaged files', () => {
  const whole = gzipSync('some text, some text, some text');
  expect(gunzip(whole.subarray(0, 14))).toBeUndefined();
  expect(gunzip(deflateRawSync('x'))).toBeUndefined();
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
      const damaged = Uint8Array.from(whole);
      damaged[at] = byte;
      gunzip(damaged);
    }),
  );
});
