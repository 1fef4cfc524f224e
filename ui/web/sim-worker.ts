/**
 * The simulator, in its worker: boots machines, runs them in step with the wall clock, and speaks
 * the protocol. Commands are handled one after another, so a reboot never races a running step.
 */
import coreUrl from '../../.build/native/core.wasm?url';
import { bootMachine, type Machine } from '../../kernel/machine.ts';
import { parseDocument } from '../../scenarios/document.ts';
import { loadScenario } from '../../scenarios/index.ts';
import type { ScenarioName } from '../../scenarios/names.ts';
import { type Scenario, scenarioPath } from '../../scenarios/scenario.ts';
import { type Presenter, Session } from '../../scenarios/session.ts';
import { machineDefaults } from '../../user/index.ts';
import type { FromWorker, ToWorker } from './protocol.ts';
import { workloadObject } from './workload-objects.ts';

/** Wall time the simulation may take before the worker looks at its messages again, ms. */
const SLICE_MS = 12;
/** Virtual time that the machine may fall behind before it gives up catching up, ns. */
const LAG_NS = 100e6;
const STATUS_EVERY_MS = 250;
/** Virtual time simulated between two looks at the wall clock, ns. */
const STEP_NS = 1e6;

const assetUrls = import.meta.glob<string>('../../scenarios/*/**/*.{md,o,c,json,pcap,pcapng}', {
  query: '?url',
  import: 'default',
});

const post = (message: FromWorker) => self.postMessage(message);
/** Its models of hardware are no small thing, and come beside the core. */
const compareModule = import('../../scenarios/compare/shell.ts');
const core = fetch(coreUrl).then((response) => WebAssembly.compileStreaming(response));

async function scenarioAsset(scenario: Scenario, name: string): Promise<Uint8Array> {
  const load = assetUrls[`../../scenarios/${scenarioPath(scenario, name)}`];
  if (!load) throw new Error(`scenario ${scenario.name} has no file ${name}`);
  const response = await fetch(await load());
  if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** One booted machine and what runs it. `stop()` makes its loop end at the next slice. */
class Simulation {
  readonly machine: Machine;
  session: Session | undefined;
  #stopped = false;
  #waiters: { untilNs: number; resolve: () => void }[] = [];

  constructor(machine: Machine) {
    this.machine = machine;
    machine.console.onOutput((bytes) => post({ kind: 'output', data: bytes.slice() }));
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Resolves when the machine's clock has reached `untilNs`; the loop below drives it there. */
  reached(untilNs: number): Promise<void> {
    return new Promise((resolve) => this.#waiters.push({ untilNs, resolve }));
  }

  async loop(): Promise<void> {
    let last = performance.now();
    let lagNs = 0;
    let statusAt = last;
    let statusNs = this.machine.now as number;
    while (!this.#stopped && !this.machine.halted) {
      const now = performance.now();
      lagNs = Math.min(lagNs + (now - last) * 1e6, LAG_NS);
      last = now;
      while (lagNs >= STEP_NS && performance.now() - now < SLICE_MS) {
        await this.machine.runAsync({ untilNs: this.machine.now + STEP_NS });
        lagNs -= STEP_NS;
        this.#release();
      }
      if (now - statusAt > STATUS_EVERY_MS) {
        const speed = (this.machine.now - statusNs) / ((now - statusAt) * 1e6);
        post({ kind: 'status', status: { nowNs: this.machine.now, speed } });
        [statusAt, statusNs] = [now, this.machine.now];
      }
      await new Promise((resolve) => setTimeout(resolve, lagNs >= STEP_NS ? 0 : 4));
    }
    if (this.machine.halted) post({ kind: 'notice', text: 'The machine has halted. Reboot?' });
  }

  #release(): void {
    const due = this.#waiters.filter((waiter) => waiter.untilNs <= this.machine.now);
    if (due.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => !due.includes(waiter));
    for (const waiter of due) waiter.resolve();
  }
}

let simulation: Simulation | undefined;

async function boot(message: Extract<ToWorker, { kind: 'boot' }>): Promise<void> {
  simulation?.stop();
  simulation = undefined;
  const scenario = message.scenario && (await loadScenario[message.scenario as ScenarioName]());
  const files = new Map<string, Uint8Array>();
  if (scenario) {
    const bytes = await Promise.all(scenario.files.map((name) => scenarioAsset(scenario, name)));
    scenario.files.forEach((name, i) => files.set(name, bytes[i]!));
  }
  const config = scenario
    ? scenario.configure(files)
    : { ...machineDefaults(), nics: [{ name: 'eth0', queues: 2 }] };
  const assets = { core: await core };
  const { withCompare } = await compareModule;
  const before = performance.now();
  const withCommand = withCompare(config, {
    ...assets,
    workload: workloadObject,
    show: (comparison) => post({ kind: 'comparison', comparison }),
  });
  const machine = await bootMachine(withCommand, assets);
  const current = new Simulation(machine);
  simulation = current;
  machine.input({ kind: 'tty-size', columns: message.columns, rows: message.rows });
  post({ kind: 'booted', bootMs: performance.now() - before });
  void current.loop().catch(fail);
  if (!scenario) return;
  const text = new TextDecoder().decode(await scenarioAsset(scenario, scenario.document));
  const document = parseDocument(text, `${scenario.name}/${scenario.document}`);
  post({ kind: 'document', document });
  const session = new Session(scenario, document, machine, files, {
    advance: (untilNs) => current.reached(untilNs),
    presenter: checksOnly,
  });
  await session.start();
  current.session = session;
}

/** Text is in the guide and output in the terminal already; only checks are news. */
const checksOnly: Presenter = {
  step: () => {},
  prose: () => {},
  stimulus: () => {},
  check: (step, { id, holds, evidence }) => post({ kind: 'check', step, id, holds, evidence }),
};

/** Messages that take their turn, so that two steps never type at once. */
async function handle(message: ToWorker): Promise<void> {
  const session = simulation?.session;
  switch (message.kind) {
    case 'boot':
      return boot(message);
    case 'run-step':
      post({ kind: 'step', step: message.step, state: 'running' });
      try {
        await session?.runStep(message.step);
      } finally {
        post({ kind: 'step', step: message.step, state: 'done' });
      }
      return;
    case 'stimulus':
      return session?.stimulate(message.name);
    case 'check':
      session?.check(message.step);
      return;
    case 'file':
      simulation?.machine.input({ kind: 'file', path: message.path, data: message.data });
      post({ kind: 'notice', text: `${message.path}: ${message.data.length} bytes` });
      return;
    case 'input':
    case 'resize':
      return;
  }
}

function fail(error: unknown): void {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  post({ kind: 'failed', message });
}

let turn: Promise<void> = Promise.resolve();

self.addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  /** Keys do not wait for a step to end: Ctrl-C must get through. */
  if (data.kind === 'input') return simulation?.machine.input({ kind: 'tty', data: data.data });
  if (data.kind === 'resize') {
    return simulation?.machine.input({
      kind: 'tty-size',
      columns: data.columns,
      rows: data.rows,
    });
  }
  /** A boot ends whatever is running: a step of the old machine would never come to its end. */
  if (data.kind === 'boot') turn = boot(data).catch(fail);
  else turn = turn.then(() => handle(data)).catch(fail);
});
