/**
 * The kernel log (printk): records with level and time, read by syslog(2) and /dev/kmsg.
 *
 *   log.printk(KERN_INFO, 'text')     one record; a newline makes two
 *   log.text()                        as `dmesg` prints it: `[    0.000000] text`
 *   log.after(sequence)               what /dev/kmsg readers have not seen yet
 *
 * Old records go when their text exceeds the ring's size (CONFIG_LOG_BUF_SHIFT 17: 128 KiB).
 */
import type { Ns } from './types/units.ts';

export const KERN_EMERG = 0;
export const KERN_ALERT = 1;
export const KERN_CRIT = 2;
export const KERN_ERR = 3;
export const KERN_WARNING = 4;
export const KERN_NOTICE = 5;
export const KERN_INFO = 6;
export const KERN_DEBUG = 7;

const LOG_BYTES = 1 << 17;

export interface LogRecord {
  readonly sequence: number;
  readonly level: number;
  /** Syslog facility; 0 is the kernel, 1 what user space wrote to /dev/kmsg. */
  readonly facility: number;
  readonly timeNs: Ns;
  readonly text: string;
}

export class KernelLog {
  readonly #clock: () => Ns;
  #records: LogRecord[] = [];
  #bytes = 0;
  #sequence = 0;
  /** First record that SYSLOG_ACTION_CLEAR has not hidden. */
  #clearedBefore = 0;
  #listeners: ((record: LogRecord) => void)[] = [];

  constructor(clock: () => Ns) {
    this.#clock = clock;
  }

  printk(level: number, text: string, facility = 0): void {
    for (const line of text.replace(/\n$/, '').split('\n')) {
      const record: LogRecord = {
        sequence: this.#sequence++,
        level,
        facility,
        timeNs: this.#clock(),
        text: line,
      };
      this.#records.push(record);
      this.#bytes += line.length;
      while (this.#bytes > LOG_BYTES && this.#records.length > 1) {
        this.#bytes -= this.#records.shift()!.text.length;
      }
      for (const notify of this.#listeners) notify(record);
    }
  }

  info(text: string): void {
    this.printk(KERN_INFO, text);
  }

  notice(text: string): void {
    this.printk(KERN_NOTICE, text);
  }

  warn(text: string): void {
    this.printk(KERN_WARNING, text);
  }

  /** Called with each new record: the console, blocked readers. Returns how to stop. */
  subscribe(notify: (record: LogRecord) => void): () => void {
    this.#listeners.push(notify);
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== notify);
    };
  }

  /** The sequence number that the next record gets. */
  get nextSequence(): number {
    return this.#sequence;
  }

  /** Oldest record still there. */
  get firstSequence(): number {
    return this.#records[0]?.sequence ?? this.#sequence;
  }

  after(sequence: number): readonly LogRecord[] {
    const first = this.firstSequence;
    return this.#records.slice(Math.max(0, sequence - first));
  }

  /** What dmesg shows: records since the last clear, as syslog(2) formats them. */
  text({ withLevel = false } = {}): string {
    return this.after(this.#clearedBefore)
      .map(
        (record) =>
          `${withLevel ? `<${record.level + record.facility * 8}>` : ''}${lineOf(record)}\n`,
      )
      .join('');
  }

  clear(): void {
    this.#clearedBefore = this.#sequence;
  }

  get sizeBytes(): number {
    return LOG_BYTES;
  }
}

/** `[    1.234567] text` */
export function lineOf(record: LogRecord): string {
  const micros = Math.floor(record.timeNs / 1000);
  const seconds = String(Math.floor(micros / 1e6)).padStart(5);
  return `[${seconds}.${String(micros % 1e6).padStart(6, '0')}] ${record.text}`;
}

/** One record as /dev/kmsg gives it: `6,339,5140900,-;text`. */
export function kmsgOf(record: LogRecord): string {
  const escaped = record.text.replace(/[^ -~]|\\/g, (char) => {
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  const priority = record.level + record.facility * 8;
  return `${priority},${record.sequence},${Math.floor(record.timeNs / 1000)},-;${escaped}\n`;
}
