/**
 * The verifier against a real kernel on programs that nobody wrote: mutations and splices of
 * recorded ones.
 *
 *   npx tsx test/conformance/mutate.ts FILE COUNT SEED [--save OUT]
 *
 * Prints how many agree, and each difference once a kind. `--save` keeps the differing lines, in
 * the form that run.ts reads.
 */
import { writeFileSync } from 'node:fs';
import { parseRequest } from '../../ui/cli/batch/request.ts';
import { findJudge } from '../oracle/judge.ts';
import { compare, lastMessage, readLines, type Line, type Request } from './run.ts';

/** mulberry32 */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const IMMS = [
  0, 1, -1, 2, 4, 7, 8, 16, 31, 32, 33, 63, 64, 255, 256, 4096, 0x7fffffff, -0x80000000,
];
const OFFS = [0, 1, -1, 2, 4, 8, 16, -4, -8, -16, -24, -512, -520, 20, 76, 80, 168];
/** 6.1's opcodes. */
const CODES = [
  ...[0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x44, 0x4c, 0x54, 0x5c, 0x64, 0x6c, 0x74],
  ...[0x7c, 0x84, 0x94, 0x9c, 0xa4, 0xac, 0xb4, 0xbc, 0xc4, 0xcc, 0xd4, 0xdc],
  ...[0x07, 0x0f, 0x17, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x47, 0x4f, 0x57, 0x5f, 0x67, 0x6f, 0x77],
  ...[0x7f, 0x87, 0x97, 0x9f, 0xa7, 0xaf, 0xb7, 0xbf, 0xc7, 0xcf],
  ...[0x61, 0x69, 0x71, 0x79, 0x62, 0x6a, 0x72, 0x7a, 0x63, 0x6b, 0x73, 0x7b, 0xc3, 0xdb],
  ...[0x05, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d, 0x55, 0x5d, 0x65, 0x6d, 0x75, 0x7d],
  ...[0xa5, 0xad, 0xb5, 0xbd, 0xc5, 0xcd, 0xd5, 0xdd],
  ...[0x16, 0x1e, 0x26, 0x2e, 0x36, 0x3e, 0x46, 0x4e, 0x56, 0x5e, 0x66, 0x6e, 0x76, 0x7e],
  ...[0xa6, 0xae, 0xb6, 0xbe, 0xc6, 0xce, 0xd6, 0xde],
];
const ATOMICS = [0, 1, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1];

type Random = () => number;
const pick = <T>(random: Random, list: readonly T[]): T =>
  list[Math.floor(random() * list.length)]!;

interface Slots {
  readonly bytes: Buffer;
  /** Slots whose imm is a map's descriptor. */
  readonly fixups: readonly { readonly insn: number; readonly map: number }[];
}

function mutateField(random: Random, bytes: Buffer, fixed: ReadonlySet<number>): void {
  const slot = Math.floor(random() * (bytes.length / 8));
  if (fixed.has(slot)) return;
  const at = slot * 8;
  const code = bytes[at]!;
  switch (Math.floor(random() * 7)) {
    case 0:
      bytes.writeInt32LE(pick(random, IMMS), at + 4);
      break;
    case 1:
      bytes.writeInt32LE((bytes.readInt32LE(at + 4) + (random() < 0.5 ? 1 : -1)) | 0, at + 4);
      break;
    case 2:
      bytes.writeInt16LE(pick(random, OFFS), at + 2);
      break;
    case 3:
      bytes.writeInt16LE(
        ((bytes.readInt16LE(at + 2) + (random() < 0.5 ? 1 : -1)) << 16) >> 16,
        at + 2,
      );
      break;
    case 4: {
      const reg = Math.floor(random() * 11);
      const regs = bytes[at + 1]!;
      bytes[at + 1] = random() < 0.5 ? (regs & 0xf0) | reg : (regs & 0x0f) | (reg << 4);
      break;
    }
    case 5: {
      // Keep the operand form and the class mostly, so that the result makes sense.
      const alike = CODES.filter((one) => (one & 0x0f) === (code & 0x0f));
      bytes[at] = pick(random, alike.length > 0 && random() < 0.8 ? alike : CODES);
      if (bytes[at] === 0xc3 || bytes[at] === 0xdb)
        bytes.writeInt32LE(pick(random, ATOMICS), at + 4);
      else if ((bytes[at]! & 7) < 4)
        bytes.writeInt32LE((bytes[at]! & 7) === 2 ? bytes.readInt32LE(at + 4) : 0, at + 4);
      break;
    }
    default:
      bytes[at] = code ^ pick(random, [0x08, 0x10, 0x18, 0x03, 0x01, 0x20]);
  }
}

