import { expect, test } from 'vitest';
import { coreModule } from '../test/support/assets.ts';
import { bootMachine } from './machine.ts';
import type { UserFlow, UserMain } from './syscall/abi.ts';

const call = (nr: number, ...args: number[]): UserFlow<number> =>
  (function* () {
    return yield { kind: 'syscall', nr, args } as const;
  })();

const NR = { write: 1, nanosleep: 35, getpid: 39, exit_group: 231, reboot: 169, brk: 12 };

test('hello from pid 1', async () => {
  const init: UserMain = function* ({ memory }) {
    const base = yield* call(NR.brk, 0);
    yield* call(NR.brk, base + 4096);
    memory.write(base as never, new TextEncoder().encode('hello\n'));
    yield* call(NR.write, 1, base, 6);
    const pid = yield* call(NR.getpid);
    memory.write(base as never, new TextEncoder().encode(`pid ${pid}\n`));
    yield* call(NR.write, 1, base, 6);
    yield* call(NR.reboot, 0xfee1dead, 0x28121969, 0x4321fedc);
    return 0;
  };
  const machine = await bootMachine(
    { programs: new Map([['/sbin/init', init]]), cmdline: '' },
    { core: await coreModule() },
  );
  let out = '';
  machine.console.onOutput((bytes) => (out += new TextDecoder().decode(bytes)));
  console.log(machine.run({ untilIdle: true }), machine.now);
  console.log(out);
});
