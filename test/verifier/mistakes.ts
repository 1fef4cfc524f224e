/**
 * Common mistakes: a program in C that is refused, what is said of it, and that the same program
 * with the mistake mended (`NAME_mended` in the same object) is accepted. Sources and objects are in
 * test/objects/mistakes/.
 */
import type { ReasonCode } from '../../bpf/verifier/reasons.ts';

export interface Mistake {
  /** test/objects/mistakes/OBJECT.o */
  readonly object: string;
  readonly program: string;
  readonly reason: ReasonCode;
  /** First line of the explanation. */
  readonly headline: string;
  /** Source line of the refused instruction, without its indentation. */
  readonly line: string;
  /** Capabilities of the loader, where the mistake needs it to have fewer than all. */
  readonly caps?: string;
}

const BPF_ONLY = 'bpf,net_admin';

const row = (
  object: string,
  program: string,
  reason: ReasonCode,
  headline: string,
  line: string,
  caps?: string,
): Mistake => ({ object, program, reason, headline, line, ...(caps && { caps }) });

export const mistakes: readonly Mistake[] = [
  // packets
  row(
    'packet',
    'no_length_check',
    'invalid-packet-access',
    'Bytes 12 to 13 of the packet are read, but nothing checks that the packet is that long.',
    'if (eth->proto == 0x0608)',
  ),
  row(
    'packet',
    'check_too_short',
    'invalid-packet-access',
    'Byte 23 of the packet is read, but only 14 bytes are checked.',
    'if (ip->protocol == 17)',
  ),
  row(
    'packet',
    'wrong_way_round',
    'invalid-packet-access',
    'The packet is accessed on the side of the comparison where it is too short.',
    'return eth->proto == 0x0608 ? XDP_DROP : XDP_PASS;',
  ),
  row(
    'packet',
    'options_not_checked',
    'invalid-packet-access',
    'The packet was checked before a variable offset was added to the pointer, not after.',
    'return udp->dest == 53 ? XDP_DROP : XDP_PASS;',
  ),
  row(
    'packet',
    'stale_after_adjust',
    'invalid-pointer',
    'A packet pointer is used after bpf_xdp_adjust_head, which may have moved the packet.',
    'eth->proto = 0x0008;',
  ),
  row(
    'packet',
    'check_of_equality',
    'invalid-packet-access',
    'Byte 0 of the packet is read, but a comparison for equality does not say that the packet is that long.',
    'return *byte == 0xff ? XDP_DROP : XDP_PASS;',
  ),
  row(
    'packet',
    'length_from_packet',
    'unbounded-offset',
    'The 16-bit number loaded from the packet is added to a pointer to the packet without any bound.',
    'struct iphdr *ip = data + sizeof(struct ethhdr);',
  ),
  row(
    'packet',
    'stale_after_store',
    'invalid-pointer',
    'A packet pointer is used after bpf_skb_store_bytes, which may have moved the packet.',
    'return eth->proto == 0x0608 ? 2 : 0;',
  ),
  row(
    'packet',
    'direct_in_socket_filter',
    'invalid-context-access',
    'A socket_filter program may not read 4 bytes of struct __sk_buff at data_end (offset 80).',
    'HEADERS(skb);',
  ),
  // maps and locks
  row(
    'maps',
    'lookup_unchecked',
    'missing-null-check',
    'The result of bpf_map_lookup_elem may be NULL, and is read through without a check.',
    'slots->used++;',
  ),
  row(
    'maps',
    'lookup_check_inverted',
    'invalid-pointer',
    'R1 is NULL with an offset of 4, and is used as a pointer.',
    'return slots->used;',
  ),
  row(
    'maps',
    'index_one_too_much',
    'out-of-bounds',
    "The offset, which comes from the 32-bit number loaded from a value of map 'table' (next), may be as large as 24: 1 byte there is outside of a value of map 'table', which has 24 bytes.",
    'slots->bytes[next] = 1;',
  ),
  row(
    'maps',
    'index_unbounded',
    'unbounded-offset',
    "The 32-bit number loaded from a value of map 'table' (next) is added to a pointer to a value of map 'table' without an upper bound.",
    'slots->bytes[slots->next] = 1;',
  ),
  row(
    'maps',
    'index_signed',
    'unbounded-offset',
    "The 64-bit number loaded from a value of map 'table' (next) is added to a pointer to a value of map 'table' without a lower bound: it may be negative.",
    'slots->bytes[next] = 1;',
  ),
  row(
    'maps',
    'index_of_global',
    'unbounded-offset',
    "The 32-bit number loaded from the context’s member rx_queue_index is added to a pointer to global data (map 'maps.bss') without an upper bound.",
    'counters[ctx->rx_queue_index]++;',
  ),
  row(
    'maps',
    'value_too_small',
    'out-of-bounds',
    "8 bytes are read at offset 24 of a value of map 'table', which has 24 bytes.",
    'value[3]++;',
  ),
  row(
    'maps',
    'constant_written',
    'map-permission',
    "Map 'maps.rodata' is written, but programs may only read it.",
    '*(volatile __u32 *)&limit = ctx->rx_queue_index;',
  ),
  row(
    'maps',
    'key_by_value',
    'argument-type',
    'Argument 2 of bpf_map_lookup_elem must be memory that holds a key of the map, but is the number 3.',
    'void *value = bpf_map_lookup_elem(&table, (void *)(long)key);',
  ),
  row(
    'maps',
    'key_with_padding',
    'uninitialised-stack',
    '12 bytes of the stack at fp-12 are read by bpf_map_lookup_elem, of which the bytes at fp-11 to fp-9 were not written.',
    '__u64 *count = bpf_map_lookup_elem(&flows, &flow);',
    BPF_ONLY,
  ),
  row(
    'maps',
    'tail_call_of_table',
    'map-helper',
    "bpf_tail_call does not work on map 'table' (type array).",
    'bpf_tail_call(ctx, &table, 0);',
  ),
  row(
    'maps',
    'lookup_in_programs',
    'map-helper',
    "bpf_map_lookup_elem does not work on map 'programs' (type prog_array).",
    'return bpf_map_lookup_elem(&programs, &key) ? XDP_DROP : XDP_PASS;',
  ),
  row(
    'maps',
    'map_for_value',
    'map-struct-access',
    "Map 'table' itself is written, not one of its values.",
    '*(volatile __u32 *)&table = 1;',
  ),
  row('maps', 'returns_locked', 'lock-held', 'The program returns while it holds a lock.', '}'),
  row(
    'maps',
    'calls_locked',
    'lock-held',
    'bpf_get_prandom_u32 is called while a lock is held.',
    'value->count = bpf_get_prandom_u32();',
  ),
  row(
    'maps',
    'lock_overwritten',
    'kernel-field-access',
    "The access touches the bpf_spin_lock in a value of map 'guarded', which only its helpers may use.",
    '*(volatile __u64 *)value = 0;',
  ),
  // records and sockets
  row(
    'records',
    'record_leaked',
    'reference-leak',
    'What bpf_ringbuf_reserve returned is not released when the program ends.',
    '}',
  ),
  row(
    'records',
    'record_unchecked',
    'missing-null-check',
    'The result of bpf_ringbuf_reserve may be NULL, and is written through without a check.',
    'event->queue = ctx->rx_queue_index;',
  ),
  row(
    'records',
    'record_used_late',
    'invalid-pointer',
    'A reserved record of 16 bytes is used after bpf_ringbuf_submit released it.',
    '*(volatile __u32 *)&event->queue = ctx->rx_queue_index;',
  ),
  row(
    'records',
    'record_submitted_twice',
    'argument-type',
    'A reserved record of 16 bytes is used after bpf_ringbuf_submit released it.',
    'bpf_ringbuf_submit(event, 0);',
  ),
  row(
    'records',
    'record_too_small',
    'out-of-bounds',
    '4 bytes are written at offset 8 of a reserved record of 8 bytes.',
    'event->queue = ctx->rx_queue_index;',
  ),
  row(
    'records',
    'record_size_varies',
    'size-not-constant',
    'The 32-bit number loaded from the context’s member rx_queue_index is passed to bpf_ringbuf_reserve as a size and is not a constant.',
    'void *event = bpf_ringbuf_reserve(&events, size, 0);',
  ),
  row(
    'records',
    'socket_leaked',
    'reference-leak',
    'What bpf_sk_lookup_tcp returned is not released when the program ends.',
    'return sk ? 2 : 0;',
  ),
  row(
    'records',
    'socket_unchecked',
    'missing-null-check',
    'The result of bpf_sk_lookup_tcp may be NULL, and is passed to bpf_sk_release without a check.',
    'bpf_sk_release(sk);',
  ),
  // helpers and kernel memory
  row(
    'helpers',
    'redirect_in_filter',
    'helper-not-allowed',
    'bpf_redirect may not be called from a socket_filter program.',
    'return bpf_redirect(skb->ifindex, 0);',
  ),
  row(
    'helpers',
    'number_as_pointer',
    'invalid-pointer',
    'The result of bpf_get_current_task is a number to the verifier, and is used as a pointer.',
    'return task->pid;',
  ),
  row(
    'helpers',
    'argument_as_pointer',
    'invalid-pointer',
    'The 64-bit number loaded from the context’s member di is a number to the verifier, and is used as a pointer.',
    'return name[0];',
  ),
  row(
    'helpers',
    'size_unbounded',
    'unbounded-size',
    "The 32-bit number loaded from a value of map 'sizes' is passed to bpf_probe_read_kernel as a size and has no upper bound.",
    'bpf_probe_read_kernel(buf, *size, ctx);',
  ),
  row(
    'helpers',
    'size_too_large',
    'stack-out-of-bounds',
    '64 bytes are used by bpf_probe_read_kernel at fp-32, and reach past the end of the stack frame (fp-1).',
    'bpf_probe_read_kernel(buf, 64, ctx);',
  ),
  row(
    'helpers',
    'size_maybe_zero',
    'zero-sized-access',
    "The 32-bit number loaded from a value of map 'sizes' is passed to bpf_get_current_comm as a size and may be 0.",
    'bpf_get_current_comm(name, *size & 15);',
  ),
  row(
    'helpers',
    'sleeps_in_probe',
    'helper-might-sleep',
    'bpf_copy_from_user may sleep, and this program is not loaded as sleepable.',
    'bpf_copy_from_user(&byte, 1, (void *)0x1000);',
  ),
  row(
    'helpers',
    'format_without_value',
    'format-string',
    'The format "pid %d of %d" does not fit its 1 argument.',
    'bpf_snprintf(out, sizeof(out), format, data, sizeof(data));',
  ),
  row(
    'helpers',
    'stack_not_filled',
    'uninitialised-stack',
    '24 bytes of the stack at fp-24 are read by bpf_ringbuf_output, of which the bytes at fp-23 to fp-1 were not written.',
    'bpf_ringbuf_output(&events, record, sizeof(record), 0);',
    BPF_ONLY,
  ),
  row(
    'helpers',
    'kernel_struct_written',
    'btf-write',
    'struct task_struct (pid) is written, but kernel structs may only be read.',
    'next->pid = 1;',
  ),
  row(
    'helpers',
    'argument_beyond_last',
    'invalid-context-access',
    'sched_switch has no argument 10 that a tracing program may read like this.',
    'return ctx[9] == 0;',
  ),
  // licence
  row(
    'licence',
    'prints',
    'gpl-only',
    "bpf_trace_printk is for GPL-compatible programs only, and this program’s licence is 'Proprietary'.",
    'bpf_trace_printk(format, sizeof(format));',
  ),
  // loops, stack, context
  row(
    'flow',
    'waits_for_flag',
    'infinite-loop',
    'The loop at instruction 11 comes round to the same state: nothing that it tests changes.',
    'while (*flag == 0)',
  ),
  row(
    'flow',
    'loop_without_bound',
    'too-complex',
    'The verifier gave up after 1000000 instructions; it came 111110 times to instruction 5.',
    'for (__u32 i = 0; i < count; i++)',
  ),
  row(
    'flow',
    'recursion',
    'infinite-loop',
    'The call at instruction 13 leads back to its own function: recursion is not allowed.',
    'return countdown(left - 1) + left;',
  ),
  row(
    'flow',
    'large_stacks',
    'stack-too-large',
    'The functions’ stacks together exceed 512 bytes: large_stacks 304, second 304 bytes.',
    'return second(buf, ctx->rx_queue_index) > buf[1] ? XDP_DROP : XDP_PASS;',
  ),
  row(
    'flow',
    'context_indexed',
    'modified-pointer',
    'The pointer to the context (struct xdp_md) was moved by a number that varies, but must be used as it was given.',
    'return ((volatile __u32 *)ctx)[at + 2] ? XDP_DROP : XDP_PASS;',
  ),
  row(
    'flow',
    'context_too_wide',
    'invalid-context-access',
    'An xdp program may not read 8 bytes of struct xdp_md at rx_queue_index (offset 16).',
    'return *(volatile __u64 *)((long)ctx + 16) ? XDP_DROP : XDP_PASS;',
  ),
  row(
    'flow',
    'context_written',
    'invalid-context-access',
    'An xdp program may not write 4 bytes of struct xdp_md at rx_queue_index (offset 16).',
    'ctx->rx_queue_index = 3;',
  ),
  row(
    'flow',
    'callback_returns_two',
    'return-value',
    'Function count_up must return 0 to 1, and here returns 2.',
    'return *sum > 100 ? 2 : 0;',
  ),
  row(
    'flow',
    'array_on_stack',
    'stack-out-of-bounds',
    '4 bytes of the stack are read at an offset that may leave the frame (0 to 28, a multiple of 4, from fp-16).',
    'return table[ctx->rx_queue_index & 7] > 2 ? XDP_DROP : XDP_PASS;',
  ),
  row(
    'flow',
    'pointer_to_map',
    'pointer-leak',
    'The address of the context (struct xdp_md) would be stored in a map value, without CAP_PERFMON.',
    '*(void *volatile *)value = ctx;',
    BPF_ONLY,
  ),
  row(
    'flow',
    'pointer_multiplied',
    'pointer-arithmetic',
    'A pointer to the context (struct xdp_md) is changed by *=: only + and - keep it one.',
    '__u64 at = (__u64)ctx * 3;',
  ),
  row(
    'flow',
    'atomic_on_context',
    'atomic-target',
    'An atomic operation on the context (struct __sk_buff), which has none.',
    '__sync_fetch_and_add(&skb->mark, 1);',
  ),
  row(
    'flow',
    'returns_too_much',
    'return-value',
    'A cgroup_skb program must return 0 to 1, and here returns 5.',
    'return skb->len > 100 ? 5 : 1;',
  ),
];
