/**
 * Programs that nobody would write, as requests.
 *
 *   bytes     any 8 bytes an instruction
 *   shaped    existing instructions with small operands, and an exit: some are accepted
 *   mutated   a program that would be accepted, with a few changes
 */
import { helpers } from '../../bpf/helpers/table.ts';
import { encodeInsns } from '../../bpf/isa/codec.ts';
import { ISA } from '../../bpf/isa/table.ts';
import { ATTACH_TYPES, PROG_TYPES } from '../../bpf/uapi.ts';
import { mutated } from '../oracle/generate/mutated.ts';
import type { RequestJson } from '../oracle/request.ts';
import { Random } from '../oracle/generate/random.ts';

export const STREAM_KINDS = ['bytes', 'shaped', 'mutated'] as const;
export type StreamKind = (typeof STREAM_KINDS)[number];

const IMMS = [0, 1, -1, 2, 3, 4, 5, 7, 8, 16, 31, 32, 63, 64, 255, 4096, 0x7fffffff, -0x80000000];
const OFFS = [0, 1, -1, 2, 3, 4, 8, -4, -8, -16, -24, -512, -520, 76, 80, 0x7fff, -0x8000];
const MAX_INSNS = 24;
const HELPER_IDS = [...new Set(helpers.map(({ id }) => id))];
const FLAGS = [0, 0, 0, 1, 2, 8, 16, 32];
/** Descriptors 3 and up, so that some `ld_imm64` find a map. */
const MAPS = [
  'array',
  'hash',
  'percpu_array',
  'prog_array',
  'ringbuf',
  'lru_hash',
  'queue',
] as const;
const mapRequests = MAPS.map((type) => ({
  type,
  key_size: type === 'ringbuf' || type === 'queue' ? 0 : 4,
  value_size: type === 'ringbuf' ? 0 : type === 'prog_array' ? 4 : 16,
  max_entries: type === 'ringbuf' ? 4096 : 4,
}));
const PACKET = 'ff'.repeat(12) + '0800' + '45'.repeat(50);

export function garbage(kind: StreamKind, seed: number): RequestJson {
  const dice = new Random(seed);
  if (kind === 'mutated') return { ...mutated(seed), log_level: 0 };
  const insns = kind === 'bytes' ? anyBytes(dice) : shaped(dice);
  const type = dice.pick(PROG_TYPES.slice(1));
  return {
    id: `${kind}-${seed}`,
    prog_type: type,
    ...(dice.chance(0.5) && { expected_attach_type: dice.pick(ATTACH_TYPES) }),
    insns: Buffer.from(insns).toString('hex'),
    license: 'GPL',
    prog_flags: dice.pick(FLAGS),
    ...(dice.chance(0.1) && { unpriv: true }),
    maps: mapRequests as RequestJson['maps'] & object,
    log_level: dice.chance(0.05) ? 2 : 0,
    run: [type === 'syscall' || type === 'raw_tracepoint' ? {} : { data_in: PACKET }],
  } as RequestJson;
}

function anyBytes(dice: Random): Uint8Array {
  return Uint8Array.from({ length: 8 * (1 + dice.below(MAX_INSNS)) }, () => dice.below(256));
}

function shaped(dice: Random): Uint8Array {
  const insns = [{ code: 0xb7, dst: 0, src: 0, off: 0, imm: dice.pick(IMMS) }];
  const count = dice.below(MAX_INSNS);
  // Fewer registers are more often ones that hold something.
  const registers = dice.pick([2, 4, 11]);
  for (let i = 0; i < count; i++) {
    const row = dice.pick(ISA);
    const isReg = row.name.endsWith('_reg') || /^(stx|ldx|atomic)/.test(row.name);
    insns.push({
      code: row.code,
      dst: dice.chance(0.95) ? dice.below(registers) : dice.below(16),
      src: isReg ? dice.pick([0, 1, 10, dice.below(registers)]) : 0,
      off: dice.chance(0.6) ? 0 : dice.pick(OFFS),
      imm: row.name === 'call_helper' ? dice.pick(HELPER_IDS) : isReg ? 0 : dice.pick(IMMS),
    });
    if (row.code !== 0x18) continue;
    insns[insns.length - 1]!.src = dice.below(7);
    insns.push({ code: 0, dst: 0, src: 0, off: 0, imm: dice.pick(IMMS) });
  }
  insns.push({ code: 0x95, dst: 0, src: 0, off: 0, imm: 0 });
  return encodeInsns(insns);
}
