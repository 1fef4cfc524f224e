/**
 * A program's whole name. The kernel keeps 15 characters; where all are used, the rest is in the
 * BTF of its first function.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { parseBtf, type Btf } from '../../bpf/btf/btf.ts';
import { BtfError } from '../../bpf/btf/types.ts';
import { btfInfo, withId, type ProgInfo } from '../bpf/objects.ts';
import { progDetails } from '../bpf/prog-details.ts';
import type { ProcessBpf } from '../bpf/user.ts';

const KERNEL_NAME_CHARS = 15;

export function* programName(user: ProcessBpf, fd: number, info: ProgInfo): UserFlow<string> {
  const mayBeLonger = info.name.length === KERNEL_NAME_CHARS && info.btf_id !== 0;
  if (!mayBeLonger || info.nr_func_info === 0) return info.name;
  const details = yield* progDetails(user, fd, { funcInfo: true });
  const typeId = typeof details === 'number' ? undefined : details.funcs[0]?.type_id;
  const btf = typeId === undefined ? undefined : yield* btfOf(user, info.btf_id);
  const type = typeId === undefined ? undefined : btf?.types[typeId];
  return type?.kind === 'func' ? type.name : info.name;
}

/** The BTF object of an id; undefined where it is gone or no BTF. */
export function* btfOf(user: ProcessBpf, id: number, base?: Btf): UserFlow<Btf | undefined> {
  const found = yield* withId(user, 'btf', id, (fd) => btfInfo(user, fd));
  if (typeof found === 'number') return undefined;
  try {
    return parseBtf(found.bytes, base);
  } catch (caught) {
    if (caught instanceof BtfError) return undefined;
    throw caught;
  }
}
