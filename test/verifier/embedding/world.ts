/**
 * The machine around a checked run, as far as pointers of the verifier lead into it: where frames,
 * context, packet and map values are. It says whether a concrete value is one of those that the
 * verifier's description of a register allows.
 */
import type { BpfMap } from '../../../bpf/maps/map.ts';
import { flag, type Reg } from '../../../bpf/verifier/reg.ts';
import type { Scalar } from '../../../bpf/verifier/scalar.ts';
import { below, below32, hiOf, join, less, loOf } from '../../../bpf/verifier/wide.ts';
import { SKB_CB } from '../../../hooks/skb-convert.ts';
import { KERNEL_BASE, type Ram } from '../../../kernel/ram/ram.ts';
import { SkBuff } from '../../../kernel/types/skbuff.ts';
import type { RamOffset } from '../../../kernel/types/units.ts';
import { XdpBuff } from '../../../kernel/types/xdp.ts';

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);

/** The value, as two int32, is among what the scalar allows. Without bigints: it is asked all the time. */
export function holds(s: Scalar, hi: number, lo: number): boolean {
  const { bits } = s;
  return (
    (hi & ~bits.maskHi) === bits.valueHi &&
    (lo & ~bits.maskLo) === bits.valueLo &&
    !below(hi, lo, s.uminHi, s.uminLo) &&
    !below(s.umaxHi, s.umaxLo, hi, lo) &&
    !less(hi, lo, s.sminHi, s.sminLo) &&
    !less(s.smaxHi, s.smaxLo, hi, lo) &&
    !below32(lo, s.uminLow) &&
    !below32(s.umaxLow, lo) &&
    s.smin32 <= lo &&
    lo <= s.smax32
  );
}

/** The same for a value taken modulo 2^64. */
export const holdsValue = (s: Scalar, value: bigint): boolean => holds(s, hiOf(value), loOf(value));

/** A range of RAM that a pointer may point into, in kernel addresses. */
export interface Region {
  readonly start: bigint;
  readonly end: bigint;
}

export class World {
  readonly ram: Ram;
  /** Kernel address of the sk_buff or xdp_buff; 0 before the run. */
  context = 0n;
  readonly #isXdp: boolean;
  /** Addresses of objects that helpers and direct loads gave the program. */
  readonly #bases = new Set<bigint>();

  constructor(ram: Ram, isXdp: boolean) {
    this.ram = ram;
    this.#isXdp = isXdp;
  }

  found(base: bigint): void {
    if (base >= KERNEL_BASE) this.#bases.add(base);
  }

  /** Start of metadata, start and end of the packet. */
  packet(): { readonly meta: bigint; readonly start: bigint; readonly end: bigint } {
    const at = Number(this.context - KERNEL_BASE) as RamOffset;
    const address = (offset: RamOffset) => this.ram.kernelAddress(offset);
    if (this.#isXdp) {
      const { data_meta, data, data_end } = XdpBuff.at(this.ram, at);
      return { meta: address(data_meta), start: address(data), end: address(data_end) };
    }
    const { data, len } = SkBuff.at(this.ram, at);
    const start = address(data);
    return { meta: start, start, end: start + BigInt(len) };
  }

  #lacksEnd(): boolean {
    if (this.#isXdp) return false;
    const { cb } = SkBuff.at(this.ram, Number(this.context - KERNEL_BASE) as RamOffset);
    return this.ram.view.getBigUint64(cb + SKB_CB.dataEnd, true) === 0n;
  }

  /** Starts of the values of a map, and of memory that was given out, that `pointer` may have. */
  #basesOf(map: BpfMap | undefined): readonly bigint[] {
    const bases = [...this.#bases];
    if (map?.directValue === undefined || map.spec.type !== 'array') return bases;
    const first = this.ram.kernelAddress(map.directValue);
    for (let i = 0; i < map.spec.maxEntries; i++) {
      bases.push(first + BigInt(i * map.elementBytes));
    }
    return bases;
  }

  /**
   * The object that the pointer is said to point into, in its place in RAM; `unknown` where this
   * world does not know where it is; undefined: no object fits.
   *
   * @param frames r10 of each frame, the outermost first
   */
  regionOf(reg: Reg, value: bigint, frames: readonly bigint[]): Region | 'unknown' | undefined {
    const base = u64(value) - BigInt(reg.off);
    const fits = (start: bigint) => holdsValue(reg.scalar, base - start);
    switch (reg.kind) {
      case 'fp': {
        const top = frames[reg.frame];
        if (top === undefined) return 'unknown';
        return fits(u64(top)) ? { start: u64(top) - 512n, end: u64(top) } : undefined;
      }
      case 'ctx':
        return fits(this.context) ? { start: this.context, end: this.context + 4096n } : undefined;
      case 'pkt': {
        const { start, end } = this.packet();
        if (!fits(start)) return undefined;
        if (reg.range > 0 && base + BigInt(reg.range) > end) return undefined;
        return { start, end };
      }
      case 'pkt_meta': {
        const { meta, start } = this.packet();
        if (!fits(meta)) return undefined;
        if (reg.range > 0 && base + BigInt(reg.range) > start) return undefined;
        return { start: meta, end: start };
      }
      case 'pkt_end': {
        const { end } = this.packet();
        // A test run of cgroup_skb gives none; no access is ever allowed there.
        if (base === 0n && this.#lacksEnd()) return { start: 0n, end: 0n };
        return fits(end) ? { start: end, end } : undefined;
      }
      case 'map_value':
      case 'map_key':
      case 'mem': {
        const { map } = reg;
        const bytes =
          reg.kind === 'mem'
            ? reg.memBytes
            : reg.kind === 'map_key'
              ? map!.spec.keyBytes
              : map!.spec.valueBytes;
        const start = this.#basesOf(map).find(fits);
        return start === undefined ? undefined : { start, end: start + BigInt(bytes) };
      }
      default:
        return 'unknown';
    }
  }

  /** The value, as two int32, is one that the register's description allows. */
  allows(reg: Reg, hi: number, lo: number, frames: readonly bigint[]): boolean {
    if (reg.kind === '?') return true;
    if (reg.kind === 'scalar') return holds(reg.scalar, hi, lo);
    if ((reg.flags & flag.NULLABLE) !== 0 && (hi | lo) === 0) return true;
    return this.regionOf(reg, join(hi, lo), frames) !== undefined;
  }

  /** Where in RAM a kernel address is. */
  at(address: bigint): RamOffset {
    return Number(u64(address) - KERNEL_BASE) as RamOffset;
  }
}
