/**
 * CO-RE: a program compiled against its own idea of the kernel's types, adjusted to the kernel that
 * it is loaded into. All kinds of relocation (enum bpf_core_relo_kind).
 *
 *   const core = new CoreRelocator(programBtf, kernelBtf);
 *   const { insns, poisoned } = core.relocate(insns, relos);     throws BtfError
 *
 * A field, enumerator or bit-field that the kernel does not have poisons its instruction (a call of
 * the function 195896080, as libbpf does): the verifier refuses it only if it can be reached.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Insn } from '../isa/insn.ts';
import type { Btf } from './btf.ts';
import { candidateIndex, candidates, matchSpec } from './core-match.ts';
import type { CoreSpec } from './core-spec.ts';
import { formatCoreSpec, isEnumRelo, isTypeRelo, parseCoreSpec } from './core-spec.ts';
import type { CoreRelo } from './ext.ts';
import type { BtfType } from './types.ts';
import { BtfError } from './types.ts';

/** 0xbad2310: what libbpf puts where a relocation failed. */
export const CORE_POISON = 195896080;

export interface PoisonedRelo {
  readonly insn: number;
  /** What was looked for: `<byte_off> [4] struct task_struct.pid (0:0 @ offset 0)`. */
  readonly what: string;
}

export interface CoreResult {
  readonly insns: readonly Insn[];
  readonly poisoned: readonly PoisonedRelo[];
}

/** A relocation's outcome for one side: the value, and what is known of the field behind it. */
interface Value {
  readonly value: bigint;
  /** The compiler's value must stand in the instruction; not so where it could not know. */
  readonly validate: boolean;
  readonly fieldType?: number;
  readonly fieldBytes?: number;
}

export class CoreRelocator {
  readonly #local: Btf;
  readonly #target: Btf;
  readonly #index: ReadonlyMap<string, readonly number[]>;
  readonly #candidates = new Map<number, readonly number[]>();

  constructor(local: Btf, target: Btf) {
    this.#local = local;
    this.#target = target;
    this.#index = candidateIndex(target);
  }

