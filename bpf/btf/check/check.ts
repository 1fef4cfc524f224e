/**
 * What Linux 6.1 demands of BTF that is loaded with bpf(BPF_BTF_LOAD), and what it writes to the log.
 *
 *   checkBtf(bytes, { log: true })     { errno: 0 } or the errno and why, with the log's text
 *
 * BTF that passes is sound for parseBtf, too.
 */
import { errno } from '../../../kernel/types/errno.ts';
import { BTF_MAX_SIZE } from '../types.ts';
import { GraphCheck } from './graph.ts';
import { checkHeads } from './heads.ts';
import { CheckLog, Refusal } from './log.ts';
import { RawBtf } from './raw.ts';

export interface BtfVerdict {
  /** Positive; 0 for sound BTF. */
  readonly errno: number;
  /** The fault in a few words; empty for sound BTF. */
  readonly reason: string;
  /** The kernel's log of level 1; empty unless asked for. */
  readonly log: string;
}

export function checkBtf(bytes: Uint8Array, options: { log?: boolean } = {}): BtfVerdict {
  if (bytes.length > BTF_MAX_SIZE) return { errno: errno.E2BIG, reason: 'too large', log: '' };
  const btf = new RawBtf(bytes);
  const log = new CheckLog(btf, options.log ?? false);
  try {
    checkHeads(btf, log);
    log.listed = true;
    new GraphCheck(btf, log).check();
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    return { errno: refusal.errno, reason: refusal.message, log: log.text };
  }
  return { errno: 0, reason: '', log: log.text };
}
