import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { KernelFlows, newVfs } from '../../test/support/kernel-flows.ts';
import type { FakeProcess, FakeTask } from '../../test/support/kernel-flows.ts';
import { O_NONBLOCK, O_RDWR } from '../fs/fcntl.ts';
import {
  SIGCONT,
  SIGHUP,
  SIGINT,
  SIGQUIT,
  SIGTSTP,
  SIGTTIN,
  SIGTTOU,
  SIGWINCH,
} from '../sched/signal.ts';
import type { Process } from '../sched/process.ts';
import { errno } from '../types/errno.ts';
import { ConsoleTty } from './console.ts';
import * as io from './ioctl.ts';
import { Ptys } from './pty.ts';
import type { TtyEnvironment } from './tty.ts';
import * as t from './termios.ts';
import type { TtyFile } from './tty-file.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: unknown) =>
  data instanceof Uint8Array ? new TextDecoder().decode(data) : data;

function setup() {
  const flows = new KernelFlows();
  const { vfs } = newVfs(flows);
  const signals: [group: number, signal: number][] = [];
  const processes: FakeProcess[] = [];
  const ignored = new Set<number>();
  const orphaned = new Set<number>();
  const environment: TtyEnvironment = {
    ...vfs.environment,
    now: () => flows.now,
    jobs: {
      get current() {
        return flows.current;
      },
      signalGroup: (pgid, signal) => signals.push([pgid, signal]),
      signalProcess: (process, signal) => signals.push([process.leader as never, signal]),
      isOrphanedGroup: (pgid) => orphaned.has(pgid),
      sessionOfGroup: (pgid) => processes.find((one) => one.pgid === pgid)?.sid as never,
      processesOfSession: (sid) =>
        processes.filter((one) => one.sid === sid) as unknown as Process[],
      ignoresOrBlocks: (_task, signal) => ignored.has(signal),
    },
  };
  const console = new ConsoleTty(environment);
  let shown = '';
  console.onOutput((data) => (shown += new TextDecoder().decode(data)));
  const newTask = (process?: FakeProcess): FakeTask => {
    const task = flows.newTask(process);
    processes.push(task.process);
    return task;
  };
  const shell = newTask();
  flows.become(shell);
  const file = console.tty.open(O_RDWR) as TtyFile;
  return {
    flows,
    console,
    tty: console.tty,
    file,
    shell,
    newTask,
    environment,
    signals,
    ignored,
    orphaned,
    /** What has been shown since the last look. */
    screen: () => {
      const now = shown;
      shown = '';
      return now;
    },
    type: (keys: string) => console.feed(bytes(keys)),
    /** A read that has something to give at once, or 'sleeps'. */
    read: (count = 1000) => {
      const reading = flows.spawn(() => file.read(count, 0, 0), shell);
      flows.run();
      return reading.done ? text(reading.result) : 'sleeps';
    },
    set: (change: (termios: t.Termios) => void) => {
      const termios = t.decodeTermios(t.encodeTermios(console.tty.termios));
      change(termios);
      console.tty.setTermios(termios);
    },
  };
}

