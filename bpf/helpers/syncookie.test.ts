import { expect, it } from 'vitest';
import { siphash } from './siphash.ts';
import { checkCookie, makeCookie, randomSecret, type CookiePacket } from './syncookie.ts';

it('SipHash-2-4 gives the value of its paper (appendix A)', () => {
  const key = { low: 0x0706050403020100n, high: 0x0f0e0d0c0b0a0908n };
  const message = Uint8Array.from({ length: 15 }, (_, i) => i);
  expect(siphash(message, key)).toBe(0xa129ca6149be45e5n);
});

const packet: CookiePacket = {
  source: Uint8Array.of(192, 0, 2, 1),
  destination: Uint8Array.of(192, 0, 2, 2),
  ports: Uint8Array.of(0x0f, 0xa0, 0, 80),
  sequence: 0xffff_ff00,
  acknowledged: 0,
};

it('a cookie counts for its connection, for two minutes', () => {
  let word = 1;
  const secret = randomSecret(() => (word = Math.imul(word, 48271) >>> 0));
  const { cookie, mss } = makeCookie(secret, packet, 1400, 300);
  expect(mss).toBe(1300);
  const third = {
    ...packet,
    sequence: (packet.sequence + 1) >>> 0,
    acknowledged: (cookie + 1) >>> 0,
  };
  expect([300, 301, 302, 299].map((minute) => checkCookie(secret, third, minute))).toEqual([
    1300, 1300, 0, 0,
  ]);
  const elsewhere = { ...third, ports: Uint8Array.of(0x0f, 0xa1, 0, 80) };
  expect(checkCookie(secret, elsewhere, 300)).toBe(0);
});
