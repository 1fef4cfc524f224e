/**
 * What engines do together: callbacks, tail calls within and across engines, nested runs, the stack.
 * Each test runs on the interpreter, the JIT and the JIT without inlining.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { assemble } from '../../bpf/asm/assemble.ts';
import { insn } from '../../bpf/asm/build.ts';
import type { Engine, Executable } from '../../bpf/engine.ts';
import { engineState } from '../../bpf/engine-state.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import type { OpName } from '../../bpf/isa/table.ts';
import { createWasmJit } from '../../bpf/jit/jit.ts';
import type { BpfMap } from '../../bpf/maps/map.ts';
import { createMap } from '../../bpf/maps/table.ts';
import { SKF_LL_OFF, SKF_NET_OFF } from '../../bpf/packet-load.ts';
import { BpfOops } from '../../bpf/program.ts';
import type { BpfRuntime } from '../../bpf/runtime.ts';
import { KERNEL_BASE } from '../../kernel/ram/ram.ts';
import { SkBuff } from '../../kernel/types/skbuff.ts';
import { errno } from '../../kernel/types/errno.ts';
import { Bug, type RamOffset } from '../../kernel/types/units.ts';
import { createArmEngine } from '../../hw/arm/engine.ts';
import { createX86Engine } from '../../hw/x86/engine.ts';
import { bareMachine, type BareMachine } from '../support/assets.ts';
import { unverifiedProgram } from '../support/unverified.ts';

const NULL = 0 as RamOffset;
const interp = createInterpreter();
const wasm = createWasmJit();
const x86 = createX86Engine();
const arm = createArmEngine();
const ENGINES: readonly (readonly [string, Engine])[] = [
  ['interpreter', interp],
  ['JIT', wasm],
  ['JIT without inlining', createWasmJit({ inline: false })],
  ['JIT without WASM tail calls', createWasmJit({ tailCalls: false })],
  ['x86 machine code', x86],
  ['x86 machine code without inlining', createX86Engine({ inline: false, poison: true })],
  ['arm machine code', arm],
  ['arm machine code without inlining', createArmEngine({ inline: false, poison: true })],
];
const LOOP = 181;
const TAIL_CALL = 12;

let machine: BareMachine;
beforeEach(async () => {
  machine = await bareMachine({ ramMiB: 4 });
});
const compile = (engine: Engine, text: string): Executable =>
  engine.compile(unverifiedProgram(assemble(text)), machine.runtime);

/** r0 = rounds made; the sum of rounds lands in the context's u64. */
const looping = (rounds: number, body: string, flags = 0): string => `
  r6 = r1
  r1 = ${rounds}
  r2 = func(body)
  r3 = r6
  r4 = ${flags}
  call ${LOOP}
  exit
body:
  r3 = *(u64 *)(r2 +0)
  r3 += r1
  *(u64 *)(r2 +0) = r3
  ${body}
  exit`;

