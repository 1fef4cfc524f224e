/** Sequences of instructions stand for what BPF's instructions do, whatever the registers hold. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { verify } from '../../bpf/verifier/verify.ts';
import { bareRuntime } from '../../test/support/bare-runtime.ts';
import { programOfText } from '../../test/support/verify-text.ts';
import { offloadProgram } from '../offload.ts';
import { PacketSlot } from '../packet-slot.ts';
import type { OffloadProgram } from '../target.ts';
import type { NpuImage } from './image.ts';
import { createNpu } from './target.ts';

const target = createNpu();

function programOf(text: string): OffloadProgram {
  const { spec, env } = programOfText(text, { type: 'xdp', level: 'latest' });
  const verdict = verify(spec, env);
  if (verdict.kind !== 'accepted') throw new Error(`${text}\n${verdict.log}`);
  return offloadProgram(spec, env, verdict.program);
}

function imageOf(text: string): NpuImage {
  const result = target.compile(programOf(text));
  if (result.kind === 'refused') throw new Error(result.diagnostics[0]!.message);
  return result.image;
}

/** Verdict and bytes, on the device and on the host. */
function compare(image: NpuImage, packets: readonly Uint8Array[]): void {
  const runtime = bareRuntime();
  const device = target.execute(image, runtime);
  const host = createInterpreter().compile(image.program.host, runtime);
  const slot = new PacketSlot(runtime.ram);
  const outcome = (run: (xdp: typeof slot.xdp.offset) => number, packet: Uint8Array) => {
    slot.place(packet);
    return { verdict: run(slot.xdp.offset), bytes: Buffer.from(slot.bytes()).toString('hex') };
  };
  for (const packet of packets) {
    const seen = outcome((xdp) => device.run(xdp), packet);
    const expected = outcome((xdp) => host.run(xdp), packet);
    const differs = seen.verdict !== expected.verdict || seen.bytes !== expected.bytes;
    if (differs) expect(seen, `${packet.length} bytes\n${image.text()}`).toEqual(expected);
  }
}

const PACKET_BYTES = 128;
const STACK_BYTES = 128;
const DATA = ['0', '3', '4', '5'] as const;
const SIZES = ['u8', 'u16', 'u32', 'u64'] as const;
const BYTES = { u8: 1, u16: 2, u32: 4, u64: 8 } as const;

const register = fc.constantFrom(...DATA);
const wide = fc.boolean().map((is) => (is ? 'r' : 'w'));
const edge = fc.constantFrom(
  0,
  1,
  -1,
  31,
  32,
  63,
  255,
  256,
  0xffff,
  0x10000,
  0x7fffffff,
  -0x80000000,
);
const immediate = fc.oneof(edge, fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }));
const size = fc.constantFrom(...SIZES);
/** Of a packet's first 64 bytes, or of the stack from its end on. */
const place = fc.integer({ min: 0, max: 56 });

