/**
 * Assembler for the syntax that the disassembler, the verifier log and bpftool print; lines pasted
 * from a log work (`12: (07) r1 += 8 ; R1_w=…`).
 *
 *   assemble('r0 = 0\n exit')                   -> Insn[]; throws AsmError
 *
 * Beyond the printed form: `label:` and `goto label`, `call label`; `r1 = 0x100 ll` is a ld_imm64
 * (or with its `(18)`), as are map_fd(N), map_value(N, OFF), map_idx(N), map_idx_value(N, OFF),
 * btf_id(N) and func(label); a helper is `call name#id` or `call id`, a kernel function `call
 * kernel-function#id`. `;` and `//` start a comment.
 */
import type { Insn } from '../isa/insn.ts';
import type { OpName } from '../isa/table.ts';
import { OP } from '../isa/table.ts';
import { insn, ldImm64 } from './build.ts';

export class AsmError extends Error {
  override name = 'AsmError';
  /** From 1. */
  readonly line: number;
  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`);
    this.line = line;
  }
}

/** One source line that makes code; labels are resolved once all addresses are known. */
interface Statement {
  readonly line: number;
  readonly slot: number;
  readonly make: (jump: (target: string) => number) => Insn[];
}

const ALU_OPS: Readonly<Record<string, string>> = {
  '+=': 'add',
  '-=': 'sub',
  '*=': 'mul',
  '/=': 'div',
  's/=': 'sdiv',
  '|=': 'or',
  '&=': 'and',
  '<<=': 'lsh',
  '>>=': 'rsh',
  '%=': 'mod',
  's%=': 'smod',
  '^=': 'xor',
  '=': 'mov',
  's>>=': 'arsh',
};
const CONDITIONS: Readonly<Record<string, string>> = {
  '==': 'eq',
  '!=': 'ne',
  '>': 'gt',
  '>=': 'ge',
  '<': 'lt',
  '<=': 'le',
  's>': 'sgt',
  's>=': 'sge',
  's<': 'slt',
  's<=': 'sle',
  '&': 'set',
};
const ATOMICS: Readonly<Record<string, string>> = {
  '+=': 'add',
  '|=': 'or',
  '&=': 'and',
  '^=': 'xor',
};

const NUMBER = '-?(?:0x[0-9a-f]+|\\d+)';
const MEM = `\\*\\(([us])(8|16|32|64) \\*\\)\\(r(\\d+) ([+-]?\\s*\\w+)\\)`;
const TARGET = `(pc[+-]\\d+|[A-Za-z_.][\\w.]*)`;
const re = (source: string) => new RegExp(`^${source.replaceAll(' ', '\\s*')}$`);

type Build = (groups: readonly string[], context: LineContext) => Statement['make'];

interface LineContext {
  readonly fail: (message: string) => never;
  /** The opcode in parentheses, where the line has one. */
  readonly code: number | undefined;
}

/** What a line may look like, and what it becomes. First match wins. */
const PATTERNS: readonly (readonly [RegExp, Build])[] = [
  [re('(exit|nospec)'), ([name]) => one(() => insn(name as OpName))],
  [
    re(`goto ${TARGET}`),
    ([to]) =>
      (jump) => [insn('goto', { off: jump(to!) })],
  ],
  [
    re(`gotol ${TARGET}`),
    ([to]) =>
      (jump) => [insn('gotol', { imm: jump(to!) })],
  ],
  [re(`if ([rw])(\\d+) (s?[<>]=?|[!=]=|&) ([rw]\\d+|${NUMBER}) goto ${TARGET}`), branch],
  [re(`call kernel-function#(\\d+)`), ([id]) => one(() => insn('call_kfunc', { imm: int(id!) }))],
  [re(`call (?:[A-Za-z_]\\w*#)?(\\d+)`), ([id]) => one(() => insn('call_helper', { imm: +id! }))],
  [
    re(`call ${TARGET}`),
    ([to]) =>
      (jump) => [insn('call_subprog', { imm: jump(to!) })],
  ],
  [re(`lock ${MEM} ([+|&^]=) r(\\d+)`), lockedAtomic],
  [re(`r(\\d+) = atomic(64)?_([a-z_]+)\\( ${MEM.slice(2)} ,(.*)\\)`), fetchingAtomic],
  [re(`r(\\d+) = ${MEM}`), load],
  [re(`r0 = \\*\\(u(8|16|32) \\*\\)skb\\[ (?:r(\\d+) \\+)? (${NUMBER}) \\]`), packetLoad],
  [re(`${MEM} = (r\\d+|${NUMBER})`), store],
  [re(`r(\\d+) = (le|be|bswap)(16|32|64) r(\\d+)`), endian],
  [re(`([rw])(\\d+) = - ([rw])(\\d+)`), negate],
  [re(`([rw])(\\d+) = \\(s(8|16|32)\\) ([rw])(\\d+)`), movsx],
  [re(`r(\\d+) = func\\( ${TARGET} \\)`), funcAddress],
  [
    re(`r(\\d+) = (map_fd|map_value|btf_id|map_idx|map_idx_value)\\( (\\d+) (?:, (\\d+) )?\\)`),
    ([dst, form, low, high]) =>
      () =>
        ldImm64(+dst!, (BigInt(high ?? 0) << 32n) | BigInt(low!), `ld_${form}` as OpName),
  ],
  [re(`r(\\d+) = (${NUMBER}) ll`), ([dst, value]) => one64(dst!, value!)],
  [re(`([rw])(\\d+) (s>>=|s\\/=|s%=|<<=|>>=|[-+*/|&%^]?=) ([rw]\\d+|${NUMBER})`), alu],
];

