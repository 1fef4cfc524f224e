/**
 * What Debian's tools settle only when they run: functions that a program is attached to (their
 * sections name `dummy_…`), sizes of maps that depend on the machine. The survey settles them with
 * kernel functions of the same arguments and with small sizes, for Linux and for skep alike.
 */
import type { MapDef, ObjectMap, ObjectProgram } from '../../bpf/elf/object-spec.ts';

/** Functions of fs/ and mm/ in 6.1 with the arguments of those that file systems register. */
const TARGETS: Readonly<Record<string, string>> = {
  dummy_file_read: 'generic_file_read_iter',
  dummy_file_write: 'generic_file_write_iter',
  dummy_file_open: 'generic_file_open',
  dummy_file_sync: 'blkdev_fsync',
  dummy_getattr: 'simple_getattr',
};

/** Probes are given their function when they are attached; only BTF has it at the load. */
export function settled(program: ObjectProgram): ObjectProgram {
  const target = program.def?.btfPrefix === undefined ? undefined : TARGETS[program.target];
  return target === undefined ? program : { ...program, target };
}

/** PERF_MAX_STACK_DEPTH of include/uapi/linux/perf_event.h. */
const STACK_DEPTH = 127;
const ENTRIES = 64;

export function settledMap({ def }: ObjectMap): MapDef {
  const sized = def.maxEntries === 0 && def.type !== 'perf_event_array';
  return {
    ...def,
    ...(sized && !/storage$/.test(def.type) && { maxEntries: ENTRIES }),
    ...(def.type === 'stack_trace' && def.valueBytes === 0 && { valueBytes: STACK_DEPTH * 8 }),
  };
}
