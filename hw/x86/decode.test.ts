/**
 * The decoder and what it says of instructions, held against iced-x86, which knows nothing of either:
 * all code that the JIT makes of the instruction cases and of random programs.
 */
import fc from 'fast-check';
import {
  ConditionCode,
  Decoder,
  DecoderOptions,
  InstructionInfoFactory,
  MemorySizeExt,
  Mnemonic,
  OpAccess,
  OpKind,
  Register,
  RegisterExt,
  type Instruction,
} from 'iced-x86';
import { describe, expect, it } from 'vitest';
import { bareRuntime } from '../../test/support/bare-runtime.ts';
import { INSTRUCTION_CASES } from '../../test/support/instruction-cases.ts';
import { unverifiedProgram } from '../../test/support/unverified.ts';
import { programs } from '../../test/differential/generator.ts';
import { render } from '../../test/differential/render.ts';
import { assemble } from '../../bpf/asm/assemble.ts';
import type { Insn } from '../../bpf/isa/insn.ts';
import { FLAGS, type InsnDescriptor } from '../cpu/events.ts';
import { attText } from './att.ts';
import { decodeInsn, Undecodable, type Operand, type X86Insn } from './decode.ts';
import { describe as descriptorOf } from './descriptors.ts';
import { createX86Engine, type X86Options, type X86Program } from './engine.ts';

const ADDRESS = 0xffff_ffff_c000_0000n;

/** What is compared, in words both sides can say. */
interface Summary {
  readonly text: string;
  readonly reads: readonly number[];
  readonly writes: readonly number[];
  readonly memory: readonly string[];
}

const operandText = (operand: Operand): string => {
  switch (operand.kind) {
    case 'register':
      return `${operand.bits}r${operand.register}`;
    case 'immediate':
      return `${operand.value}`;
    case 'memory': {
      const index = operand.index === undefined ? '' : `+${operand.index}*${operand.scale}`;
      return `[${operand.base}${index}+${operand.displacement}]`;
    }
  }
};

const OURS: Readonly<Record<string, string>> = { 'jmp-indirect': 'jmp' };

function ours(insn: X86Insn): Summary {
  const { mnemonic, operands, target, condition, lock, widthBits, length } = insn;
  const cqo = mnemonic === 'cqo' && widthBits === 32 ? 'cdq' : undefined;
  const name = mnemonic === 'jcc' ? `j${condition}` : (cqo ?? OURS[mnemonic] ?? mnemonic);
  // 66 90 is xchg ax, ax to some and nop to others.
  const shown = mnemonic === 'nop' ? [] : operands.map(operandText);
  const to = target === undefined ? [] : [`${BigInt.asUintN(64, ADDRESS + BigInt(target))}`];
  const descriptor = descriptorOf(insn, ADDRESS);
  return {
    text: `${lock ? 'lock ' : ''}${name} ${[...shown, ...to].join()} (${length})`,
    reads: sorted(descriptor.reads),
    writes: sorted(descriptor.writes),
    memory: descriptor.memory.map(memoryText),
  };
}

const memoryText = ({ access, bytes, registers }: InsnDescriptor['memory'][number]): string =>
  `${access} ${bytes} ${registers.join('+')}`;
const sorted = (registers: readonly number[]): number[] =>
  [...new Set(registers)].sort((a, b) => a - b);
const number = (register: Register): number =>
  RegisterExt.number(RegisterExt.fullRegister(register));

/** tttn by the names of iced's conditions. */
const CONDITIONS: Readonly<Record<string, number>> = {
  o: 0, no: 1, b: 2, ae: 3, e: 4, ne: 5, be: 6, a: 7, s: 8, ns: 9, p: 10, np: 11, l: 12, ge: 13, le: 14, g: 15,
}; // prettier-ignore

function theirs(instr: Instruction, factory: InstructionInfoFactory): Summary {
  const operands: string[] = [];
  for (let i = 0; i < instr.opCount; i++) {
    switch (instr.opKind(i)) {
      case OpKind.Register: {
        const register = instr.opRegister(i);
        operands.push(`${8 * RegisterExt.size(register)}r${number(register)}`);
        break;
      }
      case OpKind.Memory: {
        const index =
          instr.memoryIndex === Register.None
            ? ''
            : `+${number(instr.memoryIndex)}*${instr.memoryIndexScale}`;
        const displacement = BigInt.asIntN(64, instr.memoryDisplacement);
        operands.push(`[${number(instr.memoryBase)}${index}+${displacement}]`);
        break;
      }
      case OpKind.NearBranch64:
        operands.push(`${instr.nearBranchTarget}`);
        break;
      default:
        operands.push(immediateText(instr, i));
    }
  }
  const mnemonic = Mnemonic[instr.mnemonic]!.toLowerCase();
  const condition = ConditionCode[instr.conditionCode]!;
  const name = condition === 'None' ? mnemonic : `j${CONDITIONS[condition]}`;
  const isNop = mnemonic === 'nop' || (mnemonic === 'xchg' && instr.opKind(0) === OpKind.Register);
  const info = factory.info(instr);
  const reads: number[] = [];
  const writes: number[] = [];
  for (const used of info.usedRegisters()) {
    const { access } = used;
    if (isRead(access)) reads.push(number(used.register));
    if (isWrite(access)) writes.push(number(used.register));
    used.free();
  }
  const memory = info.usedMemory().map((used) => {
    const { access, base, index } = used;
    const kind = !isWrite(access) ? 'load' : !isRead(access) ? 'store' : 'load-store';
    const registers = [base, index].filter((each) => each !== Register.None).map(number);
    return `${kind} ${MemorySizeExt.size(used.memorySize)} ${registers.join('+')}`;
  });
  info.free();
  if (instr.rflagsRead !== 0) reads.push(FLAGS);
  if (instr.rflagsModified !== 0) writes.push(FLAGS);
  const lock = instr.hasLockPrefix ? 'lock ' : '';
  return {
    text: `${lock}${isNop ? 'nop' : name} ${isNop ? '' : operands.join()} (${instr.length})`,
    reads: sorted(reads),
    writes: sorted(writes),
    memory,
  };
}