export function assemble(text: string): Insn[] {
  const labels = new Map<string, number>();
  const statements: Statement[] = [];
  let slot = 0;
  for (const [index, source] of text.split('\n').entries()) {
    const line = index + 1;
    let rest = source.replace(/(;|\/\/).*$/, '').trim();
    rest = rest.replace(/^\d+:\s*(?=\S)/, '');
    for (let label; (label = /^([A-Za-z_.][\w.]*):\s*/.exec(rest));) {
      if (labels.has(label[1]!)) throw new AsmError(line, `label ${label[1]} is there twice`);
      labels.set(label[1]!, slot);
      rest = rest.slice(label[0].length);
    }
    if (rest === '') continue;
    const make = parse(rest, line);
    statements.push({ line, slot, make });
    slot += make(() => 0).length;
  }
  return statements.flatMap(({ line, slot: at, make }) => {
    const insns = make((target) => {
      if (/^pc[+-]/.test(target)) return Number(target.slice(2));
      const to = labels.get(target);
      if (to === undefined) throw new AsmError(line, `no label ${target}`);
      return to - at - 1;
    });
    for (const { off, dst, src } of insns) {
      if (off < -0x8000 || off > 0x7fff) throw new AsmError(line, `offset ${off} exceeds 16 bits`);
      if (dst > 15 || src > 15) throw new AsmError(line, 'register numbers have 4 bits');
    }
    return insns;
  });
}

function parse(source: string, line: number): Statement['make'] {
  const fail = (message: string): never => {
    throw new AsmError(line, message);
  };
  const opcode = /^\(([0-9a-f]{2})\)\s*/.exec(source);
  const rest = source.slice(opcode?.[0].length ?? 0).trim();
  const code = opcode === null ? undefined : parseInt(opcode[1]!, 16);
  if (code === 0x18) {
    const value = /^r(\d+)\s*=\s*(0x[0-9a-f]+)$/.exec(rest);
    if (value !== null) return one64(value[1]!, value[2]!);
  }
  for (const [pattern, build] of PATTERNS) {
    const groups = pattern.exec(rest);
    if (groups !== null) return build(groups.slice(1), { fail, code });
  }
  return fail(`no instruction looks like '${rest}'`);
}

const one = (make: () => Insn) => () => [make()];
const one64 = (dst: string, value: string) => () =>
  ldImm64(+dst, value.startsWith('-') ? -BigInt(value.slice(1)) : BigInt(value));
/** Decimal or hex, 32 bits; a hex number with the top bit set is negative, as it prints. */
const int = (text: string) => Number(BigInt.asIntN(32, bigint(text)));
const bigint = (text: string) =>
  text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text.replace(/^\+/, ''));
const isReg = (text: string) => /^[rw]\d/.test(text);
const widthOf = (letter: string) => (letter === 'w' ? 32 : 64);

function immediate(text: string, { fail }: LineContext): number {
  const value = bigint(text);
  if (value < -0x8000_0000n || value > 0xffff_ffffn) fail(`${text} exceeds 32 bits`);
  return int(text);
}

