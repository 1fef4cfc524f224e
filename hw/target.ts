/**
 * The contract between the kernel's driver and an offload device. The kernel knows devices only
 * through this file; devices know nothing of the kernel. Shaped after Linux's
 * `struct bpf_prog_offload_ops` and `struct bpf_map_dev_ops` (include/linux/bpf.h).
 */
import type { VerifiedProgram } from '../bpf/program.ts';
import type { BpfMap } from '../bpf/maps/map.ts';

/** Why a program does not fit, in terms its author can act on. */
export interface Diagnostic {
  /** Slot of the instruction in the rewritten program; absent where the whole is meant. */
  readonly insn?: number;
  /** Stable code, e.g. 'unsupported-helper'. */
  readonly reason: string;
  /** The line that extack carries. */
  readonly message: string;
  /** What the limit is and what would fit. */
  readonly hint?: string;
  /** Positive errno that the load fails with. */
  readonly errno: number;
}

export type CompileResult =
  | { readonly kind: 'image'; readonly image: DeviceImage }
  | { readonly kind: 'refused'; readonly diagnostics: readonly Diagnostic[] };

/** A program in the device's own form. */
export interface DeviceImage {
  readonly bytes: Uint8Array;
  /** Listing for `bpftool prog dump jited`. */
  text(): string;
}

export interface TimedPacket {
  readonly data: Uint8Array;
  /** Arrival of the first byte, in virtual nanoseconds. */
  readonly arrivalNs: number;
}

export interface PacketResult {
  /** XDP_* (UAPI linux/bpf.h). */
  readonly verdict: number;
  readonly data: Uint8Array;
  readonly departureNs: number;
}

export interface Target {
  /** 'fpga', 'npu', 'asic', 'x86', 'arm', … */
  readonly kind: string;
  readonly name: string;
  compile(program: VerifiedProgram): CompileResult;
  load(image: DeviceImage): void;
  unload(image: DeviceImage): void;
  /** The device's copy of a map, or why it cannot have one. */
  mapAlloc(map: BpfMap): Diagnostic | undefined;
  mapFree(map: BpfMap): void;
  run(image: DeviceImage, packets: readonly TimedPacket[]): readonly PacketResult[];
}
