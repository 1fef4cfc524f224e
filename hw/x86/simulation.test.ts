/** What the simulator does with code that the JIT never makes: it is a processor, not a mirror. */
import { describe, expect, it } from 'vitest';
import { KERNEL_BASE } from '../../kernel/ram/ram.ts';
import { bareRuntime } from '../../test/support/bare-runtime.ts';
import { Assembler } from './assembler.ts';
import { CoreState } from '../cpu/jit/core-state.ts';
import { R8, RAX, RBP, RBX, RCX, RDI, RDX, RSP } from './registers.ts';
import { simulate } from '../cpu/jit/simulation.ts';
import { X86 } from './engine.ts';
import { quotient128 } from './translate-divide.ts';
import { SymbolTable } from '../cpu/jit/symbols.ts';

const ADDRESS = 0xffff_ffff_c000_0000n;

/** Runs code behind the part of the prologue that tail calls skip; rax, or the trap's name. */
function run(write: (a: Assembler) => void, ctx = 0n, poison = false): bigint | string {
  const { ram, kernel } = bareRuntime();
  const symbols = new SymbolTable(kernel);
  const core = new CoreState(ram, X86.convention);
  const a = new Assembler();
  a.nop5();
  a.nop2();
  a.push(RBP);
  a.mov(64, RBP, RSP);
  write(a);
  const trap = (name: string) => (): never => {
    throw new Error(name);
  };
  const stack = ram.kzalloc(4096) + 4096;
  try {
    const simulation = simulate(
      X86,
      {
        ram,
        core,
        symbols,
        name: 'test',
        traps: {
          fault: (address) => trap(`fault ${BigInt.asUintN(64, address).toString(16)}`)(),
          divideError: trap('divide error'),
          lost: trap('lost'),
          stackOverflow: trap('stack overflow'),
        },
        traced: false,
        poison,
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

const end = (a: Assembler): void => {
  a.leave();
  a.ret();
};

describe('division', () => {
  /** rax of rdx:rax by r8. */
  const quotient = (op: 'div' | 'idiv', high: bigint, low: bigint, by: bigint, of = RAX) =>
    run((a) => {
      a.movabs(RDX, high);
      a.movabs(RAX, low);
      a.movabs(R8, by);
      a.unary(op, 64, R8);
      if (of !== RAX) a.mov(64, RAX, of);
      end(a);
    });

  it('takes dividends of 128 bits', () => {
    expect(quotient('div', 5n, 7n, 11n)).toBe(((5n << 64n) + 7n) / 11n);
    expect(quotient('div', 5n, 7n, 11n, RDX)).toBe(((5n << 64n) + 7n) % 11n);
    const dividend = -(2n ** 100n) + 3n;
    const high = BigInt.asUintN(64, dividend >> 64n);
    const expected = BigInt.asUintN(64, dividend / 2n ** 60n);
    expect(quotient('idiv', high, 3n, 2n ** 60n)).toBe(expected);
  });

  it('traps on 0 and on quotients that do not fit', () => {
    expect(quotient('div', 0n, 7n, 0n)).toBe('divide error');
    expect(quotient('div', 11n, 0n, 11n)).toBe('divide error');
    expect(quotient('idiv', -1n, -(2n ** 63n), -1n)).toBe('divide error');
    expect(quotient128('idiv', 0n, 2n ** 63n, 1n)).toBeUndefined();
  });

  it('of 32 bits traps when eax cannot hold the quotient', () => {
    const code = (high: number) => (a: Assembler) => {
      a.movImm(32, RDX, high);
      a.movImm(32, RAX, 9);
      a.movImm(32, R8, 4);
      a.unary('div', 32, R8);
      end(a);
    };
    expect(run(code(3))).toBe((3n * 2n ** 32n + 9n) / 4n);
    expect(run(code(4))).toBe('divide error');
  });
});

describe('control flow', () => {
  it('that returns elsewhere than it was called from is found out', () => {
    const meddles = (a: Assembler): void => {
      // mov rax, [rbp + 8]; add rax, 1; mov [rbp + 8], rax: the return address
      a.load(8, false, RAX, RBP, 8);
      a.aluImm('add', 64, RAX, 1);
      a.store(8, RBP, 8, RAX);
      end(a);
    };
    expect(run(meddles)).toBe('lost');
  });

  it('into what is no instruction is refused', () => {
    const translate = (a: Assembler): void => a.raw(0x0f, 0x0b);
    expect(run(translate)).toMatch(/opcode 0f 0b/);
  });

  it('calls itself until the stack ends', () => {
    expect(
      run((a) => {
        a.call(-(a.length + 5));
        end(a);
      }),
    ).toBe('stack overflow');
  });

  it('that depends on flags of another block is refused, not guessed', () => {
    const code = (a: Assembler): void => {
      a.alu('cmp', 64, RDI, RDI);
      a.jmp(0, true);
      a.jcc('e', 2, true);
      a.nop2();
      end(a);
    };
    expect(run(code)).toMatch(/flags of another block/);
  });
});

describe('memory', () => {
  it('outside RAM faults with its address', () => {
    const load = (a: Assembler): void => {
      a.load(8, false, RAX, RDI, 16);
      end(a);
    };
    expect(run(load, 0n)).toBe('fault 10');
    expect(run(load, KERNEL_BASE)).toBe('fault ffff888000000010');
    expect(run(load, KERNEL_BASE + 2n ** 20n - 20n)).toBe('fault ffff8880000ffffc');
    expect(run(load, KERNEL_BASE + 2n ** 20n - 24n)).toBe(0n);
  });

  it('a comparison that succeeds leaves rax alone, all of it', () => {
    const exchange = (compared: bigint) => (a: Assembler) => {
      a.aluImm('sub', 64, RSP, 16);
      a.storeImm(8, RBP, -8, 5);
      a.movabs(RAX, compared);
      a.movImm(32, RCX, 77);
      a.lockCmpxchg(32, RBP, -8, RCX);
      end(a);
    };
    expect(run(exchange(0x1234_0000_0005n))).toBe(0x1234_0000_0005n);
    expect(run(exchange(0x1234_0000_0006n))).toBe(5n);
  });
});

it('callee-saved registers are what the code makes of them', () => {
  const value = run((a) => {
    a.push(RBX);
    a.movabs(RBX, 0x1122_3344_5566_7788n);
    a.mov(64, RAX, RBX);
    a.rotate16(RAX);
    a.pop(RBX);
    end(a);
  });
  expect(value).toBe(0x1122_3344_5566_8877n);
});
