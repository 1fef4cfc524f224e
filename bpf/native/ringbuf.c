/*
 * Ring buffer (kernel/bpf/ringbuf.c, Linux 6.1; Documentation/bpf/ringbuf.rst). One area:
 *
 *   page 0        bookkeeping, not mapped to user space
 *   page 1        consumer position      page 2   producer position
 *   pages 3…      the data, twice
 *
 * differs: Linux maps the data pages twice, so that a record that runs over the end is contiguous.
 * In a linear memory the second half is memory of its own: such a record is written there, and
 * what ran over is copied to the beginning when the record is committed, before a reader may look
 * at it. A reader's mapping (user space has page tables) is of the first half, twice.
 */
#include "map.h"

#define PAGE_SIZE 4096u
#define PAGE_SHIFT 12
#define BUSY_BIT 0x80000000u
#define DISCARD_BIT 0x40000000u
#define HDR_SZ 8u
#define MAX_RECORD_SZ (~0u / 4)

#define BPF_RB_NO_WAKEUP 1
#define BPF_RB_FORCE_WAKEUP 2

struct ringbuf {
	struct bpf_map *map;
	u32 mask;
	u32 busy;
	u64 consumer_pos __attribute__((aligned(4096)));
	u64 producer_pos __attribute__((aligned(4096)));
	u64 pending_pos;
	u8 data[] __attribute__((aligned(4096)));
};
_Static_assert(offsetof(struct ringbuf, data) == 3 * PAGE_SIZE, "RINGBUF_PGOFF + RINGBUF_POS_PAGES");

struct ringbuf_map {
	struct bpf_map map;
	kptr rb;
};

struct ringbuf_hdr {
	u32 len;
	u32 pg_off;
};

static struct ringbuf *ringbuf_of(struct bpf_map *map)
{
	return from_kptr(((struct ringbuf_map *)map)->rb);
}

static u32 area_bytes(const struct bpf_map *map)
{
	return offsetof(struct ringbuf, data) + 2 * map->max_entries;
}

EXPORT(ringbuf_alloc) s32 ringbuf_alloc(struct bpf_map *map)
{
	if (map->max_entries > 1u << 30)
		return -ENOMEM;
	struct ringbuf *rb = area_alloc(area_bytes(map));
	if (!rb)
		return -ENOMEM;
	rb->map = map;
	rb->mask = map->max_entries - 1;
	((struct ringbuf_map *)map)->rb = to_kptr(rb);
	return 0;
}

EXPORT(ringbuf_free) void ringbuf_free(struct bpf_map *map)
{
	if (ringbuf_of(map))
		area_free(ringbuf_of(map), area_bytes(map));
}

/* Offset of the area's first page; consumer, producer and data pages follow. */
EXPORT(ringbuf_area) void *ringbuf_area(struct bpf_map *map)
{
	return ringbuf_of(map);
}

static struct ringbuf_hdr *record_at(struct ringbuf *rb, u64 position)
{
	return (struct ringbuf_hdr *)(rb->data + (position & rb->mask));
}

static u32 record_bytes(u32 payload)
{
	return round_up(payload + HDR_SZ, 8);
}

EXPORT(ringbuf_reserve) void *ringbuf_reserve(struct bpf_map *map, u64 size, u64 flags)
{
	struct ringbuf *rb = ringbuf_of(map);
	if (unlikely(flags || size > MAX_RECORD_SZ))
		return NULL;
	u32 bytes = record_bytes(size);
	if (bytes > rb->mask + 1)
		return NULL;
	/* Records that are done no longer count against the space that pending ones hold. */
	u64 pending = rb->pending_pos;
	while (pending < rb->producer_pos) {
		u32 len = record_at(rb, pending)->len;
		if (len & BUSY_BIT)
			break;
		pending += record_bytes(len & ~DISCARD_BIT);
	}
	rb->pending_pos = pending;
	u64 end = rb->producer_pos + bytes;
	if (end - rb->consumer_pos > rb->mask || end - pending > rb->mask)
		return NULL;
	struct ringbuf_hdr *hdr = record_at(rb, rb->producer_pos);
	hdr->len = (u32)size | BUSY_BIT;
	hdr->pg_off = ((u32)hdr - (u32)rb) >> PAGE_SHIFT;
	rb->producer_pos = end;
	return hdr + 1;
}

