/** How a machine is configured at boot. The same configuration and seed give the same run. */
import type { Processors, Target } from '../hw/target.ts';
import type { ProgramRegistry } from './syscall/abi.ts';

export interface NicConfig {
  /** Interface name, e.g. 'eth0'. */
  readonly name: string;
  readonly queues: number;
  /** Six bytes; derived from the seed where absent. */
  readonly mac?: string;
  /** Link speed, bits a second. */
  readonly bitsPerSecond?: number;
  /** What it runs offloaded programs on; absent: a plain card. */
  readonly offload?: Target;
}

export interface MachineConfig {
  readonly cpus?: number;
  readonly ramMiB?: number;
  readonly seed?: number;
  readonly arch?: 'x86_64' | 'arm64';
  /** Programs run as machine code on models of processors, which count; absent: as WASM. */
  readonly processors?: Processors;
  /** Linux-like kernel command line; `skep.level=6.1` refuses BPF that 6.1 refuses. */
  readonly cmdline?: string;
  readonly nics?: readonly NicConfig[];
  readonly hostname?: string;
  /** Files of the root file system besides what every machine has; path to content. */
  readonly files?: Readonly<Record<string, Uint8Array | string>>;
  /** The executables of user space; each is also installed as /bin/NAME (or /sbin, see user/). */
  readonly programs?: ProgramRegistry;
  /** Path of the first process; '/sbin/init' by default. No init: the machine idles. */
  readonly init?: string;
  /** CLOCK_REALTIME at boot, seconds since 1970. Fixed, so that runs are alike. */
  readonly bootEpochSeconds?: number;
}

/** What the host has to provide, loaded by ui/ or by a test: nothing below ui/ reads files. */
export interface HostAssets {
  /** The C core (bpf/native), compiled. */
  readonly core: WebAssembly.Module;
}

/** The configuration with every choice made. */
export interface BootConfig extends MachineConfig {
  readonly cpus: number;
  readonly ramMiB: number;
  readonly seed: number;
  readonly arch: 'x86_64' | 'arm64';
  readonly cmdline: string;
  readonly nics: readonly NicConfig[];
  readonly hostname: string;
  readonly files: Readonly<Record<string, Uint8Array | string>>;
  readonly programs: ProgramRegistry;
  readonly init: string;
  readonly bootEpochSeconds: number;
}

/** Fixed, so that runs are alike: 1 December 2025, 00:00 UTC. */
const BOOT_EPOCH_SECONDS = 1_764_547_200;

export function resolveConfig(config: MachineConfig): BootConfig {
  return {
    cpus: 2,
    ramMiB: 256,
    seed: 1,
    arch: 'x86_64',
    cmdline: 'console=ttyS0 quiet',
    nics: [],
    hostname: 'skep',
    files: {},
    programs: new Map(),
    init: '/sbin/init',
    bootEpochSeconds: BOOT_EPOCH_SECONDS,
    ...config,
  };
}
