// SPDX-License-Identifier: Apache-2.0
/*
 * Runs one program in uBPF's JIT over packets, as measure.ts and program-rig.ts do in skep:
 *
 *   driver PROGRAM PACKETS     prints {"digest": "…", "ns": …}
 *
 * PROGRAM holds instructions; PACKETS holds, for each, its length (u32) and bytes. A packet lies
 * behind 256 bytes of headroom in 2048 of its own; r1 points at its data and data_end pointers.
 * digest: FNV-1a of every result and of every packet's bytes after one run each. ns: of one run,
 * the best of 100 rounds of a millisecond or more.
 */
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ubpf.h>

enum { HEADROOM = 256, FRAME = 2048, MAX_PACKETS = 4096, MAX_CODE = 1 << 20 };

struct context {
	uint64_t data, data_end, data_meta, data_hard_start;
};

static struct context contexts[MAX_PACKETS];
static size_t packets;

static FILE *open_file(const char *path)
{
	FILE *file = fopen(path, "rb");

	if (!file)
		err(1, "%s", path);
	return file;
}

static void read_packets(const char *path)
{
	FILE *file = open_file(path);
	uint8_t *frames = aligned_alloc(4096, (size_t)FRAME * MAX_PACKETS);
	uint32_t length;

	while (packets < MAX_PACKETS && fread(&length, sizeof(length), 1, file) == 1) {
		uint8_t *data = frames + packets * FRAME + HEADROOM;

		if (length > FRAME - HEADROOM || fread(data, 1, length, file) != length)
			errx(1, "%s: bad packet %zu", path, packets);
		contexts[packets++] = (struct context){
			(uint64_t)data, (uint64_t)(data + length),
			(uint64_t)data, (uint64_t)(data - HEADROOM),
		};
	}
	fclose(file);
}

static ubpf_jit_fn compile(const char *path)
{
	static uint8_t code[MAX_CODE];
	FILE *file = open_file(path);
	size_t size = fread(code, 1, sizeof(code), file);
	struct ubpf_vm *vm = ubpf_create();
	char *message = NULL;
	ubpf_jit_fn run;

	fclose(file);
	if (!vm || ubpf_load(vm, code, size, &message))
		errx(1, "%s: %s", path, message);
	run = ubpf_compile(vm, &message);
	if (!run)
		errx(1, "%s: %s", path, message);
	return run;
}

static uint32_t fnv1a(uint32_t hash, const void *bytes, size_t size)
{
	const uint8_t *byte = bytes;

	while (size--)
		hash = (hash ^ *byte++) * 0x01000193u;
	return hash;
}

static uint32_t digest(ubpf_jit_fn run)
{
	uint32_t hash = 0x811c9dc5u;
	size_t i;

	for (i = 0; i < packets; i++) {
		struct context *ctx = &contexts[i];
		uint32_t result = (uint32_t)run(ctx, sizeof(*ctx));

		hash = fnv1a(hash, &result, sizeof(result));
		hash = fnv1a(hash, (void *)ctx->data, ctx->data_end - ctx->data);
	}
	return hash;
}

static double pass_ns(ubpf_jit_fn run, long passes)
{
	static volatile uint64_t sink __attribute__((unused));
	struct timespec from, to;
	uint64_t sum = 0;
	size_t i;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (long pass = 0; pass < passes; pass++)
		for (i = 0; i < packets; i++)
			sum += run(&contexts[i], sizeof(contexts[i]));
	clock_gettime(CLOCK_MONOTONIC, &to);
	sink = sum;
	return (to.tv_sec - from.tv_sec) * 1e9 + (to.tv_nsec - from.tv_nsec);
}

int main(int argc, char **argv)
{
	double best = 1e18;
	long passes = 1;
	ubpf_jit_fn run;
	uint32_t hash;

	if (argc != 3)
		errx(2, "usage: driver PROGRAM PACKETS");
	read_packets(argv[2]);
	run = compile(argv[1]);
	hash = digest(run);
	for (double warm = 0, ns = 0; warm < 1e8; warm += ns) {
		ns = pass_ns(run, passes);
		if (ns < 1e6)
			passes *= 2;
	}
	for (int round = 0; round < 100; round++) {
		double ns = pass_ns(run, passes);

		if (ns < best)
			best = ns;
	}
	printf("{\"digest\": \"%08" PRIx32 "\", \"ns\": %.3f}\n", hash, best / passes / packets);
	return 0;
}