describe('canonical mode', () => {
  const typed: readonly [what: string, keys: string, screen: string, line: string][] = [
    ['a line', 'ls\r', 'ls\r\n', 'ls\n'],
    ['backspace', 'lx\x7fs\r', 'lx\b \bs\r\n', 'ls\n'],
    ['backspace at the start of a line', '\x7f\x7fa\r', 'a\r\n', 'a\n'],
    ['a control character takes two columns', 'a\x01\x7fb\r', 'a^A\b \b\b \bb\r\n', 'ab\n'],
    ['kill', 'abc\x15x\r', 'abc\b \b\b \b\b \bx\r\n', 'x\n'],
    ['word erase', 'one two \x17x\r', 'one two \b \b\b \b\b \b\b \bx\r\n', 'one x\n'],
    ['word erase stops at punctuation', 'a/bc\x17x\r', 'a/bc\b \b\b \bx\r\n', 'a/x\n'],
    ['literal next', 'a\x16\x03b\r', 'a^\b^Cb\r\n', 'a\x03b\n'],
    ['reprint', 'ab\x12c\r', 'ab^R\r\nabc\r\n', 'abc\n'],
    ['tab', 'ab\t\x7fc\r', 'ab\t\b\b\b\b\b\bc\r\n', 'abc\n'],
    ['UTF-8 is erased whole', 'aé\x7fb\r', 'aé\b \bb\r\n', 'ab\n'],
  ];
  it.each(typed)('%s', (_what, keys, screen, line) => {
    const tty = setup();
    tty.type(keys);
    expect(tty.screen()).toBe(screen);
    expect(tty.read()).toBe(line);
  });

  it('gives a line only once it is complete, and one line a read', () => {
    const tty = setup();
    tty.type('ab');
    expect(tty.read()).toBe('sleeps');
    const other = setup();
    other.type('one\rtwo\rthr');
    expect([other.read(), other.read(), other.read()]).toEqual(['one\n', 'two\n', 'sleeps']);
  });

  it('a read takes part of a line, the next one the rest', () => {
    const tty = setup();
    tty.type('abcdef\r');
    expect([tty.read(4), tty.read(4)]).toEqual(['abcd', 'ef\n']);
  });

  it('^D ends a line without being in it; on an empty line it is the end of file', () => {
    const tty = setup();
    tty.type('ab\x04');
    expect(tty.read()).toBe('ab');
    tty.type('\x04');
    expect(tty.read()).toBe('');
    tty.type('cd\x04');
    // Exactly as many as there are: the mark must not give an empty read afterwards.
    expect([tty.read(2), tty.read()]).toEqual(['cd', 'sleeps']);
  });

  it('^C, ^\\ and ^Z signal the foreground group, flush, and echo', () => {
    const tty = setup();
    tty.type('half a line\x03');
    expect(tty.signals).toEqual([[tty.shell.process.pgid, SIGINT]]);
    tty.type('\x1c\x1a');
    expect(tty.signals.map(([, signal]) => signal)).toEqual([SIGINT, SIGQUIT, SIGTSTP]);
    expect(tty.screen()).toBe('half a line^C^\\^Z');
    tty.type('x\r');
    expect(tty.read()).toBe('x\n');
  });

  it('without ISIG they are ordinary, without ECHO nothing shows but ECHONL', () => {
    const tty = setup();
    tty.set((termios) => (termios.lflag &= ~(t.ISIG | t.ECHO)));
    tty.type('a\x03\r');
    expect([tty.screen(), tty.read(), tty.signals]).toEqual(['', 'a\x03\n', []]);
    tty.set((termios) => (termios.lflag |= t.ECHONL));
    tty.type('pw\r');
    expect(tty.screen()).toBe('\r\n');
  });

  it('without ECHOE the erase character itself is echoed; without ECHOKE so is kill', () => {
    const tty = setup();
    tty.set((termios) => (termios.lflag &= ~(t.ECHOE | t.ECHOKE)));
    tty.type('ab\x7f\x15c\r');
    expect([tty.screen(), tty.read()]).toEqual(['ab^?^U\r\nc\r\n', 'c\n']);
  });

  it('a line of more than 4095 bytes is cut, and its end still comes', () => {
    const tty = setup();
    tty.type('x'.repeat(5000) + '\r');
    expect((tty.read(10000) as string).length).toBe(4096);
  });

  it('a paste of many lines waits for its readers', () => {
    const tty = setup();
    const line = `${'y'.repeat(99)}\r`;
    tty.type(line.repeat(100));
    let got = '';
    for (let i = 0; i < 100; i++) got += tty.read() as string;
    expect(got).toBe(line.repeat(100).replaceAll('\r', '\n'));
    expect(tty.console.awaitsInput).toBe(false);
  });

  it('whatever is typed, erasing it all leaves the cursor where it was', () => {
    const key = fc.constantFrom('a', ' ', '\t', '\x01', 'é', '/', '\x7f', '\x17');
    fc.assert(
      fc.property(fc.array(key, { maxLength: 30 }), (keys) => {
        const tty = setup();
        tty.type(`${keys.join('')}\x15`);
        let column = 0;
        for (const c of tty.screen()) {
          if (c === '\b') column--;
          else if (c === '\t') column += 8 - (column & 7);
          else column++;
        }
        expect(column).toBe(0);
        tty.type('\r');
        expect(tty.read()).toBe('\n');
      }),
    );
  });
});

