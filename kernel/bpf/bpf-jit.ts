/**
 * The WASM JIT of a machine, which arrives when the first program is loaded: binaryen is large, and
 * a machine without programs does without it.
 */
import type { Engine } from '../../bpf/engine.ts';
import type { Binaryen } from '../../bpf/jit/binaryen.ts';
import { createWasmJit } from '../../bpf/jit/jit.ts';
import type { HostAssets } from '../config.ts';
import type { KernelLog } from '../printk.ts';
import type { IntegerSetting } from '../settings.ts';

export class BpfJit {
  readonly #load: HostAssets['loadBinaryen'];
  readonly #enable: IntegerSetting;
  readonly #log: KernelLog;
  #engine: Engine | undefined;
  #asked = false;

  /** `enable` is net.core.bpf_jit_enable. */
  constructor(load: HostAssets['loadBinaryen'], enable: IntegerSetting, log: KernelLog) {
    this.#load = load;
    this.#enable = enable;
    this.#log = log;
  }

  get engine(): Engine | undefined {
    return this.#enable.value > 0 ? this.#engine : undefined;
  }

  /** What to wait for before the first program is loaded; undefined once that has been done. */
  loading(): Promise<void> | undefined {
    if (this.#asked || !this.#load || this.#enable.value === 0) return undefined;
    this.#asked = true;
    return this.#load().then(
      (binaryen) => {
        this.#engine = createWasmJit(binaryen as Binaryen);
      },
      (error: unknown) => {
        this.#log.warn(`bpf: JIT cannot be loaded (${String(error)}), using the interpreter`);
      },
    );
  }
}
