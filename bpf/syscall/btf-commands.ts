/**
 * BPF_BTF_LOAD: check, parse, give a descriptor. All types that were met, and what is wrong with
 * them, go to the caller's log.
 */
import { errno } from '../../kernel/types/errno.ts';
import { parseBtf } from '../btf/btf.ts';
import { checkBtf } from '../btf/check/check.ts';
import type { BpfCaller } from './caller.ts';
import { install } from './lookup.ts';
import { BtfObject } from './objects.ts';
import type { Attr, BpfSubsystem } from './subsystem.ts';
import { writeLog, logIsValid } from './user-log.ts';

/** BTF_MAX_SIZE (kernel/bpf/btf.c). */
const BTF_MAX_BYTES = 16 * 1024 * 1024;

export function btfLoad(bpf: BpfSubsystem, attr: Attr<'btf_load'>, caller: BpfCaller): number {
  if (!caller.caps.bpf) return -errno.EPERM;
  if (attr.btf_size > BTF_MAX_BYTES) return -errno.E2BIG;
  const log = { level: attr.btf_log_level, address: attr.btf_log_buf, bytes: attr.btf_log_size };
  if (!logIsValid(log)) return -errno.EINVAL;
  const bytes = caller.copyFromUser(attr.btf, attr.btf_size);
  if (!bytes) return -errno.EFAULT;
  const verdict = checkBtf(bytes, { log: log.level !== 0 });
  const full = writeLog(caller, log, verdict.log);
  if (verdict.errno !== 0) return -verdict.errno;
  if (full < 0) return full;
  return install(caller, new BtfObject(parseBtf(bytes), bpf.btfs));
}
