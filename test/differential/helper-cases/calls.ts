import type { HelperCase } from '../helper-cases.ts';

/** What raw tracepoints can ask without anything around. */
const events = { type: 'perf_event_array', key_size: 4, value_size: 4, max_entries: 2 };
const raw = (id: string, body: string, maps: HelperCase['maps'] = []): HelperCase => ({
  id: `call/${id}`,
  type: 'raw_tracepoint',
  body,
  maps,
  context: '00'.repeat(8),
});

const read = (flags: string) => `
  r1 = map_fd(1)
  r2 = ${flags}
  call perf_event_read#22
  save`;
const readValue = (flags: string, bytes: number) => `
  set -64 ${'ff'.repeat(32)}
  r1 = map_fd(1)
  r2 = ${flags}
  r3 = r10
  r3 += -64
  r4 = ${bytes}
  call perf_event_read_value#55
  save
  save 32 from -64`;
const flagsOf = ['0', '1', '2', '-1', '4294967295 ll', '4294967296 ll'];
const indices = flagsOf.slice(0, 4);

const pids = (device: string, bytes: number) => `
  set -64 ${'ff'.repeat(16)}
  r1 = ${device}
  r2 = 0xeffffffc ll
  r3 = r10
  r3 += -64
  r4 = ${bytes}
  call get_ns_current_pid_tgid#120
  save
  save 16 from -64`;

export const callCases: readonly HelperCase[] = [
  raw('perf_event_read', flagsOf.map(read).join('\n'), [events]),
  raw('perf_event_read_value', indices.map((flags) => readValue(flags, 24)).join('\n'), [events]),
  raw(
    'perf_event_read_value, sizes',
    [8, 16, 32].map((bytes) => readValue('0', bytes)).join('\n'),
    [events],
  ),
  raw(
    'get_ns_current_pid_tgid',
    pids('0x12345678', 8) + pids('0x100000004 ll', 8) + pids('4095', 4) + pids('4095', 16),
  ),
];
