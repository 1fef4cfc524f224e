/** bpftool perf show: which descriptors of which processes are events with programs on them. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { JsonTree } from '../../bpf/btf/format.ts';
import { decodeAttr } from '../../bpf/attr.ts';
import { command } from '../../bpf/loader/commands.ts';
import { listNames } from '../libc/directory.ts';
import { array, number, object, string } from './json.ts';
import type { Bpftool, Command } from './tool.ts';
import { help } from './usage.ts';

/** enum bpf_task_fd_type (UAPI linux/bpf.h). */
const FD_TYPES = ['raw_tracepoint', 'tracepoint', 'kprobe', 'kretprobe', 'uprobe', 'uretprobe'];
const NAME_BYTES = 4096;

interface Found {
  readonly pid: number;
  readonly fd: number;
  readonly progId: number;
  readonly type: string;
  readonly name: string;
  readonly offset: bigint;
  readonly address: bigint;
}

function* show(t: Bpftool): UserFlow<number> {
  const trees: JsonTree[] = [];
  const processes = yield* listNames(t.p, '/proc');
  for (const pid of typeof processes === 'number' ? [] : processes) {
    if (!/^\d+$/.test(pid)) continue;
    const fds = yield* listNames(t.p, `/proc/${pid}/fd`);
    for (const fd of typeof fds === 'number' ? [] : fds) {
      const found = yield* query(t, Number(pid), Number(fd));
      if (!found) continue;
      if (t.json) trees.push(toJson(found));
      else yield* t.println(toText(found));
    }
  }
  if (t.json) yield* t.emit(array(trees));
  return 0;
}

function* query(t: Bpftool, pid: number, fd: number): UserFlow<Found | undefined> {
  const buffer = yield* t.user.place(new Uint8Array(NAME_BYTES));
  const values = { pid, fd, buf: buffer, buf_len: NAME_BYTES };
  const { result, attr } = yield* command(t.user, 'task_fd_query', values);
  const bytes = t.user.read(buffer, NAME_BYTES);
  yield* t.user.release();
  if (result < 0) return undefined;
  const answer = decodeAttr('task_fd_query', attr);
  return {
    pid,
    fd,
    progId: answer.prog_id,
    type: FD_TYPES[answer.fd_type] ?? '',
    name: new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0))),
    offset: answer.probe_offset,
    address: answer.probe_addr,
  };
}

function toText({ pid, fd, progId, type, name, offset, address }: Found): string {
  const head = `pid ${pid}  fd ${fd}: prog_id ${progId}  ${type}  `;
  if (type.endsWith('tracepoint')) return head + name;
  if (type.startsWith('u')) return `${head}filename ${name}  offset ${offset}`;
  return head + (name !== '' ? `func ${name}  offset ${offset}` : `addr ${address}`);
}

function toJson({ pid, fd, progId, type, name, offset, address }: Found): JsonTree {
  const isTracepoint = type.endsWith('tracepoint');
  const isUser = type.startsWith('u');
  const where = isTracepoint
    ? ([['tracepoint', string(name)]] as const)
    : isUser || name !== ''
      ? ([
          [isUser ? 'filename' : 'func', string(name)],
          ['offset', number(offset)],
        ] as const)
      : ([['addr', number(address)]] as const);
  return object(
    ['pid', number(pid)],
    ['fd', number(fd)],
    ['prog_id', number(progId)],
    ['fd_type', string(type)],
    ...where,
  );
}

export const perfCommands: Readonly<Record<string, Command>> = {
  show,
  list: show,
  help: (t) => help(t, 'perf'),
};