describe('raw mode', () => {
  const raw = (min: number, time: number) => (termios: t.Termios) => {
    termios.lflag &= ~(t.ICANON | t.ECHO | t.ISIG);
    termios.iflag &= ~t.ICRNL;
    termios.cc[t.VMIN] = min;
    termios.cc[t.VTIME] = time;
  };

  it('MIN 1: bytes as they come, nothing interpreted', () => {
    const tty = setup();
    tty.set(raw(1, 0));
    tty.type('a\r\x04\x7f\x03');
    expect([tty.read(), tty.screen()]).toEqual(['a\r\x04\x7f\x03', '']);
    expect(tty.read()).toBe('sleeps');
  });

  it('MIN 3: waits for three, unless fewer are asked for', () => {
    const tty = setup();
    tty.set(raw(3, 0));
    const reading = tty.flows.spawn(() => tty.file.read(10, 0, 0), tty.shell);
    tty.flows.run();
    tty.type('ab');
    tty.flows.run();
    expect(reading.done).toBe(false);
    tty.type('cd');
    tty.flows.run();
    expect(text(reading.result)).toBe('abcd');
    tty.type('xy');
    expect(tty.read(2)).toBe('xy');
  });

  it('MIN 0 TIME 0: never waits; MIN 0 TIME 2: 0.2 s at most', () => {
    const tty = setup();
    tty.set(raw(0, 0));
    expect(tty.read()).toBe('');
    tty.set(raw(0, 2));
    expect([tty.read(), tty.flows.now]).toEqual(['', 200_000_000]);
  });

  it('MIN 5 TIME 1: the timer runs between bytes only', () => {
    const tty = setup();
    tty.set(raw(5, 1));
    const reading = tty.flows.spawn(() => tty.file.read(10, 0, 0), tty.shell);
    tty.flows.run();
    expect([reading.done, tty.flows.now]).toEqual([false, 0]);
    tty.type('ab');
    tty.flows.run();
    expect([text(reading.result), tty.flows.now]).toEqual(['ab', 100_000_000]);
  });

  it('leaving canonical mode makes a half-typed line readable', () => {
    const tty = setup();
    tty.type('half');
    tty.set(raw(1, 0));
    expect(tty.read()).toBe('half');
  });

  it('O_NONBLOCK: EAGAIN', () => {
    const tty = setup();
    expect(tty.file.read(10, 0, O_NONBLOCK)).toBe(-errno.EAGAIN);
  });
});

describe('output', () => {
  it('maps newlines, expands tabs if asked, passes all on without OPOST', () => {
    const tty = setup();
    tty.file.write(bytes('a\nb\tc\n'), 0, 0);
    expect(tty.screen()).toBe('a\r\nb\tc\r\n');
    tty.set((termios) => (termios.oflag |= t.XTABS));
    tty.file.write(bytes('ab\tc\n'), 0, 0);
    expect(tty.screen()).toBe('ab      c\r\n');
    tty.set((termios) => (termios.oflag = 0));
    tty.file.write(bytes('a\nb'), 0, 0);
    expect(tty.screen()).toBe('a\nb');
  });

  it('^S holds writers and echo, ^Q lets them go on', () => {
    const tty = setup();
    tty.type('\x13');
    const writing = tty.flows.spawn(() => tty.file.write(bytes('out'), 0, 0), tty.shell);
    tty.flows.run();
    tty.type('in');
    expect([writing.done, tty.screen()]).toEqual([false, '']);
    tty.type('\x11');
    tty.flows.run();
    expect([writing.result, tty.screen()]).toEqual([3, 'inout']);
  });
});