const step = fc.oneof(
  fc.tuple(wide, register, fc.constantFrom('+=', '-=', '&=', '|=', '^=', '='), immediate)
    .map(([w, d, op, imm]) => `${w}${d} ${op} ${imm}`),
  fc.tuple(wide, register, fc.constantFrom('+=', '-=', '&=', '|=', '^=', '='), register)
    .map(([w, d, op, s]) => `${w}${d} ${op} ${w}${s}`),
  fc.tuple(wide, register, fc.constantFrom('<<=', '>>=', 's>>='), fc.integer({ min: 0, max: 63 }))
    .map(([w, d, op, by]) => `${w}${d} ${op} ${w === 'w' ? by & 31 : by}`),
  fc.tuple(wide, register, fc.constantFrom('<<=', '>>=', 's>>='), register, fc.constantFrom(-1, 31, 32))
    .map(([w, d, op, s, mask]) => `${mask === -1 || d === s ? '' : mask === 31 ? `r${s} &= 31\n` : `r${s} &= 31\nr${s} |= 32\n`}${w}${d} ${op} ${w}${s}`),
  fc.tuple(wide, register, register, fc.constantFrom(0xffff, 0x7fffffff))
    .map(([w, d, s, mask]) => `r${d} &= ${mask}\nr${s} &= ${mask}\n${w}${d} *= ${w}${s}`),
  fc.tuple(wide, register, fc.integer({ min: 0, max: 2 ** 31 - 1 }))
    .map(([w, d, by]) => `w${d} = w${d}\n${w}${d} *= ${by}`),
  fc.tuple(wide, register, fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 2 ** 31 - 1 })))
    .map(([w, d, by]) => `w${d} = w${d}\n${w}${d} /= ${by}`),
  fc.tuple(wide, register).map(([w, d]) => `${w}${d} = -${w}${d}`),
  fc.tuple(register, fc.constantFrom(16, 32, 64)).map(([d, bits]) => `r${d} = be${bits} r${d}`),
  fc.tuple(register, size, place).map(([d, bytes, at]) => `r${d} = *(${bytes} *)(r2 +${at})`),
  fc.tuple(register, size, place).map(([s, bytes, at]) => `*(${bytes} *)(r2 +${at}) = r${s}`),
  fc.tuple(size, place, immediate).map(([bytes, at, imm]) => `*(${bytes} *)(r2 +${at}) = ${imm}`),
  fc.tuple(register, size, fc.integer({ min: 0, max: STACK_BYTES / 8 - 1 }), fc.integer({ min: 0, max: 7 }))
    .map(([s, bytes, word, at]) => `*(${bytes} *)(r10 -${STACK_BYTES - word * 8 - (at - (at % BYTES[bytes]))}) = r${s}`),
  fc.tuple(register, size, fc.integer({ min: 0, max: STACK_BYTES / 8 - 1 }), fc.integer({ min: 0, max: 7 }))
    .map(([d, bytes, word, at]) => `r${d} = *(${bytes} *)(r10 -${STACK_BYTES - word * 8 - (at - (at % BYTES[bytes]))})`),
  fc.tuple(register, size, place, place, fc.integer({ min: 2, max: 4 })).map(([via, bytes, from, to, count]) =>
    Array.from({ length: count }, (_, i) =>
      `r${via} = *(${bytes} *)(r2 +${from + i * BYTES[bytes]})\n*(${bytes} *)(r2 +${to + i * BYTES[bytes]}) = r${via}`).join('\n')),
); // prettier-ignore

const CONDITIONS = ['==', '!=', '>', '>=', '<', '<=', 's>', 's>=', 's<', 's<=', '&'] as const;
const test = fc.tuple(
  wide,
  register,
  fc.constantFrom(...CONDITIONS),
  fc.oneof(immediate, register),
);
const body = fc.array(fc.tuple(fc.option(test, { freq: 3 }), fc.array(step, { maxLength: 4 })), {
  minLength: 1,
  maxLength: 8,
});

function textOf(blocks: readonly (readonly [unknown, readonly string[]])[]): string {
  const lines = [
    'r2 = *(u32 *)(r1 +0)',
    'r1 = *(u32 *)(r1 +4)',
    'r3 = r2',
    `r3 += ${PACKET_BYTES}`,
    'if r3 <= r1 goto enough',
    'r0 = 1',
    'exit',
    'enough:',
    'r0 = *(u64 *)(r2 +64)',
    'r3 = *(u64 *)(r2 +72)',
    'r4 = *(u64 *)(r2 +80)',
    'r5 = *(u64 *)(r2 +88)',
  ];
  for (let at = 8; at <= STACK_BYTES; at += 8) lines.push(`*(u64 *)(r10 -${at}) = r4`);
  blocks.forEach(([branch, steps], i) => {
    if (branch) {
      const [w, d, condition, right] = branch as [string, string, string, number | string];
      const operand = typeof right === 'string' ? `${w}${right}` : right;
      lines.push(`if ${w}${d} ${condition} ${operand} goto l${i}`);
    }
    lines.push(...steps, `l${i}:`);
  });
  DATA.forEach((data, i) => lines.push(`*(u64 *)(r2 +${96 + 8 * i}) = r${data}`));
  return [...lines, 'exit'].join('\n');
}

