/**
 * ftrace's event tracing, as tracefs shows it: the ring, what is enabled, and the text.
 *
 *   tracing.traceText(), tracing.readPipe(count)      files `trace` and `trace_pipe`
 *   tracing.events(pattern), setEnabled, setFilter    `set_event`, `enable`, `filter`
 *   tracing.on, tracing.bufferSizeKb                  `tracing_on`, `buffer_size_kb`
 *   tracing.marker(text)                              `trace_marker`
 *
 * Lines are Linux 6.1's: `            bash-1234    [002] ...21    12.345678: name: message`.
 */
import { filterErrorText, parseFilter } from '../../hooks/filter.ts';
import type { TracepointRegistry } from '../../hooks/registry.ts';
import { traceEvent, dynamicString } from '../../hooks/trace-event.ts';
import type { AnyTracepoint, Tracepoint } from '../../hooks/tracepoint.ts';
import type { KernelFlow } from '../sched/flow.ts';
import { WaitQueue } from '../sched/wait-queue.ts';
import type { Sleeper } from '../sched/wait-queue.ts';
import { errno } from '../types/errno.ts';
import type { Ns } from '../types/units.ts';
import type { TraceEntry } from './trace-ring.ts';
import { TraceRing } from './trace-ring.ts';

/** Bytes per CPU that an expanded buffer has: 1410 KiB in 6.1 (buffer_size_kb). */
const DEFAULT_SIZE_KB = 1410;

/** TRACE_FLAG_* (include/linux/trace_events.h). */
export const TRACE_FLAG_IRQS_OFF = 0x01;
export const TRACE_FLAG_NEED_RESCHED = 0x04;
export const TRACE_FLAG_HARDIRQ = 0x08;
export const TRACE_FLAG_SOFTIRQ = 0x10;
export const TRACE_FLAG_BH_OFF = 0x80;

const ftracePrint = {
  ...traceEvent({
    system: 'ftrace',
    name: 'print',
    args: [],
    fields: { buf: dynamicString },
    assign(_record, strings, text: string) {
      strings('buf', text);
    },
    print: (r) => r.text('buf').replace(/\n$/, ''),
    printFmt: '"%ps: %s", (void *)REC->ip, REC->buf',
  }),
  // The symbol of the record's ip, which is where trace_marker's write came from.
  prefix: 'tracing_mark_write: ',
};

export class Tracing {
  readonly registry: TracepointRegistry;
  readonly ring: TraceRing;
  /** tracing_on */
  on = true;
  readonly #sleeper: Sleeper;
  readonly #cpuCount: number;
  readonly #readers: WaitQueue;
  readonly #marker: Tracepoint<[text: string]>;
  /** pid -> comm as of its last record, for tasks that are gone when the text is made. */
  readonly #comms = new Map<number, string>();

  constructor(registry: TracepointRegistry, sleeper: Sleeper, cpuCount: number) {
    this.registry = registry;
    this.ring = new TraceRing(cpuCount, DEFAULT_SIZE_KB * 1024);
    this.#sleeper = sleeper;
    this.#cpuCount = cpuCount;
    this.#readers = new WaitQueue(sleeper);
    this.#marker = registry.add(ftracePrint);
    this.#marker.setRecording(true);
  }

  /** Called by tracepoints for each record that is to be kept. */
  record(cpu: number, timeNs: Ns, comm: string, bytes: Uint8Array): void {
    if (!this.on) return;
    const pid = new DataView(bytes.buffer, bytes.byteOffset).getInt32(4, true);
    this.#comms.set(pid, comm);
    this.ring.write(cpu, timeNs, bytes);
    if (this.#readers.hasWaiters) this.#readers.wakeAll();
  }

  /** Write to trace_marker. */
  marker(text: string): void {
    if (this.on) this.#marker.fire(text);
  }

  // --- text ---

