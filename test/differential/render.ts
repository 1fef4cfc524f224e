/**
 * From a program tree to instructions.
 *
 *   render(tree, {context: 'xdp_md'})     as one would load it; ctx is the UAPI's struct xdp_md
 *   render(tree, {context: 'pointers'})   ctx holds two pointers, data and data_end: no verifier
 *                                         is needed to run it
 *
 * Map descriptors are left 0; `fixups` says which ld_imm64 wants which map.
 */
import { insn, ldImm64 } from '../../bpf/asm/build.ts';
import type { Insn } from '../../bpf/isa/insn.ts';
import type { AluOperation } from '../../bpf/isa/row.ts';
import { isaRow } from '../../bpf/isa/table.ts';
import {
  DATA_BYTES,
  KEY_AT,
  MAX_LOOP_NESTING,
  SCALARS,
  VALUE_AT,
  type Body,
  type ProgramTree,
  type Statement,
  type Test,
} from './ast.ts';

export interface Fixup {
  readonly insn: number;
  /** Index of a map, or 'programs' for the program array of the tail calls. */
  readonly map: number | 'programs';
}

export interface Rendered {
  readonly insns: readonly Insn[];
  readonly fixups: readonly Fixup[];
}

export interface RenderOptions {
  readonly context: 'xdp_md' | 'pointers';
}

const LOOKUP = 1;
const UPDATE = 2;
const DELETE = 3;
const TAIL_CALL = 12;

/** A call destroys r1 to r5 and what it leaves in r0 may be unreadable. */
const DESTROYED = [1, 2, 3, 4, 5] as const;

export function render(tree: ProgramTree, options: RenderOptions): Rendered {
  const starts = new Map<number, number>();
  const functions: FunctionRenderer[] = [];
  // Only what is called: unreachable code is refused. A call leads to a later function.
  const called = new Set([0]);
  let end = 0;
  tree.functions.forEach((body, index) => {
    if (!called.has(index)) return;
    const func = new FunctionRenderer(tree, index, options).render(body);
    for (const { subprog } of func.calls) called.add(subprog);
    functions.push(func);
    starts.set(index, end);
    end += func.insns.length;
  });
  const insns = functions.flatMap((func) => {
    const start = starts.get(func.index)!;
    const out = [...func.insns];
    for (const { at, subprog } of func.calls) {
      out[at] = { ...out[at]!, imm: starts.get(subprog)! - (start + at + 1) };
    }
    return out;
  });
  const fixups = functions.flatMap((func) =>
    func.fixups.map(({ insn: at, map }) => ({ insn: starts.get(func.index)! + at, map })),
  );
  return { insns, fixups };
}

class FunctionRenderer {
  readonly insns: Insn[] = [];
  readonly fixups: Fixup[] = [];
  readonly calls: { at: number; subprog: number }[] = [];
  readonly #tree: ProgramTree;
  readonly index: number;
  readonly #pointers: boolean;
  #nesting = 0;

  constructor(tree: ProgramTree, index: number, { context }: RenderOptions) {
    this.#tree = tree;
    this.index = index;
    this.#pointers = context === 'pointers';
  }

  render(body: Body): this {
    // Subprograms are called with scalars in r1 to r5 and know no context.
    if (this.index === 0) this.emit(insn('mov64_reg', { dst: 6, src: 1 }));
    else this.emit(insn('mov64_imm', { dst: 6, imm: 0 }));
    SCALARS.forEach((register, i) => {
      if (this.index > 0 && register >= 1 && register <= 5) return;
      this.emit(...ldImm64(register, this.#tree.initial[i]!));
    });
    for (let at = 8; at <= DATA_BYTES; at += 8) {
      this.emit(insn('stx64', { dst: 10, src: SCALARS[(at / 8) % SCALARS.length]!, off: -at }));
    }
    this.#body(body);
    this.emit(insn('exit'));
    return this;
  }

  emit(...insns: readonly Insn[]): void {
    this.insns.push(...insns);
  }

  /** `skip` may jump past the end of its body: then to the end. */
  #body(body: Body): void {
    const pending: { at: number; statement: number }[] = [];
    body.forEach((statement, i) => {
      for (const jump of pending) if (jump.statement === i) this.#land(jump.at);
      if (statement.kind === 'skip') {
        pending.push({ at: this.#branch(statement.test), statement: i + 1 + statement.count });
      } else {
        this.#statement(statement);
      }
    });
    for (const jump of pending) if (jump.statement >= body.length) this.#land(jump.at);
  }

  /** A branch with its target open; returns its slot. */
  #branch({ op, dst, src, imm }: Test): number {
    const row = isaRow(op);
    const isImm = row.kind === 'branch' && row.source === 'imm';
    this.emit(insn(op, isImm ? { dst, imm } : { dst, src }));
    return this.insns.length - 1;
  }

  #goto(): number {
    this.emit(insn('goto'));
    return this.insns.length - 1;
  }

  /** Let the jump at `slot` lead to here. */
  #land(slot: number): void {
    this.insns[slot] = { ...this.insns[slot]!, off: this.insns.length - slot - 1 };
  }

