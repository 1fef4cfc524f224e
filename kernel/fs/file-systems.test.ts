/** Files and devices as programs of a machine see them: through system calls, on what boot has mounted. */
import { describe, expect, it } from 'vitest';
import * as f from '../../user/libc/files.ts';
import { NR } from '../../user/libc/nr.ts';
import { exitStatus, fork, SIGPIPE, signaled, termSignal, wait4 } from '../../user/libc/tasks.ts';
import type { UserFlow } from '../syscall/abi.ts';
import { errno } from '../types/errno.ts';
import type { UserAddress } from '../types/units.ts';
import { makeDev } from './inode.ts';
import { S_IFCHR, S_IFIFO, S_IFMT, S_IFREG } from './vfs-types.ts';

import { onMachine, text, withPath } from '../../test/support/on-machine.ts';

describe('devices', () => {
  it('null, zero, full, random, and their numbers', async () => {
    const seen = await onMachine(function* (p) {
      const read = function* (path: string, count: number): UserFlow<Uint8Array | number> {
        const fd = yield* f.open(p, path, f.O_RDONLY);
        const data = yield* f.read(p, fd, count);
        yield* f.close(fd);
        return data;
      };
      return {
        nullRead: yield* read('/dev/null', 10),
        nullWrite: yield* f.writeFile(p, '/dev/null', 'gone'),
        zero: yield* read('/dev/zero', 4),
        full: yield* f.writeFile(p, '/dev/full', 'x'),
        random: yield* read('/dev/urandom', 8),
        stat: (yield* f.stat(p, '/dev/null')) as f.Stat,
        stdin: yield* f.readlink(p, '/dev/stdin'),
      };
    });
    expect(seen.nullRead).toEqual(new Uint8Array(0));
    expect(seen.nullWrite).toBe(0);
    expect(seen.zero).toEqual(new Uint8Array(4));
    expect(seen.full).toBe(-errno.ENOSPC);
    expect(seen.random).toHaveLength(8);
    expect(seen.stat.mode).toBe(S_IFCHR | 0o666);
    expect(seen.stat.rdev).toBe(makeDev(1, 3));
    expect(seen.stdin).toBe('/proc/self/fd/0');
  });

  it('random bytes depend on the seed alone', async () => {
    const bytes = (seed: number) =>
      onMachine(
        function* (p) {
          const fd = yield* f.open(p, '/dev/urandom', f.O_RDONLY);
          return yield* f.read(p, fd, 16);
        },
        { seed },
      );
    expect(await bytes(1)).toEqual(await bytes(1));
    expect(await bytes(1)).not.toEqual(await bytes(2));
  });

  it('/dev/kmsg gives one record a read and takes new ones', async () => {
    const seen = await onMachine(function* (p) {
      const fd = yield* f.open(p, '/dev/kmsg', f.O_RDWR | f.O_NONBLOCK);
      const first = yield* f.read(p, fd, 1000);
      const small = yield* f.read(p, fd, 3);
      yield* f.lseek(fd, 0, f.SEEK_END);
      const none = yield* f.read(p, fd, 1000);
      yield* f.writeAll(p, fd, '<4>from user space\n');
      const mine = yield* f.read(p, fd, 1000);
      return [first, small, none, mine].map((data) =>
        typeof data === 'number' ? data : new TextDecoder().decode(data),
      );
    });
    expect(seen[0]).toMatch(/^5,0,0,-;Linux version/);
    expect(seen.slice(1, 3)).toEqual([-errno.EINVAL, -errno.EAGAIN]);
    expect(seen[3]).toMatch(/^12,\d+,\d+,-;from user space\n$/);
  });

  it('ptmx makes a pair whose slave appears in /dev/pts', async () => {
    const seen = await onMachine(function* (p) {
      const master = yield* f.open(p, '/dev/ptmx', f.O_RDWR);
      const number = yield* p.take(4);
      yield* f.syscall(NR.ioctl, master, 0x80045430, number);
      const locked = yield* f.open(p, '/dev/pts/0', f.O_RDWR);
      p.memory.writeU32(number, 0);
      yield* f.syscall(NR.ioctl, master, 0x40045431, number);
      const slave = yield* f.open(p, '/dev/pts/0', f.O_RDWR);
      yield* f.writeAll(p, slave, 'out\n');
      const out = yield* f.read(p, master, 100);
      yield* f.writeAll(p, master, 'in\r');
      const line = yield* f.read(p, slave, 100);
      const stat = (yield* f.fstat(p, slave)) as f.Stat;
      const link = yield* f.readlink(p, `/proc/self/fd/${slave}`);
      yield* f.close(slave);
      yield* f.close(master);
      const gone = yield* f.open(p, '/dev/pts/0', f.O_RDWR);
      return { locked, out, line, stat, link, gone };
    });
    const decode = (data: unknown) => new TextDecoder().decode(data as Uint8Array);
    expect(seen.locked).toBe(-errno.EIO);
    expect([decode(seen.out), decode(seen.line)]).toEqual(['out\r\n', 'in\n']);
    expect([seen.stat.rdev, seen.link]).toEqual([makeDev(136, 0), '/dev/pts/0']);
    expect(seen.gone).toBe(-errno.ENOENT);
  });
});

