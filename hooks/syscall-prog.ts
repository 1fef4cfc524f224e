/** BPF_PROG_TYPE_SYSCALL and LIRC_MODE2: programs with a plain piece of memory or a number. */
import type { ProgTypeOps } from '../bpf/prog-type.ts';

export const syscallProg: ProgTypeOps = {
  type: 'syscall',
  ctxStruct: undefined,
  // Compared with what bpf(BPF_PROG_TEST_RUN) gives it.
  access: (off, bytes) =>
    off >= 0 && off < 0xffff && off % bytes === 0 ? { kind: 'scalar' } : undefined,
  plainCtx: true,
  packet: 'none',
};

export const lircMode2: ProgTypeOps = {
  type: 'lirc_mode2',
  ctxStruct: undefined,
  access: (off, bytes, write) =>
    off === 0 && bytes === 4 && !write ? { kind: 'scalar' } : undefined,
  plainCtx: true,
  packet: 'none',
  requires: 'net_admin',
};
