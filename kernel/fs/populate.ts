/**
 * The root file system at boot: standard directories, device nodes, pseudo file systems mounted
 * where everybody expects them, and the files of the machine's configuration.
 */
import type { Ns } from '../types/units.ts';
import { Bug } from '../types/units.ts';
import { EXECUTABLE_MAGIC } from '../syscall/abi.ts';
import { Devpts } from '../tty/devpts.ts';
import type { Ptys } from '../tty/pty.ts';
import { Bpffs } from './bpffs.ts';
import { DEVICE_NODES } from './devices.ts';
import { MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RELATIME } from './fcntl.ts';
import type { TmpfsDirectory } from './tmpfs.ts';
import { Tmpfs } from './tmpfs.ts';
import type { FileSystem } from './vfs-types.ts';
import { S_IFCHR } from './vfs-types.ts';
import type { Vfs } from './vfs.ts';

export interface RootContents {
  readonly vfs: Vfs;
  readonly ptys: Ptys;
  readonly ramBytes: number;
  readonly procfs: FileSystem;
  readonly sysfs: FileSystem;
  readonly tracefs: FileSystem;
  readonly debugfs: FileSystem;
  readonly hostname: string;
  /** Names of executables; each becomes /bin/NAME, or its own path if it starts with '/'. */
  readonly programs: Iterable<string>;
  readonly files: Readonly<Record<string, Uint8Array | string>>;
}

/** Modes other than 755. */
const DIRECTORIES: readonly (readonly [path: string, mode?: number])[] = [
  ['/bin'],
  ['/boot'],
  ['/dev'],
  ['/etc'],
  ['/home'],
  ['/lib'],
  ['/mnt'],
  ['/opt'],
  ['/proc', 0o555],
  ['/root', 0o700],
  ['/run'],
  ['/sbin'],
  ['/sys', 0o555],
  ['/tmp', 0o1777],
  ['/usr'],
  ['/usr/bin'],
  ['/usr/sbin'],
  ['/usr/lib'],
  ['/usr/share'],
  ['/usr/local'],
  ['/usr/local/bin'],
  ['/var'],
  ['/var/log'],
  ['/var/tmp', 0o1777],
];

const PSEUDO = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME;

/** Mounts everything; the root path exists from here on. */
export function populate(contents: RootContents): void {
  const { vfs, ptys, ramBytes } = contents;
  const now = () => vfs.environment.now();
  // Half of RAM, as tmpfs sizes itself by default.
  const maxBytes = ramBytes / 2;
  vfs.mounts.mountRoot(new Tmpfs({ type: 'rootfs', dev: vfs.newDevice(), now, maxBytes }));
  for (const [path, mode] of DIRECTORIES) must(vfs.makeDirectories(path, mode));
  const dev = new Tmpfs({
    type: 'devtmpfs',
    dev: vfs.newDevice(),
    now,
    maxBytes,
    options: 'mode=755',
  });
  const mount = (fs: FileSystem, path: string, flags: number, source: string = fs.type): void => {
    const at = vfs.kernelLookup(path);
    if (typeof at === 'number') throw new Bug(`no mount point ${path}`);
    must(vfs.mounts.mount(fs, at, flags, source));
  };
  mount(contents.procfs, '/proc', PSEUDO, 'proc');
  mount(contents.sysfs, '/sys', PSEUDO, 'sysfs');
  mount(dev, '/dev', MS_NOSUID | MS_RELATIME, 'devtmpfs');
  addDeviceNodes(dev.root);
  mount(new Devpts(vfs.newDevice(), ptys, now), '/dev/pts', MS_NOSUID | MS_NOEXEC | MS_RELATIME);
  const shm = new Tmpfs({ dev: vfs.newDevice(), now, maxBytes, rootMode: 0o1777 });
  mount(shm, '/dev/shm', MS_NOSUID | MS_NODEV | MS_RELATIME, 'tmpfs');
  mount(new Bpffs(vfs.newDevice(), now, 'mode=700'), '/sys/fs/bpf', PSEUDO, 'bpf');
  mount(contents.tracefs, '/sys/kernel/tracing', PSEUDO, 'tracefs');
  const { debugfs } = contents;
  mount(debugfs, '/sys/kernel/debug', PSEUDO, 'debugfs');
  mount(contents.tracefs, '/sys/kernel/debug/tracing', PSEUDO, 'tracefs');
  vfs.registerFileSystem('devtmpfs', () => dev);
  vfs.registerFileSystem('debugfs', () => debugfs);
  registerTypes(contents, now, maxBytes);
  addFiles(contents);
}