function immediateText(instr: Instruction, i: number): string {
  const value = instr.immediate(i);
  const first = instr.opKind(0) === OpKind.Register ? RegisterExt.size(instr.opRegister(0)) : 0;
  const bytes = first || MemorySizeExt.size(instr.memorySize);
  return `${BigInt.asIntN(8 * bytes, value)}`;
}

const isRead = (access: OpAccess): boolean =>
  [OpAccess.Read, OpAccess.CondRead, OpAccess.ReadWrite, OpAccess.ReadCondWrite].includes(access);
const isWrite = (access: OpAccess): boolean =>
  [OpAccess.Write, OpAccess.CondWrite, OpAccess.ReadWrite, OpAccess.ReadCondWrite].includes(access);

/** Reports of what both see differently, each instruction once. */
function differences(code: Uint8Array, seen: Set<string>): string[] {
  const decoder = new Decoder(64, code, DecoderOptions.None);
  decoder.ip = ADDRESS;
  const factory = new InstructionInfoFactory();
  const reports: string[] = [];
  for (let offset = 0; offset < code.length;) {
    const insn = decodeInsn(code, offset);
    const instr = decoder.decode();
    const [a, b] = [ours(insn), theirs(instr, factory)];
    instr.free();
    seen.add(insn.mnemonic);
    const same = JSON.stringify(a) === JSON.stringify(b);
    if (!same)
      reports.push(`${attText(insn, (to) => `${to}`)}\n${JSON.stringify(a)}\n${JSON.stringify(b)}`);
    offset += insn.length;
  }
  factory.free();
  decoder.free();
  return reports;
}

describe('the decoder agrees with iced-x86', () => {
  const runtime = bareRuntime();
  const seen = new Set<string>();
  const check = (insns: readonly Insn[], options?: X86Options): void => {
    const program = createX86Engine(options).compile(
      unverifiedProgram(insns),
      runtime,
    ) as X86Program;
    const { bytes, functions } = program.code;
    for (const { start, sizeBytes } of functions) {
      expect(differences(bytes.slice(start, start + sizeBytes), seen)).toEqual([]);
    }
    program.free();
  };

  it('on the code of every instruction case', () => {
    for (const { insns } of INSTRUCTION_CASES) check(insns);
    const calls = 'r2 = 5 ll\n r3 = 0\n call 12\n call 5\n call sub\n exit\nsub: r0 = 1\n exit';
    check(assemble(calls));
    // Nothing of the table is left unchecked but what the JIT does not write.
    const unseen = ['not', 'mul'];
    const all =
      'add or and sub xor cmp test mov movzx movsx movsxd lea push pop leave ret call jmp jcc ' +
      'jmp-indirect nop imul neg div idiv cqo shl shr sar ror bswap xadd xchg cmpxchg lfence int3';
    expect(all.split(' ').filter((name) => !seen.has(name))).toEqual([]);
    expect(unseen.filter((name) => seen.has(name))).toEqual([]);
  });

  it('on the code of random programs', () => {
    const property = fc.property(programs({ packets: true, subprogs: 3 }), (tree) => {
      check(render(tree.program, { context: 'pointers' }).insns, { blindingSeed: 5 });
    });
    fc.assert(property, { seed: 1, numRuns: 15 });
  });

  it('or refuses: no random bytes are read as another instruction than they are', () => {
    const factory = new InstructionInfoFactory();
    let decoded = 0;
    const property = fc.property(fc.uint8Array({ minLength: 15, maxLength: 15 }), (bytes) => {
      let insn: X86Insn;
      try {
        insn = decodeInsn(bytes, 0);
      } catch (error) {
        if (error instanceof Undecodable) return;
        throw error;
      }
      const decoder = new Decoder(64, bytes, DecoderOptions.None);
      decoder.ip = ADDRESS;
      const instr = decoder.decode();
      decoded++;
      expect(ours(insn)).toEqual(theirs(instr, factory));
    });
    fc.assert(property, { seed: 1, numRuns: 8000 });
    expect(decoded).toBeGreaterThan(400);
  });
});
