/** Files as programs of a machine see them: through system calls, on what boot has mounted. */
import { describe, expect, it } from 'vitest';
import { coreModule } from '../../test/support/assets.ts';
import { readDirectory } from '../../user/libc/directory.ts';
import * as f from '../../user/libc/files.ts';
import { NR } from '../../user/libc/nr.ts';
import type { Process } from '../../user/libc/process.ts';
import { program } from '../../user/libc/process.ts';
import { exitStatus, fork, SIGPIPE, signaled, termSignal, wait4 } from '../../user/libc/tasks.ts';
import type { MachineConfig } from '../config.ts';
import type { Machine } from '../machine.ts';
import { bootMachine } from '../machine.ts';
import type { UserFlow } from '../syscall/abi.ts';
import { errno } from '../types/errno.ts';
import type { UserAddress } from '../types/units.ts';
import { pinnedObject, pinObject } from './bpffs.ts';
import { makeDev } from './inode.ts';
import { S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG } from './vfs-types.ts';

const POWER_OFF = [0xfee1dead, 0x28121969, 0x4321fedc] as const;

/** Run `body` as the first process of a machine, until the machine is off. */
async function onMachine<T>(
  body: (p: Process, machine: Machine) => UserFlow<T>,
  config: MachineConfig = {},
): Promise<T> {
  let outcome: { value: T } | undefined;
  const init = program(function* (p) {
    outcome = { value: yield* body(p, machine) };
    yield* f.syscall(169, ...POWER_OFF);
    return 0;
  });
  const programs = new Map([['/sbin/init', init]]);
  const machine = await bootMachine({ programs, ...config }, { core: await coreModule() });
  const result = await machine.runAsync({ untilNs: 60e9 });
  expect(result).toEqual({ reason: 'halted', how: 'poweroff' });
  return outcome!.value;
}

const text = (p: Process, path: string) => f.readTextFile(p, path);

/** A system call with a path first. */
function* withPath(p: Process, nr: number, path: string, ...args: number[]): UserFlow<number> {
  const mark = p.mark();
  const result = yield* f.syscall(nr, yield* p.takeString(path), ...args);
  p.release(mark);
  return result;
}