function must(result: unknown): void {
  if (typeof result === 'number' && result < 0) throw new Bug(`boot: file system error ${result}`);
}

function addDeviceNodes(dev: TmpfsDirectory): void {
  for (const { name, device, mode } of DEVICE_NODES) dev.mknod(name, S_IFCHR | mode, device);
  dev.mkdir('pts', 0o755);
  dev.mkdir('shm', 0o755);
  dev.symlink('fd', '/proc/self/fd');
  dev.symlink('stdin', '/proc/self/fd/0');
  dev.symlink('stdout', '/proc/self/fd/1');
  dev.symlink('stderr', '/proc/self/fd/2');
}

/** What mount(2) can make: one instance for views of kernel state, a new one for storage. */
function registerTypes(contents: RootContents, now: () => Ns, maxBytes: number): void {
  const { vfs } = contents;
  vfs.registerFileSystem('proc', () => contents.procfs);
  vfs.registerFileSystem('sysfs', () => contents.sysfs);
  vfs.registerFileSystem('tracefs', () => contents.tracefs);
  vfs.registerFileSystem('bpf', (options) => new Bpffs(vfs.newDevice(), now, options));
  vfs.registerFileSystem('devpts', () => new Devpts(vfs.newDevice(), contents.ptys, now));
  vfs.registerFileSystem('tmpfs', (options) => {
    const size = /(?:^|,)size=(\d+)([kmg]?)/i.exec(options);
    const mode = /(?:^|,)mode=([0-7]+)/.exec(options);
    const unit = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }[size?.[2]?.toLowerCase() ?? ''] ?? 1;
    return new Tmpfs({
      dev: vfs.newDevice(),
      now,
      maxBytes: size ? Number(size[1]) * unit : maxBytes,
      rootMode: mode ? parseInt(mode[1]!, 8) : 0o1777,
      ...(options === '' ? {} : { options }),
    });
  });
}

const ETC: Readonly<Record<string, string>> = {
  '/etc/passwd':
    'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
  '/etc/group': 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n',
  '/etc/hosts': '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n',
  '/etc/os-release': 'NAME="skep"\nID=skep\nPRETTY_NAME="skep"\n',
};

function addFiles({ vfs, hostname, programs, files }: RootContents): void {
  const text = new TextEncoder();
  const write = (path: string, data: Uint8Array | string, mode?: number): void =>
    must(vfs.writeFile(path, typeof data === 'string' ? text.encode(data) : data, mode));
  for (const [path, content] of Object.entries(ETC)) write(path, content);
  write('/etc/hostname', `${hostname}\n`);
  for (const name of programs) {
    write(name.startsWith('/') ? name : `/bin/${name}`, `${EXECUTABLE_MAGIC}${name}`, 0o755);
  }
  for (const [path, data] of Object.entries(files)) {
    write(path, data, startsLikeProgram(data) ? 0o755 : 0o644);
  }
}

/** Scripts and executables are installed ready to run. */
function startsLikeProgram(data: Uint8Array | string): boolean {
  const head =
    typeof data === 'string' ? data.slice(0, 5) : String.fromCharCode(...data.slice(0, 5));
  return head.startsWith('#!') || head === EXECUTABLE_MAGIC;
}
