/* What the parts of a program that is linked from several objects agree on. */
#pragma once
#include "common.h"

/* One part knows only its name. */
struct verdicts;

enum side { LEFT, RIGHT };

struct packet {
  void *data;
  void *end;
  struct verdicts *verdicts;
  int (*choose)(struct packet *packet, enum side side);
};

struct flow {
  __u32 source;
  __u32 target;
  __u16 ports[2];
};

struct flow_count {
  __u64 packets;
  __u64 bytes;
};
