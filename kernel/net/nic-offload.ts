/**
 * The driver's side of a card that takes BPF programs: bpf(2) with prog_ifindex and map_ifindex ends
 * here, and XDP in mode `hw`. The card itself is hw/nic/processor.ts; which one, the configuration
 * of the NIC says.
 */
import type { VerifiedProgram } from '../../bpf/program.ts';
import type { MapSpec } from '../../bpf/maps/map.ts';
import type { BpfRuntime } from '../../bpf/runtime.ts';
import type { ProgObject } from '../../bpf/syscall/objects.ts';
import type {
  DeviceCode,
  MapAccess,
  OffloadDevice,
  OffloadRefusal,
} from '../../bpf/syscall/offload.ts';
import type { Extack } from '../../hooks/xdp-attach.ts';
import { PCIE } from '../../hw/nic/params.ts';
import type { Nic } from '../../hw/nic/nic.ts';
import { NicProcessor } from '../../hw/nic/processor.ts';
import type { DeviceImage, Diagnostic, Target } from '../../hw/target.ts';
import { errno } from '../types/errno.ts';
import type { NetHost } from './host.ts';

/** A program in the card's form. */
export class NicCode implements DeviceCode {
  readonly image: DeviceImage;

  constructor(image: DeviceImage) {
    this.image = image;
  }

  get bytes(): Uint8Array {
    return this.image.bytes;
  }

  /** The card gets the image when the program is attached, so nothing of it is left there. */
  free(): void {}
}

export class NicOffload implements OffloadDevice {
  readonly ifindex: number;
  readonly target: Target;
  present = true;
  readonly #host: NetHost;
  readonly #nic: Nic;
  #processor: NicProcessor | undefined;

  constructor(host: NetHost, nic: Nic, target: Target, ifindex: number) {
    this.#host = host;
    this.#nic = nic;
    this.target = target;
    this.ifindex = ifindex;
  }

  translate(device: VerifiedProgram, host: VerifiedProgram): DeviceCode | OffloadRefusal {
    const result = this.target.compile({ device, host });
    if (result.kind === 'image') return new NicCode(result.image);
    return refusal(result.diagnostics, device);
  }

  refuseMap(spec: MapSpec): OffloadRefusal | undefined {
    const diagnostic = this.target.refuseMap(spec);
    if (!diagnostic) return undefined;
    // Creating a map has no log and no extack, so the kernel's log tells.
    const { message, hint } = diagnostic;
    this.#host.printk(`skepnic: ${message}${hint === undefined ? '' : ` (${hint})`}`);
    return refusal([diagnostic]);
  }

  mapAccess(access: MapAccess, spec: MapSpec): void {
    this.#nic.catchUp(this.#host.clock());
    this.#host.charge(this.target.mapAccessNs(access, spec));
  }

  /** XDP in mode `hw`. */
  install(program: ProgObject | undefined, extack: Extack): number {
    const code = program?.offload?.code;
    if (program && !(code instanceof NicCode && program.offload!.device === this)) {
      extack.message = 'the program was not loaded for this device';
      return -errno.EINVAL;
    }
    this.#nic.catchUp(this.#host.clock());
    if (code) this.#host.charge(PCIE.writeNs + code.bytes.length / PCIE.bytesPerNs);
    const processor = this.#loaded();
    processor.load(code instanceof NicCode ? code.image : undefined);
    this.#nic.ingress = processor.isLoaded ? processor : undefined;
    return 0;
  }

  /** For `ethtool -S`. */
  stats(): readonly (readonly [name: string, value: number])[] {
    if (!this.#processor) return [];
    const { counts } = this.#processor;
    return Object.entries(counts).map(([name, value]) => [`offload_${name}`, value] as const);
  }

  /** The card is gone: what was on it answers -ENODEV from now on. */
  unplug(): void {
    this.present = false;
    this.#processor?.load(undefined);
    this.#nic.ingress = undefined;
  }

  #loaded(): NicProcessor {
    return (this.#processor ??= new NicProcessor(this.#runtime(), this.target, {
      ifindex: this.ifindex,
      bitsPerSecond: this.#nic.bitsPerSecond,
    }));
  }

  #runtime(): BpfRuntime {
    return this.#host.bpfRuntime();
  }
}

/** What does not fit, each with its place, as the verifier shows one, and what would fit. */
function refusal(diagnostics: readonly Diagnostic[], program?: VerifiedProgram): OffloadRefusal {
  const lines = diagnostics.flatMap(({ insn, message, hint }) => {
    const source = program && insn !== undefined ? sourceLine(program, insn) : undefined;
    return [
      ...(source === undefined ? [] : [`; ${source}`]),
      insn === undefined ? message : `${insn}: ${message}`,
      ...(hint === undefined ? [] : [`(${hint})`]),
    ];
  });
  return { errno: diagnostics[0]?.errno ?? errno.EINVAL, lines };
}

function sourceLine({ lines }: VerifiedProgram, insn: number): string | undefined {
  return lines.findLast((row) => row.insn <= insn)?.text.trim();
}
