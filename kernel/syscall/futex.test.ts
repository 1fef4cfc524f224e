import { expect, test } from 'vitest';
import { runProgram } from '../../test/support/programs.ts';
import { errno } from '../types/errno.ts';

const THREAD = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000;

test('threads wait for a word and are woken in order; values, timeouts and signals end it', async () => {
  const { output } = await runProgram(function* (u) {
    const word = yield* u.put(new Uint8Array(16));
    const order: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      yield* u.fork(function* (t) {
        order.push(`${name} ${yield* t.call('futex', word, 128, 0, 0, 0, 0)}`);
        return yield* t.call('exit', 0);
      }, THREAD);
      yield* u.sleep(1e5);
    }
    order.push(`changed ${yield* u.call('futex', word, 128, 7, 0, 0, 0)}`);
    for (let i = 0; i < 2; i++) {
      order.push(`woke ${yield* u.call('futex', word, 129, 1, 0, 0, 0)}`);
      yield* u.sleep(1e6);
    }
    order.push(`woke ${yield* u.call('futex', word, 129, 100, 0, 0, 0)}`);
    yield* u.sleep(1e6);
    order.push(`woke ${yield* u.call('futex', word, 129, 100, 0, 0, 0)}`);
    const second = new Uint8Array(new BigInt64Array([0n, 5_000_000n]).buffer);
    order.push(`timeout ${yield* u.call('futex', word, 128, 0, second, 0, 0)}`);
    order.push(`odd ${yield* u.call('futex', word + 2, 128, 0, 0, 0, 0)}`);
    order.push(`unmapped ${yield* u.call('futex', 64, 128, 0, 0, 0, 0)}`);
    yield* u.say(order.join(', '));
  });
  const { EAGAIN, ETIMEDOUT, EINVAL, EFAULT } = errno;
  expect(output).toBe(
    `changed ${-EAGAIN}, woke 1, a 0, woke 1, b 0, woke 1, c 0, woke 0, timeout ${-ETIMEDOUT}, ` +
      `odd ${-EINVAL}, unmapped ${-EFAULT}\n`,
  );
});

test('limits are kept, inherited, and the one on descriptors binds', async () => {
  const { output } = await runProgram(function* (u) {
    const limit = (soft: bigint, hard: bigint) =>
      new Uint8Array(new BigUint64Array([soft, hard]).buffer);
    yield* u.say(`set ${yield* u.call('prlimit64', 0, 7, limit(5n, 4096n), 0)}`);
    const opened: number[] = [];
    for (let i = 0; i < 4; i++) opened.push(yield* u.call('open', '/etc/hostname', 0, 0));
    yield* u.say(opened.join(' '));
    yield* u.fork(function* (c) {
      const at = yield* c.room(16);
      yield* c.call('getrlimit', 7, at);
      yield* c.say(`child ${c.memory.readU64(at)}`);
      yield* c.call('setuid', 1000);
      yield* c.say(`raise ${yield* c.call('setrlimit', 7, limit(5n, 9999n))}`);
      yield* c.say(`inverted ${yield* c.call('setrlimit', 7, limit(6n, 5n))}`);
      return 0;
    });
    yield* u.wait();
  });
  const { EMFILE, EPERM, EINVAL } = errno;
  expect(output).toBe(
    `set 0\n3 4 ${-EMFILE} ${-EMFILE}\nchild 5\nraise ${-EPERM}\ninverted ${-EINVAL}\n`,
  );
});