describe('job control', () => {
  const withBackground = () => {
    const tty = setup();
    const job = tty.newTask();
    job.process.sid = tty.shell.process.sid;
    job.process.tty = tty.tty;
    tty.flows.become(job);
    return { ...tty, job };
  };

  it('opening makes a session leader’s controlling terminal', () => {
    const { tty, shell } = setup();
    expect(shell.process.tty).toBe(tty);
    expect([tty.session, tty.foregroundPgid]).toEqual([shell.process.sid, shell.process.pgid]);
  });

  it('a background read stops its group, or fails where that cannot be', () => {
    const { file, job, signals, ignored, orphaned } = withBackground();
    expect(file.read(1, 0, 0)).toBe(-errno.ERESTARTSYS);
    expect(signals).toEqual([[job.process.pgid, SIGTTIN]]);
    ignored.add(SIGTTIN);
    expect(file.read(1, 0, 0)).toBe(-errno.EIO);
    ignored.clear();
    orphaned.add(job.process.pgid);
    expect(file.read(1, 0, 0)).toBe(-errno.EIO);
    expect(signals).toHaveLength(1);
  });

  it('a background write is free unless TOSTOP', () => {
    const { file, set, signals, job, screen, ignored } = withBackground();
    expect(file.write(bytes('x'), 0, 0)).toBe(1);
    set((termios) => (termios.lflag |= t.TOSTOP));
    expect(file.write(bytes('y'), 0, 0)).toBe(-errno.ERESTARTSYS);
    expect(signals).toEqual([[job.process.pgid, SIGTTOU]]);
    ignored.add(SIGTTOU);
    expect(file.write(bytes('z'), 0, 0)).toBe(1);
    expect(screen()).toBe('xz');
  });

  it('tcsetpgrp moves the foreground within the session only', () => {
    const { tty, file, job, shell, flows, newTask, ignored } = withBackground();
    const put = (task: FakeTask, value: number) => {
      new DataView(task.mm.bytes.buffer).setInt32(100, value, true);
      flows.become(task);
      return file.ioctl(io.TIOCSPGRP, 100);
    };
    expect(put(shell, job.process.pgid)).toBe(0);
    expect(tty.foregroundPgid).toBe(job.process.pgid);
    // The shell is in the background now and must ignore SIGTTOU to take the terminal back.
    expect(put(shell, shell.process.pgid)).toBe(-errno.ERESTARTSYS);
    ignored.add(SIGTTOU);
    expect(put(shell, shell.process.pgid)).toBe(0);
    const stranger = newTask();
    expect(put(stranger, shell.process.pgid)).toBe(-errno.ENOTTY);
    expect(put(shell, stranger.process.pgid)).toBe(-errno.EPERM);
    expect(put(shell, 4711)).toBe(-errno.ESRCH);
  });

  it('a new window size is SIGWINCH for the foreground', () => {
    const { console, signals, shell } = setup();
    console.resize(100, 30);
    console.resize(100, 30);
    expect(signals).toEqual([[shell.process.pgid, SIGWINCH]]);
  });

  it('the leader’s exit hangs up: files are dead, the session has no terminal', () => {
    const { tty, file, shell, job, signals, flows } = withBackground();
    const asleep = flows.spawn(() => file.read(1, 0, 0), shell);
    flows.run();
    tty.sessionLeaderExited(shell.process.sid as never);
    flows.run();
    expect(text(asleep.result)).toBe('');
    expect([shell.process.tty, job.process.tty, tty.session]).toEqual([undefined, undefined, 0]);
    expect(signals.map(([, signal]) => signal)).toEqual([SIGHUP, SIGCONT, SIGHUP]);
    expect(file.write(bytes('x'), 0, 0)).toBe(-errno.EIO);
    expect(tty.open(O_RDWR)).not.toBe(-errno.EIO);
  });
});

