/**
 * Pointers to kernel objects in map values: loaded as untrusted pointers, stored only where their
 * type fits, and owned ones only exchanged by bpf_kptr_xchg.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { ArgContext } from './args.ts';
import { structIdMatches } from './btf-walk.ts';
import { reject, type Checker } from './checker.ts';
import { MAX_KPTRS, kptrAt, kptrsOf, type KernelPtr } from './map-fields.ts';
import { classOf, cls, mode, modeOf } from './opcode.ts';
import { flag, isNull, pointerReg, typeText, type Reg } from './reg.ts';
import { checkUnmodified } from './region.ts';
import { isConst } from './tnum.ts';

/** Id of the kernel's struct that the field points at; without one it would be no kptr. */
const kptrStruct = (c: Checker, kptr: KernelPtr): number =>
  c.env.kernelBtf!.find(kptr.struct, 'struct')!;

/** The pointer in `regno` may be stored in the field. */
export function checkKptrType(c: Checker, kptr: KernelPtr, reg: Reg, regno: number): void {
  const allowed = flag.NULLABLE | (kptr.referenced ? 0 : flag.UNTRUSTED);
  let name = '';
  let fits = reg.kind === 'ptr_' && (reg.flags & ~allowed) === 0;
  if (fits) {
    if (reg.btf !== c.env.kernelBtf) {
      reject(c, errno.EACCES, 'kptr-type', `R${regno} must point to kernel BTF`, { reg: regno });
    }
    name = reg.btf?.type(reg.btfId)?.name ?? '';
    checkUnmodified(c, reg, regno, true);
    fits = structIdMatches(c, reg, kptrStruct(c, kptr), kptr.referenced);
  }
  if (fits) return;
  const untrusted = kptr.referenced ? '' : ` or untrusted_ptr_${kptr.struct}`;
  const line =
    `invalid kptr access, R${regno} type=${typeText(reg)}${name} ` +
    `expected=ptr_${kptr.struct}${untrusted}`;
  reject(c, errno.EACCES, 'kptr-type', line, { reg: regno, wanted: kptr.struct, what: name });
}

/** A load or store of the field by an instruction. */
export function checkKptrAccess(c: Checker, kptr: KernelPtr, value: number | undefined): void {
  const insn = c.current;
  const refuse = (line: string): never => reject(c, errno.EACCES, 'kptr-access', line);
  if (modeOf(insn.code) !== mode.MEM) {
    refuse('kptr in map can only be accessed using BPF_MEM instruction mode');
  }
  const kind = classOf(insn.code);
  if (kind !== cls.LDX && kptr.referenced) refuse('store to referenced kptr disallowed');
  switch (kind) {
    case cls.LDX:
      c.regs[value!]!.reg = pointerReg('ptr_', {
        flags: flag.NULLABLE | flag.UNTRUSTED,
        btf: c.env.kernelBtf,
        btfId: kptrStruct(c, kptr),
        id: c.newId(),
      });
      break;
    case cls.STX:
      if (!isNull(c.reg(value!))) checkKptrType(c, kptr, c.reg(value!), value!);
      break;
    case cls.ST:
      if (insn.imm !== 0) {
        refuse(`BPF_ST imm must be 0 when storing to kptr at off=${kptr.offset}`);
      }
      break;
    default:
      refuse('kptr in map can only be accessed using BPF_LDX/BPF_STX/BPF_ST');
  }
}

/** The field that bpf_kptr_xchg exchanges. */
export function checkKptrArg(c: Checker, reg: Reg, regno: number, arg: ArgContext): void {
  const map = reg.map!;
  const refuse = (line: string): never => reject(c, errno.EACCES, 'kptr-access', line);
  const { bits } = reg.scalar;
  if (!isConst(bits)) {
    refuse(`R${regno} doesn't have constant offset. kptr has to be at the constant offset`);
  }
  const { name, btf } = map.spec;
  if (!btf) refuse(`map '${name}' has to have BTF in order to use bpf_kptr_xchg`);
  const kptrs = kptrsOf(map, c.env.kernelBtf);
  if (typeof kptrs === 'number' || kptrs.length === 0) {
    refuse(
      kptrs === -errno.E2BIG
        ? `map '${name}' has more than ${MAX_KPTRS} kptr`
        : `map '${name}' has no valid kptr`,
    );
  }
  const off = reg.off + Number(BigInt.asIntN(32, bits.value));
  const kptr = kptrAt(map, off, c.env.kernelBtf);
  if (!kptr) return refuse(`off=${off} doesn't point to kptr`);
  if (!kptr.referenced) refuse(`off=${off} kptr isn't referenced kptr`);
  arg.map = map;
  arg.kptr = kptr;
}