  relocate(insns: readonly Insn[], relos: readonly CoreRelo[]): CoreResult {
    const result = [...insns];
    const poisoned: PoisonedRelo[] = [];
    for (const [number, relo] of relos.entries()) {
      const spec = parseCoreSpec(this.#local, relo);
      const what = formatCoreSpec(this.#local, relo, spec);
      const fail = (why: string, code: number = errno.EINVAL): never => {
        throw new BtfError(`relo #${number}: ${what}: ${why}`, code);
      };
      if (!this.#apply(result, relo, spec, fail)) poisoned.push({ insn: relo.insn, what });
    }
    return { insns: result, poisoned };
  }

  /** False if the instruction had to be poisoned. */
  #apply(insns: Insn[], relo: CoreRelo, spec: CoreSpec, fail: Fail): boolean {
    const insn = insns[relo.insn];
    if (insn === undefined) return fail(`there is no instruction ${relo.insn}`);
    if (relo.kind === 'type_id_local') {
      const value = { value: BigInt(relo.typeId), validate: false };
      patch(insns, relo.insn, value, value, fail);
      return true;
    }
    const original = this.#valueOf(this.#local, relo, spec, fail);
    const found = this.#find(relo, spec, fail);
    const target = this.#valueOf(this.#target, relo, found, fail);
    if (original === undefined) return fail('has no value of its own');
    if (
      target === undefined ||
      !patch(insns, relo.insn, original, target, fail, this.#adjustable(original, target))
    ) {
      poison(insns, relo.insn);
      return false;
    }
    return true;
  }

  /** The path in the target type; all candidates that have it must agree on the value. */
  #find(relo: CoreRelo, spec: CoreSpec, fail: Fail): CoreSpec | undefined {
    let ids = this.#candidates.get(relo.typeId);
    if (ids === undefined) {
      ids = candidates(this.#local, relo.typeId, this.#target, this.#index);
      this.#candidates.set(relo.typeId, ids);
    }
    let found: CoreSpec | undefined;
    for (const id of ids) {
      const match = matchSpec(this.#local, spec, this.#target, id, relo);
      if (match === undefined) continue;
      if (found === undefined) {
        found = match;
        continue;
      }
      if (found.bitOffset !== match.bitOffset) {
        fail(`field offset ambiguity: ${found.bitOffset} != ${match.bitOffset}`);
      }
      const [first, second] = [found, match].map((path) =>
        this.#valueOf(this.#target, relo, path, fail),
      );
      if (first?.value !== second?.value && relo.kind !== 'type_id_target') {
        fail(`relocation decision ambiguity: ${first?.value} != ${second?.value}`);
      }
    }
    return found;
  }

  /** Undefined: there is no such thing, and the instruction makes no sense without it. */
  #valueOf(btf: Btf, relo: CoreRelo, spec: CoreSpec | undefined, fail: Fail): Value | undefined {
    if (/_exists$|_matches$/.test(relo.kind)) {
      return { value: spec === undefined ? 0n : 1n, validate: true };
    }
    if (isTypeRelo(relo.kind)) {
      if (spec === undefined) return { value: 0n, validate: true };
      if (relo.kind !== 'type_size') return { value: BigInt(spec.rootId), validate: false };
      return { value: BigInt(btf.sizeOf(spec.rootId) ?? 0), validate: true };
    }
    if (spec === undefined) return undefined;
    if (isEnumRelo(relo.kind)) {
      const type = btf.resolved(spec.rootId) as Extract<BtfType, { kind: 'enum' | 'enum64' }>;
      return { value: type.values[spec.steps[0]!.index]!.value, validate: true };
    }
    return fieldValue(btf, relo, spec, fail);
  }

  /** A load may be narrowed or widened if it is of a pointer or of an unsigned integer. */
  #adjustable(original: Value, target: Value): boolean {
    if (original.fieldBytes === target.fieldBytes) return true;
    if (original.fieldType === undefined || target.fieldType === undefined) return false;
    const [local, kernel] = [
      this.#local.resolved(original.fieldType),
      this.#target.resolved(target.fieldType),
    ];
    if (local.kind === 'ptr' && kernel.kind === 'ptr') return true;
    return local.kind === 'int' && kernel.kind === 'int' && !local.signed && !kernel.signed;
  }
}

type Fail = (why: string, code?: number) => never;

function fieldValue(btf: Btf, relo: CoreRelo, spec: CoreSpec, fail: Fail): Value {
  const step = spec.steps.at(-1)!;
  if (step.name === undefined) {
    const fieldBytes = btf.sizeOf(step.typeId) ?? 0;
    if (relo.kind === 'field_byte_size') return { value: BigInt(fieldBytes), validate: true };
    if (relo.kind !== 'field_byte_offset') return fail('cannot be applied to an array access');
    const value = BigInt(Math.floor(spec.bitOffset / 8));
    return { value, validate: true, fieldType: step.typeId, fieldBytes };
  }
  const struct = btf.types[step.typeId] as Extract<BtfType, { kind: 'struct' | 'union' }>;
  const member = struct.members[step.index]!;
  const type = btf.resolved(member.type);
  const oldStyle = type.kind === 'int' && type.bits !== type.size * 8 ? type.bits : 0;
  const bitSize = member.bitSize || oldStyle;
  const place =
    bitSize > 0
      ? bitFieldPlace(btf, member.type, spec.bitOffset, bitSize, fail)
      : {
          byteOffset: Math.floor(spec.bitOffset / 8),
          bytes: btf.sizeOf(member.type) ?? 0,
          bits: (btf.sizeOf(member.type) ?? 0) * 8,
        };
  const validate = bitSize === 0;
  switch (relo.kind) {
    case 'field_byte_offset':
      return {
        value: BigInt(place.byteOffset),
        validate,
        ...(bitSize === 0 && { fieldType: member.type, fieldBytes: place.bytes }),
      };
    case 'field_byte_size':
      return { value: BigInt(place.bytes), validate };
    case 'field_signed': {
      const signed =
        (type.kind === 'int' || type.kind === 'enum' || type.kind === 'enum64') && type.signed;
      return { value: signed ? 1n : 0n, validate: true };
    }
    case 'field_lshift_u64':
      return {
        value: BigInt(64 - (spec.bitOffset + place.bits - place.byteOffset * 8)),
        validate,
      };
    default:
      return { value: BigInt(64 - place.bits), validate: true };
  }
}

/** The aligned unit that a bit-field is read in: its type's size, wider where it crosses that. */
function bitFieldPlace(btf: Btf, typeId: number, bitOffset: number, bits: number, fail: Fail) {
  let bytes = btf.sizeOf(typeId) || 1;
  for (;;) {
    const byteOffset = Math.floor(bitOffset / 8 / bytes) * bytes;
    if (bitOffset + bits - byteOffset * 8 <= bytes * 8) return { byteOffset, bytes, bits };
    if (bytes >= 8) return fail('cannot be satisfied for bitfield', errno.E2BIG);
    bytes *= 2;
  }
}

const LD_IMM64 = 0x18;
const SIZE_BITS: Readonly<Record<number, number>> = { 4: 0x00, 2: 0x08, 1: 0x10, 8: 0x18 };

/** False: the instruction must be poisoned instead. */
function patch(
  insns: Insn[],
  slot: number,
  original: Value,
  target: Value,
  fail: Fail,
  adjustable = true,
): boolean {
  const insn = insns[slot]!;
  const check = (what: string, got: bigint) => {
    if (original.validate && got !== original.value) {
      fail(
        `unexpected insn #${slot} (${what}) value: got ${got}, exp ${original.value} -> ${target.value}`,
      );
    }
  };
  const low = Number(BigInt.asIntN(32, target.value));
  switch (insn.code & 7) {
    case 4:
    case 7:
      if ((insn.code & 8) !== 0) fail(`insn #${slot} takes no immediate`);
      check(
        'ALU/ALU64',
        BigInt.asIntN(32, original.value) === BigInt(insn.imm) ? original.value : BigInt(insn.imm),
      );
      insns[slot] = { ...insn, imm: low };
      return true;
    case 1:
    case 2:
    case 3: {
      check('LDX/ST/STX', BigInt(insn.off));
      if (target.value > 0x7fffn) fail(`insn #${slot} (LDX/ST/STX) value too big`, errno.ERANGE);
      if (!adjustable) return false;
      const code = accessCode(insn, original, target, fail);
      insns[slot] = { ...insn, code, off: Number(target.value) };
      return true;
    }
    default: {
      const next = insns[slot + 1];
      if (insn.code !== LD_IMM64 || insn.src !== 0 || next?.code !== 0) {
        return fail(`trying to relocate unrecognized insn #${slot}`);
      }
      const got = (BigInt(next.imm >>> 0) << 32n) | BigInt(insn.imm >>> 0);
      check('LDIMM64', got === BigInt.asUintN(64, original.value) ? original.value : got);
      insns[slot] = { ...insn, imm: low };
      insns[slot + 1] = { ...next, imm: Number(BigInt.asIntN(32, target.value >> 32n)) };
      return true;
    }
  }
}

/** The opcode with the size that the field has in the target. */
function accessCode(insn: Insn, original: Value, target: Value, fail: Fail): number {
  if (original.fieldBytes === target.fieldBytes || target.fieldBytes === undefined)
    return insn.code;
  const bytes = Object.keys(SIZE_BITS).find(
    (size) => SIZE_BITS[Number(size)] === (insn.code & 0x18),
  );
  if (Number(bytes) !== original.fieldBytes) {
    fail(`insn accesses ${bytes} bytes of a field of ${original.fieldBytes}`);
  }
  const size = SIZE_BITS[target.fieldBytes];
  if (size === undefined) return fail(`a field of ${target.fieldBytes} bytes cannot be accessed`);
  return (insn.code & ~0x18) | size;
}

function poison(insns: Insn[], slot: number): void {
  const call: Insn = { code: 0x85, dst: 0, src: 0, off: 0, imm: CORE_POISON };
  if (insns[slot]!.code === LD_IMM64 && slot + 1 < insns.length) insns[slot + 1] = call;
  insns[slot] = call;
}
