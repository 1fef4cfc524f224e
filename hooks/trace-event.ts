/**
 * What a trace event is, apart from any machine: TRACE_EVENT as a value.
 *
 *   const schedSwitch = traceEvent({ system, name, args, fields, assign, print, printFmt })
 *   formatText(schedSwitch.layout, …)     the text of tracefs's `format` file
 *
 * A record starts with the four common fields, then the event's own, at C's offsets; a dynamic
 * string is a `__data_loc` word that points at bytes behind the fixed part.
 */
import type { Ram } from '../kernel/ram/ram.ts';
import type { AnyStruct, Members, MemberType, View } from '../kernel/types/struct.ts';
import { charArray, embed, struct } from '../kernel/types/struct.ts';
import type { RamOffset } from '../kernel/types/units.ts';

export interface Field {
  /** C type as `format` prints it, without array brackets. */
  readonly type: string;
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  readonly signed: boolean;
  /** Elements, for arrays; `char` arrays hold a NUL-terminated string. */
  readonly count?: number;
  /** __data_loc: the word says where the string is. */
  readonly dynamic?: true;
}

/** common_type, common_flags, common_preempt_count, common_pid. */
export const COMMON_FIELDS: readonly Field[] = [
  { type: 'unsigned short', name: 'common_type', offset: 0, size: 2, signed: false },
  { type: 'unsigned char', name: 'common_flags', offset: 2, size: 1, signed: false },
  { type: 'unsigned char', name: 'common_preempt_count', offset: 3, size: 1, signed: false },
  { type: 'int', name: 'common_pid', offset: 4, size: 4, signed: true },
];
export const COMMON_BYTES = 8;
/** perf's limit for a record (PERF_MAX_TRACE_SIZE is 8192; strings are at most a path here). */
export const MAX_RECORD_BYTES = 4608;

/** Writes the strings of a record behind its fixed part. */
export interface DynamicStrings {
  (field: string, text: string): void;
}

/** A record being read: from RAM while it is made, from a copy once it is in the ring. */
export interface RecordReader {
  number(field: string): number;
  big(field: string): bigint;
  text(field: string): string;
  /** Element of an array of 64-bit numbers. */
  element(field: string, index: number): bigint;
}

export interface TraceEvent<Args extends readonly unknown[] = readonly never[]> {
  readonly system: string;
  readonly name: string;
  /** C parameters of the tracepoint, which raw tracepoints get: 'struct task_struct *prev'. */
  readonly args: readonly string[];
  /** Without the common ones. */
  readonly fields: readonly Field[];
  /** Bytes of the fixed part, common fields included. */
  readonly fixedBytes: number;
  /** Fill a zeroed record at `at`; the common fields are done. */
  assign(ram: Ram, at: RamOffset, strings: DynamicStrings, ...args: Args): void;
  /** The message as `trace` shows it, after 'name: '. */
  print(record: RecordReader): string;
  /** As `format` shows it. */
  readonly printFmt: string;
  /** Replaces 'name: ' in front of the message; syscall events print their call instead. */
  readonly prefix?: string;
  /** The record as the kernel's BTF has it: struct trace_event_raw_CLASS. */
  readonly record?: AnyStruct;
  /** System calls' events record one level of preempt_disable more than there is around them. */
  readonly extraPreemptDepth?: 1;
}

/** C scalar types by the name that `format` prints. */
export function cType<const N extends string, const S extends 1 | 2 | 4 | 8, G extends boolean>(
  name: N,
  size: S,
  signed: G,
) {
  return { kind: 'int', name, size, signed } as const;
}
export const pidT = cType('pid_t', 4, true);
/** A string of any length: the member is its __data_loc word. */
export const dynamicString = cType('__data_loc char[]', 4, true);

/** In front of every record (include/linux/trace_events.h). */
export const TraceEntry = struct('trace_entry', {
  type: cType('unsigned short', 2, false),
  flags: cType('unsigned char', 1, false),
  preempt_count: cType('unsigned char', 1, false),
  pid: cType('int', 4, true),
});

export interface TraceEventSpec<Args extends readonly unknown[], M extends Members> {
  readonly system: string;
  readonly name: string;
  /** DECLARE_EVENT_CLASS, where several events share one; the event's name otherwise. */
  readonly className?: string;
  readonly args: readonly string[];
  readonly fields: M;
  assign(record: View<M>, strings: DynamicStrings, ...args: Args): void;
  print(record: RecordReader): string;
  readonly printFmt: string;
}

/** Declare an event: fields in order, C's layout rules. */
export function traceEvent<Args extends readonly unknown[], const M extends Members>(
  spec: TraceEventSpec<Args, M>,
): TraceEvent<Args> {
  const record = struct(`trace_event_raw_${spec.className ?? spec.name}`, {
    ent: embed(TraceEntry),
    ...spec.fields,
  });
  const fields = Object.entries<MemberType>(spec.fields).map(([name, type]) =>
    fieldOf(name, type, record.offsets[name]!),
  );
  const last = fields.at(-1);
  return {
    ...spec,
    fields,
    record: btfRecord(record.name, spec.fields),
    fixedBytes: last ? last.offset + last.size : COMMON_BYTES,
    assign: (ram, at, strings, ...args) =>
      spec.assign(record.at(ram, at) as unknown as View<M>, strings, ...args),
  };
}

/** The same with the names that C has: __data_loc_X, and the dynamic part's start. */
function btfRecord(name: string, fields: Members): AnyStruct {
  const members = Object.entries<MemberType>(fields).map(([field, type]) =>
    type.kind === 'int' && type.name === dynamicString.name
      ? [`__data_loc_${field}`, cType('unsigned int', 4, false)]
      : [field, type],
  );
  return struct(name, {
    ent: embed(TraceEntry),
    ...(Object.fromEntries(members) as Members),
    __data: charArray(0),
  });
}

function fieldOf(name: string, type: MemberType, offset: number): Field {
  switch (type.kind) {
    case 'chars':
      // char is signed on x86 before 6.2.
      return { type: 'char', name, offset, size: type.size, signed: true, count: type.count };
    case 'array': {
      const element = fieldOf(name, type.of, offset);
      return { ...element, size: type.size, count: type.count };
    }
    case 'pointer': {
      const target = type.to === 'void' ? 'void' : `struct ${type.to}`;
      return { type: `${target} *`, name, offset, size: 8, signed: false };
    }
    case 'struct':
      return { type: `struct ${type.struct.name}`, name, offset, size: type.size, signed: false };
    default: {
      const { name: cName, size, signed } = type;
      return cName === dynamicString.name
        ? { type: cName, name, offset, size, signed, dynamic: true }
        : { type: cName, name, offset, size, signed };
    }
  }
}

/** The `format` file of tracefs, byte for byte as Linux prints it. */
export function formatText(event: TraceEvent<never[]> | AnyTraceEvent, id: number): string {
  const line = (field: Field): string => {
    const brackets = field.count === undefined ? '' : `[${field.count}]`;
    return (
      `\tfield:${field.type} ${field.name}${brackets};\toffset:${field.offset};` +
      `\tsize:${field.size};\tsigned:${field.signed ? 1 : 0};\n`
    );
  };
  return (
    `name: ${event.name}\nID: ${id}\nformat:\n` +
    `${COMMON_FIELDS.map(line).join('')}\n${event.fields.map(line).join('')}\n` +
    `print fmt: ${event.printFmt}\n`
  );
}

/** An event whose arguments do not matter to the one who holds it. */
export type AnyTraceEvent = Omit<TraceEvent, 'assign'>;
