/* Copying values that hold fields which only the kernel may touch (spin lock, timer, kptrs). */
#include "map.h"

/* The fields are sorted by offset. */
void copy_special(const struct bpf_map *map, u8 *to, const u8 *from, u32 bytes)
{
	const struct bpf_map_off_arr *fields = from_kptr(map->off_arr);
	u32 at = 0;
	for (u32 i = 0; i < fields->cnt; i++) {
		u32 field = fields->field_off[i];
		memcpy(to + at, from + at, field - at);
		at = field + fields->field_sz[i];
	}
	memcpy(to + at, from + at, bytes - at);
}

void zero_special_fields(const struct bpf_map *map, void *value)
{
	if (likely(!has_special_fields(map)))
		return;
	const struct bpf_map_off_arr *fields = from_kptr(map->off_arr);
	for (u32 i = 0; i < fields->cnt; i++)
		memset((u8 *)value + fields->field_off[i], 0, fields->field_sz[i]);
}
