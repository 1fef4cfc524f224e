/**
 * `npx tsx test/linux-jit/record.ts [--arm [--no-lse]] [RUNS [SEED]]`: asks a real Linux 6.1 under QEMU for its
 * JIT's code of programs by hand and random ones, prints where skep's is different, and without
 * numbers keeps what is equal for hw/x86/linux-recorded.test.ts or hw/arm's. For AArch64 it needs
 * aarch64-linux-gnu-gcc, qemu-system-aarch64 and, in SKEP_ARM64_KERNEL, Debian's vmlinuz of arm64.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { assemble } from '../../bpf/asm/assemble.ts';
import { encodeInsns } from '../../bpf/isa/codec.ts';
import { programs } from '../differential/generator.ts';
import { render } from '../differential/render.ts';
import { initramfs } from '../oracle/cpio.ts';
import { findJudge } from '../oracle/judge.ts';
import { arm, compiler, X86, type Jit } from './code.ts';

const KEY = '*(u32 *)(r10 -4) = 1\n r2 = r10\n r2 += -4\n';
const tail = (body: string): string => `${body}\n call 12\n r0 = 1\n exit`;
/** MAP R N stands for the load of map N's address into register R. */
const BY_HAND: readonly string[] = [
  'r0 = 2\n exit',
  'r6 = r1\n r7 = 5\n r8 = 6\n r9 = 7\n r0 = 1\n exit',
  '*(u64 *)(r10 -8) = 7\n r0 = *(u64 *)(r10 -8)\n exit',
  `r2 = *(u32 *)(r1 +0)\n r3 = *(u32 *)(r1 +4)\n r4 = r2\n r4 += 14\n r0 = 1
   if r4 > r3 goto out\n r0 = *(u16 *)(r2 +12)\n r0 = be16 r0\nout: exit`,
  'call 5\n r6 = r0\n call 7\n r0 += r6\n exit',
  ...['r0 /= r6', 'r0 %= r6', 'w0 /= w6', 'w0 %= w6'].map(
    (divide) => `call 7\n r6 = r0\n call 7\n ${divide}\n exit`,
  ),
  'call 7\n r0 /= 7\n exit',
  'call 7\n r3 = r0\n r3 %= 10\n r0 = r3\n exit',
  'call 7\n r2 = r0\n r2 /= 10\n r0 = r2\n exit',
  'call 7\n r4 = r0\n r4 <<= r0\n r0 = r4\n exit',
  'call 7\n r3 = 3\n r3 >>= r0\n r0 = r3\n exit',
  'call 7\n r4 = 1\n w0 s>>= w4\n exit',
  'call sub\n exit\nsub: r0 = 3\n exit',
  'r1 = 5\n call sub\n r0 += 1\n exit\nsub: *(u64 *)(r10 -16) = r1\n r0 = *(u64 *)(r10 -16)\n exit',
  ...[0, 1, 2, 4, 5].map(
    (map) =>
      `${KEY} MAP 1 ${map}\n call 1\n if r0 == 0 goto out\n r0 = *(u64 *)(r0 +0)\nout: r0 = 1\n exit`,
  ),
  ...[0, 1, 2, 5].map(
    (map) =>
      `*(u64 *)(r10 -16) = 9\n ${KEY} r3 = r10\n r3 += -16\n MAP 1 ${map}\n r4 = 0\n call 2\n r0 = 1\n exit`,
  ),
  ...[1, 2].map((map) => `${KEY} MAP 1 ${map}\n call 3\n r0 = 1\n exit`),
  tail('MAP 2 3\n r3 = 1'),
  tail('r6 = r1\n call 7\n r1 = r6\n r3 = r0\n MAP 2 3'),
  `r6 = r1\n r1 = r6\n call sub\n exit\nsub: ${tail('MAP 2 3\n r3 = 2')}`,
  'r1 = 1\n *(u64 *)(r10 -8) = 5\n lock *(u64 *)(r10 -8) += r1\n r0 = *(u64 *)(r10 -8)\n exit',
  `r0 = 0x123456789abcdef0 ll\n r1 = 0xffffffff ll\n r0 += r1\n r1 = -1\n r2 = 0x80000000 ll
   r0 ^= r1\n r0 ^= r2\n exit`,
];

const DEFAULT_RUNS = 100;
const DEFAULT_SEED = 13;
/** What is kept of the random ones. */
const KEPT = 40;
const KEPT_BYTES = 700;
const BOOT_MS = 300_000;

/** The text knows no descriptors: a telling constant is made one. */
const MAP_CONSTANT = 0x1234_5670;

function byHand(text: string): Uint8Array {
  const withMaps = text.replace(
    /MAP (\d) (\d)/g,
    (_, register: string, map: string) => `r${register} = ${MAP_CONSTANT + Number(map)} ll`,
  );
  const insns = assemble(withMaps).map((insn) => {
    const isMap = insn.code === 0x18 && insn.imm >>> 4 === MAP_CONSTANT >>> 4;
    return isMap ? { ...insn, src: 1, imm: insn.imm & 15 } : insn;
  });
  return encodeInsns(insns);
}