const packet = fc.oneof(
  fc.uint8Array({ minLength: PACKET_BYTES, maxLength: PACKET_BYTES }),
  // Registers of all ones, or of small numbers.
  fc.tuple(fc.constantFrom(0, 0xff), fc.array(fc.integer({ min: 0, max: 63 }), { minLength: 16, maxLength: 16 }))
    .map(([fill, firsts]) => {
      const bytes = new Uint8Array(PACKET_BYTES).fill(fill);
      firsts.forEach((first, i) => (bytes[8 * i] = first));
      return bytes;
    }),
); // prettier-ignore

describe('code', () => {
  it('does what the interpreter does, of whatever a program is made', () => {
    let taken = 0;
    fc.assert(
      fc.property(body, fc.array(packet, { minLength: 8, maxLength: 8 }), (blocks, packets) => {
        const result = target.compile(programOf(textOf(blocks)));
        if (result.kind === 'refused') return;
        taken++;
        compare(result.image, packets);
      }),
      { numRuns: Number(process.env.SKEP_NPU_RUNS ?? 100), seed: Number(process.env.SKEP_FUZZ_SEED ?? 1), endOnFailure: true },
    );
    expect(taken).toBeGreaterThan(50);
  }); // prettier-ignore

  it('changes where a packet begins as bpf_xdp_adjust_head does', () => {
    const packets = [0, 13, 14, 15, 40, 60, 200, 1000].map((length) =>
      Uint8Array.from({ length }, (_, i) => i),
    );
    for (const by of [-300, -216, -215, -84, -20, -8, 0, 1, 20, 46, 100, 2 ** 31 - 1, -(2 ** 31)]) {
      for (const twice of [false, true]) {
        const again = twice ? 'r1 = r6\nr2 = -16\ncall xdp_adjust_head#44' : '';
        compare(imageOf(`r6 = r1\nr2 = ${by}\ncall xdp_adjust_head#44\n${again}\nexit`), packets);
      }
    }
  });
});

const prologue =
  'r2 = *(u32 *)(r1 +0)\nr3 = *(u32 *)(r1 +4)\nr4 = r2\nr4 += 64\nif r4 > r3 goto out';
const epilogue = 'out:\nr0 = 2\nexit';
const around = (...lines: string[]): string => [prologue, ...lines, epilogue].join('\n');

describe('of a program', () => {
  it('loads that are near each other share one read of the packet', () => {
    const image = imageOf(
      around(...[0, 13, 60].map((at) => `r5 = *(u32 *)(r2 +${at})`), 'r5 = *(u8 *)(r2 +1)'),
    );
    expect(image.text().match(/ctm_read/g)).toHaveLength(1);
  });

  it('a store to the packet ends that', () => {
    const image = imageOf(
      around('r5 = *(u8 *)(r2 +0)', 'r6 = *(u8 *)(r2 +1)', '*(u8 *)(r2 +2) = r5', 'r5 = *(u8 *)(r2 +2)', 'r6 = *(u8 *)(r2 +3)'),
    ); // prettier-ignore
    expect(image.text().match(/ctm_read/g)).toHaveLength(2);
  });

  it('loads and stores in turn are one copy, where they do not overlap', () => {
    const copy = (to: number): number => {
      const pairs = [0, 4, 8].flatMap((at) => [
        `r5 = *(u32 *)(r2 +${at})`,
        `*(u32 *)(r2 +${to + at}) = r5`,
      ]);
      return imageOf(around(...pairs)).code.copies.size;
    };
    expect(copy(12)).toBe(1);
    expect(copy(4)).toBe(0);
  });

  it('an upper half that nobody reads is not cleared', () => {
    const count = (use: string): number =>
      imageOf(around('r5 = *(u8 *)(r2 +0)', 'w5 += 1', use, '*(u8 *)(r2 +8) = r5')).code.elided;
    expect(count('w5 += 2')).toBe(3);
    expect(count('r5 += 2')).toBe(1);
  });
});

