/**
 * What libbpf's bpf_program__attach does: by the program's section it knows where it belongs.
 * Gives the link's descriptor, or why there is none.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { command } from '../../bpf/loader/commands.ts';
import type { LoadedProgram } from '../../bpf/loader/load.ts';
import { ATTACH_TYPES } from '../../bpf/uapi.ts';
import { close } from '../libc/files.ts';
import type { Process } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';
import { attachPerfEvent, PERF_TYPE_TRACEPOINT, perfEventOpen, tracepointId } from './perf.ts';
import type { ProcessBpf } from './user.ts';

export type AttachResult =
  | { readonly kind: 'link'; readonly fd: number }
  /** Attached for as long as the descriptor is open; there is nothing to pin. */
  | { readonly kind: 'event'; readonly fd: number }
  /** The section says nothing about a place. */
  | { readonly kind: 'unsupported' }
  | { readonly kind: 'failed'; readonly errno: number; readonly message: string };

export function* attachProgram(
  p: Process,
  user: ProcessBpf,
  program: LoadedProgram,
): UserFlow<AttachResult> {
  const { type, attachType } = program.kind;
  const { target } = program.program;
  const failed = (error: number, what: string): AttachResult => ({
    kind: 'failed',
    errno: error,
    message: `libbpf: prog '${program.name}': failed to ${what}: ${strerror(error)}`,
  });
  switch (type) {
    case 'tracepoint': {
      const [group = '', name = ''] = target.split('/');
      if (name === '') return { kind: 'unsupported' };
      const id = yield* tracepointId(p, group, name);
      if (id < 0) return failed(id, `determine tracepoint '${group}/${name}' perf event ID`);
      const event = yield* perfEventOpen(p, { type: PERF_TYPE_TRACEPOINT, config: id }, -1, 0);
      if (event < 0) return failed(event, `open tracepoint '${group}/${name}' perf event`);
      const { fd, isLink } = yield* attachPerfEvent(p, user, program.fd, event);
      if (fd < 0) return failed(fd, `attach to tracepoint '${group}/${name}'`);
      if (isLink) yield* close(event);
      return { kind: isLink ? 'link' : 'event', fd };
    }
    case 'raw_tracepoint':
    case 'raw_tracepoint_writable': {
      if (target === '') return { kind: 'unsupported' };
      const name = yield* user.place(new TextEncoder().encode(target));
      const { result } = yield* command(user, 'raw_tracepoint_open', { name, prog_fd: program.fd });
      yield* user.release();
      return result < 0 ? failed(result, `attach to raw tracepoint '${target}'`) : link(result);
    }
    case 'tracing':
    case 'lsm':
    case 'ext': {
      if (attachType === 'trace_iter') {
        const create = { prog_fd: program.fd, attach_type: ATTACH_TYPES.indexOf('trace_iter') };
        const { result } = yield* command(user, 'link_create', create);
        return result < 0 ? failed(result, 'attach to iterator') : link(result);
      }
      // A raw tracepoint without a name: what it attaches to was settled at load.
      const { result } = yield* command(user, 'raw_tracepoint_open', { prog_fd: program.fd });
      return result < 0 ? failed(result, 'attach') : link(result);
    }
    default:
      return { kind: 'unsupported' };
  }
}

function link(fd: number): AttachResult {
  return { kind: 'link', fd };
}
