/** Calls of kernel functions, held against what a real Linux 6.1.192 answered; see kfunc-cases.ts. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { createWasmJit } from '../../bpf/jit/jit.ts';
import { kernelBtf } from '../../kernel/bpf/kernel-btf.ts';
import { BatchMachine } from '../../ui/cli/batch/answer.ts';
import { parseRequest } from '../../ui/cli/batch/request.ts';
import { coreModule } from '../support/assets.ts';
import { kfuncCases, kfuncRequest, kfuncResult } from './kfunc-cases.ts';

const file = new URL('kfunc-cases-6.1.recorded.jsonl', import.meta.url);
const recorded = readFileSync(file, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as { readonly id: string; readonly linux: unknown });

describe('calls of kernel functions recorded from Linux', () => {
  it.each([
    ['interpreter', createInterpreter],
    ['WASM JIT', createWasmJit],
  ])('%s answers as Linux', async (_, create) => {
    const machine = new BatchMachine({ core: await coreModule() }, { engine: create() });
    const btf = kernelBtf([]);
    const answers = kfuncCases.map((one) => ({
      id: one.id,
      linux: kfuncResult(machine.answer(parseRequest(kfuncRequest(one, btf)))),
    }));
    expect(answers).toEqual(recorded);
  });
});
