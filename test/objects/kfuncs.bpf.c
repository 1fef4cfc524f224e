/* Calls of kernel functions (__ksym), one of which this kernel does not have. */
#include "common.h"

struct __sk_buff;
static void *(*bpf_kptr_xchg)(void *slot, void *object) = (void *)194;

struct prog_test_ref_kfunc {
  int a;
  int b;
} __core;

extern struct prog_test_ref_kfunc *bpf_kfunc_call_test_acquire(unsigned long *scalar_ptr) __ksym;
extern void bpf_kfunc_call_test_release(struct prog_test_ref_kfunc *p) __ksym;
extern int *bpf_kfunc_call_test_get_rdwr_mem(struct prog_test_ref_kfunc *p,
                                             const int rdwr_buf_size) __ksym;
extern int bpf_of_a_later_kernel(int x) __ksym __weak;

struct slot {
  struct prog_test_ref_kfunc __attribute__((btf_type_tag("kptr_ref"))) *owned;
};

struct {
  __uint(type, MAP_ARRAY);
  __uint(max_entries, 1);
  __type(key, int);
  __type(value, struct slot);
} owner SEC(".maps");

SEC("tc")
int both(struct __sk_buff *skb)
{
  unsigned long scalar = 0;
  struct prog_test_ref_kfunc *object = bpf_kfunc_call_test_acquire(&scalar);
  int sum = 0, *memory;

  if (!object)
    return -1;
  memory = bpf_kfunc_call_test_get_rdwr_mem(object, 2 * sizeof(int));
  if (memory)
    sum = memory[0] + memory[1];
  if (bpf_of_a_later_kernel)
    sum += bpf_of_a_later_kernel(sum);
  bpf_kfunc_call_test_release(object);
  return sum;
}

/* Leaves an object in the map; what was there comes out. */
SEC("tc")
int keep(struct __sk_buff *skb)
{
  unsigned long scalar = 0;
  int key = 0, had = 0;
  struct slot *slot = bpf_map_lookup_elem(&owner, &key);
  struct prog_test_ref_kfunc *object, *old;

  if (!slot)
    return -1;
  object = bpf_kfunc_call_test_acquire(&scalar);
  if (!object)
    return -1;
  old = bpf_kptr_xchg(&slot->owned, object);
  if (old) {
    had = 1;
    bpf_kfunc_call_test_release(old);
  }
  return had;
}

char LICENSE[] SEC("license") = "GPL";
