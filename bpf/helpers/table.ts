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
import { cgroupHelpers } from './protos-cgroup.ts';
import { coreHelpers } from './protos-core.ts';
import { mapHelpers } from './protos-map.ts';
import { skbHelpers } from './protos-skb.ts';
import { socketHelpers } from './protos-socket.ts';
import type { Prototype } from './prototype.ts';
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

/** A helper that finds nothing, for those whose subsystem is missing and that may return NULL. */
const FINDS_NOTHING: HelperImplementation = { pass: [], returns: 'pointer', bind: () => () => 0 };

/** Programs rely on the type of what comes back: never an error number where a pointer may be. */
function fallback({ ret }: Prototype): HelperImplementation | undefined {
  return ret.nullable ? FINDS_NOTHING : undefined;
}

export const helpers: readonly Helper[] = prototypes.map((prototype) => ({
  ...prototype,
  implementation: implementations[prototype.proto] ?? fallback(prototype),
}));

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