describe('procfs', () => {
  it('shows a process to itself', async () => {
    const seen = await onMachine(function* (p) {
      yield* f.open(p, '/etc/hostname', f.O_RDONLY | f.O_CLOEXEC);
      yield* f.chdir(p, '/tmp');
      return {
        cmdline: yield* text(p, '/proc/self/cmdline'),
        comm: yield* text(p, '/proc/self/comm'),
        stat: yield* text(p, '/proc/self/stat'),
        status: yield* text(p, '/proc/self/status'),
        maps: yield* text(p, '/proc/self/maps'),
        cwd: yield* f.readlink(p, '/proc/self/cwd'),
        exe: yield* f.readlink(p, '/proc/1/exe'),
        fd0: yield* f.readlink(p, '/proc/self/fd/0'),
        fd3: yield* f.readlink(p, '/proc/self/fd/3'),
        fdinfo: yield* text(p, '/proc/self/fdinfo/3'),
        viaFd: yield* text(p, '/proc/self/fd/3'),
        task: (yield* readDirectory(p, '/proc/self/task')) as { name: string }[],
        nobody: yield* text(p, '/proc/4711/stat'),
        kthread: yield* f.readlink(p, '/proc/2/exe'),
      };
    });
    expect(seen.cmdline).toBe('/sbin/init\0');
    expect(seen.comm).toBe('init\n');
    const fields = (seen.stat as string).trimEnd().split(' ');
    expect(fields).toHaveLength(52);
    expect(fields.slice(0, 5)).toEqual(['1', '(init)', 'R', '0', '1']);
    expect(seen.status).toMatch(/^Name:\tinit\nUmask:\t0022\nState:\tR \(running\)\nTgid:\t1\n/);
    expect(seen.status).toContain('CapEff:\t000001ffffffffff\n');
    for (const line of (seen.maps as string).trimEnd().split('\n')) {
      expect(line).toMatch(/^[0-9a-f]{8,}-[0-9a-f]{8,} [r-][w-][x-][sp] [0-9a-f]{8} ..:.. \d+ ?/);
    }
    expect(seen.maps).toMatch(/r-xp .{20,} \/sbin\/init\n/);
    expect([seen.cwd, seen.exe, seen.fd0]).toEqual(['/tmp', '/sbin/init', '/dev/console']);
    expect([seen.fd3, seen.viaFd]).toEqual(['/etc/hostname', 'skep\n']);
    expect(seen.fdinfo).toMatch(/^pos:\t0\nflags:\t02100000\nmnt_id:\t\d+\nino:\t\d+\n$/);
    expect(seen.task.map(({ name }) => name)).toEqual(['.', '..', '1']);
    expect([seen.nobody, seen.kthread]).toEqual([-errno.ENOENT, -errno.ENOENT]);
  });

  it('tells of the machine', async () => {
    const seen = await onMachine(
      function* (p) {
        return {
          version: yield* text(p, '/proc/version'),
          cmdline: yield* text(p, '/proc/cmdline'),
          mounts: yield* text(p, '/proc/mounts'),
          stat: yield* text(p, '/proc/stat'),
          softirqs: yield* text(p, '/proc/softirqs'),
          interrupts: yield* text(p, '/proc/interrupts'),
          uptime: yield* text(p, '/proc/uptime'),
          meminfo: yield* text(p, '/proc/meminfo'),
          online: yield* text(p, '/sys/devices/system/cpu/online'),
        };
      },
      { cpus: 2, cmdline: 'console=ttyS0 quiet' },
    );
    expect(seen.version).toMatch(/^Linux version 6\.1\.0-skep /);
    expect(seen.cmdline).toBe('console=ttyS0 quiet\n');
    expect(seen.mounts).toContain('proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0\n');
    expect(seen.mounts).toContain(
      'bpf /sys/fs/bpf bpf rw,nosuid,nodev,noexec,relatime,mode=700 0 0\n',
    );
    expect(seen.stat).toMatch(
      /^cpu {2}(\d+ ){9}\d+\ncpu0 .*\ncpu1 .*\nintr \d+\nctxt \d+\nbtime \d+\n/,
    );
    expect(seen.softirqs).toMatch(/^ {20}CPU0 {7}CPU1 {7}\n {10}HI: {10}0 {10}0\n/);
    expect(seen.interrupts).toMatch(
      /^ {11}CPU0 {7}CPU1 {7}\nLOC: +\d+ +\d+ {3}Local timer interrupts\n/,
    );
    expect(seen.uptime).toMatch(/^\d+\.\d\d \d+\.\d\d\n$/);
    expect(seen.meminfo).toMatch(/^MemTotal: +26\d{4} kB\nMemFree: +\d+ kB\n/);
    expect(seen.online).toBe('0-1\n');
  });

  it('sysctls check what is written', async () => {
    const seen = await onMachine(function* (p) {
      const sysctl = (name: string) => `/proc/sys/${name}`;
      const put = (name: string, value: string) => f.writeFile(p, sysctl(name), value);
      const results = {
        stats: yield* put('kernel/bpf_stats_enabled', '1\n'),
        tooMuch: yield* put('kernel/bpf_stats_enabled', '2\n'),
        word: yield* put('kernel/bpf_stats_enabled', 'yes\n'),
        locked: yield* put('kernel/unprivileged_bpf_disabled', '1\n'),
        unlocked: yield* put('kernel/unprivileged_bpf_disabled', '0\n'),
        readOnly: yield* put('kernel/osrelease', '7.0\n'),
        host: yield* put('kernel/hostname', 'bee\n'),
      };
      return {
        ...results,
        value: yield* text(p, sysctl('kernel/bpf_stats_enabled')),
        printk: yield* text(p, sysctl('kernel/printk')),
        hostname: yield* text(p, sysctl('kernel/hostname')),
      };
    });
    expect(seen).toEqual({
      stats: 0,
      tooMuch: -errno.EINVAL,
      word: -errno.EINVAL,
      locked: 0,
      unlocked: -errno.EPERM,
      readOnly: -errno.EIO,
      host: 0,
      value: '1\n',
      printk: '4\t4\t1\t7\n',
      hostname: 'bee\n',
    });
  });
});

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

