/** Socket options about filters, the same for all families (SO_ATTACH_FILTER and its kin). */
import { checkClassic } from '../../bpf/cbpf/check.ts';
import {
  BPF_MAXINSNS,
  CLASSIC_INSN_BYTES,
  decodeClassic,
  encodeClassic,
  type ClassicInsn,
} from '../../bpf/cbpf/insn.ts';
import { translateClassic } from '../../bpf/cbpf/translate.ts';
import { progOfHandle } from '../bpf/bpf-file.ts';
import type { Kernel } from '../machine-types.ts';
import { bytesFromUser, fromUser, toUser } from '../mm/user-copy.ts';
import type { Socket } from '../net/socket.ts';
import type { SocketFilter } from '../net/socket-filter.ts';
import type { Task } from '../sched/task.ts';
import { errno } from '../types/errno.ts';
import type { RamOffset } from '../types/units.ts';

export const SOL_SOCKET = 1;
/** UAPI asm-generic/socket.h. */
const SO_ATTACH_FILTER = 26;
export const SO_GET_FILTER = SO_ATTACH_FILTER;
const SO_DETACH_FILTER = 27;
const SO_LOCK_FILTER = 44;
const SO_ATTACH_BPF = 50;
/** struct sock_fprog on x86-64. */
const FPROG_BYTES = 16;

/** setsockopt's result, or undefined where it is another option. */
export function setFilterOption(
  kernel: Kernel,
  task: Task,
  { filter: slot }: Socket,
  option: number,
  at: number,
  length: number,
): number | undefined {
  switch (option) {
    case SO_ATTACH_FILTER:
    case SO_ATTACH_BPF: {
      const refused = length < 4 ? -errno.EINVAL : undefined;
      const make = option === SO_ATTACH_BPF ? bpfFilter : classicFilter;
      const filter = refused ?? make(kernel, task, at, length, slot.locked);
      return typeof filter === 'number' ? filter : slot.attach(filter);
    }
    case SO_DETACH_FILTER:
    case SO_LOCK_FILTER: {
      const value = length < 4 ? -errno.EINVAL : fromUser(task, at, 4)?.getInt32(0, true);
      if (length < 4 || value === undefined) return value ?? -errno.EFAULT;
      if (option === SO_DETACH_FILTER) return slot.detach();
      if (slot.locked && value === 0) return -errno.EPERM;
      slot.locked = value !== 0;
      return 0;
    }
    default:
      return undefined;
  }
}

function classicFilter(
  kernel: Kernel,
  task: Task,
  at: number,
  length: number,
  locked: boolean,
): SocketFilter | number {
  if (length !== FPROG_BYTES) return -errno.EINVAL;
  const fprog = fromUser(task, at, FPROG_BYTES);
  if (!fprog) return -errno.EFAULT;
  if (locked) return -errno.EPERM;
  const count = fprog.getUint16(0, true);
  const from = Number(fprog.getBigUint64(8, true));
  if (from === 0 || count === 0 || count > BPF_MAXINSNS) return -errno.EINVAL;
  const bytes = bytesFromUser(task, from, count * CLASSIC_INSN_BYTES);
  if (!bytes) return -errno.EFAULT;
  const classic: readonly ClassicInsn[] = decodeClassic(bytes);
  const refused = checkClassic(classic);
  if (refused < 0) return refused;
  const { host } = kernel.bpf;
  const executable = host.interpreter.compile(translateClassic(classic, 'packet'), host.runtime);
  return {
    classic,
    ...onPacket(kernel, (skb) => executable.run(skb)),
    release: () => executable.free(),
  };
}

function bpfFilter(
  kernel: Kernel,
  task: Task,
  at: number,
  length: number,
  locked: boolean,
): SocketFilter | number {
  if (length !== 4) return -errno.EINVAL;
  const fd = fromUser(task, at, 4)?.getInt32(0, true);
  if (fd === undefined) return -errno.EFAULT;
  if (locked) return -errno.EPERM;
  const program = progOfHandle(task, fd);
  if (typeof program === 'number') return program;
  if (program.prog.verified.spec.type !== 'socket_filter') return -errno.EINVAL;
  program.get();
  return {
    ...onPacket(kernel, (skb) => program.prog.run(skb)),
    release: () => program.put(),
  };
}

/** The program, and it on an sk_buff around bytes, as many of which are kept as it says. */
function onPacket({ ram, network }: Kernel, run: (skb: RamOffset) => number) {
  const keep = (packet: Uint8Array): number => {
    const { skbs } = network.net;
    const skb = skbs.alloc(packet.length, 0);
    const { head } = skb.view;
    ram.u8.set(packet, skb.put(packet.length));
    const bytes = run(skb.offset);
    skbs.release(skb);
    ram.kfree(head);
    return Math.min(bytes, packet.length);
  };
  return { run, keep };
}

/** getsockopt(SO_GET_FILTER): a classic filter's instructions, with their number as the length. */
export function getFilter(
  task: Task,
  { filter: slot }: Socket,
  at: number,
  lengthAt: number,
): number {
  const room = fromUser(task, lengthAt, 4)?.getInt32(0, true);
  if (room === undefined) return -errno.EFAULT;
  if (room < 0) return -errno.EINVAL;
  const { filter } = slot;
  if (filter && !filter.classic) return -errno.EACCES;
  const insns = filter?.classic ?? [];
  if (room > 0 && insns.length > 0) {
    if (room < insns.length) return -errno.EINVAL;
    if (toUser(task, at, encodeClassic(insns)) < 0) return -errno.EFAULT;
  }
  const count = new Uint8Array(Int32Array.of(insns.length).buffer);
  return toUser(task, lengthAt, count);
}

/** getsockopt(SO_LOCK_FILTER); undefined where it is another option. */
export function filterOption({ filter }: Socket, option: number): Uint8Array | undefined {
  if (option !== SO_LOCK_FILTER) return undefined;
  return new Uint8Array(Int32Array.of(filter.locked ? 1 : 0).buffer);
}
