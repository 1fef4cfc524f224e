/**
 * From classic BPF to BPF, as Linux does it when a filter is attached (bpf_convert_filter). The
 * result needs no verifier: what checkClassic lets through can only go forward and touches nothing
 * but its own stack, the packet through checked loads, and fixed members of kernel structs.
 *
 *   translateClassic(filter, 'packet')    the context is a struct sk_buff
 *   translateClassic(filter, 'seccomp')   the context is a struct seccomp_data
 *
 * A is r0, X is r7, r8 is for temporaries, r6 holds the context; M[k] are the 16 words below r10.
 */
import { NetDeviceStruct } from '../../kernel/types/net-device.ts';
import { SkBuff, SKB_PKT_TYPE_MASK, SKB_VLAN_PRESENT } from '../../kernel/types/skbuff.ts';
import { insn } from '../asm/build.ts';
import type { Helper } from '../helpers/helper.ts';
import { helperByProto } from '../helpers/table.ts';
import type { Insn } from '../isa/insn.ts';
import type { OpName } from '../isa/table.ts';
import type { InsnFact, VerifiedProgram } from '../program.ts';
import { SECCOMP_DATA_BYTES } from './check.ts';
import { extensionOf, type Extension } from './extensions.ts';
import { skbHelpers } from './helpers.ts';
import {
  BPF_MEMWORDS,
  classicRow,
  type ClassicCondition,
  type ClassicInsn,
  type ClassicShape,
} from './insn.ts';

export type ClassicContext = 'packet' | 'seccomp';

const A = 0;
const X = 7;
const TMP = 8;
const CTX = 6;
const STACK_BYTES = 4 * BPF_MEMWORDS;

/** The jump if the condition holds, and its opposite, which a mask test has not. */
const JUMPS: Record<ClassicCondition, readonly [string, string | undefined]> = {
  eq: ['jeq64', 'jne64'],
  gt: ['jgt64', 'jle64'],
  ge: ['jge64', 'jlt64'],
  set: ['jset64', undefined],
};

/** `filter` must have passed checkClassic, or checkSeccomp. */
export function translateClassic(
  filter: readonly ClassicInsn[],
  context: ClassicContext,
): VerifiedProgram {
  const translation = new Translation(context);
  filter.forEach((classic, pc) => translation.add(classic, pc));
  return translation.program();
}

class Translation {
  readonly #insns: Insn[] = [];
  readonly #facts: InsnFact[] = [];
  readonly #context: ClassicContext;
  /** Slot of each classic instruction. */
  readonly #starts: number[] = [];
  /** Jumps to classic instructions, patched when all are placed. */
  readonly #jumps: { readonly slot: number; readonly target: number }[] = [];
  #pc = 0;

  constructor(context: ClassicContext) {
    this.#context = context;
    this.#emit('xor32_reg', { dst: A, src: A });
    this.#emit('xor32_reg', { dst: X, src: X });
    this.#emit('mov64_reg', { dst: CTX, src: 1 });
  }

  add(classic: ClassicInsn, pc: number): void {
    this.#pc = pc;
    this.#starts.push(this.#insns.length);
    this.#translate(classicRow(classic.code)!, classic);
  }

  program(): VerifiedProgram {
    const insns = [...this.#insns];
    for (const { slot, target } of this.#jumps) {
      insns[slot] = { ...insns[slot]!, off: this.#starts[target]! - slot - 1 };
    }
    const subprog = { name: 'main', start: 0, end: insns.length, stackBytes: STACK_BYTES };
    return {
      spec: {
        type: this.#context === 'packet' ? 'socket_filter' : 'unspec',
        expectedAttachType: 'cgroup_inet_ingress',
        name: '',
        license: '',
        insns,
        mapByFd: () => undefined,
        mapByIndex: () => undefined,
        flags: 0,
      },
      insns,
      facts: this.#facts,
      subprogs: [{ ...subprog, isCallback: false, hasTailCall: false }],
      usedMaps: [],
      gplCompatible: true,
      verifiedInsns: 0,
      lines: [],
      funcs: [],
    };
  }

  #translate(row: ClassicShape, classic: ClassicInsn): void {
    const { k } = classic;
    switch (row.kind) {
      case 'load':
        return this.#load(row, classic);
      case 'length': {
        const dst = row.to === 'a' ? A : X;
        if (this.#context === 'seccomp') return this.#constant(dst, SECCOMP_DATA_BYTES);
        return this.#emit('ldx32', { dst, src: CTX, off: SkBuff.offsets.len });
      }
      case 'immediate':
        return this.#constant(row.to === 'a' ? A : X, k);
      case 'memory':
        return this.#emit('ldx32', { dst: row.to === 'a' ? A : X, src: 10, off: wordAt(k) });
      case 'store':
        return this.#emit('stx32', { dst: 10, src: row.from === 'a' ? A : X, off: wordAt(k) });
      case 'header-length':
        this.#emit('mov64_reg', { dst: TMP, src: A });
        this.#emit('ldabs8', { imm: k | 0 });
        this.#emit('and32_imm', { dst: A, imm: 0xf });
        this.#emit('lsh32_imm', { dst: A, imm: 2 });
        this.#emit('mov64_reg', { dst: X, src: A });
        return this.#emit('mov64_reg', { dst: A, src: TMP });
      case 'alu':
        if (row.source === 'k') {
          return this.#emit(`${row.operation}32_imm`, { dst: A, imm: k | 0 });
        }
        if (row.operation === 'div' || row.operation === 'mod') {
          this.#emit('jne64_imm', { dst: X, imm: 0, off: 2 });
          this.#emit('xor32_reg', { dst: A, src: A });
          this.#emit('exit');
        }
        return this.#emit(`${row.operation}32_reg`, { dst: A, src: X });
      case 'neg':
        return this.#emit('neg32', { dst: A });
      case 'goto':
        return this.#jump('goto', {}, k);
      case 'branch':
        return this.#branch(row, classic);
      case 'return':
        if (row.source === 'k') this.#constant(A, k);
        return this.#emit('exit');
      case 'move':
        return this.#emit('mov64_reg', row.to === 'a' ? { dst: A, src: X } : { dst: X, src: A });
    }
  }

  #load(row: ClassicShape & { kind: 'load' }, classic: ClassicInsn): void {
    if (this.#context === 'seccomp') {
      return this.#emit('ldx32', { dst: A, src: CTX, off: classic.k });
    }
    const extension = extensionOf(classic);
    if (extension !== undefined) return this.#extension(extension as Extension);
    const bits = (8 * row.bytes) as 8 | 16 | 32;
    if (row.mode === 'abs') return this.#emit(`ldabs${bits}`, { imm: classic.k | 0 });
    return this.#emit(`ldind${bits}`, { src: X, imm: classic.k | 0 });
  }

  #branch(row: ClassicShape & { kind: 'branch' }, { jt, jf, k }: ClassicInsn): void {
    const [holds, fails] = JUMPS[row.condition];
    // A BPF immediate is sign-extended, a classic one is not.
    const inTemporary = row.source === 'k' && (k | 0) < 0;
    if (inTemporary) this.#constant(TMP, k);
    const register = inTemporary ? TMP : X;
    const isImm = row.source === 'k' && !inTemporary;
    const jump = (name: string, skip: number): void =>
      isImm
        ? this.#jump(`${name}_imm` as OpName, { dst: A, imm: k }, skip)
        : this.#jump(`${name}_reg` as OpName, { dst: A, src: register }, skip);
    if (jt === 0 && fails !== undefined) return jump(fails, jf);
    jump(holds, jt);
    if (jf !== 0) this.#jump('goto', {}, jf);
  }