describe('sysfs', () => {
  it('shows interfaces below their bus and by class, and takes a new MTU', async () => {
    const nics = [{ name: 'eth0', queues: 2, mac: '02:00:00:00:00:07' }];
    const seen = await onMachine(
      function* (p) {
        const eth0 = '/sys/class/net/eth0';
        return {
          names: (yield* readDirectory(p, '/sys/class/net')) as { name: string }[],
          link: yield* f.readlink(p, eth0),
          address: yield* text(p, `${eth0}/address`),
          back: yield* text(p, `${eth0}/subsystem/eth0/device/net/eth0/ifindex`),
          queues: (yield* readDirectory(p, `${eth0}/queues`)) as { name: string }[],
          set: yield* f.writeFile(p, `${eth0}/mtu`, '1400\n'),
          bad: yield* f.writeFile(p, `${eth0}/mtu`, '10\n'),
          mtu: yield* text(p, `${eth0}/mtu`),
          dev: yield* text(p, '/proc/net/dev'),
          interrupts: yield* text(p, '/proc/interrupts'),
        };
      },
      { nics },
    );
    const names = (entries: { name: string }[]) => entries.map(({ name }) => name).slice(2);
    expect(names(seen.names)).toEqual(['lo', 'eth0']);
    expect(seen.link).toBe('../../devices/pci0000:00/0000:00:03.0/net/eth0');
    expect([seen.address, seen.back]).toEqual(['02:00:00:00:00:07\n', '2\n']);
    expect(names(seen.queues)).toEqual(['rx-0', 'rx-1', 'tx-0', 'tx-1']);
    expect([seen.set, seen.bad, seen.mtu]).toEqual([0, -errno.EINVAL, '1400\n']);
    expect(seen.dev).toMatch(/\n {2}eth0: {7}0 {7}0 {4}0 {4}0 {4}0 {5}0 {10}0 {9}0 {8}0 /);
    expect(seen.interrupts).toMatch(/\n 24: +0 +0 {3}PCI-MSI-edge {6}eth0-TxRx-0\n 25:/);
  });

  it('gives the kernel’s BTF whole', async () => {
    const seen = await onMachine(function* (p) {
      const btf = yield* f.readFile(p, '/sys/kernel/btf/vmlinux');
      const stat = (yield* f.stat(p, '/sys/kernel/btf/vmlinux')) as f.Stat;
      return { btf: btf as Uint8Array, size: stat.size };
    });
    // BTF_MAGIC, little-endian.
    expect([...seen.btf.slice(0, 2)]).toEqual([0x9f, 0xeb]);
    expect(seen.btf.length).toBe(seen.size);
  });
});

