/** Processes that call everything with arbitrary arguments: the machine lives on. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bootProgram } from '../../test/support/programs.ts';
import { syscallRows } from './rows.ts';

/** Calls that end the machine or the test's own process on purpose. */
const NOT_CALLED = new Set(['reboot', 'exit', 'exit_group']);
const names = syscallRows.map((row) => row.name).filter((name) => !NOT_CALLED.has(name));

const argument = fc.oneof(
  fc.nat(8),
  fc.integer({ min: -3, max: 4096 }),
  fc.constantFrom('/', '/etc/hostname', '/tmp/x', '/proc/self/maps', '/nowhere', ''),
  fc.constantFrom(0, -1, 0xffff_ffff, 0x8000_0000, 2 ** 40, 0x7fff_ffff_f000, 2 ** 53, -(2 ** 53)),
  fc.uint8Array({ maxLength: 64 }),
);
const call = fc.record({
  name: fc.constantFrom(...names),
  args: fc.array(argument, { maxLength: 6 }),
});

test('no sequence of calls stops the machine or escapes it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(call, { maxLength: 30 }), { maxLength: 6 }),
      async (lives) => {
        const { machine, output } = await bootProgram(
          function* (u) {
            for (const life of lives) {
              const pid = yield* u.fork(function* (c) {
                yield* c.call('alarm', 1);
                for (const { name, args } of life) yield* c.call(name, ...args);
                return 0;
              });
              yield* u.sleep(2e9);
              yield* u.call('kill', pid, 9);
              yield* u.wait(pid);
            }
            // A call of a child's may have closed or filled what init has, but not its memory.
            yield* u.call('setsid');
            yield* u.powerOff();
          },
          { ramMiB: 32, cpus: 2 },
        );
        machine.run({ untilNs: 60e9 });
        expect(machine.halted, output()).toBe('poweroff');
        expect(machine.processes.all.every((process) => !process.zombie)).toBe(true);
      },
    ),
    { numRuns: 60 },
  );
});
