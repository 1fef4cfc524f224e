/**
 * BPF_PROG_TEST_RUN for programs whose context is plain memory of the caller's: raw tracepoints
 * (their arguments) and syscall programs, which may call bpf(2) themselves (6.1's
 * bpf_prog_test_run_raw_tp and bpf_prog_test_run_syscall).
 */
import { sysBpfFor } from '../bpf/syscall/kernel-caller.ts';
import type { TestRun, TestRunAttr } from '../bpf/syscall/test-run.ts';
import { uapi } from '../bpf/uapi.ts';
import type { Ram } from '../kernel/ram/ram.ts';
import { errno } from '../kernel/types/errno.ts';
import type { RamOffset } from '../kernel/types/units.ts';

/** MAX_BPF_FUNC_ARGS (include/linux/bpf.h) of 8 bytes. */
const RAW_TP_CTX_MAX_BYTES = 12 * 8;
/** U16_MAX */
const SYSCALL_CTX_MAX_BYTES = 0xffff;

/** A packet, a context to give back, or several runs. */
function asksForMore(attr: TestRunAttr): boolean {
  const { data_in, data_out, ctx_out, duration, repeat, batch_size } = attr;
  return (
    data_in !== 0n || data_out !== 0n || ctx_out !== 0n || (duration | repeat | batch_size) !== 0
  );
}

export const rawTracepointTestRun: TestRun = ({ host }, program, attr, caller) => {
  const { ram, kernel } = host.runtime;
  const used = program.prog.verified.bufferUse?.ctx ?? 0;
  const onCpu = (attr.flags & uapi.BPF_F_TEST_RUN_ON_CPU) !== 0;
  if (asksForMore(attr)) return -errno.EINVAL;
  if (attr.ctx_size_in < used || attr.ctx_size_in > RAW_TP_CTX_MAX_BYTES) return -errno.EINVAL;
  if (!onCpu && attr.cpu !== 0) return -errno.EINVAL;
  const given = caller.copyFromUser(attr.ctx_in, attr.ctx_size_in);
  if (!given) return -errno.EFAULT;
  return withContext(ram, given, (context) => {
    const run = () => {
      attr.retval = program.prog.run(context);
    };
    if (!onCpu || attr.cpu === kernel.cpu()) run();
    else if (attr.cpu >= kernel.cpuCount) return -errno.ENXIO;
    else kernel.onCpu?.(attr.cpu, run);
    return 0;
  });
};

export const syscallTestRun: TestRun = (bpf, program, attr, caller) => {
  const { runtime } = bpf.host;
  const used = program.prog.verified.bufferUse?.ctx ?? 0;
  if (asksForMore(attr) || attr.flags !== 0) return -errno.EINVAL;
  if (attr.ctx_size_in < used || attr.ctx_size_in > SYSCALL_CTX_MAX_BYTES) return -errno.EINVAL;
  const given = caller.copyFromUser(attr.ctx_in, attr.ctx_size_in);
  if (!given) return -errno.EFAULT;
  return withContext(runtime.ram, given, (context) => {
    const { sysBpf, sysClose } = runtime;
    runtime.sysBpf = sysBpfFor(bpf, caller);
    runtime.sysClose = (fd) => caller.closeFd(fd);
    try {
      attr.retval = program.prog.run(context);
    } finally {
      runtime.sysBpf = sysBpf;
      runtime.sysClose = sysClose;
    }
    const after = runtime.ram.bytes(context, given.length).slice();
    return caller.copyToUser(attr.ctx_in, after) ? 0 : -errno.EFAULT;
  });
};

/** NULL where there is none. */
function withContext(ram: Ram, bytes: Uint8Array, use: (context: RamOffset) => number): number {
  if (bytes.length === 0) return use(0 as RamOffset);
  const context = ram.kzalloc(bytes.length);
  ram.u8.set(bytes, context);
  try {
    return use(context);
  } finally {
    ram.kfree(context);
  }
}
