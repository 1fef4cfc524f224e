/** Resource limits of a process, and what the first one has (include/asm-generic/resource.h). */

export interface Limit {
  readonly soft: bigint;
  readonly hard: bigint;
}

export const RLIM_INFINITY = 2n ** 64n - 1n;
export const RLIMIT_NOFILE = 7;

const unlimited: Limit = { soft: RLIM_INFINITY, hard: RLIM_INFINITY };
const both = (value: bigint): Limit => ({ soft: value, hard: value });

/** In the order of RLIMIT_CPU (0) to RLIMIT_RTTIME (15). */
export function initialLimits(): Limit[] {
  return [
    unlimited, // CPU
    unlimited, // FSIZE
    unlimited, // DATA
    { soft: 8n << 20n, hard: RLIM_INFINITY }, // STACK
    { soft: 0n, hard: RLIM_INFINITY }, // CORE
    unlimited, // RSS
    both(1842n), // NPROC, as a machine with 512 MiB computes it
    { soft: 1024n, hard: 4096n }, // NOFILE
    both(8n << 20n), // MEMLOCK
    unlimited, // AS
    unlimited, // LOCKS
    both(1842n), // SIGPENDING
    both(819200n), // MSGQUEUE
    both(0n), // NICE
    both(0n), // RTPRIO
    unlimited, // RTTIME
  ];
}