describe.each(ENGINES)('callbacks in the %s', (_, engine) => {
  const run = (text: string): readonly [number, bigint] => {
    const ctx = machine.ram.kzalloc(8);
    const r0 = compile(engine, text).run(ctx);
    return [r0, machine.ram.readU64(ctx)];
  };

  it('bpf_loop counts its rounds', () => {
    expect(run(looping(5, 'r0 = 0'))).toEqual([5, 10n]);
    expect(run(looping(0, 'r0 = 0'))).toEqual([0, 0n]);
  });

  it('bpf_loop ends early when the callback says so', () => {
    const stop = 'r0 = 1\n if r1 == 3 goto out\n r0 = 0\nout:';
    expect(run(looping(100, stop))).toEqual([4, 6n]);
  });

  it('bpf_loop refuses too many rounds and flags', () => {
    const error = (code: number): number => -code >>> 0;
    expect(run(looping(8 * 1024 * 1024 + 1, 'r0 = 0'))).toEqual([error(errno.E2BIG), 0n]);
    expect(run(looping(5, 'r0 = 0', 1))).toEqual([error(errno.EINVAL), 0n]);
  });

  it('a callback has a stack of its own and may loop itself', () => {
    const nested = `
      r6 = r1
      *(u64 *)(r10 -8) = 77
      r1 = 3
      r2 = func(outer)
      r3 = r6
      r4 = 0
      call ${LOOP}
      r0 = *(u64 *)(r10 -8)
      exit
    outer:
      *(u64 *)(r10 -8) = 88
      r6 = r2
      r1 = 4
      r2 = func(inner)
      r3 = r6
      r4 = 0
      call ${LOOP}
      r1 = *(u64 *)(r10 -8)
      r0 = 1
      if r1 != 88 goto bad
      r0 = 0
    bad:
      exit
    inner:
      *(u64 *)(r10 -8) = 99
      r3 = *(u64 *)(r2 +0)
      r3 += 1
      *(u64 *)(r2 +0) = r3
      r0 = 0
      exit`;
    expect(run(nested)).toEqual([77, 12n]);
  });

  it('a callback may be called outside a run, as by a timer, and loop there', () => {
    const text = `
      r2 = func(timer)
      r0 = r2
      exit
    timer:
      ${looping(3, 'r0 = 0')}`;
    const { runtime, ram } = machine;
    const func = compile(engine, text).run64(NULL);
    const ctx = ram.kzalloc(8);
    const address = KERNEL_BASE + BigInt(ctx);
    expect(engineState(runtime).callback(func, address, 0n, 0n, 0n, 0n)).toBe(3n);
    expect(ram.readU64(ctx)).toBe(3n);
    expect(runtime.running).toBeUndefined();
  });

  it('a fault in a callback ends the run, and the next one has its whole stack', () => {
    const faulty = compile(engine, looping(2, 'r4 = 0xffffffff ll\n r0 = *(u64 *)(r4 +0)'));
    const ctx = machine.ram.kzalloc(8);
    for (let i = 0; i < 40; i++) expect(() => faulty.run(ctx)).toThrow(BpfOops);
    expect(machine.runtime.running).toBeUndefined();
    expect(run(looping(5, 'r0 = 0'))).toEqual([5, 10n]);
  });
});

it('all engines show a program the same addresses: stack, callback, callback’s stack', () => {
  const text = `
    r6 = r1
    *(u64 *)(r6 +0) = r10
    r2 = func(body)
    *(u64 *)(r6 +8) = r2
    r1 = 1
    r3 = r6
    r4 = 0
    call ${LOOP}
    call sub
    exit
  body:
    *(u64 *)(r2 +16) = r10
    r0 = 0
    exit
  sub:
    r0 = r10
    *(u64 *)(r6 +24) = r10
    exit`.replace('*(u64 *)(r6 +24) = r10', 'r0 = r10');
  const program = unverifiedProgram(assemble(text));
  const ctx = machine.ram.kzalloc(32);
  const seen = ENGINES.map(([, engine]) => {
    const executable = engine.compile(program, machine.runtime);
    const r0 = executable.run64(ctx);
    executable.free();
    return [r0, ...[0, 8, 16].map((at) => machine.ram.readU64((ctx + at) as RamOffset))];
  });
  expect(seen[1]).toEqual(seen[0]);
  expect(seen[2]).toEqual(seen[0]);
  expect(new Set(seen[0]).size).toBe(4);
});

