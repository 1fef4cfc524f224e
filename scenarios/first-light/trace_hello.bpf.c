// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/* Says who opens which file. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* As /sys/kernel/tracing/events/syscalls/sys_enter_openat/format lays it out. */
struct sys_enter_openat {
	unsigned short common_type;
	unsigned char common_flags;
	unsigned char common_preempt_count;
	int common_pid;
	int nr;
	long dfd;
	const char *filename;
	long flags;
	long mode;
};

SEC("tracepoint/syscalls/sys_enter_openat")
int trace_hello(struct sys_enter_openat *ctx)
{
	char comm[16];
	char name[64];

	bpf_get_current_comm(comm, sizeof(comm));
	if (bpf_probe_read_user_str(name, sizeof(name), ctx->filename) < 0)
		return 0;
	bpf_printk("hello, %s opens %s", comm, name);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
