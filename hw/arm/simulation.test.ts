/** What the simulator does with code that the JIT never makes: it is a processor, not a mirror. */
import { describe, expect, it } from 'vitest';
import { CoreState } from '../cpu/jit/core-state.ts';
import { simulate } from '../cpu/jit/simulation.ts';
import { SymbolTable } from '../cpu/jit/symbols.ts';
import { KERNEL_BASE } from '../../kernel/ram/ram.ts';
import { bareRuntime } from '../../test/support/bare-runtime.ts';
import { Assembler } from './assembler.ts';
import { arm } from './engine.ts';
import { SP, X0, X30, X7, ZR } from './registers.ts';

const ADDRESS = 0xffff_ffff_c000_0000n;
const ARCH = arm();
const X1 = 1;
const X2 = 2;

/** Runs code behind the part of the prologue that tail calls skip; x0, or the trap's name. */
function run(write: (a: Assembler) => void, ctx = 0n): bigint | string {
  const { ram, kernel } = bareRuntime();
  const a = new Assembler();
  while (a.length < ARCH.tailCallOffset) a.hint('nop');
  write(a);
  const trap = (name: string) => (): never => {
    throw new Error(name);
  };
  const stack = ram.kzalloc(4096) + 4096;
  try {
    const simulation = simulate(
      ARCH,
      {
        ram,
        core: new CoreState(ram, ARCH.convention),
        symbols: new SymbolTable(kernel),
        name: 'test',
        traps: {
          fault: (address) => trap(`fault ${BigInt.asUintN(64, address).toString(16)}`)(),
          divideError: trap('divide error'),
          lost: trap('lost'),
          stackOverflow: trap('stack overflow'),
        },
        traced: false,
        poison: false,
        stackLimit: 0x20000,
        leave: trap('leave'),
        nextBlock: () => 0,
      },
      {
        address: ADDRESS,
        bytes: a.bytes,
        zeroes: new Map(),
        callbacks: [],
        slotAt: () => undefined,
      },
    );
    return BigInt.asUintN(64, simulation.enter(ctx, stack, 0));
  } catch (error) {
    if (error instanceof Error) return error.message;
    throw error;
  }
}

const address = (a: Assembler, register: number, value: bigint): void => {
  a.moveWide('movz', 64, register, Number(value & 0xffffn), 0);
  for (const shift of [16, 32, 48]) {
    a.moveWide('movk', 64, register, Number((value >> BigInt(shift)) & 0xffffn), shift);
  }
};

describe('control flow', () => {
  it('that returns elsewhere than it was called from is found out', () => {
    const meddles = (a: Assembler): void => {
      a.addSubImm('add', 64, X30, X30, 4);
      a.ret();
    };
    expect(run(meddles)).toBe('lost');
  });

  it('into what is no instruction is refused', () => {
    expect(run((a) => a.word(0))).toMatch(/offset 2c: 00000000/);
  });

  it('calls itself until the stack ends', () => {
    const calls = (a: Assembler): void => {
      a.push(29, X30);
      address(a, X7, ADDRESS + BigInt(ARCH.tailCallOffset));
      a.blr(X7);
      a.pop(29, X30);
      a.ret();
    };
    expect(run(calls)).toBe('stack overflow');
  });

  it('goes where a register says only if the moves before said so', () => {
    const jumpsIn = (a: Assembler): void => {
      a.b(12);
      a.moveWide('movn', 64, X7, 0, 0);
      a.moveWide('movk', 64, X7, 0, 16);
      a.blr(X7);
      a.ret();
    };
    // The symbol is none of the kernel's: found when the code is translated.
    expect(run(jumpsIn)).toMatch(/which is nothing/);
    const unknown = (a: Assembler): void => {
      a.blr(X0);
      a.ret();
    };
    expect(run(unknown)).toMatch(/a call of nobody knows what/);
    const past = (a: Assembler): void => {
      a.cb('cbz', 64, X0, 20);
      address(a, X7, ADDRESS);
      a.blr(X7);
      a.ret();
    };
    // Control comes to the call without the moves, with what was in the register.
    expect(run(past)).toBe('lost');
  });

  it('that depends on flags of another block is refused, not guessed', () => {
    const code = (a: Assembler): void => {
      a.alu('subs', 64, ZR, X0, X0);
      a.b(4);
      a.bCond('eq', 8);
      a.hint('nop');
      a.ret();
    };
    expect(run(code)).toMatch(/flags of another block/);
  });

  it('stops at a break', () => {
    expect(run((a) => a.word(0xd420_2000))).toBe('lost');
  });
});

describe('memory', () => {
  it('outside RAM faults with its address', () => {
    const load = (a: Assembler): void => {
      a.loadImm(8, false, X0, X0, 16);
      a.ret();
    };
    expect(run(load, 0n)).toBe('fault 10');
    expect(run(load, KERNEL_BASE)).toBe('fault ffff888000000010');
    expect(run(load, KERNEL_BASE + 2n ** 20n - 20n)).toBe('fault ffff8880000ffffc');
    expect(run(load, KERNEL_BASE + 2n ** 20n - 24n)).toBe(0n);
  });

  it('an exclusive store without its load stores nothing', () => {
    const code = (load: boolean) => (a: Assembler) => {
      a.push(X1, X2);
      a.mov(64, X1, SP);
      a.moveWide('movz', 64, X2, 77, 0);
      a.storeImm(8, ZR, X1, 0);
      if (load) a.loadExclusive(8, X0, X1);
      a.storeExclusive(8, X2, X1, 3, false);
      a.loadImm(8, false, X0, X1, 0);
      // The status above it.
      a.shiftImm('lsl', 64, 3, 3, 32);
      a.alu('orr', 64, X0, X0, 3);
      a.pop(X1, X2);
      a.ret();
    };
    expect(run(code(true))).toBe(77n);
    expect(run(code(false))).toBe(2n ** 32n);
  });

  it('a pair is loaded before either register changes, and the base moves last', () => {
    const code = (a: Assembler): void => {
      a.moveWide('movz', 64, X1, 5, 0);
      a.moveWide('movz', 64, X2, 6, 0);
      a.push(X1, X2);
      a.pop(X2, X0);
      a.ret();
    };
    expect(run(code)).toBe(6n);
  });
});
