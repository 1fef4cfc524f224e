/** What sweeps start from: for each map type the attributes that make one, and BTF for values. */
import { BtfBuilder } from '../../../bpf/btf/builder.ts';
import { intType } from '../../../bpf/btf/structs.ts';
import { mapTypeNumber } from '../../../bpf/uapi.ts';
import type { MapType } from '../../../bpf/uapi.ts';
import { toHex } from '../script.ts';
import type { Values } from '../kernel-objects.ts';
import type { Writer } from '../writer.ts';

/** Descriptors that some types need to be made. */
export interface Basis {
  readonly inner: string;
  readonly btf: string;
}

/** Types of `valueBtf()`, in their order. */
export const BTF_ID = {
  u32: 1,
  u64: 2,
  pair: 3,
  spinLock: 4,
  locked: 5,
  timer: 6,
  timed: 7,
  lockedTimed: 8,
} as const;

/** u32; u64; struct pair of 8 bytes; a spin lock, a timer, and structs that hold them. */
function valueBtf(): Uint8Array {
  const builder = new BtfBuilder();
  const u32 = builder.add(intType('u32', 4, false));
  const u64 = builder.add(intType('u64', 8, false));
  const struct = (
    name: string,
    size: number,
    members: readonly (readonly [string, number, number])[],
  ) =>
    builder.add({
      kind: 'struct',
      name,
      size,
      kindFlag: false,
      members: members.map(([member, type, at]) => ({
        name: member,
        type,
        bitOffset: at * 8,
        bitSize: 0,
      })),
    });
  struct('pair', 8, [
    ['a', u32, 0],
    ['b', u32, 4],
  ]);
  const lock = struct('bpf_spin_lock', 4, [['val', u32, 0]]);
  struct('locked', 8, [
    ['lock', lock, 0],
    ['count', u32, 4],
  ]);
  const timer = struct('bpf_timer', 16, [
    ['a', u64, 0],
    ['b', u64, 8],
  ]);
  struct('timed', 24, [
    ['timer', timer, 0],
    ['count', u64, 16],
  ]);
  struct('locked_timed', 24, [
    ['timer', timer, 0],
    ['lock', lock, 16],
    ['count', u32, 20],
  ]);
  return builder.build().bytes;
}

/** Makes them with all capabilities. */
export function basis(w: Writer): Basis {
  const bytes = valueBtf();
  const btf = w.call('btf_load', { btf: w.buf(toHex(bytes)), btf_size: bytes.length });
  return { inner: w.map('array'), btf };
}

const NO_KEY = ['queue', 'stack', 'bloom_filter', 'ringbuf', 'user_ringbuf'];
const LOCAL = ['sk_storage', 'inode_storage', 'task_storage'];

/** Attributes that Linux takes, as far as it takes any; `struct_ops` wants the kernel's BTF. */
export function taken(type: MapType, { inner, btf }: Basis): Values {
  const isRing = type.includes('ringbuf');
  const perOwner = LOCAL.includes(type) || type.includes('cgroup_storage');
  const holdsFds = /_array$|_of_maps|devmap|cpumap|xskmap|sock(map|hash)|sockarray/.test(type);
  return {
    map_type: mapTypeNumber(type),
    key_size: NO_KEY.includes(type)
      ? 0
      : type === 'lpm_trie'
        ? 8
        : type.includes('cgroup_storage')
          ? 16
          : 4,
    value_size: isRing ? 0 : type === 'percpu_array' ? 8 : holdsFds ? 4 : 8,
    max_entries: isRing ? 4096 : perOwner ? 0 : type === 'struct_ops' ? 1 : 4,
    ...((type === 'lpm_trie' || LOCAL.includes(type)) && { map_flags: 1 }),
    ...(type.endsWith('_of_maps') && { inner_map_fd: inner }),
    ...(LOCAL.includes(type) && {
      btf_fd: btf,
      btf_key_type_id: BTF_ID.u32,
      btf_value_type_id: BTF_ID.u64,
    }),
    ...(type === 'struct_ops' && { btf_vmlinux_value_type_id: 1 }),
  };
}
