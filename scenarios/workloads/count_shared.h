/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Counts as count.h does, in an array that all cores share. */
#ifndef SKEP_COUNT_SHARED_H
#define SKEP_COUNT_SHARED_H

#include "workload.h"

#define BPF_MAP_TYPE_PERCPU_ARRAY BPF_MAP_TYPE_ARRAY
#include "count.h"

static __always_inline void count_shared(__u32 protocol)
{
	__u64 *packets = bpf_map_lookup_elem(&rxcnt, &protocol);

	if (packets)
		__sync_fetch_and_add(packets, 1);
}

#endif
