/**
 * Descriptors of BPF objects: anonymous files that hold a reference, can be mapped and polled where
 * the object is a ring buffer or a mmapable array, and tell about themselves in fdinfo.
 */
import type { BpfHandle } from '../../bpf/syscall/caller.ts';
import { releaseHandle } from '../../bpf/syscall/lookup.ts';
import type { BpfObject, LinkObject, MapObject, ProgObject } from '../../bpf/syscall/objects.ts';
import type { BpfMap } from '../../bpf/maps/map.ts';
import { permanentFlags } from '../../bpf/maps/map-type.ts';
import { RingbufMap } from '../../bpf/maps/ringbuf.ts';
import { mapTypeNumber, PROG_TYPES, uapi } from '../../bpf/uapi.ts';
import type { FileOps, PollSource } from '../fs/vfs-types.ts';
import { POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../fs/vfs-types.ts';
import type { MappedPages, MmapRequest } from '../mm/file-mapping.ts';
import { PROT_WRITE } from '../mm/vma.ts';
import { PAGE_SIZE } from '../ram/ram.ts';
import type { Task } from '../sched/task.ts';
import type { WaitQueue } from '../sched/wait-queue.ts';
import { errno } from '../types/errno.ts';
import type { RamOffset } from '../types/units.ts';

/** anon_inode names, as /proc/PID/fd shows them (kernel/bpf/syscall.c, btf.c). */
const LINK_NAMES: Readonly<Record<BpfObject['kind'], string>> = {
  map: 'anon_inode:bpf-map',
  prog: 'anon_inode:bpf-prog',
  link: 'anon_inode:bpf_link',
  btf: 'anon_inode:btf',
  stats: 'anon_inode:bpf-stats',
  iter: 'anon_inode:bpf_iter',
};

export class BpfFile implements FileOps, BpfHandle {
  readonly stream = true;
  readonly linkName: string;
  readonly object: BpfObject;
  readonly canRead: boolean;
  readonly canWrite: boolean;
  readonly #readersOf: (map: BpfMap) => WaitQueue;

  constructor(handle: BpfHandle, readersOf: (map: BpfMap) => WaitQueue) {
    this.object = handle.object;
    this.canRead = handle.canRead;
    this.canWrite = handle.canWrite;
    this.linkName = LINK_NAMES[handle.object.kind];
    this.#readersOf = readersOf;
  }

  /** Iterators: what the program writes. */
  read(sizeBytes: number): Uint8Array | number {
    return this.object.kind === 'iter' ? this.object.iteration.read(sizeBytes) : -errno.EINVAL;
  }

  /** Maps that wake readers can be waited for; everything else is always ready (as Linux's). */
  poll(watch: (queue: PollSource) => void): number {
    const map = this.object.kind === 'map' ? this.object.map : undefined;
    if (!(map instanceof RingbufMap)) return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
    watch(this.#readersOf(map));
    return map.availableBytes > 0 ? POLLIN | POLLRDNORM : 0;
  }

  mmap(request: MmapRequest): MappedPages | number {
    if (this.object.kind !== 'map') return -errno.ENODEV;
    const { map } = this.object;
    if (this.object.device) return -errno.ENOTSUPP;
    if (map instanceof RingbufMap) return this.#mapRingbuf(map, request);
    const first = map.directValue;
    if (first === undefined || !(map.spec.flags & uapi.BPF_F_MMAPABLE)) return -errno.ENOTSUPP;
    const writes = (request.prot & PROT_WRITE) !== 0;
    if (writes && map.frozen) return -errno.EPERM;
    if (writes && map.spec.flags & uapi.BPF_F_RDONLY_PROG) return -errno.EACCES;
    const pages = Math.ceil((map.elementBytes * map.spec.maxEntries) / PAGE_SIZE);
    return {
      page: (index) => (index < pages ? ((first + index * PAGE_SIZE) as RamOffset) : undefined),
    };
  }

  #mapRingbuf(map: RingbufMap, { prot, offset, length }: MmapRequest): MappedPages | number {
    const producer = map.spec.type === 'ringbuf';
    const { pages } = map;
    if (prot & PROT_WRITE) {
      // Only one's own position page may be written: the consumer's, or the producer's and the
      // data for a ring that user space fills.
      const ok = producer ? offset === 0 && length === PAGE_SIZE : offset >= PAGE_SIZE;
      if (!ok) return -errno.EPERM;
    }
    if (offset + length > pages.length * PAGE_SIZE) return -errno.EINVAL;
    return { page: (index) => pages[index] };
  }

  fdinfo(): string {
    const { object } = this;
    switch (object.kind) {
      case 'map': {
        const { spec, memoryBytes, id, frozen } = object.map;
        return table([
          ['map_type', mapTypeNumber(spec.type)],
          ['key_size', spec.keyBytes],
          ['value_size', spec.valueBytes],
          ['max_entries', spec.maxEntries],
          ['map_flags', `0x${permanentFlags(spec.flags).toString(16)}`],
          ['map_extra', `0x${(spec.mapExtra ?? 0n).toString(16)}`],
          ['memlock', memoryBytes],
          ['map_id', id],
          ['frozen', frozen ? 1 : 0],
          ...ownerRows(object),
        ]);
      }
      case 'prog': {
        const { prog, id } = object;
        return table([
          ['prog_type', PROG_TYPES.indexOf(prog.verified.spec.type)],
          ['prog_jited', prog.isJited ? 1 : 0],
          ['prog_tag', prog.tag],
          ['memlock', PAGE_SIZE],
          ['prog_id', id],
          ['run_time_ns', prog.runTimeNs],
          ['run_cnt', prog.runCnt],
          ['recursion_misses', 0],
          ['verified_insns', prog.verified.verifiedInsns],
        ]);
      }
      case 'link': {
        const { attachment, id, program } = object;
        return table([
          ['link_type', attachment.type],
          ['link_id', id],
          ['prog_tag', program.prog.tag],
          ['prog_id', program.id],
          ...linkRows(object),
        ]);
      }
      case 'btf':
        return table([['btf_id', object.id]]);
      case 'stats':
      case 'iter':
        return '';
    }
  }

  release(): void {
    releaseHandle(this);
  }
}

/** Which programs a prog_array takes. differs: whether they are compiled is no matter here. */
function ownerRows({ owner }: MapObject): readonly (readonly [string, unknown])[] {
  if (!owner) return [];
  return [
    ['owner_prog_type', PROG_TYPES.indexOf(owner.type)],
    ['owner_jited', 1],
  ];
}

/** What a link's type adds (show_fdinfo). */
function linkRows({ attachment }: LinkObject): readonly (readonly [string, unknown])[] {
  const { fields, name } = attachment.info();
  switch (attachment.type) {
    case 'raw_tracepoint':
      return [['tp_name', name]];
    case 'xdp':
      return [['ifindex', fields.xdp_ifindex]];
    case 'iter':
      return [
        ['target_name', name],
        ...(fields.iter_map_id === undefined ? [] : [['map_id', fields.iter_map_id] as const]),
      ];
    default:
      return [];
  }
}

function table(rows: readonly (readonly [name: string, value: unknown])[]): string {
  return rows.map(([name, value]) => `${name}:\t${String(value)}\n`).join('');
}

/** The handle behind a descriptor; null for a file of another kind. */
export function bpfHandle(task: Task, fd: number): BpfHandle | null | undefined {
  const file = task.files?.get(fd);
  if (!file) return undefined;
  return file.ops instanceof BpfFile ? file.ops : null;
}

/** The program that a descriptor stands for, or -EBADF, -EINVAL. */
export function progOfHandle(task: Task, fd: number): ProgObject | number {
  const handle = bpfHandle(task, fd);
  if (handle === undefined) return -errno.EBADF;
  return handle?.object.kind === 'prog' ? handle.object : -errno.EINVAL;
}