/** Inserts instructions without repairing jumps, as a careless compiler would. */
function insert(random: Random, slots: Slots, from: Buffer): Slots {
  const count = 1 + Math.floor(random() * 3);
  const start = Math.floor(random() * (from.length / 8));
  const chunk = from.subarray(start * 8, Math.min(from.length, (start + count) * 8));
  const at = Math.floor(random() * (slots.bytes.length / 8));
  const shift = chunk.length / 8;
  return {
    bytes: Buffer.concat([slots.bytes.subarray(0, at * 8), chunk, slots.bytes.subarray(at * 8)]),
    fixups: slots.fixups.map(({ insn, map }) => ({ insn: insn >= at ? insn + shift : insn, map })),
  };
}

function remove(random: Random, slots: Slots, fixed: ReadonlySet<number>): Slots {
  const at = Math.floor(random() * (slots.bytes.length / 8));
  if (slots.bytes.length <= 16 || fixed.has(at)) return slots;
  return {
    bytes: Buffer.concat([slots.bytes.subarray(0, at * 8), slots.bytes.subarray((at + 1) * 8)]),
    fixups: slots.fixups.map(({ insn, map }) => ({ insn: insn > at ? insn - 1 : insn, map })),
  };
}

function mutate(random: Random, seeds: readonly Request[], id: string): Request {
  const base = pick(random, seeds);
  let slots: Slots = { bytes: Buffer.from(base.insns, 'hex'), fixups: base.fixups ?? [] };
  const changes = random() < 0.6 ? 1 : 1 + Math.floor(random() * 4);
  for (let i = 0; i < changes; i++) {
    const fixed = new Set(slots.fixups.flatMap(({ insn }) => [insn, insn + 1]));
    const what = random();
    if (what < 0.72) mutateField(random, slots.bytes, fixed);
    else if (what < 0.86)
      slots = insert(random, slots, Buffer.from(pick(random, seeds).insns, 'hex'));
    else slots = remove(random, slots, fixed);
  }
  const unpriv = base.unpriv && random() < 0.5 ? false : base.unpriv;
  const flags = random() < 0.1 ? pick(random, [1, 2, 8]) : (base.prog_flags ?? 0);
  return {
    ...base,
    id,
    insns: slots.bytes.toString('hex'),
    fixups: slots.fixups,
    prog_flags: flags,
    ...(unpriv !== undefined && { unpriv }),
    log_level: 1,
    descr: `from ${base.id}`,
  };
}

/** What a difference is about, without the numbers in it. */
const kindOf = (line: Line, text: string): string =>
  `${line.linux.ok ? 'ok' : lastMessage(line.linux.log)} | ${text}`.replace(/-?\b\d+\b/g, 'N');

async function main([path, count, seed, option, out]: readonly string[]): Promise<void> {
  const judge = findJudge();
  if ('missing' in judge) throw new Error(judge.missing);
  const random = generator(Number(seed));
  const seeds = readLines(path!).map((line) => line.request);
  const requests = Array.from({ length: Number(count) }, (_, i) =>
    mutate(random, seeds, `${seed}-${i}`),
  );
  const answers = await judge.ask(requests.map((request) => parseRequest({ ...request, run: [] })));
  const different: Line[] = [];
  const kinds = new Map<string, number>();
  const totals = {
    compared: 0,
    accepted: 0,
    verdict: 0,
    errno: 0,
    message: 0,
    count: 0,
    unsound: 0,
  };
  requests.forEach((request, index) => {
    const linux = answers[index]!;
    if (!('ok' in linux)) {
      console.log('no answer', request.id, linux.error);
      return;
    }
    const line: Line = { request, linux };
    const result = compare(line);
    totals.compared++;
    if (linux.ok) totals.accepted++;
    if (!result.sameVerdict) totals.verdict++;
    if (!result.sameErrno) totals.errno++;
    if (!linux.ok && !result.sameMessage) totals.message++;
    if (linux.ok && !result.sameCount) totals.count++;
    if (!linux.ok && result.verdict?.kind === 'accepted') totals.unsound++;
    if (result.sameErrno && result.sameMessage && result.sameCount) return;
    different.push(line);
    const ours = result.verdict
      ? result.verdict.kind === 'accepted'
        ? 'ok'
        : lastMessage(result.verdict.log)
      : String(result.crash);
    const kind = kindOf(line, ours);
    if (!kinds.has(kind)) console.log(request.id, kind);
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  });
  console.log('differences:', totals);
  if (option === '--save')
    writeFileSync(out!, different.map((line) => JSON.stringify(line)).join('\n'));
}

await main(process.argv.slice(2));
