/** bpftool map event_pipe: the records that programs put into a perf event array. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { mapUpdate } from '../../bpf/loader/commands.ts';
import { MAP_TYPES } from '../../bpf/uapi.ts';
import { close, syscall } from '../libc/files.ts';
import { NR } from '../libc/nr.ts';
import { poll } from '../libc/poll.ts';
import { strerror } from '../libc/strerror.ts';
import { SIGINT, SIGTERM, signalFlag } from '../libc/tasks.ts';
import {
  PERF_COUNT_SW_BPF_OUTPUT,
  PERF_EVENT_IOC_ENABLE,
  PERF_SAMPLE_RAW,
  PERF_TYPE_SOFTWARE,
  perfEventOpen,
} from '../bpf/perf.ts';
import { mapPerfBuffer, type PerfBuffer } from '../bpf/perf-buffer.ts';
import { possibleCpus } from '../bpf/object-file.ts';
import { hexText } from './hex.ts';
import { hexData, number, object } from './json.ts';
import { mapFdAndInfo } from './object-words.ts';
import { type Bpftool, FAILED } from './tool.ts';
import { parseUnsigned } from './words.ts';

/** UAPI linux/perf_event.h */
const PERF_SAMPLE_TIME = 1 << 2;
const PERF_RECORD_LOST = 2;
const PERF_RECORD_SAMPLE = 9;
const PAGES = 16;

export function* mapEventPipe(t: Bpftool): UserFlow<number> {
  const map = yield* mapFdAndInfo(t);
  if (!map) return FAILED;
  if (MAP_TYPES[map.info.type] !== 'perf_event_array') {
    return yield* t.fail('map is not a perf event array');
  }
  let cpu: number | undefined;
  let index: number | undefined;
  while (t.words.left > 0) {
    if (!(yield* t.needs(2))) return FAILED;
    const isCpu = t.words.accept('cpu');
    if (!isCpu && !t.words.accept('index')) return yield* t.fail(`what is '${t.words.peek()}'?`);
    const text = t.words.next();
    const value = parseUnsigned(text);
    if (value === undefined) {
      return yield* t.fail(`can't parse ${text} as ${isCpu ? 'CPU ID' : 'index'}`);
    }
    if (isCpu) cpu = value;
    else index = value;
  }
  if ((cpu === undefined) !== (index === undefined)) {
    return yield* t.fail('cpu and index must be specified together');
  }
  const stop = yield* signalFlag(t.p, SIGINT);
  const terminated = yield* signalFlag(t.p, SIGTERM);
  const buffers: PerfBuffer[] = [];
  const cpus = Math.min(yield* possibleCpus(t.p), map.info.max_entries);
  const slots = cpu === undefined ? Array.from({ length: cpus }, (_, i) => i) : [cpu];
  for (const slot of slots) {
    const buffer = yield* openBuffer(t, map.fd, slot, index ?? slot);
    if (!buffer) return FAILED;
    buffers.push(buffer);
  }
  const fds = buffers.map(({ fd }) => ({ fd, events: 1 }));
  while (!stop.raised && !terminated.raised) {
    yield* poll(t.p, fds, 200);
    for (const buffer of buffers) yield* buffer.drain((type, body) => show(t, buffer, type, body));
    yield* t.p.stdout.flush();
  }
  for (const { fd } of buffers) yield* close(fd);
  yield* close(map.fd);
  return 0;
}

function* openBuffer(
  t: Bpftool,
  mapFd: number,
  cpu: number,
  index: number,
): UserFlow<PerfBuffer | undefined> {
  const attr = {
    type: PERF_TYPE_SOFTWARE,
    config: PERF_COUNT_SW_BPF_OUTPUT,
    sample_type: PERF_SAMPLE_RAW | PERF_SAMPLE_TIME,
    sample_period: 1,
    wakeup_events: 1,
  };
  const fd = yield* perfEventOpen(t.p, attr, -1, cpu);
  const buffer = fd < 0 ? fd : yield* mapPerfBuffer(t.p, fd, cpu, PAGES);
  const failed = typeof buffer === 'number' ? buffer : yield* enable(t, mapFd, index, fd);
  if (failed >= 0 && typeof buffer !== 'number') return buffer;
  yield* t.fail(`failed to create perf_buffer: ${strerror(failed)} (${-failed})`);
  return undefined;
}

function* enable(t: Bpftool, mapFd: number, index: number, fd: number): UserFlow<number> {
  const word = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
  const updated = yield* mapUpdate(t.user, mapFd, word(index), word(fd));
  yield* t.user.release();
  return updated < 0 ? updated : yield* syscall(NR.ioctl, fd, PERF_EVENT_IOC_ENABLE, 0);
}

function* show(t: Bpftool, buffer: PerfBuffer, type: number, body: Uint8Array): UserFlow<void> {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const { cpu } = buffer;
  if (type === PERF_RECORD_SAMPLE) {
    const time = view.getBigUint64(0, true);
    const data = body.subarray(12, 12 + view.getUint32(8, true));
    if (t.json) {
      yield* t.emit(
        object(
          ['type', number(type)],
          ['cpu', number(cpu)],
          ['index', number(cpu)],
          ['timestamp', number(time)],
          ['data', hexData(data)],
        ),
      );
      return;
    }
    const seconds = time / 1_000_000_000n;
    const fraction = String(time % 1_000_000_000n).padStart(9, '0');
    yield* t.println(`== @${seconds}.${fraction} CPU: ${cpu} index: ${cpu} =====`);
    yield* t.println(hexText(data));
  } else if (type === PERF_RECORD_LOST) {
    const lost = view.getBigUint64(8, true);
    if (t.json) {
      const id = view.getBigUint64(0, true);
      const details = object(['id', number(id)], ['lost', number(lost)]);
      yield* t.emit(
        object(
          ['type', number(type)],
          ['cpu', number(cpu)],
          ['index', number(cpu)],
          ['lost', details],
        ),
      );
    } else yield* t.println(`lost ${lost} events`);
  } else if (!t.json) yield* t.println(`unknown event type=${type} size=${body.length + 8}`);
}
