/*
 * Several XDP programs on one interface: a program that calls a row of functions, each a place for
 * a program that replaces it (freplace). What a place returned decides whether the next one runs.
 */
#include "common.h"

/* No place's program returns this: it says that nobody took the place. */
#define NOBODY 31

volatile const __u32 places;
/* By place: bits of the actions after which the next one runs. */
volatile const __u32 goes_on_after[2];

__noinline int prog0(struct xdp_md *ctx) {
  volatile int action = NOBODY;
  return ctx ? action : XDP_ABORTED;
}

__noinline int prog1(struct xdp_md *ctx) {
  volatile int action = NOBODY;
  return ctx ? action : XDP_ABORTED;
}

SEC("xdp")
int dispatcher(struct xdp_md *ctx) {
  __u32 action;

  if (places < 1)
    return XDP_PASS;
  action = prog0(ctx);
  if (!((1u << (action & 31)) & goes_on_after[0]))
    return action;
  if (places < 2)
    return XDP_PASS;
  action = prog1(ctx);
  if (!((1u << (action & 31)) & goes_on_after[1]))
    return action;
  return XDP_PASS;
}
