/**
 * The simulator's instructions, held against qemu-aarch64: each form that the JIT emits, and others
 * that the simulator knows, with random operands. Needs qemu-aarch64-static and a compiler for
 * AArch64. More of them: SKEP_FUZZ_RUNS=100000 SKEP_FUZZ_SEED=7 npx vitest run test/native-arm
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CONDITIONS } from '../../hw/arm/assembler.ts';
import { decodeInsn, Undecodable, type ArmInsn } from '../../hw/arm/decode.ts';
import { arm } from '../../hw/arm/engine.ts';
import { SP, X30 } from '../../hw/arm/registers.ts';
import { armText } from '../../hw/arm/text.ts';
import { CoreState } from '../../hw/cpu/jit/core-state.ts';
import { simulate } from '../../hw/cpu/jit/simulation.ts';
import { SymbolTable } from '../../hw/cpu/jit/symbols.ts';
import { HOST_RETURN } from '../../hw/cpu/jit/text-space.ts';
import { KERNEL_BASE } from '../../kernel/ram/ram.ts';
import { bareRuntime } from '../support/bare-runtime.ts';

const QEMU = 'qemu-aarch64-static';
const numRuns = Number(process.env.SKEP_FUZZ_RUNS ?? 1200);
const seed = Number(process.env.SKEP_FUZZ_SEED ?? 1);

/** As native.c has it. */
const REGISTERS = 16;
const MEMORY_AT = 8 * REGISTERS;
const MEMORY_BYTES = 256;
const CODE_AT = MEMORY_AT + MEMORY_BYTES;
const WORDS = 8;
const CASE_BYTES = CODE_AT + 4 * WORDS;
/** x14 points into memory, x13 is a small index. */
const BASE = 14;
const INDEX = 13;
const MIDDLE = 128;

const RET = 0xd65f_03c0;
const NOP = 0xd503_201f;

/** The program under qemu, or why there is none. */
function build(): { readonly program: string } | { readonly missing: string } {
  if (spawnSync(QEMU, ['--version']).status !== 0) return { missing: QEMU };
  const program = join(mkdtempSync(join(tmpdir(), 'native-arm-')), 'native');
  const options = ['-O1', '-static', '-nostdlib', '-ffreestanding', '-fno-stack-protector'];
  const source = join(import.meta.dirname, 'native.c');
  for (const [compiler, ...more] of [
    ['aarch64-linux-gnu-gcc'],
    ['clang-19', '--target=aarch64-linux-gnu', '-fuse-ld=lld'],
  ] as const) {
    const built = spawnSync(compiler, [...more, ...options, source, '-o', program]);
    if (built.status === 0) return { program };
  }
  return { missing: 'a compiler for AArch64' };
}

/** xorshift32 (Marsaglia 2003) */
class Dice {
  #state: number;

  constructor(from: number) {
    this.#state = from | 1;
  }

  word(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return state >>> 0;
  }

  below(limit: number): number {
    return this.word() % limit;
  }

  oneOf<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  /** Numbers at the edges more often than others. */
  value(): bigint {
    const edges = [0n, 1n, -1n, 2n ** 31n, 2n ** 32n - 1n, -(2n ** 63n), 2n ** 63n - 1n, 0x8000n];
    const whole = (BigInt(this.word()) << 32n) | BigInt(this.word());
    const kind = this.below(4);
    if (kind === 0) return BigInt.asUintN(64, this.oneOf(edges));
    if (kind === 1) return BigInt(this.below(70));
    return kind === 2 ? whole : whole >> BigInt(this.below(64));
  }
}

/** Fixed bits, and those that are drawn; what does not decode is drawn again. */
const COMPUTING: readonly (readonly [fixed: number, drawn: number])[] = [
  [0x1100_0000, 0xe07f_ffff], // add, sub, adds, subs of immediates
  [0x1200_0000, 0xe07f_ffff], // logical, of immediates
  [0x1280_0000, 0xe07f_ffff], // movn, movz, movk
  [0x1300_0000, 0xe07f_ffff], // bitfields
  [0x0a00_0000, 0xe0ff_ffff], // logical
  [0x0b00_0000, 0xe0df_ffff], // add, sub, adds, subs
  [0x1ac0_0000, 0x801f_2fff], // division, shifts
  [0x5ac0_0000, 0x8000_0fff], // reversals
  [0x1b00_0000, 0x801f_ffff], // madd, msub
];
const ACCESSES: readonly (readonly [fixed: number, drawn: number])[] = [
  [0x3900_0000 | (BASE << 5), 0xc0c0_3c1f], // scaled offsets, of at most 15
  [0x3820_6800 | (BASE << 5) | (INDEX << 16), 0xc0c0_001f], // indexed
  [0xa880_0000 | (BASE << 5), 0x0143_fc1f], // pairs, up
  [0xa8b8_0000 | (BASE << 5), 0x0143_fc1f], // pairs, down
  [0xa900_0000 | (BASE << 5), 0x00c3_fc1f],
  [0x3820_0000 | (BASE << 5), 0xc0df_b01f], // LSE
  [0x08a0_7c00 | (BASE << 5), 0xc05f_801f], // cas
];

