/** Atomic operations: a load and a store of the same aligned memory. */
import { errno } from '../../kernel/types/errno.ts';
import type { Insn } from '../isa/insn.ts';
import { rowsOfCode } from '../isa/table.ts';
import { reject, type Checker } from './checker.ts';
import { destUnknown, sourceReg } from './live.ts';
import { checkAccess } from './mem.ts';
import { CMPXCHG, isFetch, sizeOf } from './opcode.ts';
import { notePointer } from './pointer-facts.ts';
import { isPacketPointer, isPlain, isSocketPointer, typeText } from './reg.ts';

const OPERATIONS = new Set(
  rowsOfCode(0xdb)
    .filter((row) => row.kind === 'atomic')
    .map((row) => row.when!.value),
);

export function checkAtomic(c: Checker, insn: Insn): void {
  if (!OPERATIONS.has(insn.imm)) {
    const text = (insn.imm >>> 0).toString(16).padStart(2, '0');
    const line = `BPF_ATOMIC uses invalid atomic opcode ${text}`;
    reject(c, errno.EINVAL, 'unknown-opcode', line);
  }
  const bytes = sizeOf(insn.code);
  if (bytes !== 4 && bytes !== 8) {
    reject(c, errno.EINVAL, 'unknown-opcode', 'invalid atomic operand size');
  }
  sourceReg(c, insn.src);
  const { reg } = sourceReg(c, insn.dst);
  if (insn.imm === CMPXCHG) {
    sourceReg(c, 0);
    refuseLeak(c, 0);
  }
  refuseLeak(c, insn.src);
  const refused =
    isPlain(reg, 'ctx') ||
    isPacketPointer(reg) ||
    isPlain(reg, 'flow_keys') ||
    isSocketPointer(reg);
  if (refused) {
    const line = `BPF_ATOMIC stores into R${insn.dst} ${typeText(reg)} is not allowed`;
    reject(c, errno.EACCES, 'atomic-target', line, { reg: insn.dst });
  }
  let loaded: number | undefined;
  if (isFetch(insn)) {
    loaded = insn.imm === CMPXCHG ? 0 : insn.src;
    destUnknown(c, loaded);
  }
  const access = (write: boolean, value: number | undefined) =>
    checkAccess(c, insn.dst, insn.off, bytes, { write, value, aligned: true });
  access(false, undefined);
  if (loaded !== undefined) access(false, loaded);
  access(true, undefined);
  notePointer(c, reg);
}

function refuseLeak(c: Checker, regno: number): void {
  if (!c.leaksPointer(c.reg(regno))) return;
  reject(c, errno.EACCES, 'pointer-leak', `R${regno} leaks addr into mem`, {
    reg: regno,
    what: 'mem',
  });
}
