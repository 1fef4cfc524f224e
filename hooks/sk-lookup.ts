/** Programs that choose the socket of a packet: sk_lookup, sk_reuseport, and the flow dissector. */
import {
  ctxAccess,
  narrow,
  packet,
  packetEnd,
  pointerOrNull,
  pointerTo,
  whole,
} from '../bpf/ctx-fields.ts';
import type { CtxAccess, ProgTypeOps } from '../bpf/prog-type.ts';
import { UapiSkBuff, UapiSkLookup, UapiSkReuseport } from '../bpf/uapi-ctx.ts';
import { convertFlowDissector, convertSkLookup } from './sk-lookup-convert.ts';

/** 2 bytes, of which a 4-byte load is allowed as it was 4 bytes once. */
const remotePort = {
  custom: (_off: number, bytes: number, write: boolean): CtxAccess | undefined => {
    if (write || bytes > 4) return undefined;
    return bytes === 4 ? { kind: 'scalar' } : { kind: 'scalar', fieldBytes: 2 };
  },
};

export const skLookup: ProgTypeOps = {
  type: 'sk_lookup',
  ctxStruct: 'bpf_sk_lookup',
  access: ctxAccess(
    UapiSkLookup,
    { sk: pointerOrNull('sock'), remote_port: remotePort },
    { otherwise: narrow() },
  ),
  convert: convertSkLookup,
  packet: 'none',
  // SK_DROP and SK_PASS.
  returnRange: () => ({ min: 0, max: 1 }),
  attachTypes: ['sk_lookup'],
};

export const skReuseport: ProgTypeOps = {
  type: 'sk_reuseport',
  ctxStruct: 'sk_reuseport_md',
  access: ctxAccess(UapiSkReuseport, {
    data: packet,
    data_end: packetEnd,
    hash: whole,
    sk: pointerTo('sock'),
    migrating_sk: pointerOrNull('sock_common'),
    // The kernel has 2 bytes of it; less cannot be loaded.
    eth_protocol: {
      custom: (_off, bytes, write) =>
        !write && (bytes === 2 || bytes === 4) ? { kind: 'scalar', fieldBytes: 4 } : undefined,
    },
    ip_protocol: narrow(),
    bind_inany: narrow(),
    len: narrow(),
  }),
  packet: 'read',
  attachTypes: ['sk_reuseport_select', 'sk_reuseport_select_or_migrate'],
};

export const flowDissector: ProgTypeOps = {
  type: 'flow_dissector',
  ctxStruct: '__sk_buff',
  access: ctxAccess(UapiSkBuff, {
    data: packet,
    data_end: packetEnd,
    flow_keys: pointerTo('flow_keys'),
  }),
  convert: convertFlowDissector,
  packet: 'read',
  requires: 'net_admin',
};
