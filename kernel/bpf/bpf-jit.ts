/** The JIT of a machine, as far as net.core.bpf_jit_enable lets programs have it. */
import type { Engine } from '../../bpf/engine.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { createWasmJit } from '../../bpf/jit/jit.ts';
import type { BpfRuntime } from '../../bpf/runtime.ts';
import type { CounterSource, Processors } from '../../hw/target.ts';
import type { IntegerSetting } from '../settings.ts';

export class BpfJit {
  readonly #enable: IntegerSetting;
  readonly #engine: Engine;
  readonly #processors: Processors | undefined;
  /** Of each CPU; none where programs run as WASM. */
  counters: readonly CounterSource[] = [];

  constructor(enable: IntegerSetting, processors: Processors | undefined) {
    this.#enable = enable;
    this.#processors = processors;
    this.#engine = processors?.engine ?? createWasmJit();
  }

  /** The machine has its runtime. */
  attach(runtime: BpfRuntime): void {
    this.counters = this.#processors?.attach(runtime) ?? [];
  }

  /** What programs run on from the first; real processors never run them otherwise. */
  get first(): Engine {
    const interpreter = createInterpreter();
    const processor = this.#processors?.engine;
    if (processor === undefined) return interpreter;
    return {
      ...interpreter,
      compile: (program, runtime) => {
        const isCode = this.#enable.value > 0 && processor.refusal(program) === undefined;
        return (isCode ? processor : interpreter).compile(program, runtime);
      },
    };
  }

  get engine(): Engine | undefined {
    return this.#enable.value > 0 ? this.#engine : undefined;
  }
}
