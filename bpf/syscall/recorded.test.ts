/**
 * Every command of bpf(2) as a real Linux 6.1.192 answered it: scripts of calls with what they
 * returned, changed and left in memory (test/syscall-script, where record.ts asks Linux anew).
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bpfSyscalls } from '../../test/support/bpf-syscalls.ts';
import type { Answer } from '../../test/syscall-script/script.ts';
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

describe('bpf(2), call by call', () => {
  it.each(allScripts.map((script) => [script.name, script] as const))(
    '%s',
    async (name, script) => {
      const answers = runInSkep(await bpfSyscalls(), script);
      const told = (all: readonly Answer[]) =>
        script.steps.map((step, i) => `${i} ${JSON.stringify(step)} -> ${JSON.stringify(all[i])}`);
      expect(told(answers)).toEqual(told(recorded.get(name)!));
    },
  );

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
    // What needs something attached, or a task, is tested on a booted machine.
    const elsewhere = ['link_get_fd_by_id', 'link_create', 'link_update', 'link_detach'];
    elsewhere.push('prog_attach', 'prog_detach', 'prog_query', 'raw_tracepoint_open');
    elsewhere.push('iter_create', 'task_fd_query', 'prog_get_next_id', 'map_get_next_id');
    elsewhere.push('btf_get_next_id', 'link_get_next_id', 'prog_get_fd_by_id', 'map_get_fd_by_id');
    elsewhere.push('btf_get_fd_by_id');
    for (const command of BPF_COMMANDS) {
      const outcomes = [...(called.get(command) ?? [])].sort();
      expect([command, outcomes]).toEqual([
        command,
        elsewhere.includes(command) ? [false] : [false, true],
      ]);
    }
  });

  it('leaves nothing behind', async () => {
    const m = await bpfSyscalls();
    for (const script of allScripts) runInSkep(m, script);
    m.caller.reset();
    const before = m.ram.usedBytes;
    for (const script of allScripts) {
      m.caller.caps = { bpf: true, perfmon: true, netAdmin: true, sysAdmin: true };
      runInSkep(m, script);
      m.caller.reset();
      expect([script.name, m.ram.usedBytes]).toEqual([script.name, before]);
    }
    const { maps, progs, links, btfs } = m.bpf;
    expect([maps, progs, links, btfs].flatMap((table) => [...table.values()])).toEqual([]);
  });
});
