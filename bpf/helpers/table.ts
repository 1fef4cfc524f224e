/**
 * All helpers of Linux 6.1, ids 1 to 209 (UAPI linux/bpf.h, ___BPF_FUNC_MAPPER).
 *
 *   helpers               every row; an id with several prototypes has several
 *   helperByProto(name)   the row of one prototype
 *   helperName(id)        'map_lookup_elem' for 1, for dumps
 *
 * Which row a program gets for an id, if any, is decided in allow.ts.
 */
import { Bug } from '../../kernel/types/units.ts';
import type { Helper, HelperImplementation } from './helper.ts';
import { implementations } from './implementations.ts';
import { missing, refusal } from './missing.ts';
import { cgroupHelpers } from './protos-cgroup.ts';
import { coreHelpers } from './protos-core.ts';
import { mapHelpers } from './protos-map.ts';
import { skbHelpers } from './protos-skb.ts';
import { socketHelpers } from './protos-socket.ts';
import { traceHelpers } from './protos-trace.ts';
import { xdpHelpers } from './protos-xdp.ts';

export const MAX_HELPER_ID = 209;

const prototypes = [
  ...mapHelpers,
  ...coreHelpers,
  ...traceHelpers,
  ...xdpHelpers,
  ...skbHelpers,
  ...socketHelpers,
  ...cgroupHelpers,
];

/** Absent only for the tail call, which engines make themselves. */
function implementationOf(proto: string): HelperImplementation | undefined {
  const answer = missing[proto]?.answer;
  return answer === undefined ? implementations[proto] : refusal(answer);
}

export const helpers: readonly Helper[] = prototypes.map((prototype) => {
  const needs = missing[prototype.proto]?.needs;
  return {
    ...prototype,
    ...(needs !== undefined && { needs }),
    implementation: implementationOf(prototype.proto),
  };
});

const byProto = new Map(helpers.map((helper) => [helper.proto, helper]));
const nameById = new Map(helpers.map((helper) => [helper.id, helper.name]));

export function helperByProto(proto: string): Helper {
  const helper = byProto.get(proto);
  if (!helper) throw new Bug(`no helper prototype is called ${proto}`);
  return helper;
}

export function helperName(id: number): string | undefined {
  return nameById.get(id);
}
