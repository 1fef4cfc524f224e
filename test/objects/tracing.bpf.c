/* CO-RE relocations of every kind, externs from the kernel, and the sections that tracing uses. */
#include "common.h"

enum state___old { STATE_RUNNING = 5, STATE_GONE = 6 };

struct in_task {
  int flag_a : 3;
  unsigned flag_b : 5;
  __u64 deep[4];
} __core;

struct task_struct {
  int pid;
  int tgid;
  char comm[16];
  struct task_struct *real_parent;
  struct in_task inside;
} __core;

struct task_struct___future {
  int not_there_yet;
} __core;

typedef struct task_struct *task_ptr;

extern unsigned CONFIG_HZ __kconfig;
extern _Bool CONFIG_BPF_SYSCALL __kconfig __weak;
extern int LINUX_KERNEL_VERSION __kconfig;
extern const void init_task __ksym;
extern const int bpf_prog_active __ksym __weak;
extern void bpf_rcu_read_lock(void) __ksym __weak;

#define BPF_FIELD_BYTE_OFFSET 0
#define BPF_FIELD_BYTE_SIZE 1
#define BPF_FIELD_EXISTS 2
#define BPF_FIELD_SIGNED 3
#define BPF_FIELD_LSHIFT_U64 4
#define BPF_FIELD_RSHIFT_U64 5
#define BPF_TYPE_ID_LOCAL 0
#define BPF_TYPE_ID_TARGET 1
#define BPF_TYPE_EXISTS 0
#define BPF_TYPE_SIZE 1
#define BPF_TYPE_MATCHES 2
#define BPF_ENUMVAL_EXISTS 0
#define BPF_ENUMVAL_VALUE 1

#define field(expr, what) __builtin_preserve_field_info(expr, what)
#define local_id(t) __builtin_btf_type_id(*(t *)0, BPF_TYPE_ID_LOCAL)
#define target_id(t) __builtin_btf_type_id(*(t *)0, BPF_TYPE_ID_TARGET)
#define type_info(t, what) __builtin_preserve_type_info(*(t *)0, what)
#define enum_info(t, v, what) __builtin_preserve_enum_value(*(t *)v, what)

__u64 result[16];

SEC("kprobe/do_sys_openat2")
int on_open(void *ctx) {
  struct task_struct *task = bpf_get_current_task_btf();
  int pid = 0;
  bpf_probe_read_kernel(&pid, sizeof(pid), __builtin_preserve_access_index(&task->pid));
  result[0] = pid;
  result[1] = field(task->inside.flag_b, BPF_FIELD_LSHIFT_U64);
  result[2] = field(task->inside.flag_b, BPF_FIELD_RSHIFT_U64);
  result[3] = field(task->inside.flag_a, BPF_FIELD_SIGNED);
  result[4] = field(task->inside.deep[2], BPF_FIELD_BYTE_OFFSET);
  result[5] = field(task->comm, BPF_FIELD_BYTE_SIZE);
  struct task_struct___future *future = (void *)task;
  result[6] = field(future->not_there_yet, BPF_FIELD_EXISTS);
  return 0;
}

SEC("tp/sched/sched_switch")
int on_switch(void *ctx) {
  result[7] = type_info(struct task_struct, BPF_TYPE_EXISTS);
  result[8] = type_info(struct task_struct, BPF_TYPE_SIZE);
  result[9] = local_id(struct in_task);
  result[10] = target_id(struct in_task);
  result[11] = enum_info(enum state___old, STATE_RUNNING, BPF_ENUMVAL_VALUE);
  result[12] = enum_info(enum state___old, STATE_GONE, BPF_ENUMVAL_EXISTS);
  return 0;
}

SEC("fentry/vfs_read")
int on_read(__u64 *ctx) {
  struct task_struct *task = bpf_get_current_task_btf();
  result[13] = task->real_parent->tgid;
  result[14] = CONFIG_HZ + LINUX_KERNEL_VERSION + CONFIG_BPF_SYSCALL;
  result[15] = (__u64)&init_task;
  return &bpf_prog_active ? 1 : 0;
}

SEC("?raw_tp/sched_wakeup")
int optional(void *ctx) {
  if (bpf_rcu_read_lock) bpf_rcu_read_lock();
  return 0;
}

char _license[] SEC("license") = "GPL";
