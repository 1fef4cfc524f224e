/** BPF_BTF_LOAD: parse, check, give a descriptor; errors go to the caller's log (level 1). */
import { errno } from '../../kernel/types/errno.ts';
import { type Btf, parseBtf } from '../btf/btf.ts';
import { validateBtf } from '../btf/validate.ts';
import { BtfError } from '../btf/types.ts';
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
  const btf = checkedBtf(bytes);
  if (!(btf instanceof BtfError)) return install(caller, new BtfObject(btf, bpf.btfs));
  const full = writeLog(caller, log, `${btf.message}\n`);
  return full < 0 ? full : -btf.errno;
}

/** The BTF, or the first thing that is wrong with it. */
function checkedBtf(bytes: Uint8Array): Btf | BtfError {
  try {
    const btf = parseBtf(bytes);
    return validateBtf(btf) ?? btf;
  } catch (error) {
    if (error instanceof BtfError) return error;
    throw error;
  }
}