it('helpers without arguments give what the kernel says, inlined or not', () => {
  const { kernel, runtime } = machine;
  Object.assign(kernel, {
    nowNs: () => 2 ** 52 + 1,
    random32: () => 0xdead_beef,
    currentTask: () => 0x8123_4560,
    currentPid: () => 0x7fff_fff1,
    currentTgid: () => 0x1234,
    currentUid: () => 0xffff_fffe,
    currentGid: () => 0xffff_fffd,
  });
  kernel.setCpu(1);
  const expected: Record<number, bigint> = {
    5: 2n ** 52n + 1n,
    125: 2n ** 52n + 1n,
    7: 0xdead_beefn,
    8: 1n,
    14: 0x1234_7fff_fff1n,
    15: 0xffff_fffd_ffff_fffen,
    35: KERNEL_BASE + 0x8123_4560n,
  };
  for (const [id, value] of Object.entries(expected)) {
    const program = unverifiedProgram(assemble(`call ${id}\n exit`), { type: 'kprobe' });
    for (const [name, engine] of ENGINES) {
      const r0 = engine.compile(program, runtime).run64(NULL);
      expect([id, name, BigInt.asUintN(64, r0)]).toEqual([id, name, value]);
    }
  }
});

/** A prog_array and the programs in it, which may run on different engines. */
class TailCalls {
  readonly map: BpfMap;
  readonly #executables: Executable[] = [];

  constructor({ runtime }: BareMachine, slots: number) {
    const spec = { keyBytes: 4, valueBytes: 4, maxEntries: slots, flags: 0, name: 'programs' };
    const map = createMap(runtime, { type: 'prog_array', ...spec });
    if (typeof map === 'number') throw new Error(`making a prog_array: ${map}`);
    this.map = map;
    runtime.executableOf = (id) => this.#executables[id - 1];
  }

  put(runtime: BpfRuntime, slot: number, executable: Executable): void {
    const id = this.#executables.push(executable);
    const pair = runtime.ram.kzalloc(8);
    runtime.ram.view.setUint32(pair, slot, true);
    runtime.ram.view.setUint32(pair + 4, id, true);
    expect(this.map.updateFromUser(pair, (pair + 4) as RamOffset, 0)).toBe(0);
  }

  /** Lines that call slot `index` with the context in r6. */
  call(index: number): string {
    return `r1 = r6\n r2 = ${KERNEL_BASE + BigInt(this.map.offset)} ll\n r3 = ${index}\n call ${TAIL_CALL}`;
  }
}

const PAIRS = [interp, wasm, x86, arm].flatMap((from) =>
  [interp, wasm, x86, arm].map((to) => [from.name, to.name, from, to] as const),
);

describe.each(PAIRS)('tail calls from %s to %s', (_, __, from, to) => {
  const counting = (call: string): string => `
    r6 = r1
    r2 = *(u64 *)(r6 +0)
    r2 += 1
    *(u64 *)(r6 +0) = r2
    ${call}
    r0 = 99
    exit`;

  it('do not return, and pass the context on', () => {
    const { runtime, ram } = machine;
    const tails = new TailCalls(machine, 2);
    tails.put(runtime, 1, compile(to, 'r0 = *(u32 *)(r1 +0)\n r0 += 5\n exit'));
    const entry = compile(from, counting(tails.call(1)));
    expect(entry.run(ram.kzalloc(8))).toBe(6);
  });

  it('pass over an empty slot and an index out of range', () => {
    const tails = new TailCalls(machine, 2);
    expect(compile(from, counting(tails.call(0))).run(machine.ram.kzalloc(8))).toBe(99);
    expect(compile(from, counting(tails.call(2))).run(machine.ram.kzalloc(8))).toBe(99);
    expect(compile(from, counting(tails.call(-1))).run(machine.ram.kzalloc(8))).toBe(99);
  });

  it('end after 33', () => {
    const { runtime, ram } = machine;
    const tails = new TailCalls(machine, 2);
    tails.put(runtime, 0, compile(to, counting(tails.call(1))));
    tails.put(runtime, 1, compile(from, counting(tails.call(0))));
    const ctx = ram.kzalloc(8);
    expect(compile(from, counting(tails.call(0))).run(ctx)).toBe(99);
    expect(ram.readU64(ctx)).toBe(34n);
  });

  it('count an empty slot, but no index out of range', () => {
    const { runtime, ram } = machine;
    const tails = new TailCalls(machine, 3);
    const chain = (wasted: number): bigint => {
      tails.put(runtime, 0, compile(to, counting(`${tails.call(wasted)}\n${tails.call(0)}`)));
      const ctx = ram.kzalloc(8);
      compile(from, counting(tails.call(0))).run(ctx);
      return ram.readU64(ctx);
    };
    // 1 + 33 runs; with each further run wasting a call, half as many.
    expect(chain(7)).toBe(34n);
    expect(chain(2)).toBe(18n);
  });

  it('from a subprogram return to its caller, which counts for itself', () => {
    const { runtime, ram } = machine;
    const tails = new TailCalls(machine, 1);
    tails.put(runtime, 0, compile(to, 'r0 = 40\n exit'));
    const text = `
      r6 = r1
      r7 = 0
      r8 = 40
    again:
      r1 = r6
      call sub
      r7 += r0
      r8 += -1
      if r8 != 0 goto again
      r0 = r7
      exit
    sub:
      r6 = r1
      ${tails.call(0)}
      r0 = 1
      exit`;
    expect(compile(from, text).run(ram.kzalloc(8))).toBe(1600);
  });
});

