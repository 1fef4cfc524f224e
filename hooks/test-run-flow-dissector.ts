/**
 * BPF_PROG_TEST_RUN for flow dissectors (bpf_prog_test_run_flow_dissector of 6.1): what comes back
 * as data is the struct bpf_flow_keys that the program has filled.
 */
import {
  finishContext,
  finishTestRun,
  testContext,
  type TestRun,
} from '../bpf/syscall/test-run.ts';
import { PAGE_SIZE } from '../kernel/ram/ram.ts';
import { errno } from '../kernel/types/errno.ts';
import { BpfFlowDissector, BpfFlowKeys } from '../kernel/types/flow.ts';
import type { RamOffset } from '../kernel/types/units.ts';
import { ETH_HLEN } from './test-run-xdp.ts';

export const flowDissectorTestRun: TestRun = ({ host }, program, attr, caller) => {
  const { ram, kernel } = host.runtime;
  if ((attr.flags | attr.cpu | attr.batch_size) !== 0) return -errno.EINVAL;
  if (attr.data_size_in < ETH_HLEN || attr.data_size_in > PAGE_SIZE) return -errno.EINVAL;
  const packet = caller.copyFromUser(attr.data_in, attr.data_size_in);
  if (!packet) return -errno.EFAULT;
  const context = testContext(attr, caller, BpfFlowKeys.size);
  if (typeof context === 'number') return context;
  const flagsAt = BpfFlowKeys.offsets.flags;
  const others = context && [...context.subarray(0, flagsAt), ...context.subarray(flagsAt + 4)];
  if (others?.some((byte) => byte !== 0)) return -errno.EINVAL;
  const flags = context ? new DataView(context.buffer).getUint32(flagsAt, true) : 0;

  const dissector = BpfFlowDissector.alloc(ram);
  const keys = BpfFlowKeys.alloc(ram);
  const data = ram.kzalloc(packet.length);
  ram.u8.set(packet, data);
  dissector.flow_keys = keys.offset;
  dissector.data = data;
  dissector.data_end = (data + packet.length) as RamOffset;
  try {
    const start = kernel.nowNs();
    const repeat = Math.max(1, attr.repeat);
    let retval = 0;
    for (let i = 0; i < repeat; i++) {
      ram.u8.fill(0, keys.offset, keys.offset + BpfFlowKeys.size);
      keys.n_proto = ram.view.getUint16(data + 12, true);
      keys.nhoff = ETH_HLEN;
      keys.thoff = ETH_HLEN;
      keys.flags = flags;
      retval = program.prog.run(dissector.offset);
      keys.nhoff = clamp(keys.nhoff, ETH_HLEN, packet.length);
      keys.thoff = clamp(keys.thoff, keys.nhoff, packet.length);
    }
    const durationNs = Math.floor((kernel.nowNs() - start) / repeat);
    const found = ram.bytes(keys.offset, BpfFlowKeys.size).slice();
    const result = finishTestRun(attr, caller, { data: found, retval, durationNs });
    return result < 0 ? result : finishContext(attr, caller, context);
  } finally {
    for (const block of [dissector.offset, keys.offset, data]) ram.kfree(block);
  }
};

const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);