describe('files', () => {
  it('struct stat has the members where x86-64 has them', async () => {
    const seen = await onMachine(
      function* (p) {
        yield* f.umask(0o077);
        yield* f.writeFile(p, '/tmp/f', 'x'.repeat(5000));
        yield* f.link(p, '/tmp/f', '/tmp/g');
        const buffer = yield* p.take(144);
        yield* withPath(p, NR.stat, '/tmp/f', buffer);
        return p.memory.read(buffer, 144).slice();
      },
      { bootEpochSeconds: 1_700_000_000 },
    );
    const view = new DataView(seen.buffer);
    const u64 = (at: number) => Number(view.getBigUint64(at, true));
    expect(u64(16)).toBe(2);
    expect(view.getUint32(24, true)).toBe(S_IFREG | 0o600);
    expect([view.getUint32(28, true), view.getUint32(32, true), u64(40)]).toEqual([0, 0, 0]);
    expect([u64(48), u64(56), u64(64)]).toEqual([5000, 4096, 16]);
    expect([u64(72), u64(88), u64(104)]).toEqual([1_700_000_000, 1_700_000_000, 1_700_000_000]);
    expect(u64(80)).toBeGreaterThan(0);
    expect(u64(80)).toBeLessThan(1e9);
  });

  it('getdents64 goes on where it stopped, and sees what rewinding brings', async () => {
    const seen = await onMachine(function* (p) {
      yield* f.mkdir(p, '/tmp/d');
      for (let i = 0; i < 50; i++) yield* f.writeFile(p, `/tmp/d/file-${i}`, '');
      const fd = yield* f.open(p, '/tmp/d', f.O_RDONLY | f.O_DIRECTORY);
      const buffer = yield* p.take(200);
      const sizes: number[] = [];
      let names = 0;
      for (;;) {
        const got = yield* f.syscall(NR.getdents64, fd, buffer, 200);
        sizes.push(got);
        if (got <= 0) break;
        const bytes = p.memory.read(buffer, got);
        for (let at = 0; at < got; at += bytes[at + 16]!) names++;
        // Removing what was listed must not make the rest skip.
        if (sizes.length === 1) yield* f.unlink(p, '/tmp/d/file-0');
      }
      const tooSmall = yield* f.lseek(fd, 0, f.SEEK_SET);
      const refused = yield* f.syscall(NR.getdents64, fd, buffer, 10);
      return { sizes, names, tooSmall, refused };
    });
    expect(seen.names).toBe(52);
    expect(seen.sizes.at(-1)).toBe(0);
    expect(Math.max(...seen.sizes)).toBeLessThanOrEqual(200);
    expect([seen.tooSmall, seen.refused]).toEqual([0, -errno.EINVAL]);
  });

  it('readv, writev, pread, pwrite, sendfile, truncate', async () => {
    const seen = await onMachine(function* (p) {
      const fd = yield* f.open(p, '/tmp/f', f.O_RDWR | f.O_CREAT);
      const [one, two] = [yield* p.takeString('hello '), yield* p.takeString('world')];
      const vectors = yield* p.take(32);
      const vector = (i: number, address: number, size: number) => {
        p.memory.writeU64((vectors + i * 16) as UserAddress, BigInt(address));
        p.memory.writeU64((vectors + i * 16 + 8) as UserAddress, BigInt(size));
      };
      vector(0, one, 6);
      vector(1, two, 5);
      const results = [yield* f.syscall(20, fd, vectors, 2)];
      results.push(yield* f.syscall(18, fd, two, 5, 0));
      results.push(yield* f.syscall(18, fd, two, 5, -1));
      const buffer = yield* p.take(16);
      vector(0, buffer, 3);
      vector(1, buffer + 8, 4);
      yield* f.lseek(fd, 0, f.SEEK_SET);
      results.push(yield* f.syscall(19, fd, vectors, 2));
      const scattered = p.memory.read(buffer, 12).slice();
      const out = yield* f.open(p, '/tmp/copy', f.O_WRONLY | f.O_CREAT);
      results.push(yield* f.syscall(40, out, fd, 0, 100));
      results.push(yield* f.ftruncate(fd, 3));
      results.push(yield* withPath(p, 76, '/tmp/copy', 8));
      return {
        results,
        scattered: [...scattered],
        f: yield* text(p, '/tmp/f'),
        copy: yield* text(p, '/tmp/copy'),
      };
    });
    expect(seen.results).toEqual([11, 5, -errno.EINVAL, 7, 4, 0, 0]);
    const code = (s: string) => [...s].map((c) => c.charCodeAt(0));
    expect(seen.scattered.slice(0, 3)).toEqual(code('wor'));
    expect(seen.scattered.slice(8, 12)).toEqual(code('ld w'));
    expect([seen.f, seen.copy]).toEqual(['wor', 'orld\0\0\0\0']);
  });

  it('descriptors: lowest first, dup, close-on-exec, limits', async () => {
    const seen = await onMachine(function* (p) {
      const a = yield* f.open(p, '/tmp', f.O_RDONLY);
      const b = yield* f.dup(a);
      yield* f.close(a);
      const c = yield* f.fcntl(b, f.F_DUPFD_CLOEXEC, 10);
      const flags = [yield* f.fcntl(b, 1), yield* f.fcntl(c, 1), yield* f.fcntl(b, f.F_GETFL)];
      const d = yield* f.dup2(b, b);
      const e = yield* f.syscall(292, b, b, 0);
      let last = 0;
      let count = 0;
      while ((last = yield* f.dup(b)) >= 0) count++;
      return { a, b, c, d, e, flags, last, count, bad: yield* f.close(999_999) };
    });
    expect(seen).toEqual({
      a: 3,
      b: 4,
      c: 10,
      d: 4,
      e: -errno.EINVAL,
      flags: [0, 1, 0o100000],
      last: -errno.EMFILE,
      count: 1024 - 5,
      bad: -errno.EBADF,
    });
  });

  it('EFAULT for buffers that are not there, and nothing is lost by it', async () => {
    const seen = await onMachine(function* (p) {
      const fd = yield* f.open(p, '/etc/hostname', f.O_RDONLY);
      return [
        yield* f.syscall(NR.read, fd, 0x10, 10),
        yield* f.syscall(NR.write, 1, 0x10, 10),
        yield* f.syscall(NR.stat, 0x10, 0x10),
        yield* f.syscall(NR.openat, -100, 0x10, 0, 0),
      ];
    });
    expect(seen).toEqual([-errno.EFAULT, -errno.EFAULT, -errno.EFAULT, -errno.EFAULT]);
  });

  it('mount and umount, and who may not', async () => {
    const seen = await onMachine(function* (p) {
      yield* f.mkdir(p, '/mnt/t');
      const results = [yield* f.mount(p, 'none', '/mnt/t', 'tmpfs', 0, 'size=4k')];
      results.push(yield* f.writeFile(p, '/mnt/t/f', 'x'.repeat(4097)));
      results.push(yield* f.umount(p, '/mnt/t'));
      results.push(yield* f.mount(p, 'none', '/mnt/t', 'nofs'));
      results.push(yield* f.umount(p, '/mnt/t'));
      const child = yield* fork(p, function* (c) {
        yield* f.syscall(105, 1000);
        return -(yield* f.mount(c, 'none', '/mnt/t', 'tmpfs'));
      });
      const { status } = yield* wait4(p, child);
      return [...results, exitStatus(status)];
    });
    expect(seen).toEqual([0, -errno.ENOSPC, 0, -errno.ENODEV, -errno.EINVAL, errno.EPERM]);
  });

  it('a writer whose reader is gone dies of SIGPIPE', async () => {
    const status = await onMachine(function* (p) {
      const ends = yield* f.pipe(p);
      if (typeof ends === 'number') return ends;
      const child = yield* fork(p, function* (c) {
        yield* f.close(ends.readEnd);
        for (;;) yield* f.writeAll(c, ends.writeEnd, 'x'.repeat(1000));
      });
      yield* f.close(ends.writeEnd);
      yield* f.read(p, ends.readEnd, 5000);
      yield* f.close(ends.readEnd);
      return (yield* wait4(p, child)).status;
    });
    expect([signaled(status), termSignal(status)]).toEqual([true, SIGPIPE]);
  });

  it('a FIFO connects two processes by name', async () => {
    const seen = await onMachine(function* (p) {
      yield* withPath(p, 133, '/tmp/fifo', S_IFIFO | 0o600, 0);
      const child = yield* fork(p, (c) => f.writeFile(c, '/tmp/fifo', 'through', f.O_WRONLY));
      const got = yield* text(p, '/tmp/fifo');
      yield* wait4(p, child);
      const stat = (yield* f.stat(p, '/tmp/fifo')) as f.Stat;
      return { got, type: stat.mode & S_IFMT };
    });
    expect(seen).toEqual({ got: 'through', type: S_IFIFO });
  });
});
