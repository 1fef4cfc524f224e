/** What the traced JIT notes of a run is what the interpreter was seen to do. */
import { expect, it } from 'vitest';
import { engineState } from '../../bpf/engine-state.ts';
import { createInterpreter, type StepView } from '../../bpf/interp/interp.ts';
import { rowOf } from '../../bpf/isa/table.ts';
import { buildCfg } from '../../bpf/jit/cfg.ts';
import { createWasmJit } from '../../bpf/jit/jit.ts';
import { traceBuffer } from '../../bpf/trace-buffer.ts';
import { TRACE_ACCESS, TRACE_BLOCK, TRACE_CALL } from '../../bpf/trace-buffer.ts';
import { loadProgram } from '../bench/program-rig.ts';
import { coreModule } from '../support/assets.ts';

type Event = readonly [kind: number, place: number, second?: number];

/** The events of one run over all packets, from the interpreter's steps. */
function observed(steps: readonly StepView[], program: StepView['program']): Event[] {
  const leaders = new Set(
    program.subprogs.flatMap((info) => buildCfg(program, info).blocks.map((b) => b.slots[0]!)),
  );
  const events: Event[] = [];
  steps.forEach(({ slot, registers }, i) => {
    const insn = program.insns[slot]!;
    const row = rowOf(insn)!;
    if (leaders.has(slot)) events.push([TRACE_BLOCK, slot]);
    const pointer = program.facts[slot]!.pointer;
    const isAccess = row.kind === 'load' || row.kind === 'store' || row.kind === 'atomic';
    if (isAccess && pointer !== 'stack' && pointer !== 'ctx') {
      const register = registers[row.kind === 'load' ? insn.src : insn.dst]!;
      events.push([TRACE_ACCESS, slot, Number(BigInt.asUintN(32, register + BigInt(insn.off)))]);
    }
    if (row.kind === 'call' && row.target === 'helper') {
      events.push([TRACE_CALL, slot, Number(BigInt.asUintN(32, steps[i + 1]!.registers[0]!))]);
    }
  });
  return events;
}

function decode(words: Uint32Array): Event[] {
  const events: Event[] = [];
  for (let i = 0; i < words.length; i++) {
    const kind = words[i]! >>> 28;
    const place = words[i]! & 0xfff_ffff;
    events.push(kind === TRACE_BLOCK ? [kind, place] : [kind, place, words[++i]!]);
  }
  return events;
}

const assets = { core: await coreModule() };

it.each(['parse', 'calls', 'hash', 'lpm', 'maglev'] as const)('of %s', (name) => {
  const steps: StepView[] = [];
  const interpreter = createInterpreter({
    onStep: (view) => steps.push({ ...view, registers: view.registers.slice() }),
  });
  // Both machines allocate alike, so that addresses agree as well.
  const plain = loadProgram(assets, name, {
    ...interpreter,
    compile(program, runtime) {
      engineState(runtime);
      traceBuffer(runtime);
      return interpreter.compile(program, runtime);
    },
  });
  const sum = plain.run();
  const traced = loadProgram(
    assets,
    name,
    createWasmJit({ trace: { accesses: true, calls: true } }),
  );
  expect(traced.run()).toBe(sum);
  const words = traceBuffer(traced.runtime).take()!;
  expect(decode(words)).toEqual(observed(steps, plain.verified));
});

it('more events than fit are said to be too many', () => {
  const rig = loadProgram(assets, 'parse', createWasmJit({ trace: { accesses: true } }));
  const trace = traceBuffer(rig.runtime);
  rig.run();
  const once = trace.take()!.length;
  for (let i = 0; i * once <= 1 << 18; i++) rig.run();
  expect(trace.take()).toBeUndefined();
  rig.run();
  expect(trace.take()!.length).toBe(once);
});
