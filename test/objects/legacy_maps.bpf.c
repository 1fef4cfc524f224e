/* How objects looked before BTF-defined maps: libbpf's struct bpf_map_def in "maps". */
#include "common.h"

struct bpf_map_def {
  unsigned type;
  unsigned key_size;
  unsigned value_size;
  unsigned max_entries;
  unsigned map_flags;
};

struct bpf_map_def SEC("maps") calls = {
    .type = MAP_HASH, .key_size = 4, .value_size = 8, .max_entries = 64};
struct bpf_map_def SEC("maps") slots = {
    .type = MAP_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 2, .map_flags = 0x400};

SEC("kprobe/sys_write")
int on_write(void *ctx) {
  __u32 key = bpf_get_current_pid_tgid() >> 32;
  __u64 one = 1, *value = bpf_map_lookup_elem(&calls, &key);
  if (value)
    *value += 1;
  else
    bpf_map_update_elem(&calls, &key, &one, 0);
  key = 1;
  value = bpf_map_lookup_elem(&slots, &key);
  if (value) *value = bpf_ktime_get_ns();
  return 0;
}

char _license[] SEC("license") = "GPL";
