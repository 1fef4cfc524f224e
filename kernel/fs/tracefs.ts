/**
 * tracefs: /sys/kernel/tracing, on top of kernel/trace.
 *
 *   const tracefs = new Tracefs(vfs.newDevice(), tracing, {cpuCount, now})
 *   tracefs.fs          for mounting; tracefs.root.add(name, node) adds a file (kprobe_events …)
 *
 * Files that this kernel has no function behind are not there.
 */
import { errno } from '../types/errno.ts';
import type { Ns } from '../types/units.ts';
import type { AnyTracepoint } from '../../hooks/tracepoint.ts';
import type { KernelFlow } from '../sched/flow.ts';
import { isFlow } from '../sched/flow.ts';
import type { Tracing } from '../trace/tracing.ts';
import { O_NONBLOCK } from './fcntl.ts';
import { parseNumber } from './numbers.ts';
import type { PseudoDirectory } from './pseudo.ts';
import { PseudoFs } from './pseudo.ts';
import type { FileOps, Inode, PollSource } from './vfs-types.ts';
import { POLLIN, POLLRDNORM } from './vfs-types.ts';

/** UAPI linux/magic.h */
const TRACEFS_MAGIC = 0x74726163;
/** TRACE_MODE_READ and TRACE_MODE_WRITE (kernel/trace/trace.h). */
const READ = 0o440;
const WRITE = 0o640;
const DIRECTORY = 0o750;

export class Tracefs {
  readonly fs: PseudoFs;
  readonly root: PseudoDirectory;
  readonly #tracing: Tracing;
  readonly #cpuCount: number;
  readonly #systems = new Map<string, PseudoDirectory>();
  readonly #events = new Map<number, PseudoDirectory>();

  constructor(
    dev: number,
    tracing: Tracing,
    host: { readonly cpuCount: number; readonly now: () => Ns },
  ) {
    this.#tracing = tracing;
    this.#cpuCount = host.cpuCount;
    this.fs = new PseudoFs({
      type: 'tracefs',
      dev,
      magic: TRACEFS_MAGIC,
      now: host.now,
      rootMode: 0o700,
    });
    this.root = this.fs.root;
    this.#addRootFiles();
    this.root.add('per_cpu', this.#perCpu());
    this.root.add('events', this.#eventsDirectory());
  }

  #addRootFiles(): void {
    const { fs, root } = this;
    const tracing = this.#tracing;
    root.add(
      'trace',
      fs.text(() => tracing.traceText(), {
        mode: WRITE,
        write: () => 0,
        truncate: () => tracing.clear(),
      }),
    );
    root.add(
      'trace_pipe',
      fs.special(READ, () => new TracePipe(tracing)),
    );
    root.add(
      'trace_marker',
      fs.special(0o220, () => ({
        stream: true,
        write: (data) => {
          tracing.marker(new TextDecoder().decode(data));
          return data.length;
        },
      })),
    );
    root.add(
      'tracing_on',
      this.#flag(
        () => tracing.on,
        (on) => (tracing.on = on),
      ),
    );
    root.add(
      'buffer_size_kb',
      fs.text(() => `${tracing.bufferSizeKb}\n`, {
        mode: WRITE,
        write: (text) => tracing.setBufferSizeKb(Number(text.trim() || NaN)),
      }),
    );
    root.add(
      'buffer_total_size_kb',
      fs.text(() => `${tracing.bufferSizeKb * this.#cpuCount}\n`, { mode: READ }),
    );
    root.add(
      'available_tracers',
      fs.text(() => 'nop\n', { mode: READ }),
    );
    root.add(
      'current_tracer',
      fs.text(() => 'nop\n', {
        mode: WRITE,
        write: (text) => (text.trim() === 'nop' ? 0 : -errno.EINVAL),
      }),
    );
    root.add(
      'available_events',
      fs.text(() => listOf(tracing.events()), { mode: READ }),
    );
    root.add(
      'set_event',
      fs.text(() => listOf(tracing.events().filter((event) => event.recording)), {
        mode: WRITE,
        write: (text) => this.#setEvents(text),
        truncate: () => {
          for (const event of tracing.events()) event.setRecording(false);
        },
      }),
    );
  }

