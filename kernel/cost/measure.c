/*
 * Measures what kernel/cost/costs.ts lists, on a real kernel: smallest mean of seven rounds, pinned
 * to CPU 1.   gcc -O2 -static -o measure measure.c && ./measure
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ns(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

#define MEASURE(name, rounds, body)                        \
  do {                                                     \
    double best = 1e18;                                    \
    for (int round = 0; round < 7; round++) {              \
      double start = now_ns();                             \
      for (int i = 0; i < (rounds); i++) { body; }         \
      double each = (now_ns() - start) / (rounds);         \
      if (each < best) best = each;                        \
    }                                                      \
    printf("%-32s %10.1f ns\n", name, best);               \
  } while (0)

static void handler(int signal) { (void)signal; }

int main(int argc, char **argv)
{
  static char buffer[65536];
  if (argc > 1) return 0;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(1, &cpus);
  sched_setaffinity(0, sizeof cpus, &cpus);

  int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
  MEASURE("getpid", 200000, syscall(SYS_getpid));
  MEASURE("write /dev/null, 1 byte", 200000, write(null, buffer, 1));
  MEASURE("read /dev/zero, 1 byte", 200000, read(zero, buffer, 1));
  MEASURE("open and close a directory", 50000, close(open("/tmp", O_RDONLY)));
  MEASURE("access", 50000, access("/tmp", 0));
  MEASURE("sched_yield, alone", 50000, sched_yield());

  int there[2], back[2];
  if (pipe(there) || pipe(back)) return 1;
  MEASURE("pipe write and read, no switch", 50000, write(there[1], buffer, 1);
          read(there[0], buffer, 1));
  pid_t echo = fork();
  if (!echo) {
    while (read(there[0], buffer, 1) > 0) write(back[1], buffer, 1);
    _exit(0);
  }
  MEASURE("pipe round trip, two switches", 20000, write(there[1], buffer, 1);
          read(back[0], buffer, 1));
  kill(echo, SIGKILL);
  waitpid(echo, 0, 0);

  MEASURE("mmap and munmap, 4 KiB", 20000,
          munmap(mmap(0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096));
  double best = 1e18;
  for (int round = 0; round < 7; round++) {
    char *area = mmap(0, 4096 * 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(area, 4096 * 4096, MADV_NOHUGEPAGE);
    double start = now_ns();
    for (int i = 0; i < 4096; i++) area[i * 4096] = 1;
    double each = (now_ns() - start) / 4096;
    if (each < best) best = each;
    munmap(area, 4096 * 4096);
  }
  printf("%-32s %10.1f ns\n", "anonymous page fault", best);

  MEASURE("fork, exit, wait", 300, pid_t child = fork(); if (!child) _exit(0);
          waitpid(child, 0, 0));
  MEASURE("vfork, exit, wait", 300, pid_t child = vfork(); if (!child) _exit(0);
          waitpid(child, 0, 0));
  MEASURE("vfork, exec, exit, wait", 300, pid_t child = vfork();
          if (!child) { execl(argv[0], argv[0], "x", (char *)0); _exit(1); } waitpid(child, 0, 0));
  signal(SIGUSR1, handler);
  MEASURE("kill, handler, sigreturn", 50000, kill(getpid(), SIGUSR1));
  MEASURE("signal", 100000, signal(SIGUSR2, SIG_IGN));
  return 0;
}
