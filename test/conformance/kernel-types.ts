/**
 * The few kernel types that the recorded programs depend on, as Linux 6.1 with its test module has
 * them (net/bpf/test_run.c, include/linux/bpf.h), so that no whole kernel is needed to verify them.
 */
import type { Btf } from '../../bpf/btf/btf.ts';
import { btfFromStructs } from '../../bpf/btf/structs.ts';
import { BpfMapStruct } from '../../kernel/types/bpf-map.ts';
import { embed, i32, pointer, struct, u32, u64 } from '../../kernel/types/struct.ts';

const Member1 = struct('prog_test_member1', { a: i32 });
const Member = struct('prog_test_member', { m: embed(Member1), c: i32 });
const RefKfunc = struct('prog_test_ref_kfunc', {
  a: i32,
  b: i32,
  memb: embed(Member),
  next: pointer('prog_test_ref_kfunc'),
  cnt: i32,
});

const MapOps = struct('bpf_map_ops', { map_alloc_check: pointer('void') });
const BpfArray = struct('bpf_array', { map: embed(BpfMapStruct), elem_size: u32, index_mask: u32 });
const BpfHtab = struct('bpf_htab', { map: embed(BpfMapStruct), n_buckets: u32, elem_size: u32 });

/** Each socket type starts with the one before. */
const SockCommon = struct('sock_common', { skc_addrpair: u64 }, { size: 136 });
const Sock = struct('sock', { __sk_common: embed(SockCommon) }, { size: 760 });
const InetSock = struct('inet_sock', { sk: embed(Sock) });
const ConnectionSock = struct('inet_connection_sock', { icsk_inet: embed(InetSock) });
const TcpSock = struct('tcp_sock', { inet_conn: embed(ConnectionSock) });
const RequestSock = struct('request_sock', { __req_common: embed(SockCommon) });
const InetRequest = struct('inet_request_sock', { req: embed(RequestSock) });
const TcpRequest = struct('tcp_request_sock', { req: embed(InetRequest) });

const types = btfFromStructs([
  Member1,
  Member,
  RefKfunc,
  MapOps,
  BpfMapStruct,
  BpfArray,
  BpfHtab,
  SockCommon,
  Sock,
  InetSock,
  ConnectionSock,
  TcpSock,
  RequestSock,
  InetRequest,
  TcpRequest,
]);

export const kernelTypes = (): Btf => types;
