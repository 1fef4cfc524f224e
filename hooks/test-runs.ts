/** How BPF_PROG_TEST_RUN runs programs of a type; types that are not here cannot be. */
import type { TestRun } from '../bpf/syscall/test-run.ts';
import type { ProgType } from '../bpf/uapi.ts';
import { flowDissectorTestRun } from './test-run-flow-dissector.ts';
import { rawTracepointTestRun, syscallTestRun } from './test-run-plain.ts';
import { skLookupTestRun } from './test-run-sk-lookup.ts';
import { skbTestRun } from './test-run-skb.ts';
import { type DeviceByIndex, xdpTestRun } from './test-run-xdp.ts';

export function testRunOf(type: ProgType, deviceByIndex: DeviceByIndex): TestRun | undefined {
  switch (type) {
    case 'xdp':
      return xdpTestRun(deviceByIndex);
    case 'socket_filter':
    case 'sched_cls':
    case 'sched_act':
    case 'cgroup_skb':
    case 'lwt_in':
    case 'lwt_out':
    case 'lwt_xmit':
      return skbTestRun;
    case 'raw_tracepoint':
      return rawTracepointTestRun;
    case 'syscall':
      return syscallTestRun;
    case 'sk_lookup':
      return skLookupTestRun;
    case 'flow_dissector':
      return flowDissectorTestRun;
    default:
      return undefined;
  }
}
