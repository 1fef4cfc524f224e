/* The kernel that tracing.o is relocated against in tests: the same types, laid out otherwise. */
enum state { STATE_NEW, STATE_RUNNING = 9 };

struct in_task {
  unsigned long added;
  unsigned flag_b : 9;
  int flag_a : 4;
  unsigned long long deep[8];
};

struct task_struct {
  unsigned long flags;
  struct in_task inside;
  struct {
    int pid;
    union {
      int tgid;
      int thread_group;
    };
  };
  char comm[32];
  struct task_struct *real_parent;
};

struct task_struct kernel_task;
enum state kernel_state;
int kernel_uses(struct task_struct *task) { return task->pid + kernel_state; }
