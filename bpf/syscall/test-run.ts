/**
 * BPF_PROG_TEST_RUN: a program on data of the caller's, without the kernel around it. How a type
 * is run is its own (hooks/); what they share is here.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { BpfCaller } from './caller.ts';
import { progOfFd, userStruct } from './lookup.ts';
import type { ProgObject } from './objects.ts';
import type { Attr, BpfSubsystem } from './subsystem.ts';

export type TestRunAttr = Attr<'prog_test_run'>;

/** Runs `program` as the attr says and fills the attr's results. 0 or a negative errno. */
export type TestRun = (
  bpf: BpfSubsystem,
  program: ProgObject,
  attr: TestRunAttr,
  caller: BpfCaller,
) => number;

export function progTestRun(bpf: BpfSubsystem, attr: TestRunAttr, caller: BpfCaller): number {
  const lonely = (size: number, address: bigint) => (size === 0) !== (address === 0n);
  if (lonely(attr.ctx_size_in, attr.ctx_in) || lonely(attr.ctx_size_out, attr.ctx_out)) {
    return -errno.EINVAL;
  }
  const program = progOfFd(caller, attr.prog_fd);
  if (typeof program === 'number') return program;
  const run = !program.offload && bpf.host.testRun(program.prog.verified.spec.type);
  return run ? run(bpf, program, attr, caller) : -errno.ENOTSUPP;
}

export interface TestRunResult {
  readonly data: Uint8Array;
  /** Of `data`, at its end: what lies in fragments. */
  readonly fragBytes?: number;
  readonly retval: number;
  readonly durationNs: number;
}

/**
 * The packet after the run, the return value and the duration go to the caller
 * (bpf_test_finish): what does not fit data_out is cut, and the call fails with -ENOSPC.
 */
export function finishTestRun(attr: TestRunAttr, caller: BpfCaller, result: TestRunResult): number {
  const { data } = result;
  const room = attr.data_size_out;
  const fits = room === 0 || data.length <= room;
  if (attr.data_out !== 0n) {
    const copied = fits ? data : cutPacket(data, result.fragBytes ?? 0, room);
    if (!copied) return -errno.ENOSPC;
    if (!caller.copyToUser(attr.data_out, copied)) return -errno.EFAULT;
  }
  attr.data_size_out = data.length;
  attr.retval = result.retval;
  attr.duration = result.durationNs;
  return fits ? 0 : -errno.ENOSPC;
}

/**
 * As much of a packet as there is room for. 6.1 keeps the fragments whole and takes what is missing
 * from the end of the first part; undefined where they alone are too large.
 */
function cutPacket(data: Uint8Array, fragBytes: number, room: number): Uint8Array | undefined {
  if (fragBytes === 0) return data.subarray(0, room);
  const linear = room - fragBytes;
  if (linear < 0) return undefined;
  const copied = new Uint8Array(room);
  copied.set(data.subarray(0, linear));
  copied.set(data.subarray(data.length - fragBytes), linear);
  return copied;
}

/**
 * The context that the caller passes, as large as the kernel's; bytes beyond that must be zero
 * (bpf_ctx_init). Undefined: none was passed and none is wanted back. A number: -errno.
 */
export function testContext(
  attr: TestRunAttr,
  caller: BpfCaller,
  sizeBytes: number,
): Uint8Array | number | undefined {
  if (attr.ctx_in === 0n && attr.ctx_out === 0n) return undefined;
  const context = new Uint8Array(sizeBytes);
  if (attr.ctx_in === 0n) return context;
  const given = userStruct(caller, attr.ctx_in, attr.ctx_size_in, sizeBytes);
  if (typeof given === 'number') return given;
  context.set(given.subarray(0, sizeBytes));
  return context;
}

/** The context after the run (bpf_ctx_finish). */
export function finishContext(
  attr: TestRunAttr,
  caller: BpfCaller,
  context: Uint8Array | undefined,
): number {
  if (!context || attr.ctx_out === 0n) return 0;
  const fits = context.length <= attr.ctx_size_out;
  const copied = fits ? context : context.subarray(0, attr.ctx_size_out);
  if (!caller.copyToUser(attr.ctx_out, copied)) return -errno.EFAULT;
  attr.ctx_size_out = context.length;
  return fits ? 0 : -errno.ENOSPC;
}
