/**
 * The structs by which file attributes cross to user space on x86-64: struct stat (UAPI asm/stat.h),
 * struct statx (linux/stat.h), struct statfs (asm-generic/statfs.h), struct linux_dirent64.
 */
import { majorOf, minorOf } from '../fs/inode.ts';
import type { Mount } from '../fs/mount.ts';
import type { DirectoryEntry, Inode } from '../fs/vfs-types.ts';
import { S_IFMT, S_IFREG } from '../fs/vfs-types.ts';
import { encodeText } from '../types/text.ts';
import type { Ns } from '../types/units.ts';
import { MS_NOATIME, MS_NODEV, MS_NOEXEC, MS_NOSUID, NAME_MAX } from '../fs/fcntl.ts';

export const STAT_BYTES = 144;
export const STATX_BYTES = 256;
export const STATFS_BYTES = 120;
const BLOCK_BYTES = 4096;
const BILLION = 1_000_000_000;

/** 512-byte units, whole pages, as tmpfs counts them. */
const blocksOf = (inode: Inode): number =>
  (inode.mode & S_IFMT) === S_IFREG ? Math.ceil(inode.size / BLOCK_BYTES) * 8 : 0;

interface Timestamp {
  readonly seconds: number;
  readonly nanoseconds: number;
}

function wallTime(time: Ns, bootEpochSeconds: number): Timestamp {
  const seconds = Math.floor(time / BILLION);
  return { seconds: bootEpochSeconds + seconds, nanoseconds: time - seconds * BILLION };
}

export const bootTime = (seconds: number, nanoseconds: number, bootEpochSeconds: number): Ns =>
  ((seconds - bootEpochSeconds) * BILLION + nanoseconds) as Ns;

const timesOf = (inode: Inode, epoch: number) => ({
  atime: wallTime(inode.atime ?? inode.mtime, epoch),
  mtime: wallTime(inode.mtime, epoch),
  ctime: wallTime(inode.ctime ?? inode.mtime, epoch),
});

export function encodeStat(inode: Inode, bootEpochSeconds: number): Uint8Array {
  const bytes = new Uint8Array(STAT_BYTES);
  const view = new DataView(bytes.buffer);
  const u64 = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  u64(0, inode.fs.dev);
  u64(8, inode.ino);
  u64(16, inode.nlink);
  view.setUint32(24, inode.mode, true);
  view.setUint32(28, inode.uid, true);
  view.setUint32(32, inode.gid, true);
  u64(40, inode.rdev);
  u64(48, inode.size);
  u64(56, BLOCK_BYTES);
  u64(64, blocksOf(inode));
  const { atime, mtime, ctime } = timesOf(inode, bootEpochSeconds);
  for (const [at, time] of [
    [72, atime],
    [88, mtime],
    [104, ctime],
  ] as const) {
    view.setBigInt64(at, BigInt(time.seconds), true);
    u64(at + 8, time.nanoseconds);
  }
  return bytes;
}

/** STATX_BASIC_STATS */
const BASIC_STATS = 0x7ff;
/** STATX_MNT_ID */
const MNT_ID = 0x1000;

export function encodeStatx(inode: Inode, mount: Mount, bootEpochSeconds: number): Uint8Array {
  const bytes = new Uint8Array(STATX_BYTES);
  const view = new DataView(bytes.buffer);
  const u32 = (at: number, value: number) => view.setUint32(at, value, true);
  const u64 = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  u32(0, BASIC_STATS | MNT_ID);
  u32(4, BLOCK_BYTES);
  u32(16, inode.nlink);
  u32(20, inode.uid);
  u32(24, inode.gid);
  view.setUint16(28, inode.mode, true);
  u64(32, inode.ino);
  u64(40, inode.size);
  u64(48, blocksOf(inode));
  const { atime, mtime, ctime } = timesOf(inode, bootEpochSeconds);
  for (const [at, time] of [
    [64, atime],
    [96, ctime],
    [112, mtime],
  ] as const) {
    view.setBigInt64(at, BigInt(time.seconds), true);
    u32(at + 8, time.nanoseconds);
  }
  u32(128, majorOf(inode.rdev));
  u32(132, minorOf(inode.rdev));
  u32(136, majorOf(inode.fs.dev));
  u32(140, minorOf(inode.fs.dev));
  u64(144, mount.id);
  return bytes;
}

/** ST_VALID, and the ST_* of the mount flags (linux/statfs.h). */
const ST_VALID = 0x20;
const ST_NOATIME = 0x400;
const ST_RELATIME = 0x1000;

export function encodeStatfs(mount: Mount): Uint8Array {
  const { fs, flags } = mount;
  const usage = fs.usage?.() ?? { totalBytes: 0, freeBytes: 0, inodes: 0 };
  const bytes = new Uint8Array(STATFS_BYTES);
  const view = new DataView(bytes.buffer);
  const u64 = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  const free = Math.floor(usage.freeBytes / BLOCK_BYTES);
  u64(0, fs.magic ?? 0);
  u64(8, BLOCK_BYTES);
  u64(16, Math.floor(usage.totalBytes / BLOCK_BYTES));
  u64(24, free);
  u64(32, free);
  u64(40, usage.inodes);
  view.setUint32(56, fs.dev, true);
  u64(64, NAME_MAX);
  u64(72, BLOCK_BYTES);
  const kept = flags & (1 | MS_NOSUID | MS_NODEV | MS_NOEXEC);
  u64(80, ST_VALID | kept | (flags & MS_NOATIME ? ST_NOATIME : ST_RELATIME));
  return bytes;
}

/** struct linux_dirent64: ino, off, reclen, type, name; padded to 8 bytes. */
export function encodeDirent64({ name, inode }: DirectoryEntry, nextOffset: number): Uint8Array {
  const nameBytes = encodeText(name);
  const length = Math.ceil((19 + nameBytes.length + 1) / 8) * 8;
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(inode.ino), true);
  view.setBigInt64(8, BigInt(nextOffset), true);
  view.setUint16(16, length, true);
  view.setUint8(18, (inode.mode & S_IFMT) >> 12);
  bytes.set(nameBytes, 19);
  return bytes;
}