static void commit(void *sample, u64 flags, bool discard)
{
	struct ringbuf_hdr *hdr = (struct ringbuf_hdr *)sample - 1;
	struct ringbuf *rb =
		(struct ringbuf *)(((u32)hdr & ~(PAGE_SIZE - 1)) - (hdr->pg_off << PAGE_SHIFT));
	u32 len = hdr->len ^ BUSY_BIT;
	u32 start = (u8 *)hdr - rb->data, size = rb->mask + 1, end = start + HDR_SZ + len;
	if (unlikely(end > size) && !discard)
		memcpy(rb->data, rb->data + size, end - size);
	hdr->len = len | (discard ? DISCARD_BIT : 0);
	bool caught_up = (rb->consumer_pos & rb->mask) == start;
	if ((flags & BPF_RB_FORCE_WAKEUP) || (caught_up && !(flags & BPF_RB_NO_WAKEUP)))
		wake_readers(rb->map);
}

EXPORT(ringbuf_submit) void ringbuf_submit(void *sample, u64 flags)
{
	commit(sample, flags, false);
}

EXPORT(ringbuf_discard) void ringbuf_discard(void *sample, u64 flags)
{
	commit(sample, flags, true);
}

EXPORT(ringbuf_output)
s32 ringbuf_output(struct bpf_map *map, const void *data, u64 size, u64 flags)
{
	if (unlikely(flags & ~(u64)(BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP)))
		return -EINVAL;
	void *record = ringbuf_reserve(map, size, 0);
	if (!record)
		return -EAGAIN;
	memcpy(record, data, size);
	commit(record, flags, false);
	return 0;
}

EXPORT(ringbuf_query) u64 ringbuf_query(struct bpf_map *map, u64 what)
{
	struct ringbuf *rb = ringbuf_of(map);
	switch (what) {
	case 0: /* BPF_RB_AVAIL_DATA */
		return rb->producer_pos - rb->consumer_pos;
	case 1: /* BPF_RB_RING_SIZE */
		return rb->mask + 1;
	case 2: /* BPF_RB_CONS_POS */
		return rb->consumer_pos;
	case 3: /* BPF_RB_PROD_POS */
		return rb->producer_pos;
	default:
		return 0;
	}
}

/*
 * User ring buffer: user space produces, a program drains. The record at the consumer position is
 * made contiguous and its offset returned, its length in *len; or a negative errno, of which
 * -EAGAIN says that a discarded record was passed over and -ENODATA that there is none.
 */
EXPORT(user_ringbuf_peek) s32 user_ringbuf_peek(struct bpf_map *map, u32 *len)
{
	struct ringbuf *rb = ringbuf_of(map);
	u64 producer = rb->producer_pos, consumer = rb->consumer_pos;
	if (producer % 8)
		return -EINVAL;
	if (consumer >= producer)
		return -ENODATA;
	u32 header = record_at(rb, consumer)->len;
	u32 payload = header & ~(BUSY_BIT | DISCARD_BIT), bytes = record_bytes(payload);
	u32 size = rb->mask + 1;
	if (bytes > producer - consumer)
		return -EINVAL;
	/* A sample must also fit a dynptr, whose size has 24 bits. */
	if (bytes > size || payload > 0xffffff)
		return -E2BIG;
	if (header & DISCARD_BIT) {
		rb->consumer_pos = consumer + bytes;
		return -EAGAIN;
	}
	if (header & BUSY_BIT)
		return -ENODATA;
	u32 start = (consumer + HDR_SZ) & rb->mask;
	if (start + payload > size)
		memcpy(rb->data + size, rb->data, start + payload - size);
	*len = payload;
	return (s32)(rb->data + start);
}

EXPORT(user_ringbuf_release) void user_ringbuf_release(struct bpf_map *map, u32 len)
{
	ringbuf_of(map)->consumer_pos += record_bytes(len);
}
