/**
 * Programs that a socket map has for its sockets (sock_map_get_from_fd and its kin, 6.1): they run
 * for sockets that are in the map.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { AttachType } from '../uapi.ts';
import type { BpfCaller } from './caller.ts';
import { mapOfFd } from './lookup.ts';
import type { MapObject, ProgObject } from './objects.ts';
import type { Attr } from './subsystem.ts';

/** A map has a verdict for streams or for all sockets, not both. */
const EXCLUDES: Partial<Record<AttachType, AttachType>> = {
  sk_skb_stream_verdict: 'sk_skb_verdict',
  sk_skb_verdict: 'sk_skb_stream_verdict',
};

/** 0, or why there is no such place (sock_map_prog_lookup). */
function checkPlace({ map, sockProgs }: MapObject, at: AttachType): number {
  if (map.spec.type !== 'sockmap' && map.spec.type !== 'sockhash') return -errno.EOPNOTSUPP;
  const other = EXCLUDES[at];
  return other && sockProgs.has(other) ? -errno.EBUSY : 0;
}

export function attachToSockMap(
  program: ProgObject,
  attr: Attr<'prog_attach'>,
  at: AttachType,
  caller: BpfCaller,
): number {
  if (attr.attach_flags !== 0 || attr.replace_bpf_fd !== 0) return -errno.EINVAL;
  const map = mapOfFd(caller, attr.target_fd);
  if (typeof map === 'number') return map;
  const refused = checkPlace(map, at);
  if (refused < 0) return refused;
  const previous = map.sockProgs.get(at);
  map.sockProgs.set(at, program.get());
  previous?.put();
  return 0;
}

export function detachFromSockMap(map: MapObject, program: ProgObject, at: AttachType): number {
  const refused = checkPlace(map, at);
  if (refused < 0) return refused;
  if (map.sockProgs.get(at) !== program) return -errno.ENOENT;
  map.sockProgs.delete(at);
  program.put();
  return 0;
}

export function querySockMap(attr: Attr<'prog_query'>, at: AttachType, caller: BpfCaller): number {
  if (attr.query_flags !== 0) return -errno.EINVAL;
  const map = mapOfFd(caller, attr.target_fd);
  if (typeof map === 'number') return map;
  const refused = checkPlace(map, at);
  const program = refused < 0 ? undefined : map.sockProgs.get(at);
  const wanted = attr.prog_cnt > 0 && attr.prog_ids !== 0n;
  attr.attach_flags = 0;
  attr.prog_cnt = program ? 1 : 0;
  if (program && wanted) {
    const id = new Uint8Array(Uint32Array.of(program.id).buffer);
    if (!caller.copyToUser(attr.prog_ids, id)) return -errno.EFAULT;
  }
  return refused;
}