describe('refused', () => {
  it.each([
    ['r5 = *(u32 *)(r2 +0)\nr5 %= 3', 'unsupported-instruction', 'instruction 0x97 not supported'],
    ['r5 = *(u64 *)(r2 +0)\nr5 *= 3', 'wide-multiplication', 'multiplier is not within u32 value range'],
    ['r5 = *(u32 *)(r2 +0)\nr6 = *(u64 *)(r2 +0)\nr5 *= r6', 'wide-multiplication', 'multiplicand is not within u32 value range'],
    ['r5 = *(u32 *)(r2 +0)\nr6 = *(u32 *)(r2 +4)\nr5 /= r6', 'variable-divisor', 'divisor is not constant'],
    ['r5 = le16 r4', 'unsupported-instruction', 'instruction 0xd4 not supported'],
    ['*(u32 *)(r10 -4) = 1', 'immediate-stack-store', ''],
    ['r5 = *(u32 *)(r2 +0)\nr5 &= 4\nr6 = r10\nr6 += r5\n*(u32 *)(r6 -16) = r5', 'variable-stack-pointer', 'variable ptr stack access'],
    ['call ktime_get_ns#5', 'unsupported-helper', 'unsupported function id: 5'],
  ])('%s: %s', (lines, reason, message) => {
    const text = around(lines).replace('r5 = le16 r4', 'r5 = 1\nr5 = le16 r5');
    const result = target.compile(programOf(text));
    if (result.kind !== 'refused') throw new Error('it fits');
    expect(result.diagnostics[0]).toMatchObject({ reason });
    expect(result.diagnostics[0]!.message).toContain(`[nfp] ${message}`);
  }); // prettier-ignore

  it('beyond the bytes of a packet that are near', () => {
    const text = 'r2 = *(u32 *)(r1 +0)\nr3 = *(u32 *)(r1 +4)\nr4 = r2\nr4 += 2500\nif r4 > r3 goto out\nr5 = *(u8 *)(r2 +2400)\nout:\nr0 = 2\nexit';
    const result = target.compile(programOf(text));
    expect(result).toMatchObject({ kind: 'refused', diagnostics: [{ reason: 'beyond-split', errno: 95 }] });
  }); // prettier-ignore

  it('more instructions than there is room for', () => {
    const long = Array.from({ length: 900 }, () => 'r5 += 0x12345').join('\n');
    const result = target.compile(programOf(around('r5 = 0', long)));
    expect(result).toMatchObject({ kind: 'refused', diagnostics: [{ reason: 'program-too-large', message: 'nfp: program too long' }] });
  }); // prettier-ignore

  it.each([
    [{ type: 'percpu_array' }, 'map type not supported', 95],
    [{ flags: 1 }, 'map flags are not supported', 22],
    [{ maxEntries: 2_048_001 }, 'map with too many elements: 2048001, left: 2048000', 12],
    [{ keyBytes: 40, valueBytes: 40 }, 'map elements too large: 80, FW max element size (key+value): 64', 12],
    [{ keyBytes: 60, valueBytes: 4 }, 'map key size 60, FW max is 56', 12],
  ] as const)('map %o: %s', (part, message, errno) => {
    const spec = { type: 'hash', keyBytes: 4, valueBytes: 8, maxEntries: 16, flags: 0, name: 'm' } as const;
    expect(target.refuseMap(spec)).toBeUndefined();
    expect(target.refuseMap({ ...spec, ...part })).toMatchObject({ message: `nfp: ${message}`, errno });
  }); // prettier-ignore
});
