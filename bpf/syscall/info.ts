/**
 * BPF_OBJ_GET_INFO_BY_FD: what tools know of an object. The caller's struct may be shorter or
 * longer than the kernel's; its pointers and counts are read first, and counts are always
 * answered with what there is, whether or not there was room for it.
 */
import { errno } from '../../kernel/types/errno.ts';
import {
  BPF_BTF_INFO,
  BPF_LINK_INFO,
  BPF_LINK_INFO_BYTES,
  BPF_MAP_INFO,
  BPF_PROG_INFO,
} from '../info.ts';
import { permanentFlags } from '../maps/map-type.ts';
import { LINK_TYPES, mapTypeNumber } from '../uapi.ts';
import type { BpfCaller } from './caller.ts';
import type { BtfObject, LinkObject, MapObject, ProgObject } from './objects.ts';
import { userStruct } from './lookup.ts';
import { deviceInfo } from './offload.ts';
import { progInfo } from './prog-info.ts';
import type { Attr, BpfSubsystem } from './subsystem.ts';

export function objGetInfoByFd(
  bpf: BpfSubsystem,
  attr: Attr<'obj_get_info_by_fd'>,
  caller: BpfCaller,
): number {
  const handle = caller.handleOfFd(attr.bpf_fd);
  if (handle === undefined) return -errno.EBADFD;
  if (handle === null) return -errno.EINVAL;
  if (handle.object.kind === 'stats' || handle.object.kind === 'iter') return -errno.EINVAL;
  const { object } = handle;
  const sizeBytes = {
    prog: BPF_PROG_INFO.sizeBytes,
    map: BPF_MAP_INFO.sizeBytes,
    btf: BPF_BTF_INFO.sizeBytes,
    link: BPF_LINK_INFO_BYTES,
  }[object.kind];
  const given = userStruct(caller, attr.info, attr.info_len, sizeBytes);
  if (typeof given === 'number') return given;
  const wanted = given.subarray(0, sizeBytes);
  const answer = answerFor(bpf, object, wanted, caller);
  if (typeof answer === 'number') return answer;
  const bytes = new Uint8Array(sizeBytes);
  bytes.set(answer);
  attr.info_len = Math.min(attr.info_len, sizeBytes);
  return caller.copyToUser(attr.info, bytes.subarray(0, attr.info_len)) ? 0 : -errno.EFAULT;
}

function answerFor(
  bpf: BpfSubsystem,
  object: ProgObject | MapObject | BtfObject | LinkObject,
  wanted: Uint8Array,
  caller: BpfCaller,
): Uint8Array | number {
  switch (object.kind) {
    case 'prog':
      return progInfo(bpf, object, wanted, caller);
    case 'map':
      return mapInfo(object);
    case 'btf':
      return btfInfo(object, wanted, caller);
    case 'link':
      return linkInfo(object, wanted, caller);
  }
}

function mapInfo({ map, btf, device }: MapObject): Uint8Array | number {
  if (device && !device.present) return -errno.ENODEV;
  const { spec } = map;
  return BPF_MAP_INFO.encode({
    type: mapTypeNumber(spec.type),
    id: map.id,
    key_size: spec.keyBytes,
    value_size: spec.valueBytes,
    max_entries: spec.maxEntries,
    map_flags: permanentFlags(spec.flags),
    map_extra: spec.mapExtra ?? 0n,
    ...(device && deviceInfo(device)),
    name: spec.name,
    btf_id: btf?.id ?? 0,
    btf_key_type_id: spec.btfKeyTypeId ?? 0,
    btf_value_type_id: spec.btfValueTypeId ?? 0,
  });
}

function btfInfo(
  { btf, id, name, isKernel }: BtfObject,
  wanted: Uint8Array,
  caller: BpfCaller,
): Uint8Array | number {
  const ask = BPF_BTF_INFO.decode(wanted);
  const room = Math.min(ask.btf_size, btf.bytes.length);
  if (!caller.copyToUser(ask.btf, btf.bytes.subarray(0, room))) return -errno.EFAULT;
  if ((ask.name === 0n) !== (ask.name_len === 0)) return -errno.EINVAL;
  if (ask.name !== 0n) {
    const result = copyName(caller, ask.name, ask.name_len, name);
    if (result < 0) return result;
  }
  return BPF_BTF_INFO.encode({
    btf: ask.btf,
    btf_size: btf.bytes.length,
    id,
    name: ask.name,
    name_len: name.length,
    kernel_btf: isKernel ? 1 : 0,
  });
}

function linkInfo(link: LinkObject, wanted: Uint8Array, caller: BpfCaller): Uint8Array | number {
  const { fields, name } = link.attachment.info();
  const head = {
    type: LINK_TYPES.indexOf(link.attachment.type),
    id: link.id,
    prog_id: link.program.id,
  };
  if (name === undefined) return BPF_LINK_INFO.encode({ ...head, ...fields });
  // Address and length of the name stand at the same place for all links that have one.
  const ask = BPF_LINK_INFO.decode(wanted);
  if ((ask.tp_name === 0n) !== (ask.tp_name_len === 0)) return -errno.EINVAL;
  if (ask.tp_name !== 0n) {
    const result = copyName(caller, ask.tp_name, ask.tp_name_len, name);
    if (result < 0) return result;
  }
  return BPF_LINK_INFO.encode({
    ...head,
    tp_name: ask.tp_name,
    tp_name_len: name.length + 1,
    ...fields,
  });
}

/** The name with its NUL; cut, and -ENOSPC, where the buffer is too small. */
function copyName(caller: BpfCaller, address: bigint, room: number, name: string): number {
  const kept = new TextEncoder().encode(`${name.slice(0, room - 1)}\0`);
  if (!caller.copyToUser(address, kept)) return -errno.EFAULT;
  return name.length >= room ? -errno.ENOSPC : 0;
}