function offset(text: string, { fail }: LineContext): number {
  const compact = text.replaceAll(/\s/g, '');
  return /^[+-]?\d+$/.test(compact) ? Number(compact) : fail(`bad offset '${text}'`);
}

function named(name: string, { fail }: LineContext): OpName {
  return name in OP ? (name as OpName) : fail(`there is no instruction ${name}`);
}

/** The second operand, whose width letter must be that of the first. */
function operand(letter: string, text: string, context: LineContext) {
  if (!isReg(text)) return { source: 'imm', imm: immediate(text, context) };
  if (text[0] !== letter) context.fail(`${text} is not as wide as the other operand`);
  return { source: 'reg', src: +text.slice(1) };
}

function alu([letter, dst, sign, right]: readonly string[], context: LineContext) {
  const { source, ...field } = operand(letter!, right!, context);
  const name = named(`${ALU_OPS[sign!]}${widthOf(letter!)}_${source}`, context);
  return one(() => insn(name, { dst: +dst!, ...field }));
}

function branch(
  [letter, dst, sign, right, to]: readonly string[],
  context: LineContext,
): Statement['make'] {
  const { source, ...field } = operand(letter!, right!, context);
  const name = named(`j${CONDITIONS[sign!]}${widthOf(letter!)}_${source}`, context);
  return (jump) => [insn(name, { dst: +dst!, ...field, off: jump(to!) })];
}

function load([dst, sign, bits, base, off]: readonly string[], context: LineContext) {
  const name = named(`ldx${sign === 's' ? 's' : ''}${bits}`.replace('ldxs', 'ldsx'), context);
  return one(() => insn(name, { dst: +dst!, src: +base!, off: offset(off!, context) }));
}

function store([sign, bits, base, off, value]: readonly string[], context: LineContext) {
  if (sign === 's') context.fail('a store has no sign');
  const target = { dst: +base!, off: offset(off!, context) };
  return isReg(value!)
    ? one(() => insn(named(`stx${bits}`, context), { ...target, src: +value!.slice(1) }))
    : one(() => insn(named(`st${bits}`, context), { ...target, imm: immediate(value!, context) }));
}

function lockedAtomic([, bits, base, off, sign, src]: readonly string[], context: LineContext) {
  const name = named(`atomic${bits}_${ATOMICS[sign!]}`, context);
  return one(() => insn(name, { dst: +base!, src: +src!, off: offset(off!, context) }));
}

function fetchingAtomic(groups: readonly string[], context: LineContext) {
  const [dst, wide, verb, , bits, base, off, rest] = groups;
  if ((wide === '64') !== (bits === '64')) context.fail('the sizes of the atomic differ');
  const operands = rest!.split(',').map((text) => text.trim());
  const src = operands.at(-1)!;
  const expected = verb === 'cmpxchg' ? ['r0', src] : [src];
  const result = verb === 'cmpxchg' ? 'r0' : src;
  if (!isReg(src) || operands.join() !== expected.join() || `r${dst}` !== result) {
    context.fail('operands of the atomic do not fit');
  }
  const name = named(`atomic${bits}_${verb}`, context);
  return one(() => insn(name, { dst: +base!, src: +src.slice(1), off: offset(off!, context) }));
}

function packetLoad([bits, index, at]: readonly string[], context: LineContext) {
  const imm = immediate(at!, context);
  return index === undefined
    ? one(() => insn(named(`ldabs${bits}`, context), { imm }))
    : one(() => insn(named(`ldind${bits}`, context), { src: +index, imm }));
}

function endian([dst, order, bits, src]: readonly string[], context: LineContext) {
  if (dst !== src) context.fail('a byte swap works in place');
  return one(() => insn(named(`${order}${bits}`, context), { dst: +dst! }));
}

function negate([letter, dst, other, src]: readonly string[], context: LineContext) {
  if (letter !== other || dst !== src) context.fail('a negation works in place');
  return one(() => insn(named(`neg${widthOf(letter!)}`, context), { dst: +dst! }));
}

function movsx([letter, dst, bits, other, src]: readonly string[], context: LineContext) {
  if (letter !== other) context.fail('both registers must be as wide');
  const name = named(`movsx${widthOf(letter!)}_${bits}`, context);
  return one(() => insn(name, { dst: +dst!, src: +src! }));
}

function funcAddress([dst, to]: readonly string[]): Statement['make'] {
  return (jump) => ldImm64(+dst!, BigInt.asUintN(32, BigInt(jump(to!))), 'ld_func');
}
