/* The Internet checksum (RFC 1071) as Linux computes it: csum_partial, bpf_csum_diff. */
#include "kernel.h"

/* Scratch space of bpf_csum_diff in Linux, MAX_BPF_STACK bytes; the limit is part of its contract. */
#define CSUM_DIFF_BYTES 512

static u32 fold64(u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (sum & 0xffffffff) + (sum >> 32);
}

/* 32-bit ones' complement sum of `bytes` bytes added to `sum`; an odd byte counts as a low one. */
EXPORT(csum_partial) u32 csum_partial(const u8 *at, u32 bytes, u32 sum)
{
	u64 total = sum;
	for (; bytes >= 4; bytes -= 4, at += 4) {
		u32 word;
		memcpy(&word, at, 4);
		total += word;
	}
	if (bytes) {
		u32 word = at[0];
		if (bytes > 1)
			word |= (u32)at[1] << 8;
		if (bytes > 2)
			word |= (u32)at[2] << 16;
		total += word;
	}
	return fold64(total);
}

/* 16 bits of a 32-bit sum, complemented: what goes into a header. */
EXPORT(csum_fold) u32 csum_fold(u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/* Take `from` out of the sum and add `to`; either may be empty. */
EXPORT(csum_diff)
s64 csum_diff(const u8 *from, u32 from_size, const u8 *to, u32 to_size, u32 seed)
{
	if (((from_size | to_size) & 3) || from_size + to_size > CSUM_DIFF_BYTES)
		return -EINVAL;
	u64 total = csum_partial(to, to_size, seed);
	for (; from_size; from_size -= 4, from += 4) {
		u32 word;
		memcpy(&word, from, 4);
		total += ~word;
	}
	return fold64(total);
}
