/* Mistakes with helper calls and with the kernel's memory. */
#include "mistakes.h"

struct task_struct {
  int pid;
  int tgid;
} __attribute__((preserve_access_index));

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} sizes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} events SEC(".maps");

SEC("socket") int redirect_in_filter(struct __sk_buff *skb) {
  return bpf_redirect(skb->ifindex, 0);
}

SEC("tc") int redirect_in_filter_mended(struct __sk_buff *skb) {
  return bpf_redirect(skb->ifindex, 0);
}

SEC("kprobe/vfs_read") int number_as_pointer(void *ctx) {
  struct {
    int pid;
  } *task = bpf_get_current_task();
  return task->pid;
}

SEC("kprobe/vfs_read") int number_as_pointer_mended(void *ctx) {
  void *task = bpf_get_current_task();
  int pid = 0;
  bpf_probe_read_kernel(&pid, sizeof(pid), task);
  return pid;
}

SEC("kprobe/vfs_read") int argument_as_pointer(void *ctx) {
  const char *name = (const char *)((unsigned long *)ctx)[14];
  return name[0];
}

SEC("kprobe/vfs_read") int argument_as_pointer_mended(void *ctx) {
  const char *name = (const char *)((unsigned long *)ctx)[14];
  char first = 0;
  bpf_probe_read_user(&first, 1, name);
  return first;
}

SEC("kprobe/vfs_read") int size_unbounded(void *ctx) {
  char buf[32] = {};
  __u32 key = 0;
  __u32 *size = bpf_map_lookup_elem(&sizes, &key);
  if (!size)
    return 0;
  bpf_probe_read_kernel(buf, *size, ctx);
  return buf[0];
}

SEC("kprobe/vfs_read") int size_unbounded_mended(void *ctx) {
  char buf[32] = {};
  __u32 key = 0;
  __u32 *size = bpf_map_lookup_elem(&sizes, &key);
  if (!size)
    return 0;
  bpf_probe_read_kernel(buf, *size & 31, ctx);
  return buf[0];
}

SEC("kprobe/vfs_read") int size_too_large(void *ctx) {
  char buf[32] = {};
  bpf_probe_read_kernel(buf, 64, ctx);
  return buf[0];
}

SEC("kprobe/vfs_read") int size_too_large_mended(void *ctx) {
  char buf[32] = {};
  bpf_probe_read_kernel(buf, sizeof(buf), ctx);
  return buf[0];
}

SEC("kprobe/vfs_read") int size_maybe_zero(void *ctx) {
  char name[16] = {};
  __u32 key = 0;
  __u32 *size = bpf_map_lookup_elem(&sizes, &key);
  if (!size)
    return 0;
  bpf_get_current_comm(name, *size & 15);
  return name[0];
}

SEC("kprobe/vfs_read") int size_maybe_zero_mended(void *ctx) {
  char name[16] = {};
  bpf_get_current_comm(name, sizeof(name));
  return name[0];
}

SEC("kprobe/vfs_read") int sleeps_in_probe(void *ctx) {
  char byte = 0;
  bpf_copy_from_user(&byte, 1, (void *)0x1000);
  return byte;
}

SEC("kprobe/vfs_read") int sleeps_in_probe_mended(void *ctx) {
  char byte = 0;
  bpf_probe_read_user(&byte, 1, (void *)0x1000);
  return byte;
}

SEC("kprobe/vfs_read") int format_without_value(void *ctx) {
  static const char format[] = "pid %d of %d";
  char out[32] = {};
  __u64 data[1] = {7};
  bpf_snprintf(out, sizeof(out), format, data, sizeof(data));
  return out[0];
}

SEC("kprobe/vfs_read") int format_without_value_mended(void *ctx) {
  static const char format[] = "pid %d";
  char out[32] = {};
  __u64 data[1] = {7};
  bpf_snprintf(out, sizeof(out), format, data, sizeof(data));
  return out[0];
}

SEC("xdp") int stack_not_filled(struct xdp_md *ctx) {
  char record[24];
  record[0] = 1;
  bpf_ringbuf_output(&events, record, sizeof(record), 0);
  return XDP_PASS;
}

SEC("xdp") int stack_not_filled_mended(struct xdp_md *ctx) {
  __u64 record[3] = {1, 0, 0};
  bpf_ringbuf_output(&events, record, sizeof(record), 0);
  return XDP_PASS;
}

SEC("tp_btf/sched_switch") int kernel_struct_written(__u64 *ctx) {
  struct task_struct *next = (void *)ctx[2];
  next->pid = 1;
  return 0;
}

SEC("tp_btf/sched_switch") int kernel_struct_written_mended(__u64 *ctx) {
  struct task_struct *next = (void *)ctx[2];
  return next->pid == 1;
}

SEC("tp_btf/sched_switch") int argument_beyond_last(__u64 *ctx) {
  return ctx[9] == 0;
}

SEC("tp_btf/sched_switch") int argument_beyond_last_mended(__u64 *ctx) {
  return ctx[0] == 0;
}

char LICENSE[] SEC("license") = "GPL";