describe('tracefs', () => {
  it('enables events, formats them, filters them, and shows the trace', async () => {
    const T = '/sys/kernel/tracing';
    const seen = await onMachine(function* (p) {
      const event = `${T}/events/syscalls/sys_enter_getpid`;
      const format = yield* text(p, `${event}/format`);
      const id = yield* text(p, `${event}/id`);
      const before = yield* text(p, `${event}/enable`);
      yield* f.writeFile(p, `${event}/enable`, '1\n');
      const after = yield* text(p, `${event}/enable`);
      const some = yield* text(p, `${T}/events/syscalls/enable`);
      const set = yield* text(p, `${T}/set_event`);
      yield* f.syscall(NR.getpid);
      yield* f.writeFile(p, `${T}/trace_marker`, 'hello marker\n');
      yield* f.writeFile(p, `${event}/enable`, '0');
      const trace = yield* text(p, `${T}/trace`);
      yield* f.writeFile(p, `${T}/trace`, '');
      const cleared = yield* text(p, '/sys/kernel/debug/tracing/trace');
      const bad = [
        yield* f.writeFile(p, `${event}/enable`, '2'),
        yield* f.writeFile(p, `${T}/set_event`, 'no_such_event'),
        yield* f.writeFile(p, `${T}/current_tracer`, 'function'),
        yield* f.writeFile(p, `${event}/format`, 'x'),
      ];
      const list = yield* readDirectory(p, `${T}/events/sched`);
      return { format, id, before, after, some, set, trace, cleared, bad, list };
    });
    expect(seen.format).toMatch(
      /^name: sys_enter_getpid\nID: \d+\nformat:\n\tfield:unsigned short common_type;/,
    );
    expect(seen.format).toContain(`ID: ${(seen.id as string).trim()}\n`);
    expect([seen.before, seen.after, seen.some]).toEqual(['0\n', '1\n', 'X\n']);
    expect(seen.set).toBe('syscalls:sys_enter_getpid\n');
    expect(seen.trace).toMatch(/ +init-1 +\[00\d\] \S{5} +\d+\.\d{6}: sys_getpid\(\)\n/);
    expect(seen.trace).toMatch(/: tracing_mark_write: hello marker\n/);
    expect(seen.cleared).not.toContain('init-1');
    expect(seen.bad.slice(0, 3)).toEqual([-errno.EINVAL, -errno.EINVAL, -errno.EINVAL]);
    expect(seen.bad[3]).toBeLessThan(0);
    expect((seen.list as { name: string }[]).map(({ name }) => name)).toContain('sched_switch');
  });

  it('trace_pipe sleeps until something happens, and consumes', async () => {
    const seen = await onMachine(function* (p) {
      const pipe = '/sys/kernel/debug/tracing/trace_pipe';
      const child = yield* fork(p, function* (c) {
        const interval = yield* c.take(16);
        c.memory.writeU64(interval, 0n);
        c.memory.writeU64((interval + 8) as UserAddress, 5_000_000n);
        yield* f.syscall(NR.nanosleep, interval, 0);
        yield* f.writeFile(c, '/sys/kernel/tracing/trace_marker', 'late');
        return 0;
      });
      const fd = yield* f.open(p, pipe, f.O_RDONLY | f.O_NONBLOCK);
      const early = yield* f.read(p, fd, 1000);
      yield* f.fcntl(fd, f.F_SETFL, 0);
      const line = yield* f.read(p, fd, 1000);
      yield* wait4(p, child);
      yield* f.fcntl(fd, f.F_SETFL, f.O_NONBLOCK);
      return { early, line, again: yield* f.read(p, fd, 1000) };
    });
    expect(seen.early).toBe(-errno.EAGAIN);
    expect(new TextDecoder().decode(seen.line as Uint8Array)).toMatch(
      /: tracing_mark_write: late\n$/,
    );
    expect(seen.again).toBe(-errno.EAGAIN);
  });
});

describe('bpffs', () => {
  it('keeps what is pinned until its name is gone', async () => {
    const seen = await onMachine(function* (p, machine) {
      let references = 1;
      const object = { putUser: () => void references-- };
      const task = machine.sched.current;
      const { vfs } = machine;
      const results: unknown[] = [pinObject(vfs, task, '/sys/fs/bpf/prog', object)];
      results.push(pinObject(vfs, task, '/sys/fs/bpf/prog', object));
      results.push(pinObject(vfs, task, '/tmp/prog', object));
      results.push(pinObject(vfs, task, '/sys/fs/bpf/a.b', object));
      results.push(pinnedObject(vfs, task, '/sys/fs/bpf/prog', true) === object);
      results.push(pinnedObject(vfs, task, '/etc/passwd', false));
      results.push(yield* f.mkdir(p, '/sys/fs/bpf/dir'));
      results.push(yield* f.rename(p, '/sys/fs/bpf/prog', '/sys/fs/bpf/dir/moved'));
      const list = (yield* readDirectory(p, '/sys/fs/bpf/dir')) as { name: string }[];
      results.push(list.map(({ name }) => name));
      results.push(yield* f.open(p, '/sys/fs/bpf/dir/moved', f.O_RDONLY));
      const stat = (yield* f.stat(p, '/sys/fs/bpf/dir/moved')) as f.Stat;
      results.push(stat.mode === (S_IFREG | 0o600), references);
      results.push(yield* f.unlink(p, '/sys/fs/bpf/dir/moved'), references);
      const top = (yield* f.stat(p, '/sys/fs/bpf')) as f.Stat;
      // mode=700, and sticky as the root of a bpffs always is.
      results.push(top.mode === (S_IFDIR | 0o1700));
      return results;
    });
    expect(seen).toEqual([
      0,
      -errno.EEXIST,
      -errno.EPERM,
      -errno.EPERM,
      true,
      -errno.EACCES,
      0,
      0,
      ['.', '..', 'moved'],
      -errno.EIO,
      true,
      1,
      0,
      0,
      true,
    ]);
  });
});
