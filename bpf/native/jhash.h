/*
 * Bob Jenkins' lookup3 hash (public domain, burtleburtle.net/bob/c/lookup3.c) in the form that
 * Linux calls jhash: the hash of hash maps and bloom filters. For keys of whole words it equals
 * jhash2 on a little-endian machine, so one function serves both.
 */
#ifndef SKEP_JHASH_H
#define SKEP_JHASH_H

#include "kernel.h"

/* Linux's arbitrary initial value (include/linux/jhash.h). */
#define JHASH_INITVAL 0xdeadbeefu

static inline u32 rol32(u32 value, u32 bits)
{
	return value << bits | value >> (32 - bits);
}

static inline u32 load32(const u8 *at)
{
	u32 value;
	memcpy(&value, at, 4);
	return value;
}

/* Up to 4 bytes as a little-endian word. */
static inline u32 load_partial(const u8 *at, u32 bytes)
{
	u32 value = 0;
	switch (bytes) {
	case 4:
		return load32(at);
	case 3:
		value = (u32)at[2] << 16; /* fall through */
	case 2:
		value |= (u32)at[1] << 8; /* fall through */
	case 1:
		value |= at[0];
	}
	return value;
}

static inline __attribute__((always_inline)) u32 jhash(const void *key, u32 length, u32 initval)
{
	const u8 *k = key;
	u32 a, b, c;
	a = b = c = JHASH_INITVAL + length + initval;
	for (; length > 12; length -= 12, k += 12) {
		a += load32(k);
		b += load32(k + 4);
		c += load32(k + 8);
		a -= c, a ^= rol32(c, 4), c += b;
		b -= a, b ^= rol32(a, 6), a += c;
		c -= b, c ^= rol32(b, 8), b += a;
		a -= c, a ^= rol32(c, 16), c += b;
		b -= a, b ^= rol32(a, 19), a += c;
		c -= b, c ^= rol32(b, 4), b += a;
	}
	if (length == 0)
		return c;
	if (length > 8)
		c += load_partial(k + 8, length - 8);
	if (length > 4)
		b += load_partial(k + 4, length >= 8 ? 4 : length - 4);
	a += load_partial(k, length >= 4 ? 4 : length);
	c ^= b, c -= rol32(b, 14);
	a ^= c, a -= rol32(c, 11);
	b ^= a, b -= rol32(a, 25);
	c ^= b, c -= rol32(b, 16);
	a ^= c, a -= rol32(c, 4);
	b ^= a, b -= rol32(a, 14);
	c ^= b, c -= rol32(b, 24);
	return c;
}

#endif
