/** Every target that a program can be compared on, by the name that `--targets` takes. */
import { PIPE_BITS_PER_SECOND } from '../../hw/asic/params.ts';
import { CORTEX_A53, createArm, MVNETA, NEOVERSE_V2 } from '../../hw/arm/target.ts';
import { createAsic } from '../../hw/asic/target.ts';
import { createHxdp } from '../../hw/fpga/hxdp/target.ts';
import { createPipeline } from '../../hw/fpga/pipeline/target.ts';
import { createNpu } from '../../hw/npu/target.ts';
import type { Target } from '../../hw/target.ts';
import { BROADWELL, createX86, MLX5, SKYLAKE } from '../../hw/x86/target.ts';
import { SubjectError } from './subject.ts';

export interface CompareTarget {
  /** For `--targets`. */
  readonly id: string;
  /** One line for a person. */
  readonly about: string;
  /** Line rate of its ports, bits a second. */
  readonly bitsPerSecond: number;
  /** Millions of packets a second of host time that the model must do, timed, with xdp1. */
  readonly least: number;
  /** What it has several of, if that can be chosen. */
  readonly parallel?: 'cores' | 'lanes';
  /** @param parallel how many of them; its usual number where absent */
  create(parallel?: number): Target;
}

/** hXDP's board has four ports of 10 GbE; the server that it was compared with has one of 40. */
const NETFPGA_BITS = 40e9;
const AGILIO_BITS = 40e9;
const XL710_BITS = 40e9;
const CONNECTX5_BITS = 100e9;
const ALVEO_U50_BITS = 100e9;

/** The server of the hXDP paper, whose clock was varied. */
const xeonAt = (id: string, clockHz: number): CompareTarget => ({
  id,
  about: `XDP on Linux: Xeon E5-1630 v3 (Haswell) at ${clockHz / 1e9} GHz, XL710 40 GbE`,
  bitsPerSecond: XL710_BITS,
  least: 0.3,
  parallel: 'cores',
  create: () => createX86({ clockHz }),
});

export const TARGETS: readonly CompareTarget[] = [
  {
    id: 'hxdp',
    about: 'hXDP, a VLIW soft processor of 4 lanes at 156 MHz on a NetFPGA-SUME',
    bitsPerSecond: NETFPGA_BITS,
    least: 1,
    parallel: 'lanes',
    create: (lanes) => createHxdp(lanes === undefined ? {} : { lanes }),
  },
  {
    id: 'pipeline',
    about: 'the program as a pipeline in the manner of eHDL, at 250 MHz on an Alveo U50, 100 GbE',
    bitsPerSecond: ALVEO_U50_BITS,
    least: 1,
    create: () => createPipeline(),
  },
  {
    id: 'asic',
    about: 'a switch pipeline in the manner of RMT and Tofino: 12 stages, a packet a clock',
    bitsPerSecond: PIPE_BITS_PER_SECOND,
    least: 1,
    create: () => createAsic(),
  },
  {
    id: 'npu',
    about: 'Netronome NFP-4000 (Agilio CX): 50 cores of 4 threads at 800 MHz, 40 GbE',
    bitsPerSecond: AGILIO_BITS,
    least: 0.3,
    create: () => createNpu(),
  },
  xeonAt('x86', 3.7e9),
  xeonAt('x86-2.1', 2.1e9),
  xeonAt('x86-1.2', 1.2e9),
  {
    id: 'x86-100g',
    about: 'XDP on Linux: Xeon E5-1650 v4 (Broadwell) at 3.6 GHz, ConnectX-5 100 GbE',
    bitsPerSecond: CONNECTX5_BITS,
    least: 0.3,
    parallel: 'cores',
    create: () => createX86({ core: BROADWELL, nic: MLX5 }),
  },
  {
    id: 'skylake',
    about: 'XDP on Linux: a Skylake-SP core at 2.1 GHz, ConnectX-5 100 GbE',
    bitsPerSecond: CONNECTX5_BITS,
    least: 0.3,
    parallel: 'cores',
    create: () => createX86({ core: SKYLAKE, nic: MLX5 }),
  },
  {
    id: 'neoverse-n1',
    about: 'XDP on Linux: Neoverse N1 at 2.5 GHz (Graviton 2), ConnectX-5 100 GbE',
    bitsPerSecond: CONNECTX5_BITS,
    least: 0.3,
    parallel: 'cores',
    create: () => createArm(),
  },
  {
    id: 'neoverse-v2',
    about: 'XDP on Linux: Neoverse V2 at 3.4 GHz (Grace), ConnectX-5 100 GbE',
    bitsPerSecond: CONNECTX5_BITS,
    least: 0.3,
    parallel: 'cores',
    create: () => createArm({ core: NEOVERSE_V2 }),
  },
  {
    id: 'cortex-a53',
    about: 'XDP on Linux: Cortex-A53 at 1 GHz (Armada 3700), its own 1 GbE',
    bitsPerSecond: 1e9,
    least: 0.3,
    parallel: 'cores',
    create: () => createArm({ core: CORTEX_A53, nic: MVNETA }),
  },
];

export function targetNamed(id: string): CompareTarget | undefined {
  return TARGETS.find((target) => target.id === id);
}

/** @param list ids separated by commas; all where it is absent or 'all'. Throws SubjectError. */
export function chosenTargets(list: string | undefined): readonly CompareTarget[] {
  if (list === undefined || list === 'all') return TARGETS;
  return list.split(',').map((id) => {
    const target = targetNamed(id);
    if (target !== undefined) return target;
    const known = TARGETS.map((each) => each.id).join(', ');
    throw new SubjectError(`no target '${id}'; there are: ${known}`);
  });
}
