/**
 * A session of the host's bpftool (Debian's 7.1, dynamically linked) in a real Linux 6.1 under QEMU,
 * the judge's kernel: commands for a shell in, what each printed and its status out.
 */
import { spawnSync } from 'node:child_process';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { initramfs } from '../oracle/cpio.ts';
import type { Ran } from './session.ts';

const HOME = join(import.meta.dirname, '../../.build/oracle');
/** By the names that they have in the guest. */
const PROGRAMS = { bpftool: '/usr/sbin/bpftool', sh: '/usr/bin/dash', cat: '/usr/bin/cat' };
const DIRECTORIES = [
  'dev',
  'proc',
  'sys',
  'tmp',
  'bin',
  'boot',
  'lib',
  'lib/x86_64-linux-gnu',
  'lib64',
];

/** @param files of the session, by their names in the root directory */
export function runInLinux(
  commands: readonly string[],
  files: Readonly<Record<string, Uint8Array>>,
): Ran[] {
  const place = mkdtempSync(join(HOME, 'bpftool-'));
  try {
    const init = join(place, 'init');
    const source = join(import.meta.dirname, 'init.c');
    const built = spawnSync('gcc', ['-O1', '-static', '-w', source, '-o', init]);
    if (built.status !== 0) throw new Error(String(built.stderr));
    const boot = join(HOME, 'kernel/boot');
    const named = (start: string) => readdirSync(boot).find((name) => name.startsWith(start))!;
    const all: Record<string, Uint8Array> = {
      init: readFileSync(init),
      commands: Buffer.from(`${commands.join('\n')}\n`),
      [`boot/${named('config')}`]: readFileSync(join(boot, named('config'))),
      ...files,
    };
    for (const [name, path] of Object.entries(PROGRAMS)) {
      all[`bin/${name}`] = readFileSync(path);
      for (const library of librariesOf(path)) {
        all[library.slice(1)] = readFileSync(realpathSync(library));
      }
    }
    const initrd = join(place, 'initrd.gz');
    writeFileSync(initrd, gzipSync(initramfs(all, DIRECTORIES), { level: 1 }));
    const args = [
      ...['-accel', 'tcg', '-m', '1024', '-smp', '2', '-display', 'none', '-no-reboot'],
      ...['-kernel', join(boot, named('vmlinuz')), '-initrd', initrd, '-nodefaults'],
      ...['-serial', 'null', '-serial', 'stdio'],
      ...['-append', 'console=ttyS0 quiet panic=-1 mitigations=off rdinit=/init'],
    ];
    const { stdout } = spawnSync('qemu-system-x86_64', args, {
      timeout: 400_000,
      maxBuffer: 2 ** 28,
    });
    return answersIn(stdout, commands);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** As ldd names them. */
function librariesOf(path: string): string[] {
  const { stdout } = spawnSync('ldd', [path], { encoding: 'utf8' });
  return [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, library]) => library!);
}

function answersIn(output: Buffer, commands: readonly string[]): Ran[] {
  let at = 0;
  return commands.map((command) => {
    const end = output.indexOf('\n', at);
    const head = /^@ (\d+) (\d+)$/.exec(output.toString('latin1', at, end));
    if (!head) throw new Error(`the kernel stopped at ${command}: ${output.subarray(at)}`);
    at = end + 1 + Number(head[2]);
    return { command, output: output.toString('utf8', end + 1, at), status: Number(head[1]) };
  });
}
