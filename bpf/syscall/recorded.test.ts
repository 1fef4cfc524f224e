/**
 * Every command of bpf(2) as a real Linux 6.1.192 answered it: scripts of calls with what they
 * returned, changed and left in memory (test/syscall-script, where record.ts asks Linux anew).
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { bpfSyscalls } from '../../test/support/bpf-syscalls.ts';
import { runOnMachine } from '../../test/syscall-script/machine.ts';
import type { Answer, Script } from '../../test/syscall-script/script.ts';
import { allScripts } from '../../test/syscall-script/scripts.ts';
import { runInSkep } from '../../test/syscall-script/skep.ts';
import { BPF_COMMANDS } from '../uapi.ts';

const recorded = new Map(
  readFileSync(
    new URL('../../test/syscall-script/linux-6.1.recorded.jsonl', import.meta.url),
    'utf8',
  )
    .trim()
    .split('\n')
    .map((line) => {
      const { name, answers } = JSON.parse(line) as { name: string; answers: Answer[] };
      return [name, answers] as const;
    }),
);

const bare = allScripts.filter(({ needsMachine }) => !needsMachine);
const onMachine = allScripts.filter(({ needsMachine }) => needsMachine);

/** Each step with its answer, so that a difference names the call. */
const told = ({ steps }: Script, all: readonly Answer[]) =>
  steps.map((step, i) => `${i} ${JSON.stringify(step)} -> ${JSON.stringify(all[i])}`);

describe('bpf(2), call by call', () => {
  it.each(bare.map((script) => [script.name, script] as const))('%s', async (name, script) => {
    const answers = runInSkep(await bpfSyscalls(), script);
    expect(told(script, answers)).toEqual(told(script, recorded.get(name)!));
  });

  describe('by a process', () => {
    let answers: readonly (readonly Answer[])[];
    beforeAll(async () => {
      answers = await runOnMachine(onMachine);
    }, 60_000);
    it.each(onMachine.map((script, i) => [script.name, script, i] as const))(
      '%s',
      (name, script, i) => {
        expect(told(script, answers[i]!)).toEqual(told(script, recorded.get(name)!));
      },
    );
  });

  it('no command is left out, and none succeeds or fails only', () => {
    const called = new Map<string, Set<boolean>>();
    for (const { name, steps } of allScripts) {
      steps.forEach((step, i) => {
        if (!('call' in step)) return;
        const answer = recorded.get(name)![i]!;
        const outcomes = called.get(step.call) ?? new Set();
        called.set(step.call, outcomes.add(answer.r === 'fd' || Number(answer.r) >= 0));
      });
    }
    for (const command of BPF_COMMANDS) {
      const outcomes = [...(called.get(command) ?? [])].sort();
      expect([command, outcomes]).toEqual([command, [false, true]]);
    }
  });

  it('leaves nothing behind', async () => {
    const m = await bpfSyscalls();
    for (const script of bare) runInSkep(m, script);
    m.caller.reset();
    const before = m.ram.usedBytes;
    for (const script of bare) {
      m.caller.caps = { bpf: true, perfmon: true, netAdmin: true, sysAdmin: true };
      runInSkep(m, script);
      m.caller.reset();
      expect([script.name, m.ram.usedBytes]).toEqual([script.name, before]);
    }
    const { maps, progs, links, btfs } = m.bpf;
    expect([maps, progs, links, btfs].flatMap((table) => [...table.values()])).toEqual([]);
  });
});
