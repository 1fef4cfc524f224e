/**
 * From a descriptor to the object behind it, with Linux's errnos: -EBADF for no descriptor,
 * -EINVAL for one of something else.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { BpfCaller, BpfHandle } from './caller.ts';
import type { BpfObject, BtfObject, LinkObject, MapObject, ProgObject } from './objects.ts';

type ObjectOf<K extends BpfObject['kind']> = Extract<BpfObject, { kind: K }>;

export function objectOfFd<K extends BpfObject['kind']>(
  caller: BpfCaller,
  fd: number,
  kind: K,
): ObjectOf<K> | number {
  const handle = caller.handleOfFd(fd);
  if (handle === undefined) return -errno.EBADF;
  if (handle === null || handle.object.kind !== kind) return -errno.EINVAL;
  return handle.object as ObjectOf<K>;
}

export const mapOfFd = (caller: BpfCaller, fd: number): MapObject | number =>
  objectOfFd(caller, fd, 'map');
export const progOfFd = (caller: BpfCaller, fd: number): ProgObject | number =>
  objectOfFd(caller, fd, 'prog');
export const btfOfFd = (caller: BpfCaller, fd: number): BtfObject | number =>
  objectOfFd(caller, fd, 'btf');
export const linkOfFd = (caller: BpfCaller, fd: number): LinkObject | number =>
  objectOfFd(caller, fd, 'link');

/** A map with the permissions of its descriptor; a frozen map is not written from user space. */
export interface OpenMap {
  readonly object: MapObject;
  readonly canRead: boolean;
  readonly canWrite: boolean;
  readonly handle: BpfHandle;
}

export function openMap(caller: BpfCaller, fd: number): OpenMap | number {
  const handle = caller.handleOfFd(fd);
  if (handle === undefined) return -errno.EBADF;
  if (handle === null || handle.object.kind !== 'map') return -errno.EINVAL;
  const { object, canRead, canWrite } = handle;
  return { object, canRead, canWrite: canWrite && !object.map.frozen, handle };
}

/** A descriptor for an object just made or found; the caller's reference passes to it. */
export function install(
  caller: BpfCaller,
  object: BpfObject,
  access: Pick<BpfHandle, 'canRead' | 'canWrite'> = { canRead: true, canWrite: true },
): number {
  const fd = caller.installFd({ object, ...access });
  if (fd < 0) object.putUser();
  return fd;
}

/** A descriptor's last holder has closed it. */
export function releaseHandle(handle: BpfHandle): void {
  const { object } = handle;
  if (object.kind === 'map') object.dropAddedBy(handle);
  object.putUser();
}

/** A larger struct is refused outright. */
const PAGE_BYTES = 4096;

/**
 * A struct of the user's that may be longer than the kernel's, if only zeros follow
 * (bpf_check_uarg_tail_zero). -E2BIG otherwise, or -EFAULT.
 */
export function userStruct(
  caller: BpfCaller,
  address: bigint,
  givenBytes: number,
  knownBytes: number,
): Uint8Array | number {
  if (givenBytes > PAGE_BYTES) return -errno.E2BIG;
  const given = caller.copyFromUser(address, givenBytes);
  if (!given) return -errno.EFAULT;
  return given.subarray(knownBytes).some((byte) => byte !== 0) ? -errno.E2BIG : given;
}

/** A NUL-terminated string of a user's, cut at `limit` bytes; undefined: not readable. */
export function userString(caller: BpfCaller, address: bigint, limit: number): string | undefined {
  let text = '';
  while (text.length < limit) {
    const byte = caller.copyFromUser(address + BigInt(text.length), 1);
    if (!byte) return undefined;
    if (byte[0] === 0) return text;
    text += String.fromCharCode(byte[0]!);
  }
  return text;
}

/**
 * The name of a map or program: NUL-terminated, zero after it, alphanumeric, '_' and '.'
 * (bpf_obj_name_cpy). Undefined for anything else: -EINVAL.
 */
export function objectName(raw: Uint8Array): string | undefined {
  const end = raw.indexOf(0);
  const name = String.fromCharCode(...raw.subarray(0, Math.max(end, 0)));
  const rest = raw.subarray(end);
  const good = end >= 0 && rest.every((byte) => byte === 0) && /^[A-Za-z0-9_.]*$/.test(name);
  return good ? name : undefined;
}
