/**
 * The judge: a real Linux 6.1 (Debian's cloud kernel) under QEMU, asked in batches.
 *
 *   findJudge()                     what it needs, fetched and built where possible; or why not
 *   judge.ask(requests)             answers in order; a crash or hang is named, not hidden
 *
 * The kernel is downloaded with apt-get and unpacked, never installed; init.c is built with the
 * system's gcc. Both are kept in .build/oracle.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { BatchAnswer } from '../../ui/cli/batch/answer.ts';
import type { BatchRequest } from '../../ui/cli/batch/request.ts';
import { initramfs } from './cpio.ts';
import { decodeAnswers, encodeRequests } from './protocol.ts';

const HOME = join(import.meta.dirname, '../../.build/oracle');
const KERNEL_PACKAGE = 'linux-image-cloud-amd64';
const PACKAGES = ['qemu-system-x86'];
/** Requests a boot: a crash costs no more than these. */
const BATCH = 2000;
/** Wall time without a new byte of answer after which the kernel counts as hung, ms. */
const SILENCE_MS = 60_000;
const GRACE_MS = 1000;
const BOOT_ATTEMPTS = 3;

export type Answer = BatchAnswer | { readonly id: unknown; readonly error: string };

export interface Judge {
  ask(requests: readonly BatchRequest[], progress?: (done: number) => void): Promise<Answer[]>;
}

export function findJudge(): Judge | { readonly missing: string } {
  mkdirSync(HOME, { recursive: true });
  const qemu = ensureQemu();
  if (qemu) return { missing: qemu };
  const kernel = ensureKernel();
  if (typeof kernel !== 'string') return kernel;
  const init = ensureInit();
  if (typeof init !== 'string') return init;
  return { ask: (requests, progress) => ask(kernel, init, requests, progress) };
}

function run(command: string, args: readonly string[], cwd = HOME) {
  return spawnSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

const has = (command: string) => run('sh', ['-c', `command -v ${command}`]).status === 0;

function ensureQemu(): string | undefined {
  if (has('qemu-system-x86_64')) return undefined;
  if (process.getuid?.() !== 0 || !has('apt-get')) {
    return 'qemu-system-x86_64 is not installed, and installing it needs apt-get and root';
  }
  run('apt-get', ['update', '-qq']);
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...PACKAGES]);
  return has('qemu-system-x86_64') ? undefined : 'apt-get could not install qemu-system-x86';
}

/** Path of the unpacked vmlinuz. */
function ensureKernel(): string | { missing: string } {
  const boot = join(HOME, 'kernel/boot');
  const found = () =>
    existsSync(boot) && readdirSync(boot).find((name) => name.startsWith('vmlinuz'));
  if (!found()) {
    if (!has('apt-get')) return { missing: 'there is no apt-get to download a kernel with' };
    if (process.getuid?.() === 0) run('apt-get', ['update', '-qq']);
    const depends = run('apt-cache', ['depends', KERNEL_PACKAGE]).stdout;
    const image = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
    if (!image) return { missing: `${KERNEL_PACKAGE} is not among apt's packages` };
    run('apt-get', ['download', image]);
    const deb = readdirSync(HOME).find((name) => name.startsWith(image) && name.endsWith('.deb'));
    if (!deb) return { missing: `apt-get could not download ${image}` };
    run('dpkg-deb', ['-x', deb, 'kernel']);
  }
  const name = found();
  return name ? join(boot, name) : { missing: 'the kernel package holds no vmlinuz' };
}

function ensureInit(): string | { missing: string } {
  const source = join(import.meta.dirname, 'init.c');
  const binary = join(HOME, 'init');
  if (existsSync(binary) && statSync(binary).mtimeMs > statSync(source).mtimeMs) return binary;
  if (!has('gcc')) return { missing: 'there is no gcc to build the judge’s init with' };
  // Several processes may build it at once: nobody must see half of it.
  const half = `${binary}-${process.pid}`;
  const built = run('gcc', ['-O2', '-Wall', '-static', source, '-o', half]);
  if (built.status !== 0) return { missing: `gcc: ${built.stderr}` };
  renameSync(half, binary);
  return binary;
}

async function ask(
  kernel: string,
  init: string,
  requests: readonly BatchRequest[],
  progress?: (done: number) => void,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  let suspect = -1;
  while (answers.length < requests.length) {
    const batch = requests.slice(answers.length, answers.length + BATCH);
    const output = decodeAnswers(await heardOf(kernel, init, encodeRequests(batch)), batch);
    const end = output.stoppedAt ?? batch.length;
    for (let i = 0; i < end; i++) {
      answers.push(output.answers.get(i) ?? { id: batch[i]!.id, error: 'no answer' });
    }
    if (output.stoppedAt !== undefined && answers.length === suspect) {
      answers.push({ id: batch[end]!.id, error: 'the kernel crashed or hung on this request' });
    }
    // On a busy machine a kernel may only seem to hang: the request is put to another one first.
    suspect = answers.length;
    progress?.(answers.length);
  }
  return answers;
}

/** What a boot says; one that says nothing at all is tried again. */
async function heardOf(kernel: string, init: string, requests: string): Promise<Uint8Array> {
  let errors = '';
  for (let attempt = 0; attempt < BOOT_ATTEMPTS; attempt++) {
    const heard = await boot(kernel, init, requests);
    if (heard.output.length > 0) return heard.output;
    errors = heard.errors;
  }
  throw new Error(`the judge said nothing: ${errors}`);
}

interface Heard {
  readonly output: Uint8Array;
  readonly errors: string;
}

/** One boot: what came out of the second serial port. */
function boot(kernel: string, init: string, requests: string): Promise<Heard> {
  const place = mkdtempSync(join(HOME, 'boot-'));
  const initrd = join(place, 'initrd.gz');
  const files = { init: readFileSync(init), requests: Buffer.from(requests) };
  writeFileSync(initrd, gzipSync(initramfs(files, ['dev', 'proc', 'sys']), { level: 1 }));
  const args = [
    ...['-accel', 'tcg', '-m', '1024', '-smp', '1', '-display', 'none', '-no-reboot'],
    ...['-kernel', kernel, '-initrd', initrd, '-nodefaults', '-serial', 'null', '-serial', 'stdio'],
    ...['-append', 'console=ttyS0 quiet panic=-1 mitigations=off rdinit=/init'],
  ];
  return new Promise((resolve, reject) => {
    const qemu = spawn('qemu-system-x86_64', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks: Buffer[] = [];
    let errors = '';
    // What came in while this process was busy counts: it is read before the kernel is given up.
    const givenUp = (): void => {
      const heard = chunks.length;
      setTimeout(() => chunks.length === heard && qemu.kill('SIGKILL'), GRACE_MS);
    };
    let silence = setTimeout(givenUp, SILENCE_MS);
    qemu.stdout.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      clearTimeout(silence);
      silence = setTimeout(givenUp, SILENCE_MS);
    });
    qemu.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    qemu.on('error', reject);
    qemu.on('close', () => {
      clearTimeout(silence);
      rmSync(place, { recursive: true, force: true });
      resolve({ output: Buffer.concat(chunks), errors });
    });
  });
}
