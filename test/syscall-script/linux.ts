/**
 * Runs scripts in a real Linux 6.1 under QEMU (the judge's kernel). One boot for all; descriptors
 * are closed between scripts, ids go on counting.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ATTR } from '../../bpf/attr.ts';
import { initramfs } from '../oracle/cpio.ts';
import {
  bufferOf,
  callOf,
  fromHex,
  masked,
  sysOf,
  toHex,
  type Answer,
  type Script,
} from './script.ts';

/** Where a test run says how long it took. */
const DURATION = ATTR.prog_test_run.offsets.duration;
const HOME = join(import.meta.dirname, '../../.build/oracle');

export function runInLinux(scripts: readonly Script[]): Answer[][] {
  return answersOf(scripts, heardFrom(scripts.map(linesOf).join('')).toString());
}

/** What init.c writes when it is given these lines. */
export function heardFrom(lines: string, timeoutMs = 300_000): Buffer {
  const place = mkdtempSync(join(HOME, 'script-'));
  try {
    const init = join(place, 'init');
    const source = join(import.meta.dirname, 'init.c');
    const built = spawnSync('gcc', ['-O1', '-static', '-w', source, '-o', init], {
      encoding: 'utf8',
    });
    if (built.status !== 0) throw new Error(built.stderr);
    const files = { init: readFileSync(init), script: Buffer.from(lines) };
    const initrd = join(place, 'initrd.gz');
    writeFileSync(initrd, gzipSync(initramfs(files, ['dev', 'proc', 'sys']), { level: 1 }));
    const boot = join(HOME, 'kernel/boot');
    const kernel = readdirSync(boot).find((name) => name.startsWith('vmlinuz'))!;
    const args = [
      ...['-accel', 'tcg', '-m', '1024', '-smp', '2', '-display', 'none', '-no-reboot'],
      ...['-kernel', join(boot, kernel), '-initrd', initrd, '-nodefaults'],
      ...['-serial', 'null', '-serial', 'stdio'],
      ...['-append', 'console=ttyS0 quiet panic=-1 mitigations=off rdinit=/init'],
    ];
    const ran = spawnSync('qemu-system-x86_64', args, {
      timeout: timeoutMs,
      maxBuffer: 2 ** 28,
    });
    return ran.stdout;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

export function linesOf({ steps }: Script): string {
  const lines = steps.map((step, index) => {
    if ('buf' in step) {
      const { bytes, fds } = bufferOf(step);
      const places = fds.map(([at, fd]) => ` ${at}:${fd}`).join('');
      // What is left out is 0.
      const hex = toHex(bytes).replace(/(00)+$/, '');
      return `buf ${step.buf} ${bytes.length} ${hex || '-'}${places}`;
    }
    if ('dump' in step) return `dump ${index} ${step.dump}`;
    if ('text' in step) return `text ${index} ${step.text}`;
    if ('close' in step) return `close ${step.close}`;
    if ('caps' in step) return `caps ${step.caps}`;
    if ('uid' in step) return `uid ${step.uid}`;
    if ('sysctl' in step) return `sysctl ${step.sysctl} ${step.value}`;
    if ('sys' in step) return `sys ${index} ${sysOf(step).number} ${step.args.join(' ')}`;
    const { number, attr, references } = callOf(step);
    const base = 'base' in step && step.base ? ` base:${step.base}` : '';
    const places = references.map(({ at, to }) => ` ${at}:${to}`).join('') + base;
    return `call ${index} ${number} ${toHex(attr) || '-'}${places}`;
  });
  return ['begin', ...lines, ''].join('\n');
}

function answersOf(scripts: readonly Script[], output: string): Answer[][] {
  const all: Answer[][] = [];
  for (let at = 0; at < output.length;) {
    const end = output.indexOf('\n', at);
    const line = output.slice(at, end < 0 ? undefined : end);
    at += line.length + 1;
    const words = line.split(' ');
    if (words[0] === 'begin') all.push(scripts[all.length]!.steps.map(() => ({})));
    const current = all.at(-1);
    if (!current) continue;
    const index = Number(words[1]);
    const steps = scripts[all.length - 1]!.steps;
    if (words[0] === 'dump') {
      const { mask } = steps[index] as { readonly mask?: readonly number[] };
      current[index] = { hex: masked(fromHex(words[2] ?? ''), mask) };
    }
    if (words[0] === 'text') {
      const bytes = Number(words[2]);
      current[index] = { text: output.slice(at, at + bytes) };
      at += bytes;
    }
    if (words[0] !== 'result') continue;
    const result = Number(words[2]);
    const step = steps[index] as Parameters<typeof callOf>[0] | { readonly sys: string; args: [] };
    const changed: Record<number, number> = Object.fromEntries(
      words.slice(3).map((word) => word.split(':').map(Number)),
    );
    if ('call' in step && step.call === 'prog_test_run') delete changed[DURATION];
    const { givesFd } = 'sys' in step ? sysOf(step) : callOf(step);
    const r = givesFd && result >= 0 ? 'fd' : result;
    current[index] = { r, ...(Object.keys(changed).length > 0 && { changed }) };
  }
  if (!output.includes('bye')) throw new Error(`the kernel stopped: ${output.slice(-500)}`);
  return all;
}
