/** What the kernel shows of itself as files: procfs, sysfs, tracefs, bpffs. */
import { describe, expect, it } from 'vitest';
import { readDirectory } from '../../user/libc/directory.ts';
import * as f from '../../user/libc/files.ts';
import { NR } from '../../user/libc/nr.ts';
import { fork, wait4 } from '../../user/libc/tasks.ts';
import { errno } from '../types/errno.ts';
import type { UserAddress } from '../types/units.ts';
import { pinnedObject, pinObject } from './bpffs.ts';
import { S_IFDIR, S_IFREG } from './vfs-types.ts';

import { onMachine, text } from '../../test/support/on-machine.ts';

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