  #extension(extension: Extension): void {
    const { offsets } = SkBuff;
    switch (extension) {
      case 'protocol':
        this.#emit('ldx16', { dst: A, src: CTX, off: offsets.protocol });
        return this.#emit('be16', { dst: A });
      case 'vlan_tpid':
        this.#emit('ldx16', { dst: A, src: CTX, off: offsets.vlan_proto });
        return this.#emit('be16', { dst: A });
      case 'pkttype':
        this.#emit('ldx8', { dst: A, src: CTX, off: offsets.bits128 });
        return this.#emit('and32_imm', { dst: A, imm: SKB_PKT_TYPE_MASK });
      case 'vlan_tag_present':
        this.#emit('ldx8', { dst: A, src: CTX, off: offsets.bits130 });
        return this.#emit('and32_imm', { dst: A, imm: SKB_VLAN_PRESENT });
      case 'ifindex':
        this.#loadDevice();
        return this.#emit('ldx32', { dst: A, src: TMP, off: NetDeviceStruct.offsets.ifindex });
      case 'hatype':
        this.#loadDevice();
        return this.#emit('ldx16', { dst: A, src: TMP, off: NetDeviceStruct.offsets.type });
      case 'mark':
        return this.#emit('ldx32', { dst: A, src: CTX, off: offsets.mark });
      case 'rxhash':
        return this.#emit('ldx32', { dst: A, src: CTX, off: offsets.hash });
      case 'queue':
        return this.#emit('ldx16', { dst: A, src: CTX, off: offsets.queue_mapping });
      case 'vlan_tag':
        return this.#emit('ldx16', { dst: A, src: CTX, off: offsets.vlan_tci });
      case 'alu_xor_x':
        return this.#emit('xor32_reg', { dst: A, src: X });
      case 'cpu':
        return this.#call(helperByProto('get_smp_processor_id'));
      case 'random':
        return this.#call(helperByProto('get_prandom_u32'));
      case 'pay_offset':
      case 'nlattr':
      case 'nlattr_nest':
        return this.#call(skbHelpers[extension]);
    }
  }

  /** A packet without a device ends the filter with what A holds, as in Linux. */
  #loadDevice(): void {
    this.#emit('ldx64', { dst: TMP, src: CTX, off: SkBuff.offsets.dev });
    this.#emit('jne64_imm', { dst: TMP, imm: 0, off: 1 });
    this.#emit('exit');
  }

  /** A = helper(ctx, A, X) */
  #call(helper: Helper): void {
    this.#emit('mov64_reg', { dst: 1, src: CTX });
    this.#emit('mov64_reg', { dst: 2, src: A });
    this.#emit('mov64_reg', { dst: 3, src: X });
    this.#emit('call_helper', { imm: helper.id }, { helper });
  }

  #constant(dst: number, value: number): void {
    this.#emit('mov32_imm', { dst, imm: value | 0 });
  }

  /** A jump that skips classic instructions. */
  #jump(name: OpName, operands: Parameters<typeof insn>[1], skip: number): void {
    this.#jumps.push({ slot: this.#insns.length, target: this.#pc + 1 + skip });
    this.#emit(name, operands);
  }

  #emit(
    name: OpName,
    operands: Parameters<typeof insn>[1] = {},
    fact: Omit<InsnFact, 'original'> = {},
  ): void {
    this.#facts.push({ original: this.#insns.length, ...fact });
    this.#insns.push(insn(name, operands));
  }
}

/** Where M[k] is, from r10. */
function wordAt(k: number): number {
  return -4 * (BPF_MEMWORDS - k);
}
