/* Makes clang emit what instruction set v4 (and v3's atomics) brought. */
#include "common.h"

__s64 wide = -77;
__s32 narrow = -13;
signed char tiny = -3;
short small = -300;
__u64 big = 0x1122334455667788;

SEC("syscall")
int arithmetic(void *ctx) {
  __s64 sum = wide / (narrow | 1) + wide % (tiny | 1);
  sum += narrow / (small | 1) + narrow % (tiny | 1);
  sum += (signed char)big + (short)big + (__s32)big;
  sum += __builtin_bswap64(big) + __builtin_bswap32(big) + __builtin_bswap16(big);
  return sum;
}

SEC("syscall")
int atomics(void *ctx) {
  __u64 old = __sync_fetch_and_add(&big, 3);
  old += __sync_fetch_and_or(&big, 4) + __sync_fetch_and_and(&big, 5) +
         __sync_fetch_and_xor(&big, 6);
  old += __sync_lock_test_and_set(&big, 7);
  old += __sync_val_compare_and_swap(&big, 7, 8);
  old += __sync_fetch_and_add((__u32 *)&narrow, 9);
  return old;
}

char _license[] SEC("license") = "GPL";
