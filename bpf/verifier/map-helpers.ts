/**
 * Which helpers go with which map types, both ways round (check_map_func_compatibility of 6.1).
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Helper } from '../helpers/helper.ts';
import type { BpfMap } from '../maps/map.ts';
import { type MapType, mapTypeNumber } from '../uapi.ts';
import { helperText, reject, type Checker } from './checker.ts';

const list = (names: string): ReadonlySet<string> => new Set(names.trim().split(/\s+/));

/** Map types that only these helpers take. Types not named take any helper that takes a map. */
const HELPERS_OF_MAP: Partial<Record<MapType, ReadonlySet<string>>> = {
  prog_array: list('tail_call'),
  perf_event_array: list(
    'perf_event_read perf_event_output skb_output perf_event_read_value xdp_output',
  ),
  ringbuf: list(`ringbuf_output ringbuf_reserve ringbuf_query ringbuf_reserve_dynptr
    ringbuf_submit_dynptr ringbuf_discard_dynptr`),
  user_ringbuf: list('user_ringbuf_drain'),
  stack_trace: list('get_stackid'),
  cgroup_array: list('skb_under_cgroup current_task_under_cgroup'),
  cgroup_storage: list('get_local_storage'),
  percpu_cgroup_storage: list('get_local_storage'),
  devmap: list('redirect_map map_lookup_elem'),
  devmap_hash: list('redirect_map map_lookup_elem'),
  cpumap: list('redirect_map'),
  xskmap: list('redirect_map map_lookup_elem'),
  array_of_maps: list('map_lookup_elem'),
  hash_of_maps: list('map_lookup_elem'),
  sockmap: list(`sk_redirect_map sock_map_update msg_redirect_map sk_select_reuseport
    map_lookup_elem`),
  sockhash: list(`sk_redirect_hash sock_hash_update msg_redirect_hash sk_select_reuseport
    map_lookup_elem`),
  reuseport_sockarray: list('sk_select_reuseport'),
  queue: list('map_peek_elem map_pop_elem map_push_elem'),
  stack: list('map_peek_elem map_pop_elem map_push_elem'),
  sk_storage: list('sk_storage_get sk_storage_delete'),
  inode_storage: list('inode_storage_get inode_storage_delete'),
  task_storage: list('task_storage_get task_storage_delete'),
  bloom_filter: list('map_peek_elem map_push_elem'),
};

/** Helpers that only take these map types. */
const MAPS_OF_HELPER: Readonly<Record<string, ReadonlySet<string>>> = {
  tail_call: list('prog_array'),
  perf_event_read: list('perf_event_array'),
  perf_event_output: list('perf_event_array'),
  perf_event_read_value: list('perf_event_array'),
  skb_output: list('perf_event_array'),
  xdp_output: list('perf_event_array'),
  ringbuf_output: list('ringbuf'),
  ringbuf_reserve: list('ringbuf'),
  ringbuf_query: list('ringbuf'),
  ringbuf_reserve_dynptr: list('ringbuf'),
  ringbuf_submit_dynptr: list('ringbuf'),
  ringbuf_discard_dynptr: list('ringbuf'),
  user_ringbuf_drain: list('user_ringbuf'),
  get_stackid: list('stack_trace'),
  current_task_under_cgroup: list('cgroup_array'),
  skb_under_cgroup: list('cgroup_array'),
  redirect_map: list('devmap devmap_hash cpumap xskmap'),
  sk_redirect_map: list('sockmap'),
  msg_redirect_map: list('sockmap'),
  sock_map_update: list('sockmap'),
  sk_redirect_hash: list('sockhash'),
  msg_redirect_hash: list('sockhash'),
  sock_hash_update: list('sockhash'),
  get_local_storage: list('cgroup_storage percpu_cgroup_storage'),
  sk_select_reuseport: list('reuseport_sockarray sockmap sockhash'),
  map_pop_elem: list('queue stack'),
  map_peek_elem: list('queue stack bloom_filter'),
  map_push_elem: list('queue stack bloom_filter'),
  map_lookup_percpu_elem: list('percpu_array percpu_hash lru_percpu_hash'),
  sk_storage_get: list('sk_storage'),
  sk_storage_delete: list('sk_storage'),
  inode_storage_get: list('inode_storage'),
  inode_storage_delete: list('inode_storage'),
  task_storage_get: list('task_storage'),
  task_storage_delete: list('task_storage'),
};

/** Program types in which no socket is locked, so socket maps may be changed. */
const UPDATES_SOCKMAP = list(`socket_filter sched_cls sched_act xdp sk_reuseport flow_dissector
  sk_lookup`);

function mayUpdateSockmap(c: Checker, helper: Helper): boolean {
  if (helper.name !== 'map_update_elem' && helper.name !== 'map_delete_elem') return false;
  const { type, expectedAttachType } = c.spec;
  if (type === 'tracing' && expectedAttachType === 'trace_iter') return true;
  if (type === 'sock_ops' && helper.name === 'map_delete_elem') return true;
  if (UPDATES_SOCKMAP.has(type)) return true;
  c.log.write('cannot update sockmap in this context\n');
  return false;
}

export function checkMapHelper(c: Checker, map: BpfMap | undefined, helper: Helper): void {
  if (!map) return;
  const { type } = map.spec;
  const takes = HELPERS_OF_MAP[type];
  const isSockMap = type === 'sockmap' || type === 'sockhash';
  let fits = !takes || takes.has(helper.name) || (isSockMap && mayUpdateSockmap(c, helper));
  const maps = MAPS_OF_HELPER[helper.name];
  if (maps && !maps.has(type)) fits = false;
  if (fits) return;
  const line =
    `cannot pass map_type ${mapTypeNumber(type)} into ` +
    `func ${helperText(helper.id)}#${helper.id}`;
  reject(c, errno.EINVAL, 'map-helper', line, {
    what: type,
    wanted: [...(maps ?? takes ?? [])].join(', '),
  });
}
