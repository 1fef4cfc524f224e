/**
 * BPF_PROG_TEST_RUN for socket look-ups (bpf_prog_test_run_sk_lookup of 6.1): the context says who
 * looks for whom, and gets the cookie of the socket that the program has chosen.
 */
import {
  finishContext,
  finishTestRun,
  testContext,
  type TestRun,
} from '../bpf/syscall/test-run.ts';
import { UapiSkLookup } from '../bpf/uapi-ctx.ts';
import type { Ram } from '../kernel/ram/ram.ts';
import { errno } from '../kernel/types/errno.ts';
import { BpfSkLookupKern } from '../kernel/types/flow.ts';
import type { RamOffset } from '../kernel/types/units.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SK_PASS = 1;
const IN6_ADDR_BYTES = 16;
const NULL = 0 as RamOffset;

export const skLookupTestRun: TestRun = ({ host }, program, attr, caller) => {
  const { ram, kernel } = host.runtime;
  if ((attr.flags | attr.cpu | attr.batch_size) !== 0) return -errno.EINVAL;
  if (attr.data_in !== 0n || attr.data_out !== 0n) return -errno.EINVAL;
  if ((attr.data_size_in | attr.data_size_out) !== 0) return -errno.EINVAL;
  const context = testContext(attr, caller, UapiSkLookup.size);
  if (typeof context === 'number') return context;
  const refused = context ? refuse(context) : -errno.EINVAL;
  if (!context || refused < 0) return refused;

  return withLookup(ram, context, (lookup) => {
    const start = kernel.nowNs();
    const repeat = Math.max(1, attr.repeat);
    let retval = SK_PASS;
    for (let i = 0; i < repeat; i++) {
      lookup.selected_sk = NULL;
      retval = program.prog.run(lookup.offset);
      // A program that chooses nobody but does not object leaves it to the ordinary look-up.
      if (retval !== SK_PASS) lookup.selected_sk = NULL;
    }
    const durationNs = Math.floor((kernel.nowNs() - start) / repeat);
    const chosen = lookup.selected_sk;
    const out = new DataView(context.buffer, context.byteOffset);
    out.setBigUint64(0, chosen === 0 ? 0n : (kernel.sockCookie?.(chosen) ?? 0n), true);
    const result = finishTestRun(attr, caller, { data: new Uint8Array(), retval, durationNs });
    return result < 0 ? result : finishContext(attr, caller, context);
  });
};

/** 0, or why the context makes no sense. */
function refuse(context: Uint8Array): number {
  const given = UapiSkLookup.over(context as Uint8Array<ArrayBuffer>);
  const socket = context.subarray(0, 8);
  const behind = context.subarray(UapiSkLookup.offsets.ingress_ifindex);
  if ([...socket, ...behind].some((byte) => byte !== 0)) return -errno.EINVAL;
  if (given.local_port > 0xffff) return -errno.ERANGE;
  return given.family === AF_INET || given.family === AF_INET6 ? 0 : -errno.EAFNOSUPPORT;
}

type Lookup = ReturnType<typeof BpfSkLookupKern.alloc>;

function withLookup(ram: Ram, context: Uint8Array, use: (lookup: Lookup) => number): number {
  const given = UapiSkLookup.over(context as Uint8Array<ArrayBuffer>);
  const lookup = BpfSkLookupKern.alloc(ram);
  const addresses = ram.kzalloc(2 * IN6_ADDR_BYTES);
  const { offsets } = UapiSkLookup;
  lookup.family = given.family;
  lookup.protocol = given.protocol;
  lookup.sport = given.remote_port;
  lookup.dport = given.local_port;
  if (given.family === AF_INET) {
    lookup.v4_saddr = given.remote_ip4;
    lookup.v4_daddr = given.local_ip4;
  } else {
    const put = (from: number, at: number) =>
      ram.u8.set(context.subarray(from, from + IN6_ADDR_BYTES), at);
    put(offsets.remote_ip6, addresses);
    put(offsets.local_ip6, addresses + IN6_ADDR_BYTES);
    lookup.v6_saddr = addresses;
    lookup.v6_daddr = (addresses + IN6_ADDR_BYTES) as RamOffset;
  }
  try {
    return use(lookup);
  } finally {
    ram.kfree(lookup.offset);
    ram.kfree(addresses);
  }
}
