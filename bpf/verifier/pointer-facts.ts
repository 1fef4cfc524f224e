/** What memory instructions touch, for engines and devices: one kind on all paths, or `mixed`. */
import type { PointerKind } from '../program.ts';
import type { Checker } from './checker.ts';
import type { RegKind, RegType } from './reg.ts';

const KINDS: Partial<Record<RegKind, PointerKind>> = {
  ctx: 'ctx',
  fp: 'stack',
  pkt: 'packet',
  pkt_meta: 'packet_meta',
  map_value: 'map_value',
  map_key: 'mem',
  mem: 'mem',
  buf: 'mem',
  tp_buffer: 'mem',
  flow_keys: 'mem',
  map_ptr: 'mem',
  ptr_: 'btf',
  sock: 'sock',
  sock_common: 'sock',
  tcp_sock: 'sock',
  xdp_sock: 'sock',
};

export function notePointer(c: Checker, type: RegType): void {
  const aux = c.aux(c.insn);
  const kind = KINDS[type.kind] ?? 'mixed';
  aux.pointer = aux.pointer === undefined || aux.pointer === kind ? kind : 'mixed';
}
