/** Records of system calls' events (kernel/trace/trace.h), for programs that are compiled with them. */
import { array, embed, i32, long, struct, ulong } from './struct.ts';

const TraceEntryStruct = struct('trace_entry', {
  type: { kind: 'int', name: 'unsigned short', size: 2, signed: false },
  flags: { kind: 'int', name: 'unsigned char', size: 1, signed: false },
  preempt_count: { kind: 'int', name: 'unsigned char', size: 1, signed: false },
  pid: i32,
});

export const SyscallTraceEnter = struct('syscall_trace_enter', {
  ent: embed(TraceEntryStruct),
  nr: i32,
  args: array(ulong, 6),
});

export const SyscallTraceExit = struct('syscall_trace_exit', {
  ent: embed(TraceEntryStruct),
  nr: i32,
  ret: long,
});