  #statement(statement: Statement): void {
    switch (statement.kind) {
      case 'insn':
        return this.#straight(statement);
      case 'constant':
        return this.emit(...ldImm64(statement.dst, statement.value));
      case 'if': {
        const toThen = this.#branch(statement.test);
        this.#body(statement.otherwise);
        const toEnd = this.#goto();
        this.#land(toThen);
        this.#body(statement.then);
        return this.#land(toEnd);
      }
      case 'skip':
        throw new Error('skips are handled by their body');
      case 'loop':
        return this.#loop(statement.rounds, () => this.#body(statement.body));
      case 'two-entry-loop': {
        if (this.#nesting === MAX_LOOP_NESTING) return;
        let toMiddle = 0;
        const before = (): void => {
          toMiddle = this.#branch(statement.test);
        };
        return this.#loop(
          statement.rounds,
          () => {
            this.#body(statement.first);
            this.#land(toMiddle);
            this.#body(statement.second);
          },
          before,
        );
      }
      case 'call':
        return this.#call(statement.subprog);
      case 'packet':
        return this.#packet(statement);
      case 'map':
        return this.#map(statement);
      case 'helper':
        this.emit(insn('call_helper', { imm: statement.id }));
        return this.#restore(DESTROYED);
      case 'tail-call':
        if (this.index > 0) return;
        this.emit(insn('mov64_reg', { dst: 1, src: 6 }));
        this.#loadMap(2, 'programs');
        this.emit(insn('mov64_imm', { dst: 3, imm: statement.index }));
        this.emit(insn('call_helper', { imm: TAIL_CALL }));
        return this.#restore([0, ...DESTROYED]);
      case 'exit': {
        const stay = this.#branch(statement.test);
        this.emit(insn('exit'));
        return this.#land(stay);
      }
    }
  }

  #straight(s: Statement & { kind: 'insn' }): void {
    const row = isaRow(s.op);
    const { dst, src } = s;
    switch (row.kind) {
      case 'alu':
        if (row.source === 'reg') return this.emit(insn(s.op, { dst, src }));
        return this.emit(insn(s.op, { dst, imm: legalImm(row.operation, row.width, s.imm) }));
      case 'movsx':
        return this.emit(insn(s.op, { dst, src }));
      case 'load':
        return this.emit(insn(s.op, { dst, src: 10, off: dataOffset(s.at, row.bytes) }));
      case 'store': {
        const off = dataOffset(s.at, row.bytes);
        const operand = row.source === 'imm' ? { imm: s.imm } : { src };
        return this.emit(insn(s.op, { dst: 10, off, ...operand }));
      }
      case 'atomic':
        return this.emit(insn(s.op, { dst: 10, src, off: dataOffset(s.at, row.bytes) }));
      default:
        return this.emit(insn(s.op, { dst }));
    }
  }

  /** The counter lies on the stack; r9 is lost. */
  #loop(rounds: number, body: () => void, before: () => void = () => {}): void {
    if (this.#nesting === MAX_LOOP_NESTING) return;
    const off = -DATA_BYTES - 8 * ++this.#nesting;
    this.emit(insn('st64', { dst: 10, off, imm: rounds }));
    before();
    const start = this.insns.length;
    body();
    this.emit(insn('ldx64', { dst: 9, src: 10, off }));
    this.emit(insn('add64_imm', { dst: 9, imm: -1 }));
    this.emit(insn('stx64', { dst: 10, src: 9, off }));
    const back = this.insns.length;
    this.emit(insn('jne64_imm', { dst: 9, imm: 0, off: start - back - 1 }));
    this.#nesting--;
  }

  #call(subprog: number): void {
    if (subprog <= this.index || subprog >= this.#tree.functions.length) return;
    this.calls.push({ at: this.insns.length, subprog });
    this.emit(insn('call_subprog'));
    this.#restore(DESTROYED);
  }

  /** Only the entry knows the packet. */
  #packet(s: Statement & { kind: 'packet' }): void {
    if (this.index > 0) return;
    const load = this.#pointers ? 'ldx64' : 'ldx32';
    this.emit(insn(load, { dst: 2, src: 6, off: 0 }));
    this.emit(insn(load, { dst: 3, src: 6, off: this.#pointers ? 8 : 4 }));
    this.emit(insn('mov64_reg', { dst: 4, src: 2 }));
    this.emit(insn('add64_imm', { dst: 4, imm: s.offset + s.bytes }));
    const tooShort = this.insns.length;
    this.emit(insn('jgt64_reg', { dst: 4, src: 3 }));
    const bits = (8 * s.bytes) as 8 | 16 | 32 | 64;
    // The registers that hold pointers now are no scalars.
    const register = s.register >= 2 && s.register <= 4 ? 1 : s.register;
    if (s.write) this.emit(insn(`stx${bits}`, { dst: 2, src: register, off: s.offset }));
    else this.emit(insn(`ldx${bits}`, { dst: register, src: 2, off: s.offset }));
    this.#land(tooShort);
    this.#restore([2, 3, 4]);
  }

  #map(s: Statement & { kind: 'map' }): void {
    this.emit(insn('st64', { dst: 10, off: -KEY_AT, imm: s.key }));
    this.emit(insn('stx64', { dst: 10, src: s.register, off: -VALUE_AT }));
    this.#loadMap(1, s.map);
    this.emit(insn('mov64_reg', { dst: 2, src: 10 }), insn('add64_imm', { dst: 2, imm: -KEY_AT }));
    if (s.action === 'update') {
      this.emit(insn('mov64_reg', { dst: 3, src: 10 }));
      this.emit(insn('add64_imm', { dst: 3, imm: -VALUE_AT }));
      this.emit(insn('mov64_imm', { dst: 4, imm: 0 }), insn('call_helper', { imm: UPDATE }));
      return this.#restore(DESTROYED);
    }
    if (s.action === 'delete') {
      this.emit(insn('call_helper', { imm: DELETE }));
      return this.#restore(DESTROYED);
    }
    this.emit(insn('call_helper', { imm: LOOKUP }));
    const missing = this.insns.length;
    this.emit(insn('jeq64_imm', { dst: 0, imm: 0 }));
    this.emit(insn('ldx64', { dst: 1, src: 10, off: -VALUE_AT }));
    if (s.action === 'write') this.emit(insn('stx64', { dst: 0, src: 1 }));
    if (s.action === 'add') this.emit(insn('atomic64_fetch_add', { dst: 0, src: 1 }));
    if (s.action === 'read') this.emit(insn('ldx64', { dst: 1, src: 0 }));
    this.emit(insn('stx64', { dst: 10, src: 1, off: -8 }));
    this.#land(missing);
    return this.#restore([0, ...DESTROYED]);
  }

  #loadMap(register: number, map: Fixup['map']): void {
    this.fixups.push({ insn: this.insns.length, map });
    this.emit(...ldImm64(register, 0n, 'ld_map_fd'));
  }

  /** Set registers that hold no scalar any more. */
  #restore(registers: readonly number[]): void {
    for (const dst of registers) this.emit(insn('mov64_imm', { dst, imm: 1000 + dst }));
  }
}

/** Linux refuses shifts beyond the width and divisions by a constant 0. */
function legalImm(operation: AluOperation, width: 32 | 64, imm: number): number {
  switch (operation) {
    case 'lsh':
    case 'rsh':
    case 'arsh':
      return imm & (width - 1);
    case 'div':
    case 'mod':
    case 'sdiv':
    case 'smod':
      return imm === 0 ? 1 : imm;
    default:
      return imm;
  }
}

/** An aligned place in the data area. */
function dataOffset(at: number, bytes: number): number {
  return -DATA_BYTES + (at - (at % bytes));
}