/** Prints "a": to the kernel's end of bpf_trace_printk, a hook in the middle of a run. */
const PRINT = `
  *(u64 *)(r10 -16) = 0x61
  r1 = r10
  r1 += -16
  r2 = 2
  call 6`;

it.each(ENGINES)('runs nest in the %s, each with its own context and stack', (_, engine) => {
  const { kernel, ram, runtime } = machine;
  const contexts: (RamOffset | undefined)[] = [];
  const inner = compile(engine, `*(u64 *)(r10 -8) = 5\n ${PRINT}\n r0 = *(u64 *)(r10 -8)\n exit`);
  const outer = compile(engine, `*(u64 *)(r10 -8) = 9\n ${PRINT}\n r0 = *(u64 *)(r10 -8)\n exit`);
  let depth = 0;
  Object.assign(kernel, {
    tracePrintk: () => {
      contexts.push(runtime.running?.ctx);
      const program = ++depth % 2 === 0 ? outer : inner;
      if (depth < 4) expect(program.run(ram.kzalloc(8))).toBe(program === outer ? 9 : 5);
    },
  });
  expect(outer.run(ram.kzalloc(8))).toBe(9);
  expect(new Set(contexts).size).toBe(4);
  expect(runtime.running).toBeUndefined();
});

it.each(ENGINES)('endless nesting in the %s is an oops, not a crash', (_, engine) => {
  const { kernel } = machine;
  const program = compile(engine, `${PRINT}\n r0 = 3\n exit`);
  Object.assign(kernel, { tracePrintk: () => program.run(NULL) });
  expect(() => program.run(NULL)).toThrow(BpfOops);
  Object.assign(kernel, { tracePrintk: () => {} });
  expect(program.run(NULL)).toBe(3);
});

it.each(ENGINES)('an exhausted stack of the host under the %s is an oops', (_, engine) => {
  const { kernel, runtime } = machine;
  const program = compile(engine, `*(u64 *)(r10 -8) = 3\n ${PRINT}\n r0 = *(u64 *)(r10 -8)\n exit`);
  const deeper = (): number => 1 + deeper();
  Object.assign(kernel, { tracePrintk: deeper });
  expect(() => program.run(NULL)).toThrow(
    expect.objectContaining({ name: 'BpfOops', message: 'kernel stack overflow' }),
  );
  expect(runtime.running).toBeUndefined();
  Object.assign(kernel, { tracePrintk: () => {} });
  expect(program.run(NULL)).toBe(3);
});

it.each(ENGINES)('what our own code throws under the %s stays what it is', (_, engine) => {
  const { kernel, runtime } = machine;
  const program = compile(engine, `${PRINT}\n r0 = 3\n exit`);
  const broken = (): never => {
    throw new Bug('broken');
  };
  Object.assign(kernel, { tracePrintk: broken });
  for (let i = 0; i < 20; i++) expect(() => program.run(NULL)).toThrow(Bug);
  expect(runtime.running).toBeUndefined();
  Object.assign(kernel, { tracePrintk: () => {} });
  expect(program.run(NULL)).toBe(3);
});

