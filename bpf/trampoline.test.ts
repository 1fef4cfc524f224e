/**
 * What programs do to those that they are attached to, as a real Linux 6.1 answered it, with code
 * from the WASM JIT; bpf/syscall/recorded.test.ts has the same from the interpreter.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bpfSyscalls } from '../test/support/bpf-syscalls.ts';
import { progTargetScripts } from '../test/syscall-script/prog-target-scripts.ts';
import type { Answer } from '../test/syscall-script/script.ts';
import { runInSkep } from '../test/syscall-script/skep.ts';
import { createInterpreter } from './interp/interp.ts';
import { createWasmJit } from './jit/jit.ts';

const recorded = new Map(
  readFileSync(new URL('../test/syscall-script/linux-6.1.recorded.jsonl', import.meta.url), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { readonly name: string; readonly answers: Answer[] })
    .map(({ name, answers }) => [name, answers] as const),
);
const bare = progTargetScripts.filter(({ needsMachine }) => !needsMachine);

describe('compiled programs', () => {
  it.each(bare.map((script) => [script.name, script] as const))('%s', async (name, script) => {
    const m = await bpfSyscalls({ host: { interpreter: createWasmJit() } });
    expect(runInSkep(m, script)).toEqual(recorded.get(name));
  });
});

describe('a program that something is attached to', () => {
  const TARGET = 'call f\n r0 += 1\n exit\n f:\n r0 = 5\n exit';
  const loaded = async (jit = createWasmJit()) => {
    const m = await bpfSyscalls({ host: { jit: () => jit } });
    const fd = m.load('xdp', TARGET);
    const prog = m.bpf.progs.byId(1)!.prog;
    const data_in = m.caller.place(new Uint8Array(64));
    const run = () =>
      m.call('prog_test_run', { prog_fd: fd, data_in, data_size_in: 64 }).attr.retval;
    return { prog, run };
  };

  it('stays with its engine, and goes back to its own code', async () => {
    const { prog, run } = await loaded();
    for (const engine of ['interp', 'wasm']) {
      if (engine === 'wasm') prog.jit();
      prog.patch(1, (original, ...call) => original(...call) * 10n);
      expect([run(), prog.executable.engine]).toEqual([51, engine]);
      prog.patch(0, (original, ...call) => original(...call) + 100n);
      expect([run(), prog.executable.engine]).toEqual([151, engine]);
      prog.patch(1, undefined);
      expect(run()).toBe(106);
      prog.patch(0, undefined);
      expect([run(), prog.executable.engine]).toEqual([6, engine]);
    }
  });

  it('moves to the JIT with what is attached', async () => {
    const { prog, run } = await loaded();
    prog.patch(1, () => 40n);
    prog.jit();
    expect([run(), prog.executable.engine]).toEqual([41, 'wasm']);
  });

  it('is interpreted where the JIT lets nothing be attached', async () => {
    const { name, handles, refusal, compile } = createWasmJit();
    const { prog, run } = await loaded({ name, handles, refusal, compile });
    prog.jit();
    prog.patch(1, () => 40n);
    expect([run(), prog.executable.engine, prog.jit()]).toEqual([41, 'interp', false]);
    prog.patch(1, undefined);
    expect([prog.jit(), run()]).toEqual([true, 6]);
  });

  it('may be attached to while it runs: that run ends as it began', async () => {
    const { prog, run } = await loaded();
    prog.patch(0, (original, ...call) => {
      prog.patch(1, () => 70n);
      prog.patch(0, undefined);
      return original(...call);
    });
    expect([run(), run()]).toEqual([6, 71]);
  });

  it('counts runs of a tracing program that would begin within one', async () => {
    const m = await bpfSyscalls({ host: { interpreter: createInterpreter() } });
    m.load('xdp', 'r0 = 2\n exit');
    const { prog } = m.bpf.progs.byId(1)!;
    const ctx = m.ram.kzalloc(64);
    prog.patch(0, (original, ...call) => {
      prog.traceAt({}, ctx);
      return original(...call);
    });
    prog.traceAt({}, ctx);
    expect(prog.recursionMisses).toBe(1n);
  });
});
