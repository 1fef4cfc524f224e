/** struct pt_regs of x86-64 (arch/x86/include/asm/ptrace.h), in the kernel's member names. */
import { struct, ulong } from './struct.ts';

export const PtRegsStruct = struct('pt_regs', {
  r15: ulong,
  r14: ulong,
  r13: ulong,
  r12: ulong,
  bp: ulong,
  bx: ulong,
  r11: ulong,
  r10: ulong,
  r9: ulong,
  r8: ulong,
  ax: ulong,
  cx: ulong,
  dx: ulong,
  si: ulong,
  di: ulong,
  orig_ax: ulong,
  ip: ulong,
  cs: ulong,
  flags: ulong,
  sp: ulong,
  ss: ulong,
});