it.each(ENGINES)('eight frames in the %s each keep their registers and stack', (_, engine) => {
  /** Frame n adds n to what the next one gives, in a register and on the stack. */
  const frame = (n: number): string => `
    f${n}:
      r6 = ${n}
      r7 = r1
      *(u64 *)(r10 -16) = r6
      *(u64 *)(r10 -64) = r7
      ${n < 8 ? `r1 += r6\n call f${n + 1}` : 'r0 = r1'}
      r1 = *(u64 *)(r10 -16)
      if r1 != r6 goto bad${n}
      r1 = *(u64 *)(r10 -64)
      if r1 != r7 goto bad${n}
      r0 += r6
      exit
    bad${n}:
      r0 = -${n}
      exit`;
  const frames = [2, 3, 4, 5, 6, 7, 8].map(frame).join('');
  const text = `r1 = 1000\n r8 = 1\n call f2\n r0 += r8\n exit ${frames}`;
  // On the way down 2 to 7 are added to r1, on the way up 2 to 8 to what comes back, then 1.
  expect(compile(engine, text).run(NULL)).toBe(1000 + 27 + 35 + 1);
});

describe.each(ENGINES)('packet loads in the %s', (_, engine) => {
  const PACKET = [0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc];
  /** 4 bytes of headroom, a link-layer header of 2 bytes before the data, 8 bytes of tailroom. */
  const makeSkb = (): RamOffset => {
    const { ram } = machine;
    const skb = SkBuff.alloc(ram);
    skb.head = ram.kzalloc(32);
    skb.data = (skb.head + 4) as RamOffset;
    ram.u8.set([0xaa, 0xbb], skb.head + 2);
    ram.u8.set(PACKET, skb.data);
    skb.len = PACKET.length;
    skb.tail = 4 + PACKET.length;
    skb.end = 32;
    skb.mac_header = 2;
    skb.network_header = 6;
    return skb.offset;
  };
  /** The loaded value plus 1, or 0 where the load ended the program. */
  const load = (name: OpName, imm: number, index = 0): number => {
    const insns = [
      insn('mov64_reg', { dst: 6, src: 1 }),
      insn('mov64_imm', { dst: 7, imm: index }),
      insn(name, { src: name.startsWith('ldind') ? 7 : 0, imm }),
      insn('add64_imm', { dst: 0, imm: 1 }),
      insn('exit'),
    ];
    return engine.compile(unverifiedProgram(insns), machine.runtime).run(makeSkb());
  };

  it('give big-endian words of the packet', () => {
    expect(load('ldabs8', 5)).toBe(0xbd);
    expect(load('ldabs16', 1)).toBe(0x3457);
    expect(load('ldabs32', 2)).toBe(0x56789abd);
    expect(load('ldind8', 1, 3)).toBe(0x9b);
    expect(load('ldind16', 4, -2)).toBe(0x5679);
    expect(load('ldind32', 1, -1)).toBe(0x12345679);
  });

  it('end the program beyond the packet', () => {
    expect(load('ldabs8', 6)).toBe(0);
    expect(load('ldabs16', 5)).toBe(0);
    expect(load('ldabs32', 3)).toBe(0);
    expect(load('ldabs32', 0x7fff_ffff)).toBe(0);
    expect(load('ldind8', 0, -1)).toBe(0);
    expect(load('ldind32', 2, 0x7fff_fffe)).toBe(0);
  });

  it('count from headers for negative offsets', () => {
    expect(load('ldabs16', SKF_LL_OFF)).toBe(0xaabc);
    expect(load('ldabs8', SKF_NET_OFF)).toBe(0x57);
    expect(load('ldind8', SKF_NET_OFF, 1)).toBe(0x79);
    expect(load('ldabs8', SKF_NET_OFF + 4)).toBe(0);
    expect(load('ldabs8', SKF_LL_OFF - 1)).toBe(0);
  });
});
