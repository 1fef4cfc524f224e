/** The log buffer that PROG_LOAD and BTF_LOAD callers pass, with 6.1's rules. */
import { errno } from '../../kernel/types/errno.ts';
import type { BpfCaller } from './caller.ts';

export interface UserLog {
  readonly level: number;
  readonly address: bigint;
  readonly bytes: number;
}

/** BPF_LOG_LEVEL1 | BPF_LOG_LEVEL2 | BPF_LOG_STATS */
const LOG_MASK = 7;
/** bpf_verifier_log_attr_valid: smaller buffers are refused, and so are those over 1 GiB. */
const MIN_BYTES = 128;
const MAX_BYTES = 0xffff_ffff >>> 2;

/** A log that is asked for must be complete; none at all is fine. */
export function logIsValid({ level, address, bytes }: UserLog): boolean {
  if (level === 0 && address === 0n && bytes === 0) return true;
  return (
    bytes >= MIN_BYTES &&
    bytes <= MAX_BYTES &&
    level !== 0 &&
    address !== 0n &&
    (level & ~LOG_MASK) === 0
  );
}

/** 0, -ENOSPC where the text was cut, or -EFAULT. The text in the buffer ends with a NUL. */
export function writeLog(caller: BpfCaller, log: UserLog, text: string): number {
  if (log.level === 0) return 0;
  const bytes = new TextEncoder().encode(text);
  const room = log.bytes - 1;
  const kept = new Uint8Array(Math.min(bytes.length, room) + 1);
  kept.set(bytes.subarray(0, room));
  if (!caller.copyToUser(log.address, kept)) return -errno.EFAULT;
  return bytes.length > room ? -errno.ENOSPC : 0;
}
