/**
 * What the verifier knows of particular helpers beyond their prototypes, by name. (A helper's row
 * says what its arguments are; these say what the call means.)
 */
import { helpers } from '../helpers/table.ts';

const idsByName = new Map(helpers.map((helper) => [helper.name, helper.id]));
const ids = (...names: string[]): ReadonlySet<number> =>
  new Set(names.map((name) => idsByName.get(name)!));

const CALLBACK = ids(
  'for_each_map_elem',
  'timer_set_callback',
  'find_vma',
  'loop',
  'user_ringbuf_drain',
);
/** Calls one of the program's functions. */
export const isCallbackHelper = (id: number): boolean => CALLBACK.has(id);

const ACQUIRE = ids(
  'sk_lookup_tcp',
  'sk_lookup_udp',
  'skc_lookup_tcp',
  'ringbuf_reserve',
  'kptr_xchg',
);
/** Returns a reference that must be released. Lookups in socket maps do, too. */
export const isAcquire = (id: number): boolean => ACQUIRE.has(id);

const POINTER_CAST = ids(
  'tcp_sock',
  'sk_fullsock',
  'skc_to_tcp_sock',
  'skc_to_tcp6_sock',
  'skc_to_udp6_sock',
  'skc_to_mptcp_sock',
  'skc_to_tcp_timewait_sock',
  'skc_to_tcp_request_sock',
);
/** Returns its argument as another type; the reference stays the argument's. */
export const isPointerCast = (id: number): boolean => POINTER_CAST.has(id);

const REFINES_RETURN = ids(
  'get_stack',
  'get_task_stack',
  'probe_read_str',
  'probe_read_kernel_str',
  'probe_read_user_str',
);
/** Returns at most its size argument, or an error. */
export const returnsAtMostSize = (id: number): boolean => REFINES_RETURN.has(id);

const MAP_OPERATION = ids(
  'map_update_elem',
  'map_delete_elem',
  'map_push_elem',
  'map_pop_elem',
  'map_peek_elem',
  'redirect_map',
  'for_each_map_elem',
);
/** Calls that do_misc_fixups turns into ones of the map's own operation, of type int in 6.1. */
export const isMapOperation = (id: number): boolean => MAP_OPERATION.has(id);

const RECORDS_MAP = ids(
  'tail_call',
  'map_lookup_elem',
  'map_update_elem',
  'map_delete_elem',
  'map_push_elem',
  'map_pop_elem',
  'map_peek_elem',
  'for_each_map_elem',
  'redirect_map',
  'map_lookup_percpu_elem',
);
/** Needs a map whose identity is recorded with the call. */
export const recordsMap = (id: number): boolean => RECORDS_MAP.has(id);

const WRITES_MAP = ids('map_delete_elem', 'map_update_elem', 'map_push_elem', 'map_pop_elem');
export const writesMap = (id: number): boolean => WRITES_MAP.has(id);
