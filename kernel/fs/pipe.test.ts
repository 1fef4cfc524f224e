import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { KernelFlows, newVfs } from '../../test/support/kernel-flows.ts';
import { SIGPIPE } from '../sched/signal.ts';
import { errno } from '../types/errno.ts';
import { EPOLLET, EPOLLONESHOT, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD } from './eventpoll.ts';
import { EventPoll } from './eventpoll.ts';
import type { EpollEvent } from './eventpoll.ts';
import { O_CREAT, O_NONBLOCK, O_RDONLY, O_WRONLY } from './fcntl.ts';
import { File, vfsRead, vfsWrite } from './file.ts';
import { mknodAt } from './entries.ts';
import { openAt, openInode } from './open.ts';
import { pollFiles } from './poll.ts';
import { POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, S_IFIFO } from './vfs-types.ts';
import type { Ns } from '../types/units.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: unknown) =>
  data instanceof Uint8Array ? new TextDecoder().decode(data) : data;

function newPipe(flags = 0) {
  const { vfs, flows, raised } = newVfs();
  const [reader, writer] = vfs.pipe(flags);
  return { vfs, flows, raised, reader, writer };
}

describe('pipes', () => {
  it('a reader sleeps until there are bytes, and gets end of file from the last close', () => {
    const { flows, reader, writer } = newPipe();
    const first = flows.spawn(() => vfsRead(reader, 100));
    flows.run();
    expect(first.done).toBe(false);
    vfsWrite(writer, bytes('abc'));
    flows.run();
    expect(text(first.result)).toBe('abc');
    const second = flows.spawn(() => vfsRead(reader, 100));
    flows.run();
    writer.get();
    writer.put();
    flows.run();
    expect(second.done).toBe(false);
    writer.put();
    flows.run();
    expect(text(second.result)).toBe('');
  });

  it('can be opened again by its inode, without waiting for the other side', () => {
    const { flows, reader, writer } = newPipe();
    vfsWrite(writer, bytes('abc'));
    writer.put();
    const again = openInode(newVfs().vfs, reader.path, O_RDONLY) as File;
    expect(again).toBeInstanceOf(File);
    reader.put();
    const first = flows.spawn(() => vfsRead(again, 100));
    const second = flows.spawn(() => vfsRead(again, 100));
    flows.run();
    expect([text(first.result), text(second.result)]).toEqual(['abc', '']);
  });

  it('a write without readers is SIGPIPE and EPIPE, also of a writer asleep', () => {
    const { flows, raised, reader, writer } = newPipe();
    const full = flows.spawn(() => vfsWrite(writer, new Uint8Array(65536)));
    const asleep = flows.spawn(() => vfsWrite(writer, bytes('x')));
    flows.run();
    expect(full.result).toBe(65536);
    expect(asleep.done).toBe(false);
    reader.put();
    flows.run();
    expect(asleep.result).toBe(-errno.EPIPE);
    expect(raised).toEqual([SIGPIPE]);
  });

  it('gives what was written when a signal ends a long write', () => {
    const { flows, writer } = newPipe();
    const long = flows.spawn(() => vfsWrite(writer, new Uint8Array(70000)));
    flows.run();
    flows.interrupt(long.task);
    flows.run();
    expect(long.result).toBe(65536);
    const next = flows.spawn(() => vfsWrite(writer, bytes('x')));
    flows.run();
    flows.interrupt(next.task);
    flows.run();
    expect(next.result).toBe(-errno.ERESTARTSYS);
  });

  it('never tears a write of up to PIPE_BUF', () => {
    const { flows, reader, writer } = newPipe();
    vfsWrite(writer, new Uint8Array(65536 - 100));
    const atomic = flows.spawn(() => vfsWrite(writer, new Uint8Array(4096).fill(7)));
    flows.run();
    expect(atomic.done).toBe(false);
    vfsRead(reader, 3995);
    flows.run();
    // 4095 bytes are free now: one too few.
    expect(atomic.done).toBe(false);
    vfsRead(reader, 1);
    flows.run();
    expect(atomic.result).toBe(4096);
  });

  it('O_NONBLOCK: EAGAIN, and part of a large write', () => {
    const { reader, writer } = newPipe(O_NONBLOCK);
    expect(vfsRead(reader, 1)).toBe(-errno.EAGAIN);
    expect(vfsWrite(writer, new Uint8Array(70000))).toBe(65536);
    expect(vfsWrite(writer, new Uint8Array(10))).toBe(-errno.EAGAIN);
  });

  it('the two ends are one-way', () => {
    const { reader, writer } = newPipe();
    expect(vfsWrite(reader, bytes('x'))).toBe(-errno.EBADF);
    expect(vfsRead(writer, 1)).toBe(-errno.EBADF);
  });

  it('delivers any sequence of writes to any sequence of readers, in order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 30000 }), { minLength: 1, maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 50000 }), { minLength: 1, maxLength: 5 }),
        (writes, reads) => {
          const { flows, reader, writer } = newPipe();
          let next = 0;
          const sent: Uint8Array[] = writes.map((n) =>
            Uint8Array.from({ length: n }, () => next++ % 251),
          );
          const got: Uint8Array[] = [];
          flows.spawn(function* () {
            for (const data of sent) {
              const writing = vfsWrite(writer, data);
              const written = typeof writing === 'number' ? writing : yield* writing;
              expect(written).toBe(data.length);
            }
            writer.put();
            return 0;
          });
          const done = flows.spawn(function* () {
            for (let i = 0; ; i++) {
              const reading = vfsRead(reader, reads[i % reads.length]!);
              const data =
                typeof reading === 'object' && 'next' in reading ? yield* reading : reading;
              if (typeof data === 'number') throw new Error(`read ${data}`);
              if (data.length === 0) return i;
              got.push(data);
            }
          });
          flows.run();
          expect(done.done).toBe(true);
          expect(Buffer.concat(got).equals(Buffer.concat(sent))).toBe(true);
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe('FIFOs', () => {
  it('open waits for the other side; a writer without reader is ENXIO if it may not wait', () => {
    const { vfs, flows, root } = newVfs();
    mknodAt(vfs, root, root.fs!.cwd, 'p', S_IFIFO | 0o666, 0);
    const open = (flags: number) => () => openAt(vfs, root, root.fs!.cwd, 'p', flags, 0);
    expect(open(O_WRONLY | O_NONBLOCK)()).toBe(-errno.ENXIO);
    const reader = flows.spawn(open(O_RDONLY));
    flows.run();
    expect(reader.done).toBe(false);
    const writer = flows.spawn(open(O_WRONLY | O_CREAT));
    flows.run();
    expect(reader.result).toBeInstanceOf(File);
    expect(writer.result).toBeInstanceOf(File);
    vfsWrite(writer.result as File, bytes('hi'));
    expect(text(vfsRead(reader.result as File, 10))).toBe('hi');
  });
});

describe('poll', () => {
  it('reports each file, and sleeps while none is ready', () => {
    const { flows, reader, writer } = newPipe();
    const wants = [
      { file: reader, events: POLLIN },
      { file: undefined, events: POLLIN },
    ];
    const closed = flows.spawn(() => pollFiles(flows, wants, undefined));
    const both = flows.spawn(() =>
      pollFiles(
        flows,
        [
          { file: reader, events: POLLIN },
          { file: null, events: POLLIN },
        ],
        undefined,
      ),
    );
    flows.run();
    expect(closed.result).toEqual([0, POLLNVAL]);
    expect(both.done).toBe(false);
    vfsWrite(writer, bytes('x'));
    flows.run();
    expect(both.result).toEqual([POLLIN, 0]);
  });

  it('POLLHUP and POLLERR come unasked', () => {
    const { flows, reader, writer } = newPipe();
    const hup = flows.spawn(() => pollFiles(flows, [{ file: reader, events: 0 }], undefined));
    flows.run();
    writer.put();
    flows.run();
    expect(hup.result).toEqual([POLLHUP]);
    const other = newPipe();
    other.reader.put();
    const err = other.flows.spawn(() =>
      pollFiles(other.flows, [{ file: other.writer, events: POLLOUT }], undefined),
    );
    other.flows.run();
    expect(err.result).toEqual([POLLOUT | POLLERR]);
  });

  it('ends at its time or by a signal', () => {
    const { flows, reader } = newPipe();
    const wants = [{ file: reader, events: POLLIN }];
    const timed = flows.spawn(() => pollFiles(flows, wants, 5000 as Ns));
    flows.run();
    expect([timed.result, flows.now]).toEqual([[0], 5000]);
    const forever = flows.spawn(() => pollFiles(flows, wants, undefined));
    flows.run();
    flows.interrupt(forever.task);
    flows.run();
    expect(forever.result).toBe('signal');
  });
});

describe('epoll', () => {
  const setup = () => {
    const flows = new KernelFlows();
    const { vfs } = newVfs(flows);
    const [reader, writer] = vfs.pipe(0);
    const epoll = new EventPoll(flows);
    const wait = (max = 10) => {
      const waiting = flows.spawn(() => epoll.wait(max, flows.now));
      flows.run();
      return waiting.result;
    };
    return { flows, vfs, reader, writer, epoll, wait };
  };
  const event = (events: number, data = 1n) => ({ events: events >>> 0, data });

  it('level-triggered: again and again while there is something', () => {
    const { reader, writer, epoll, wait } = setup();
    expect(epoll.control(EPOLL_CTL_ADD, 3, reader, event(POLLIN, 42n))).toBe(0);
    expect(epoll.control(EPOLL_CTL_ADD, 3, reader, event(POLLIN))).toBe(-errno.EEXIST);
    expect(wait()).toEqual([]);
    vfsWrite(writer, bytes('ab'));
    expect(wait()).toEqual([{ events: POLLIN, data: 42n }]);
    vfsRead(reader, 1);
    expect(wait()).toEqual([{ events: POLLIN, data: 42n }]);
    vfsRead(reader, 1);
    expect(wait()).toEqual([]);
    expect(epoll.control(EPOLL_CTL_DEL, 3, reader, undefined)).toBe(0);
    expect(epoll.control(EPOLL_CTL_DEL, 3, reader, undefined)).toBe(-errno.ENOENT);
  });

  it('edge-triggered: once a change; one-shot: once until it is armed again', () => {
    const { reader, writer, epoll, wait } = setup();
    epoll.control(EPOLL_CTL_ADD, 3, reader, event(POLLIN | EPOLLET));
    vfsWrite(writer, bytes('a'));
    expect(wait()).toHaveLength(1);
    expect(wait()).toHaveLength(0);
    vfsWrite(writer, bytes('b'));
    expect(wait()).toHaveLength(1);
    epoll.control(EPOLL_CTL_MOD, 3, reader, event(POLLIN | EPOLLONESHOT));
    expect(wait()).toHaveLength(1);
    vfsWrite(writer, bytes('c'));
    expect(wait()).toHaveLength(0);
    epoll.control(EPOLL_CTL_MOD, 3, reader, event(POLLIN | EPOLLONESHOT));
    expect(wait()).toHaveLength(1);
  });

  it('ready files take turns', () => {
    const { vfs, epoll, wait } = setup();
    for (let i = 0; i < 3; i++) {
      const [reader, writer] = vfs.pipe(0);
      epoll.control(EPOLL_CTL_ADD, i, reader, event(POLLIN, BigInt(i)));
      vfsWrite(writer, bytes('x'));
    }
    const seen = [wait(2), wait(2), wait(2)].map((events) =>
      (events as readonly EpollEvent[]).map(({ data }) => data),
    );
    expect(seen).toEqual([
      [0n, 1n],
      [2n, 0n],
      [1n, 2n],
    ]);
  });

  it('wakes a sleeper, forgets closed files, refuses regular files and cycles', () => {
    const { flows, vfs, reader, writer, epoll } = setup();
    epoll.control(EPOLL_CTL_ADD, 3, reader, event(POLLIN));
    const asleep = flows.spawn(() => epoll.wait(1, undefined));
    flows.run();
    expect(asleep.done).toBe(false);
    vfsWrite(writer, bytes('x'));
    flows.run();
    expect(asleep.result).toHaveLength(1);
    reader.put();
    expect(epoll.control(EPOLL_CTL_DEL, 3, reader, undefined)).toBe(-errno.ENOENT);
    const plain = vfs.anonFile({}, 0);
    expect(epoll.control(EPOLL_CTL_ADD, 4, plain, event(POLLIN))).toBe(-errno.EPERM);
    const outer = new EventPoll(flows);
    const [innerFile, outerFile] = [vfs.anonFile(epoll, 2), vfs.anonFile(outer, 2)];
    expect(outer.control(EPOLL_CTL_ADD, 5, innerFile, event(POLLIN))).toBe(0);
    expect(epoll.control(EPOLL_CTL_ADD, 6, outerFile, event(POLLIN))).toBe(-errno.ELOOP);
  });
});
