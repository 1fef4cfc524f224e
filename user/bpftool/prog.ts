/** bpftool prog: its commands, and the small ones themselves. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { command } from '../../bpf/loader/commands.ts';
import { ATTACH_TYPES } from '../../bpf/uapi.ts';
import { close, O_RDONLY, open, stat, syscall } from '../libc/files.ts';
import { NR } from '../libc/nr.ts';
import { Stream } from '../libc/stdio.ts';
import { strerror } from '../libc/strerror.ts';
import { errno } from '../../kernel/types/errno.ts';
import { SIGINT, signalFlag } from '../libc/tasks.ts';
import { mapFd, progFd } from './object-words.ts';
import { pinCommand } from './pin.ts';
import { progDump } from './prog-dump.ts';
import { progLoad, progLoadAll } from './prog-load.ts';
import { progRun } from './prog-run.ts';
import { progShow } from './prog-show.ts';
import { type Bpftool, type Command, FAILED } from './tool.ts';
import { help } from './usage.ts';

/** Names that prog attach takes, old and new. */
const ATTACHABLE: Readonly<Record<string, (typeof ATTACH_TYPES)[number]>> = {
  sk_skb_stream_parser: 'sk_skb_stream_parser',
  stream_parser: 'sk_skb_stream_parser',
  sk_skb_stream_verdict: 'sk_skb_stream_verdict',
  stream_verdict: 'sk_skb_stream_verdict',
  sk_skb_verdict: 'sk_skb_verdict',
  skb_verdict: 'sk_skb_verdict',
  sk_msg_verdict: 'sk_msg_verdict',
  msg_verdict: 'sk_msg_verdict',
  flow_dissector: 'flow_dissector',
};

function attachment(which: 'attach' | 'detach'): Command {
  return function* (t) {
    if (!(yield* t.needs(3))) return FAILED;
    const prog = yield* progFd(t);
    if (prog === undefined) return FAILED;
    const type = ATTACHABLE[t.words.next()];
    if (type === undefined) return yield* t.fail('invalid attach/detach type', -errno.EINVAL);
    let target = 0;
    if (type !== 'flow_dissector') {
      if (!(yield* t.needs(2))) return FAILED;
      const map = yield* mapFd(t);
      if (map === undefined) return FAILED;
      target = map;
    }
    const values = {
      target_fd: target,
      attach_bpf_fd: prog,
      attach_type: ATTACH_TYPES.indexOf(type),
    };
    const { result } = yield* command(
      t.user,
      which === 'attach' ? 'prog_attach' : 'prog_detach',
      values,
    );
    yield* close(prog);
    if (target !== 0) yield* close(target);
    if (result < 0) {
      return yield* t.fail(
        `failed prog ${which} ${which === 'attach' ? 'to' : 'from'} map`,
        result,
      );
    }
    return yield* t.done();
  };
}

/** Follow trace_pipe until Ctrl-C. */
function* tracelog(t: Bpftool): UserFlow<number> {
  const stop = yield* signalFlag(t.p, SIGINT);
  let path = '/sys/kernel/debug/tracing/trace_pipe';
  if (typeof (yield* stat(t.p, path)) === 'number') path = '/sys/kernel/tracing/trace_pipe';
  const fd = yield* open(t.p, path, O_RDONLY);
  if (fd < 0) return yield* t.fail(`could not open trace pipe: ${strerror(fd)}`);
  const stream = new Stream(t.p, fd, 'full');
  while (!stop.raised) {
    const chunk = yield* stream.readChunk();
    if (chunk.length === 0) break;
    yield* t.p.print(chunk);
    yield* t.p.stdout.flush();
  }
  yield* syscall(NR.close, fd);
  return 0;
}

/** As Debian builds bpftool: without the programs that would read the counters. */
function* profile(t: Bpftool): UserFlow<number> {
  yield* t.fail(
    'bpftool prog profile command is not supported. Please build bpftool with clang >= 10.0.0',
  );
  return 0;
}

export const progCommands: Readonly<Record<string, Command>> = {
  show: progShow,
  list: progShow,
  help: (t) => help(t, 'prog'),
  dump: progDump,
  pin: (t) => pinCommand(t, progFd),
  load: progLoad,
  loadall: progLoadAll,
  attach: attachment('attach'),
  detach: attachment('detach'),
  tracelog,
  run: progRun,
  profile,
};