describe('pseudo terminals', () => {
  const pair = () => {
    const base = setup();
    base.shell.process.tty = undefined;
    base.tty.session = 0;
    const ptys = new Ptys(base.environment);
    const master = ptys.openMaster();
    expect(ptys.openSlave(0, 0)).toBe(-errno.EIO);
    new DataView(base.shell.mm.bytes.buffer).setInt32(100, 0, true);
    master.ioctl!(io.TIOCSPTLCK, 100);
    const slave = ptys.openSlave(0, 0) as TtyFile;
    return { ...base, ptys, master, slave };
  };

  it('connects two programs through a line discipline', () => {
    const { master, slave, flows, shell } = pair();
    expect(master.write!(bytes('hi\r'), 0, 0)).toBe(3);
    const reading = flows.spawn(() => slave.read(10, 0, 0), shell);
    flows.run();
    expect(text(reading.result)).toBe('hi\n');
    expect(text(master.read!(100, 0, 0))).toBe('hi\r\n');
    slave.write(bytes('out\n'), 0, 0);
    expect(text(master.read!(100, 0, 0))).toBe('out\r\n');
    expect(slave.tty.termios.cflag).toBe(0xbf);
    expect(shell.process.tty).toBe(slave.tty);
  });

  it('a writer waits for a master that does not read', () => {
    const { master, slave, flows } = pair();
    const writing = flows.spawn(() => slave.write(new Uint8Array(20000).fill(97), 0, 0));
    flows.run();
    expect(writing.done).toBe(false);
    let got = 0;
    while (!writing.done) {
      const data = master.read!(5000, 0, O_NONBLOCK);
      if (data instanceof Uint8Array) got += data.length;
      flows.run();
    }
    for (let data; (data = master.read!(5000, 0, O_NONBLOCK)) instanceof Uint8Array;) {
      got += data.length;
    }
    expect([writing.result, got]).toEqual([20000, 20000]);
  });

  it('the last close of the slave is EIO for the master, the master’s hangs up the slave', () => {
    const first = pair();
    first.slave.release();
    expect(first.master.read!(1, 0, 0)).toBe(-errno.EIO);
    const { master, slave, signals, ptys } = pair();
    master.release!();
    expect(text(slave.read(1, 0, 0))).toBe('');
    expect(slave.write(bytes('x'), 0, 0)).toBe(-errno.EIO);
    expect(signals.map(([, signal]) => signal)).toEqual([SIGHUP, SIGCONT]);
    expect(ptys.slaves.size).toBe(1);
    slave.release();
    expect(ptys.slaves.size).toBe(0);
  });
});

describe('layouts', () => {
  it('struct termios and winsize are the kernel’s', () => {
    const encoded = t.encodeTermios({ ...t.standardTermios(), cflag: 0xbf });
    expect(encoded.length).toBe(36);
    // stty -g of a fresh Linux pty: 500:5:bf:8a3b, then the control characters.
    const words = new Uint32Array(encoded.buffer, 0, 4);
    expect([...words].map((word) => word.toString(16))).toEqual(['500', '5', 'bf', '8a3b']);
    expect([...encoded.slice(17, 34)]).toEqual([
      3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0,
    ]);
    expect(t.decodeTermios(encoded)).toEqual({ ...t.standardTermios(), cflag: 0xbf });
    const size = { rows: 24, columns: 80, xPixels: 1, yPixels: 2 };
    expect([...t.encodeWindowSize(size)]).toEqual([24, 0, 80, 0, 1, 0, 2, 0]);
  });
});
