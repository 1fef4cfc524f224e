import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeText, encodeText } from './text.ts';

describe('text', () => {
  it('gives any bytes back', () => {
    // Half of the bytes from where UTF-8's edges are.
    const edge = fc.constantFrom(0x80, 0xbf, 0xc2, 0xe0, 0xed, 0xa0, 0x9f, 0xf0, 0xf4, 0x8f, 0x90);
    const byte = fc.oneof(edge, fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 24 }), (values) => {
        const bytes = Uint8Array.from(values);
        expect([...encodeText(decodeText(bytes))]).toEqual(values);
      }),
    );
  });

  it('is UTF-8 where the bytes are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect([...encodeText(text)]).toEqual([...new TextEncoder().encode(text)]);
        expect(decodeText(encodeText(text))).toBe(text);
      }),
    );
    expect(decodeText(Uint8Array.of(0x61, 0xff, 0xc3, 0xa9))).toBe('a\udcffé');
  });
});