const decoded = (word: number): ArmInsn | undefined => {
  try {
    return decodeInsn(new Uint8Array(Uint32Array.of(word).buffer), 0);
  } catch (error) {
    if (error instanceof Undecodable) return undefined;
    throw error;
  }
};

/** Registers of the case only; the base, whose value qemu has another of, only of an address. */
function isUsable(insn: ArmInsn): boolean {
  const { rd, rn, rm, ra, rs, addressing } = insn;
  const all = [rd, rn, rm, ra, rs].filter((each) => each !== undefined);
  if (all.some((register) => register >= REGISTERS && register !== 32)) return false;
  const others = addressing === undefined ? all : [rd, ra, rs];
  return !others.includes(BASE);
}

function draw(dice: Dice, choices: readonly (readonly [number, number])[]): number {
  const [fixed, drawn] = dice.oneOf(choices);
  for (;;) {
    const word = ((fixed & ~drawn) | (fixed & drawn) | (dice.word() & drawn)) >>> 0;
    const insn = decoded(word);
    if (insn !== undefined && isUsable(insn)) return word;
  }
}

const branch = (condition: number, words: number): number => 0x5400_0000 | (words << 5) | condition;

/** Instructions, and where flags are set one that is skipped as they say. */
function drawCode(dice: Dice): number[] {
  const kind = dice.below(6);
  if (kind === 0) {
    // ldxr, a computation, stxr: of 4 or 8 bytes, or of another size than was loaded from.
    const size = dice.oneOf([0x8000_0000, 0xc000_0000]);
    const value = dice.below(12);
    const load = (0x085f_7c00 | size | (BASE << 5) | value) >>> 0;
    const order = dice.oneOf([0, 0x8000]);
    const store = (0x080c_7c00 | size | order | (BASE << 5) | dice.below(12)) >>> 0;
    const between = draw(dice, COMPUTING);
    return dice.below(4) === 0 ? [store] : [load, between, store];
  }
  if (kind <= 2) return [draw(dice, ACCESSES)];
  const word = draw(dice, COMPUTING);
  const { mnemonic } = decoded(word)!;
  if (!/^(adds|subs|ands|bics)$/.test(mnemonic)) {
    const register = decoded(word)!.rd!;
    const zero = dice.oneOf([0x3400_0000, 0xb400_0000, 0x3500_0000, 0xb500_0000]);
    if (register >= REGISTERS || dice.below(3) > 0) return [word];
    return [word, (zero | (2 << 5) | register) >>> 0, 0xd280_002f];
  }
  return [word, branch(dice.below(CONDITIONS.length), 2), 0xd280_002f];
}

interface Case {
  readonly bytes: Buffer;
  readonly code: readonly number[];
}

function drawCase(dice: Dice): Case {
  const bytes = Buffer.alloc(CASE_BYTES);
  for (let i = 0; i < REGISTERS; i++) bytes.writeBigUInt64LE(dice.value(), 8 * i);
  bytes.writeBigUInt64LE(BigInt(MIDDLE), 8 * BASE);
  bytes.writeBigInt64LE(BigInt(dice.below(128) - 64), 8 * INDEX);
  for (let at = MEMORY_AT; at < CODE_AT; at += 4) bytes.writeUInt32LE(dice.word(), at);
  const code = drawCode(dice);
  for (let i = 0; i < WORDS; i++) bytes.writeUInt32LE((code[i] ?? RET) >>> 0, CODE_AT + 4 * i);
  return { bytes, code };
}

/** What qemu leaves of the case, from the simulator. */
class Simulator {
  readonly #arch = arm({ pac: false });
  readonly #runtime = bareRuntime();
  readonly #core = new CoreState(this.#runtime.ram, this.#arch.convention);
  readonly #symbols = new SymbolTable(this.#runtime.kernel);
  readonly #memory = this.#runtime.ram.kzalloc(MEMORY_BYTES);
  readonly #stack = this.#runtime.ram.kzalloc(4096) + 4096;

