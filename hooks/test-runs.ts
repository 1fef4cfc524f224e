/** How BPF_PROG_TEST_RUN runs programs of a type; types that are not here cannot be. */
import type { TestRun } from '../bpf/syscall/test-run.ts';
import type { ProgType } from '../bpf/uapi.ts';
import { type DeviceByIndex, xdpTestRun } from './test-run-xdp.ts';

export function testRunOf(type: ProgType, deviceByIndex: DeviceByIndex): TestRun | undefined {
  switch (type) {
    case 'xdp':
      return xdpTestRun(deviceByIndex);
    default:
      return undefined;
  }
}
