/** Which cgroup of the default hierarchy a packet's socket belongs to (net/core/filter.c, 6.1). */
import { errno } from '../../kernel/types/errno.ts';
import { SockCommon, TCP_NEW_SYN_RECV, TCP_TIME_WAIT } from '../../kernel/types/sock.ts';
import { SkBuff } from '../../kernel/types/skbuff.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { FdArrayMap } from '../maps/fd-array.ts';
import type { BpfRuntime } from '../runtime.ts';
import type { HelperImplementation } from './helper.ts';
import type { Implementations } from './implement.ts';
import { offset } from './implement.ts';

/** Id of the root of the default hierarchy. */
const ROOT_CGROUP_ID = 1n;

/** NULL for what is no full socket. */
function fullSock({ ram }: BpfRuntime, sk: RamOffset): RamOffset {
  if (sk === 0) return sk;
  const { skc_state: state } = SockCommon.at(ram, sk);
  return state === TCP_TIME_WAIT || state === TCP_NEW_SYN_RECV ? (0 as RamOffset) : sk;
}

const sockOfPacket = ({ ram }: BpfRuntime, ctx: RamOffset) => SkBuff.at(ram, ctx).sk;

type SockOf = (runtime: BpfRuntime, argument: RamOffset) => RamOffset;
const itself: SockOf = (_, argument) => argument;

const cgroupId = (sockOf: SockOf): HelperImplementation => ({
  pass: ['i32'],
  returns: 'i64',
  bind: (runtime) => (argument: number) => {
    const sk = fullSock(runtime, sockOf(runtime, offset(argument)));
    return sk === 0 ? 0n : (runtime.kernel.sockCgroupId?.(sk) ?? ROOT_CGROUP_ID);
  },
});

/** 0 where the cgroup is not that deep. */
const ancestorId = (sockOf: SockOf): HelperImplementation => ({
  pass: ['i32', 'i32'],
  returns: 'i64',
  bind: (runtime) => (argument: number, level: number) => {
    const sk = fullSock(runtime, sockOf(runtime, offset(argument)));
    if (sk === 0) return 0n;
    const found = runtime.kernel.sockAncestorCgroupId?.(sk, level);
    return found ?? (level === 0 ? ROOT_CGROUP_ID : 0n);
  },
});

export const sockCgroupImplementations: Implementations = {
  skb_cgroup_id: cgroupId(sockOfPacket),
  skb_ancestor_cgroup_id: ancestorId(sockOfPacket),
  sk_cgroup_id: cgroupId(itself),
  sk_ancestor_cgroup_id: ancestorId(itself),
  skb_under_cgroup: {
    pass: ['i32', 'i32', 'i32'],
    returns: 'i32',
    bind: (runtime) => (ctx: number, mapAt: number, index: number) => {
      const sk = fullSock(runtime, sockOfPacket(runtime, offset(ctx)));
      if (sk === 0) return -errno.ENOENT;
      const map = runtime.mapAt(offset(mapAt));
      if (!(map instanceof FdArrayMap) || index >>> 0 >= map.spec.maxEntries) return -errno.E2BIG;
      const cgroup = map.referenceAt(index >>> 0);
      if (cgroup === 0) return -errno.EAGAIN;
      return runtime.kernel.sockIsUnderCgroup?.(sk, cgroup) ? 1 : 0;
    },
  },
};
