/** Program types that attach to control groups. */
import {
  ctxAccess,
  narrow,
  packet,
  packetEnd,
  pointerTo,
  stored,
  whole,
  type FieldRule,
} from '../bpf/ctx-fields.ts';
import type { ProgContext, ProgTypeOps, ReturnRange } from '../bpf/prog-type.ts';
import { convertSock } from '../bpf/sock-convert.ts';
import { UapiCgroupDev, UapiSock, UapiSockAddr, UapiSockopt, UapiSysctl } from '../bpf/uapi-ctx.ts';
import type { AttachType } from '../bpf/uapi.ts';
import { SOCK_RULES } from '../bpf/verifier/sockets.ts';
import { skbAccess } from './skb-ctx.ts';
import { convertSkb } from './skb-convert.ts';

const attachedAs =
  (...types: readonly AttachType[]) =>
  ({ expectedAttachType }: ProgContext): boolean =>
    types.includes(expectedAttachType);

/** 0 refuses, 1 allows. */
const allowOrRefuse = (): ReturnRange => ({ min: 0, max: 1 });
const onlyEgress = ({ expectedAttachType }: ProgContext) =>
  expectedAttachType === 'cgroup_inet_egress';
const capable = ({ bpfCapable }: ProgContext) => bpfCapable;

export const cgroupSkb: ProgTypeOps = {
  type: 'cgroup_skb',
  ctxStruct: '__sk_buff',
  access: skbAccess({
    hides: ['tc_classid', 'data_meta', 'wire_len'],
    stores: ['mark', 'priority', 'cb', 'tstamp'],
    members: {
      data: { ...packet, load: capable },
      data_end: { ...packetEnd, load: capable },
      tstamp: { store: capable },
    },
  }),
  convert: convertSkb,
  packet: 'read',
  // Egress programs may also say that the link is congested (2, 3).
  returnRange: (ctx) => ({ min: 0, max: onlyEgress(ctx) ? 3 : 1 }),
  enforcedRange: (ctx) => (onlyEgress(ctx) ? { min: 2, max: 3 } : undefined),
  unprivileged: true,
  attachTypes: ['cgroup_inet_ingress', 'cgroup_inet_egress'],
};

const inet4Bind = attachedAs('cgroup_inet4_post_bind');
const inet6Bind = attachedAs('cgroup_inet6_post_bind');
const anyBind = attachedAs('cgroup_inet4_post_bind', 'cgroup_inet6_post_bind');
const createOrRelease = attachedAs('cgroup_inet_sock_create', 'cgroup_inet_sock_release');
const duringCreate: FieldRule = { load: createOrRelease, store: createOrRelease };

export const cgroupSock: ProgTypeOps = {
  type: 'cgroup_sock',
  ctxStruct: 'bpf_sock',
  access: ctxAccess(
    UapiSock,
    {
      ...SOCK_RULES,
      bound_dev_if: duringCreate,
      mark: duringCreate,
      priority: duringCreate,
      src_ip4: narrow({ load: inet4Bind }),
      src_ip6: narrow({ load: inet6Bind }),
      src_port: { narrow: 'start', load: anyBind },
    },
    { otherwise: whole },
  ),
  convert: convertSock,
  packet: 'none',
  returnRange: allowOrRefuse,
  requires: 'net_admin',
  attachTypes: [
    'cgroup_inet_sock_create',
    'cgroup_inet_sock_release',
    'cgroup_inet4_post_bind',
    'cgroup_inet6_post_bind',
  ],
};

const IPV4: readonly AttachType[] = [
  'cgroup_inet4_bind',
  'cgroup_inet4_connect',
  'cgroup_inet4_getpeername',
  'cgroup_inet4_getsockname',
  'cgroup_udp4_sendmsg',
  'cgroup_udp4_recvmsg',
];
const IPV6: readonly AttachType[] = [
  'cgroup_inet6_bind',
  'cgroup_inet6_connect',
  'cgroup_inet6_getpeername',
  'cgroup_inet6_getsockname',
  'cgroup_udp6_sendmsg',
  'cgroup_udp6_recvmsg',
];
const address = (rule: FieldRule, ...types: readonly AttachType[]): FieldRule => ({
  ...rule,
  narrow: 'anywhere',
  load: attachedAs(...types),
  store: attachedAs(...types),
});
const wide: FieldRule = { wide: true };

/** recvmsg, getpeername and getsockname cannot refuse; bind may also allow a privileged port. */
function sockAddrReturn({ expectedAttachType: attach }: ProgContext): ReturnRange {
  if (/_(recvmsg|getpeername|getsockname)$/.test(attach)) return { min: 1, max: 1 };
  return { min: 0, max: attach.endsWith('_bind') ? 3 : 1 };
}

export const cgroupSockAddr: ProgTypeOps = {
  type: 'cgroup_sock_addr',
  ctxStruct: 'bpf_sock_addr',
  access: ctxAccess(UapiSockAddr, {
    user_family: whole,
    user_ip4: address({}, ...IPV4),
    user_ip6: address(wide, ...IPV6),
    user_port: narrow({ store: true }),
    family: whole,
    type: whole,
    protocol: whole,
    msg_src_ip4: address({}, 'cgroup_udp4_sendmsg'),
    msg_src_ip6: address(wide, 'cgroup_udp6_sendmsg'),
    sk: pointerTo('sock'),
  }),
  packet: 'none',
  returnRange: sockAddrReturn,
  requires: 'net_admin',
  attachTypes: [...IPV4, ...IPV6],
};

export const cgroupDevice: ProgTypeOps = {
  type: 'cgroup_device',
  ctxStruct: 'bpf_cgroup_dev_ctx',
  access: ctxAccess(UapiCgroupDev, { access_type: narrow(), major: whole, minor: whole }),
  plainCtx: true,
  packet: 'none',
  returnRange: allowOrRefuse,
  requires: 'net_admin',
};

export const cgroupSysctl: ProgTypeOps = {
  type: 'cgroup_sysctl',
  ctxStruct: 'bpf_sysctl',
  access: ctxAccess(UapiSysctl, { write: narrow(), file_pos: narrow(stored()) }),
  packet: 'none',
  returnRange: allowOrRefuse,
  requires: 'net_admin',
};

const getting = attachedAs('cgroup_getsockopt');
const setting = attachedAs('cgroup_setsockopt');

export const cgroupSockopt: ProgTypeOps = {
  type: 'cgroup_sockopt',
  ctxStruct: 'bpf_sockopt',
  access: ctxAccess(UapiSockopt, {
    sk: pointerTo('sock'),
    optval: packet,
    optval_end: packetEnd,
    level: { store: setting },
    optname: { store: setting },
    optlen: stored(),
    retval: { load: getting, store: getting },
  }),
  packet: 'option',
  returnRange: allowOrRefuse,
  requires: 'net_admin',
  attachTypes: ['cgroup_getsockopt', 'cgroup_setsockopt'],
};