  /** Words like `sched:sched_switch`, `!irq:*`; the first unknown one ends it with -EINVAL. */
  #setEvents(text: string): number {
    for (const word of text.split(/\s+/)) {
      if (word === '') continue;
      const off = word.startsWith('!');
      const events = this.#tracing.events(off ? word.slice(1) : word);
      if (events.length === 0) return -errno.EINVAL;
      for (const event of events) event.setRecording(!off);
    }
    return 0;
  }

  #flag(get: () => boolean, set: (on: boolean) => void): Inode {
    return this.fs.text(() => (get() ? '1\n' : '0\n'), {
      mode: WRITE,
      write: (text) => {
        const value = parseNumber(text);
        if (value === undefined) return -errno.EINVAL;
        set(value !== 0);
        return 0;
      },
    });
  }

  #perCpu(): PseudoDirectory {
    const tracing = this.#tracing;
    const directory = this.fs.directory(DIRECTORY);
    for (let cpu = 0; cpu < this.#cpuCount; cpu++) {
      const files = directory.add(`cpu${cpu}`, this.fs.directory(DIRECTORY));
      files.add(
        'trace',
        this.fs.text(() => tracing.traceText(cpu), { mode: READ }),
      );
      files.add(
        'stats',
        this.fs.text(
          () => {
            const { entries, overrun } = tracing.ring.statsOf(cpu);
            return `entries: ${entries}\noverrun: ${overrun}\n`;
          },
          { mode: READ },
        ),
      );
    }
    return directory;
  }

  // --- events/ ---

  #eventsDirectory(): PseudoDirectory {
    const tracing = this.#tracing;
    const systems = () => new Set(tracing.events().map(({ event }) => event.system));
    const directory = this.fs.dynamicDirectory(
      {
        names: systems,
        get: (name) => (systems().has(name) ? this.#system(name) : undefined),
      },
      DIRECTORY,
    );
    directory.add(
      'enable',
      this.#enableFile(() => tracing.events()),
    );
    directory.add(
      'header_event',
      this.fs.text(() => HEADER_EVENT, { mode: READ }),
    );
    directory.add(
      'header_page',
      this.fs.text(() => HEADER_PAGE, { mode: READ }),
    );
    return directory;
  }

  #system(system: string): PseudoDirectory {
    let directory = this.#systems.get(system);
    if (directory) return directory;
    const events = () => this.#tracing.events(`${system}:*`);
    directory = this.fs.dynamicDirectory(
      {
        names: () => events().map(({ event }) => event.name),
        get: (name) => {
          const event = this.#tracing.registry.find(system, name);
          return event && this.#event(event);
        },
      },
      DIRECTORY,
    );
    directory.add('enable', this.#enableFile(events));
    this.#systems.set(system, directory);
    return directory;
  }

  #event(tracepoint: AnyTracepoint): PseudoDirectory {
    let directory = this.#events.get(tracepoint.id);
    if (directory) return directory;
    const tracing = this.#tracing;
    directory = this.fs.directory(DIRECTORY);
    directory.add(
      'enable',
      this.#enableFile(() => [tracepoint]),
    );
    directory.add(
      'format',
      this.fs.text(() => tracepoint.format(), { mode: READ }),
    );
    directory.add(
      'id',
      this.fs.text(() => `${tracepoint.id}\n`, { mode: READ }),
    );
    directory.add(
      'filter',
      this.fs.text(() => tracing.filterText(tracepoint), {
        mode: WRITE,
        write: (text) => tracing.setFilter(tracepoint, text),
      }),
    );
    this.#events.set(tracepoint.id, directory);
    return directory;
  }

  #enableFile(events: () => readonly AnyTracepoint[]): Inode {
    return this.fs.text(() => `${this.#tracing.enabledText(events())}\n`, {
      mode: WRITE,
      write: (text) => {
        const value = parseNumber(text);
        if (value !== 0 && value !== 1) return -errno.EINVAL;
        for (const event of events()) event.setRecording(value === 1);
        return 0;
      },
    });
  }
}

const listOf = (events: readonly AnyTracepoint[]): string =>
  events.map((event) => `${event.fullName}\n`).join('');

/** Each read consumes what it gives; many readers share one stream and steal from each other. */
class TracePipe implements FileOps {
  readonly stream = true;
  readonly #tracing: Tracing;
  /** Bytes that did not fit the last reader's buffer. */
  #rest = new Uint8Array(0);

  constructor(tracing: Tracing) {
    this.#tracing = tracing;
  }

  *read(count: number, _position: number, flags: number): KernelFlow<Uint8Array | number> {
    if (this.#rest.length === 0) {
      const reading = this.#tracing.readPipe(count, (flags & O_NONBLOCK) !== 0);
      const text = isFlow(reading) ? yield* reading : reading;
      if (typeof text === 'number') return text;
      this.#rest = new TextEncoder().encode(text);
    }
    const data = this.#rest.slice(0, count);
    this.#rest = this.#rest.slice(count);
    return data;
  }

  poll(watch: (queue: PollSource) => void): number {
    watch(this.#tracing.pipeReaders);
    return this.#rest.length > 0 || this.#tracing.pipeHasData ? POLLIN | POLLRDNORM : 0;
  }
}

/** How the ring buffer's event headers are laid out (Documentation/trace/ring-buffer-design). */
const HEADER_EVENT = `# compressed entry header
\ttype_len    :    5 bits
\ttime_delta  :   27 bits
\tarray       :   32 bits

\tpadding     : type == 29
\ttime_extend : type == 30
\ttime_stamp : type == 31
\tdata max type_len  == 28
`;

const HEADER_PAGE = `\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:16;\tsize:4080;\tsigned:1;
`;