function random(numRuns: number, seed: number): Uint8Array[] {
  const kinds = [
    {},
    { packets: true, subprogs: 3 },
    { irreducible: true, subprogs: 2 },
    { helpers: [5, 7] },
  ];
  return kinds.flatMap((options) =>
    fc
      .sample(programs({ ...options, level: '6.1' }), { seed, numRuns })
      .map((tree) => encodeInsns(render(tree.program, { context: 'xdp_md' }).insns)),
  );
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

interface Host {
  readonly gcc: string;
  readonly qemu: string;
  readonly kernel: string;
  readonly options: readonly string[];
  readonly console: string;
}

function x86Host(): Host {
  const judge = findJudge();
  if ('missing' in judge) throw new Error(judge.missing);
  const boot = join(import.meta.dirname, '../../.build/oracle/kernel/boot');
  const kernel = join(
    boot,
    readdirSync(boot).find((name) => name.startsWith('vmlinuz'))!,
  );
  const options = ['-serial', 'null', '-serial', 'stdio'];
  return { gcc: 'gcc', qemu: 'qemu-system-x86_64', kernel, options, console: 'ttyS0' };
}

/** No console: answers go to the only serial port. */
function armHost(lse: boolean): Host {
  const kernel = process.env.SKEP_ARM64_KERNEL;
  if (kernel === undefined) throw new Error('SKEP_ARM64_KERNEL names no kernel');
  const options = [
    '-machine',
    'virt',
    '-cpu',
    lse ? 'max,pauth-impdef=on' : 'cortex-a72',
    '-serial',
    'stdio',
  ];
  const gcc = 'aarch64-linux-gnu-gcc';
  return { gcc, qemu: 'qemu-system-aarch64', kernel, options, console: 'ttynull' };
}

/** One line an answer. */
function askLinux(requests: readonly Uint8Array[], host: Host): string[] {
  const place = mkdtempSync(join(tmpdir(), 'linux-jit-'));
  const init = join(place, 'init');
  const source = join(import.meta.dirname, 'init.c');
  const built = spawnSync(host.gcc, ['-O2', '-Wall', '-static', source, '-o', init]);
  if (built.status !== 0) throw new Error(built.stderr.toString());
  const files = {
    init: readFileSync(init),
    requests: Buffer.from(requests.map((request) => `${hex(request)}\n`).join('')),
  };
  const initrd = join(place, 'initrd.gz');
  writeFileSync(initrd, gzipSync(initramfs(files, ['dev', 'proc', 'sys'])));
  const options = [
    ...['-accel', 'tcg', '-m', '1024', '-smp', '1', '-display', 'none', '-no-reboot'],
    ...['-nodefaults', '-kernel', host.kernel, '-initrd', initrd, ...host.options],
    ...['-append', `console=${host.console} quiet panic=-1 mitigations=off rdinit=/init`],
  ];
  const limits = { timeout: BOOT_MS, maxBuffer: 1 << 28 };
  const { stdout } = spawnSync(host.qemu, options, limits);
  return stdout.toString().trim().split(/\r?\n/);
}

const isArm = process.argv.includes('--arm');
const hasLse = !process.argv.includes('--no-lse');
const jit: Jit = isArm ? arm(hasLse) : X86;
const [runs, seed] = process.argv.slice(2).map(Number).filter(Number.isFinite);
const requests = [...BY_HAND.map(byHand), ...random(runs ?? DEFAULT_RUNS, seed ?? DEFAULT_SEED)];
const answers = askLinux(requests, isArm ? armHost(hasLse) : x86Host());
const compile = await compiler(jit.engine);
const kept: string[] = [];
let equal = 0;
let keptAtRandom = 0;
requests.forEach((request, i) => {
  const answer = answers[i] ?? 'no answer';
  const ours = compile(request);
  if (typeof ours === 'number' || answer.startsWith('error')) {
    if (answer === `error ${-Number(ours)}`) equal++;
    else
      console.log(
        `${i}: Linux ${answer.slice(0, 20)}, skep ${typeof ours === 'number' ? ours : 'code'}`,
      );
    return;
  }
  const theirs = Uint8Array.from(Buffer.from(answer, 'hex'));
  const [a, b] = [jit.withoutAddresses(ours), jit.withoutAddresses(theirs)];
  const parted = a.findIndex((insn, at) => insn !== b[at]);
  if (parted >= 0 || a.length !== b.length) {
    const name = `${i}, instruction ${parted}`;
    console.log(`${name}: Linux ${jit.textAt(theirs, parted)}, skep ${jit.textAt(ours, parted)}`);
    return;
  }
  equal++;
  const isRandom = i >= BY_HAND.length;
  if (isRandom && (ours.length > KEPT_BYTES || keptAtRandom++ >= KEPT)) return;
  kept.push(JSON.stringify({ insns: hex(request), jited: answer }));
});
console.log(`${equal} of ${requests.length} are equal`);
if (runs === undefined && hasLse) {
  const path = join(import.meta.dirname, `../../hw/${jit.engine.name}/linux-6.1.recorded.jsonl`);
  writeFileSync(path, `${kept.join('\n')}\n`);
}
