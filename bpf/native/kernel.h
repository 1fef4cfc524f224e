/*
 * Ground of the C core: integer types, kernel pointers as they lie in RAM, errors, and what the
 * machine provides. There is no libc; memcpy and memset become wasm's bulk memory instructions.
 *
 * A C pointer here is an offset into the machine's RAM. A pointer *stored* in RAM for programs to
 * see is 64 bits wide: the offset below, KERNEL_BASE_HIGH above (kernel/ram/ram.ts).
 */
#ifndef SKEP_KERNEL_H
#define SKEP_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#define EXPORT(name) __attribute__((export_name(#name), visibility("default")))
#define IMPORT(name) __attribute__((import_module("env"), import_name(#name)))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define memcpy(to, from, bytes) __builtin_memcpy(to, from, bytes)
#define memset(to, byte, bytes) __builtin_memset(to, byte, bytes)

#define KERNEL_BASE_HIGH 0xffff8880u

/* A pointer as programs see it. */
typedef struct {
	u32 offset;
	u32 high;
} kptr;

static inline void *from_kptr(kptr p)
{
	return (void *)p.offset;
}

static inline kptr to_kptr(const void *p)
{
	return (kptr){ (u32)p, p ? KERNEL_BASE_HIGH : 0 };
}

#define ENOENT 2
#define E2BIG 7
#define EAGAIN 11
#define ENOMEM 12
#define EEXIST 17
#define EINVAL 22
#define ENOSPC 28
#define ENODATA 61
#define EOPNOTSUPP 95
#define ENOTSUPP 524

/*
 * Words at a fixed place below the core's data, which the kernel sets and generated code reads.
 * See core.ts: CURRENT_CPU.
 */
#define CURRENT_CPU (*(volatile u32 *)0x10000)

/* What the machine provides (core.ts). Allocations are zeroed; 0 means there is no memory. */
IMPORT(area_alloc) void *area_alloc(u32 bytes);
IMPORT(area_free) void area_free(void *area, u32 bytes);
/* A map's readers (epoll, perf buffers) have something to read. */
struct bpf_map;
IMPORT(wake_readers) void wake_readers(struct bpf_map *map);
/* A value with timers or kptrs goes away: cancel and release them. */
IMPORT(free_special_fields) void free_special_fields(struct bpf_map *map, void *value);
/* A map of maps gives up its reference. */
IMPORT(put_inner_map) void put_inner_map(void *inner);

static inline u32 round_up(u32 value, u32 to)
{
	return (value + to - 1) / to * to;
}

/* The smallest power of two that is not below value; 1 for 0. */
static inline u32 roundup_pow_of_two(u32 value)
{
	return value <= 1 ? 1 : 1u << (32 - __builtin_clz(value - 1));
}

/* Keys are short and often of 4, 8 or 16 bytes, so no call and no byte loop for these. */
static inline bool bytes_equal(const void *a, const void *b, u32 bytes)
{
	const u8 *x = a, *y = b;
	for (; bytes >= 8; bytes -= 8, x += 8, y += 8) {
		u64 p, q;
		memcpy(&p, x, 8);
		memcpy(&q, y, 8);
		if (p != q)
			return false;
	}
	if (bytes & 4) {
		u32 p, q;
		memcpy(&p, x, 4);
		memcpy(&q, y, 4);
		if (p != q)
			return false;
		x += 4;
		y += 4;
	}
	for (bytes &= 3; bytes; bytes--)
		if (*x++ != *y++)
			return false;
	return true;
}

#endif
