// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* SipHash-2-4 (Aumasson and Bernstein, 2012) of the packet's first 56 bytes. */
#include "packet.h"

#define WORDS 7

struct sip {
	__u64 v0, v1, v2, v3;
};

static __always_inline __u64 rotate64(__u64 x, int by)
{
	return x << by | x >> (64 - by);
}

static __always_inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotate64(s->v1, 13) ^ s->v0;
	s->v0 = rotate64(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate64(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate64(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate64(s->v1, 17) ^ s->v2;
	s->v2 = rotate64(s->v2, 32);
}

static __always_inline void sip_word(struct sip *s, __u64 word)
{
	s->v3 ^= word;
	sip_round(s);
	sip_round(s);
	s->v0 ^= word;
}

SEC("xdp")
int siphash(struct xdp_md *ctx)
{
	const __u64 k0 = 0x0706050403020100ULL, k1 = 0x0f0e0d0c0b0a0908ULL;
	struct sip s = {
		k0 ^ 0x736f6d6570736575ULL,
		k1 ^ 0x646f72616e646f6dULL,
		k0 ^ 0x6c7967656e657261ULL,
		k1 ^ 0x7465646279746573ULL,
	};
	__u64 *word = data_of(ctx);
	int i;

	if ((void *)(word + WORDS) > end_of(ctx))
		return XDP_DROP;
	for (i = 0; i < WORDS; i++)
		sip_word(&s, word[i]);
	sip_word(&s, (__u64)(WORDS * 8) << 56);
	s.v2 ^= 0xff;
#pragma clang loop unroll(disable)
	for (i = 0; i < 4; i++)
		sip_round(&s);
	return (s.v0 ^ s.v1 ^ s.v2 ^ s.v3) & 1 ? XDP_PASS : XDP_TX;
}
