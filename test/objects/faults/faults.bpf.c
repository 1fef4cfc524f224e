/* One fault an object: built once for each name in faults.txt, with -DNAME. */
#include "../common.h"

char _license[] SEC("license") = "GPL";

#define USE(map)                            \
  SEC("xdp") int prog(struct xdp_md *ctx) { \
    __u32 key = 0;                          \
    return bpf_map_lookup_elem(&map, &key) != 0; \
  }

#if defined(kfunc_missing)
extern int gone_function(int value) __ksym;
SEC("tp_btf/sched_switch") int prog(void *ctx) { return gone_function(1); }
#elif defined(kfunc_incompatible)
extern int kernel_uses(int value) __ksym;
SEC("tp_btf/sched_switch") int prog(void *ctx) { return kernel_uses(1); }
#elif defined(ksym_missing)
extern const void gone_symbol __ksym;
SEC("tp_btf/sched_switch") int prog(void *ctx) { return (long)&gone_symbol; }
#elif defined(ksym_typed_missing)
extern const int gone_variable __ksym;
SEC("tp_btf/sched_switch") int prog(void *ctx) { return (long)&gone_variable; }
#elif defined(ksym_incompatible)
extern const int kernel_task __ksym;
SEC("tp_btf/sched_switch") int prog(void *ctx) { return (long)&kernel_task; }
#elif defined(kconfig_missing)
extern int CONFIG_GONE __kconfig;
SEC("xdp") int prog(struct xdp_md *ctx) { return CONFIG_GONE; }
#elif defined(kconfig_type)
extern int CONFIG_BPF __kconfig;
SEC("xdp") int prog(struct xdp_md *ctx) { return CONFIG_BPF; }
#elif defined(target_missing)
SEC("fentry/gone_function") int prog(void *ctx) { return 0; }
#elif defined(target_unnamed)
SEC("fexit") int prog(void *ctx) { return 0; }
#elif defined(target_program)
SEC("freplace/count") int prog(void *ctx) { return 0; }
#elif defined(section_unknown)
SEC("mystery/one") int prog(void *ctx) { return 0; }
#elif defined(program_static)
SEC("xdp") static int prog(struct xdp_md *ctx) { return 0; }
#elif defined(map_field)
struct {
  __uint(type, MAP_HASH);
  __uint(colour, 3);
} map SEC(".maps");
USE(map)
#elif defined(map_key_size)
struct {
  __uint(type, MAP_HASH);
  __uint(key_size, 8);
  __type(key, __u32);
} map SEC(".maps");
USE(map)
#elif defined(map_type)
struct {
  __uint(max_entries, 3);
} map SEC(".maps");
USE(map)
#elif defined(map_values)
struct {
  __uint(type, MAP_HASH);
  __array(values, int);
} map SEC(".maps");
USE(map)
#elif defined(map_pinning)
struct {
  __uint(type, MAP_HASH);
  __uint(pinning, 7);
} map SEC(".maps");
USE(map)
#elif defined(struct_ops_member)
struct task_struct {
  unsigned long flags;
};
SEC("struct_ops/init") void init(void *ctx) {}
SEC(".struct_ops") struct task_struct table = {.flags = 1};
#endif
