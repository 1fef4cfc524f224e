/** Links of iterators (bpf_iter_link_attach, 6.1). */
import { errno } from '../../kernel/types/errno.ts';
import type { BpfCaller } from '../syscall/caller.ts';
import { userStruct } from '../syscall/lookup.ts';
import type { Attachment, ProgObject } from '../syscall/objects.ts';
import type { Attr, BpfSubsystem } from '../syscall/subsystem.ts';
import { ITER_ARGS, iterTargetOf } from './args.ts';
import { BpfIteration } from './iterator.ts';
import { iterTargets } from './targets.ts';

/** sizeof(union bpf_iter_link_info) */
const LINK_INFO_BYTES = 16;

export function attachIterator(
  bpf: BpfSubsystem,
  program: ProgObject,
  attr: Attr<'link_create'>,
  caller: BpfCaller,
): Attachment | number {
  if (attr.target_fd !== 0 || attr.flags !== 0) return -errno.EINVAL;
  const info = linkInfo(attr, caller);
  if (typeof info === 'number') return info;
  const { verified } = program.prog;
  const func = bpf.kernelBtf?.btf.type(verified.spec.attachBtfId ?? 0)?.name ?? '';
  const name = iterTargetOf(func);
  if (!name) return -errno.ENOENT;
  const source = iterTargets[name](bpf, verified, info, caller);
  if (typeof source === 'number') return source;
  return {
    type: 'iter',
    detachable: false,
    detach: () => source.release(),
    replace(next) {
      const [from, to] = [verified.spec, next.prog.verified.spec];
      const same =
        from.type === to.type &&
        from.expectedAttachType === to.expectedAttachType &&
        from.attachBtfId === to.attachBtfId;
      return same ? 0 : -errno.EINVAL;
    },
    iterate: (running) =>
      new BpfIteration(
        bpf.host.runtime,
        bpf.nextIterSession(),
        running.prog,
        source.cursor(),
        ITER_ARGS[name].length,
      ),
    info: () => ({ fields: source.info, name }),
  };
}

/** What the caller says about the target; zeros behind what it gives. */
function linkInfo(attr: Attr<'link_create'>, caller: BpfCaller): DataView | number {
  const { iter_info: address, iter_info_len: length } = attr;
  if ((address === 0n) !== (length === 0)) return -errno.EINVAL;
  const bytes = new Uint8Array(LINK_INFO_BYTES);
  const given = userStruct(caller, address, length, LINK_INFO_BYTES);
  if (typeof given === 'number') return given;
  bytes.set(given.subarray(0, LINK_INFO_BYTES));
  return new DataView(bytes.buffer);
}
