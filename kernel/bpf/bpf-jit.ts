/** The WASM JIT of a machine, as far as net.core.bpf_jit_enable lets programs have it. */
import type { Engine } from '../../bpf/engine.ts';
import { createWasmJit } from '../../bpf/jit/jit.ts';
import type { IntegerSetting } from '../settings.ts';

export class BpfJit {
  readonly #enable: IntegerSetting;
  readonly #engine = createWasmJit();

  constructor(enable: IntegerSetting) {
    this.#enable = enable;
  }

  get engine(): Engine | undefined {
    return this.#enable.value > 0 ? this.#engine : undefined;
  }
}
