// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* One event for every openat(2), to a perf event array and to a ring buffer: for tests of readers.
 * clang-19 -O2 -g -target bpf -ffile-compilation-dir=. -I/usr/include/x86_64-linux-gnu -c openat_events.bpf.c -o openat_events.bpf.o */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct opened {
	__u32 pid;
	__u32 cookie;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

/* Keeps the type in the object's BTF. */
struct opened last;

SEC("tracepoint/syscalls/sys_enter_openat")
int on_openat(void *ctx)
{
	struct opened event = { .pid = bpf_get_current_pid_tgid() >> 32, .cookie = 0x12345678 };

	bpf_get_current_comm(event.comm, sizeof(event.comm));
	last = event;
	bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &event, sizeof(event));
	bpf_ringbuf_output(&ring, &event, sizeof(event), 0);
	return 0;
}

SEC("raw_tp/sched_switch")
int on_switch(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