  run({ bytes, code }: Case): Buffer {
    const { ram } = this.#runtime;
    const core = this.#core;
    const memory = KERNEL_BASE + BigInt(this.#memory);
    for (let i = 0; i < REGISTERS; i++) core.setRegister(i, bytes.readBigInt64LE(8 * i));
    core.setRegister(BASE, BigInt.asIntN(64, memory + BigInt(MIDDLE)));
    core.setRegister(X30, BigInt.asIntN(64, HOST_RETURN));
    core.setPointer(SP, this.#stack);
    ram.u8.set(bytes.subarray(MEMORY_AT, CODE_AT), this.#memory);
    this.#simulation(code).tail();
    const after = Buffer.from(bytes);
    for (let i = 0; i < REGISTERS; i++) after.writeBigInt64LE(core.register(i), 8 * i);
    const base = BigInt.asUintN(64, core.register(BASE) - memory);
    after.writeBigUInt64LE(base, 8 * BASE);
    after.set(ram.u8.subarray(this.#memory, this.#memory + MEMORY_BYTES), MEMORY_AT);
    return after;
  }

  #simulation(code: readonly number[]): { tail(): number } {
    const { tailCallOffset } = this.#arch;
    const words = [...new Array<number>(tailCallOffset / 4).fill(NOP), ...code, RET];
    const trap = (name: string) => (): never => {
      throw new Error(name);
    };
    return simulate(
      this.#arch,
      {
        ram: this.#runtime.ram,
        core: this.#core,
        symbols: this.#symbols,
        name: 'test',
        traps: {
          fault: trap('fault'),
          divideError: trap('divide error'),
          lost: trap('lost'),
          stackOverflow: trap('stack overflow'),
        },
        traced: false,
        poison: false,
        stackLimit: 0,
        leave: trap('leave'),
        nextBlock: () => 0,
      },
      {
        address: 0xffff_ffff_c000_0000n,
        bytes: new Uint8Array(Uint32Array.from(words).buffer),
        zeroes: new Map(),
        callbacks: [],
        slotAt: () => undefined,
      },
    );
  }
}

const textOf = (code: readonly number[]): string =>
  code.map((word) => armText(decoded(word)!, (to) => `.+${to}`)).join('; ');

function differences(before: Buffer, a: Buffer, b: Buffer): string {
  const lines: string[] = [];
  for (let at = 0; at < CODE_AT; at += 8) {
    const [x, y] = [a.readBigUInt64LE(at), b.readBigUInt64LE(at)];
    if (x === y) continue;
    const name = at < MEMORY_AT ? `x${at / 8}` : `memory + ${at - MEMORY_AT}`;
    const from = before.readBigUInt64LE(at).toString(16);
    lines.push(`${name}: qemu ${x.toString(16)}, simulator ${y.toString(16)}, before ${from}`);
  }
  return lines.join('\n');
}

const native = build();
if ('missing' in native) {
  console.warn(`${native.missing} is not installed: the simulator is not compared with qemu`);
}

describe.skipIf('missing' in native)('the simulator does what qemu-aarch64 does', () => {
  it('with random operands', { timeout: 60_000 + 20 * numRuns }, () => {
    if ('missing' in native) return;
    const dice = new Dice(seed);
    const cases = Array.from({ length: numRuns }, () => drawCase(dice));
    const input = Buffer.concat(cases.map(({ bytes }) => bytes));
    const options = { input, maxBuffer: 2 * input.length };
    const { stdout } = spawnSync(QEMU, ['-cpu', 'max', native.program], options);
    expect(stdout.length).toBe(input.length);
    const simulator = new Simulator();
    const seen = new Set<string>();
    cases.forEach((each, i) => {
      for (const word of each.code) seen.add(decoded(word)!.mnemonic);
      const expected = stdout.subarray(CASE_BYTES * i, CASE_BYTES * (i + 1));
      const actual = simulator.run(each);
      const report = differences(each.bytes, expected, actual);
      if (report !== '') throw new Error(`${textOf(each.code)}\n${report}`);
    });
    const all =
      'add adds sub subs and ands orr eor bic bics orn eon movn movz movk sbfm ubfm udiv sdiv lslv ' +
      'lsrv asrv rorv rev rev16 rev32 madd msub b.cond cbz cbnz ldr str ldp stp ldxr stxr cas swp ' +
      'ldadd ldclr ldeor ldset';
    expect(all.split(' ').filter((name) => !seen.has(name))).toEqual([]);
  });
});