  /** The file `trace`: header and every line, nothing consumed. */
  traceText(cpu?: number): string {
    const { inBuffer, written } = this.ring.counts;
    const lines = this.ring.snapshot(cpu).map((entry) => this.#line(entry));
    return header(inBuffer, written, this.#cpuCount) + lines.join('');
  }

  /**
   * The file `trace_pipe`: whole lines, as many as fit `count` bytes, consumed. Sleeps while there
   * is nothing, unless `nonblocking` (-EAGAIN); '' when tracing is off and the ring is empty.
   */
  *readPipe(count: number, nonblocking: boolean): KernelFlow<string | number> {
    if (this.#pipeRest === '') {
      if (this.ring.isEmpty) {
        if (nonblocking) return -errno.EAGAIN;
        const why = yield* this.#readers.wait(() => !this.ring.isEmpty, { interruptible: true });
        if (why === 'signal') return -errno.ERESTARTSYS;
      }
      while (this.#pipeRest.length < count) {
        const entry = this.ring.consume();
        if (!entry) break;
        if (entry.lost > 0) this.#pipeRest += `CPU:${entry.cpu} [LOST ${entry.lost} EVENTS]\n`;
        this.#pipeRest += this.#line(entry);
      }
    }
    const cut = wholeLines(this.#pipeRest, count);
    const text = this.#pipeRest.slice(0, cut);
    this.#pipeRest = this.#pipeRest.slice(cut);
    return text;
  }
  /** What a reader with a small buffer has left over. */
  #pipeRest = '';

  get pipeReaders(): WaitQueue {
    return this.#readers;
  }

  get pipeHasData(): boolean {
    return this.#pipeRest !== '' || !this.ring.isEmpty;
  }

  clear(): void {
    this.ring.clear();
    this.#pipeRest = '';
  }

  #line({ cpu, timeNs, bytes }: TraceEntry): string {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const tracepoint = this.registry.byId(view.getUint16(0, true));
    const pid = view.getInt32(4, true);
    const comm = pid === 0 ? '<idle>' : (this.#comms.get(pid) ?? '<...>');
    const usecs = Math.floor((timeNs + 500) / 1000);
    const seconds = String(Math.floor(usecs / 1e6)).padStart(5);
    const time = `${seconds}.${String(usecs % 1e6).padStart(6, '0')}`;
    const { event } = tracepoint!;
    const message = event.print(tracepoint!.reader.use(bytes));
    return (
      `${comm.padStart(16)}-${String(pid).padEnd(7)} [${String(cpu).padStart(3, '0')}] ` +
      `${flagChars(bytes[2]!, bytes[3]!)} ${time}: ${event.prefix ?? `${event.name}: `}${message}\n`
    );
  }

  // --- which events ---

  /** `sys:name`, `sys:*`, `*:name`, a bare system or event name; '' for all. */
  events(pattern = ''): readonly AnyTracepoint[] {
    const visible = this.registry.all.filter(({ event }) => event.system !== 'ftrace');
    if (pattern === '' || pattern === '*:*') return visible;
    const colon = pattern.indexOf(':');
    const matches = (part: string, name: string) => part === '' || part === '*' || part === name;
    return visible.filter(({ event }) => {
      if (colon < 0) return pattern === event.system || pattern === event.name;
      const system = pattern.slice(0, colon);
      const name = pattern.slice(colon + 1);
      return matches(system, event.system) && matches(name, event.name);
    });
  }

  /** '0', '1', or 'X' where some are on and some are off (the file `enable` of a system). */
  enabledText(tracepoints: readonly AnyTracepoint[]): string {
    const on = tracepoints.filter((tracepoint) => tracepoint.recording).length;
    if (on === 0) return '0';
    return on === tracepoints.length ? '1' : 'X';
  }

  /** The file `filter`: what was set, or the last fault. */
  filterText(tracepoint: AnyTracepoint): string {
    return this.#faults.get(tracepoint.id) ?? `${tracepoint.filter?.text ?? 'none'}\n`;
  }
  readonly #faults = new Map<number, string>();

  /** Write to `filter`: 0 or -EINVAL; '0' takes the filter away. */
  setFilter(tracepoint: AnyTracepoint, text: string): number {
    const wanted = text.trim();
    this.#faults.delete(tracepoint.id);
    if (wanted === '0') {
      tracepoint.setFilter(undefined);
      return 0;
    }
    const filter = parseFilter(wanted, tracepoint.event);
    if ('error' in filter) {
      this.#faults.set(tracepoint.id, filterErrorText(wanted, filter));
      return -errno.EINVAL;
    }
    tracepoint.setFilter(filter);
    return 0;
  }

  get bufferSizeKb(): number {
    return this.ring.sizeBytesPerCpu / 1024;
  }

  /** -EINVAL for 0. */
  setBufferSizeKb(kilobytes: number): number {
    if (!(kilobytes > 0)) return -errno.EINVAL;
    this.ring.resize(Math.ceil(kilobytes / 4) * 4 * 1024);
    return 0;
  }
}

function wholeLines(text: string, limit: number): number {
  if (text.length <= limit) return text.length;
  const end = text.lastIndexOf('\n', limit - 1) + 1;
  return end > 0 ? end : limit;
}

/** The five characters of 6.1: irqs-off, need-resched, interrupt context, preempt and migrate. */
function flagChars(flags: number, preempt: number): string {
  const irqsOff = flags & TRACE_FLAG_IRQS_OFF;
  const bhOff = flags & TRACE_FLAG_BH_OFF;
  const hardirq = flags & TRACE_FLAG_HARDIRQ;
  const softirq = flags & TRACE_FLAG_SOFTIRQ;
  const depth = (n: number) => (n === 0 ? '.' : n.toString(16));
  return (
    (irqsOff ? (bhOff ? 'D' : 'd') : bhOff ? 'b' : '.') +
    (flags & TRACE_FLAG_NEED_RESCHED ? 'N' : '.') +
    (hardirq ? (softirq ? 'H' : 'h') : softirq ? 's' : '.') +
    depth(preempt & 0xf) +
    depth(preempt >> 4)
  );
}

function header(inBuffer: number, written: number, cpus: number): string {
  return `# tracer: nop
#
# entries-in-buffer/entries-written: ${inBuffer}/${written}   #P:${cpus}
#
#                                _-----=> irqs-off/BH-disabled
#                               / _----=> need-resched
#                              | / _---=> hardirq/softirq
#                              || / _--=> preempt-depth
#                              ||| / _-=> migrate-disable
#                              |||| /     delay
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
#              | |         |   |||||     |         |
`;
}
