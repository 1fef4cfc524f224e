/**
 * Runs a scenario on a machine: types what its text says, applies stimuli, evaluates checks.
 *
 *   new Session(scenario, document, machine, files, {advance, presenter})
 *   await session.start()          until the shell's first prompt
 *   await session.runStep(i)       one step, its checks included
 *   session.check(i)               only the checks, for a user who typed the commands
 *
 * The same code serves terminal and browser; what differs is the presenter, and how virtual time
 * is paced (`advance`), which never changes a result.
 */
import type { Machine } from '../kernel/machine.ts';
import type { Action, ScenarioDocument, Step } from './document.ts';
import type { CheckResult, Scenario, ScenarioFiles, World } from './scenario.ts';

export interface Presenter {
  step(index: number, step: Step): void;
  prose(markdown: string): void;
  stimulus(name: string): void;
  check(index: number, report: CheckReport): void;
}

export interface CheckReport extends CheckResult {
  readonly id: string;
  readonly sentence: string;
}

export interface SessionOptions {
  /** Let the machine run until this virtual time. */
  readonly advance: (untilNs: number) => Promise<unknown>;
  readonly presenter: Presenter;
}

/** A command of the text did not come back to the prompt, or a name has no meaning. */
export class SessionError extends Error {
  override name = 'SessionError';
}

/** How often, in virtual time, it is looked whether the shell is back at its prompt. */
const LOOK_NS = 1e6;
/** Longest a command may take before the scenario is called stuck. */
const PATIENCE_NS = 120e9;

interface Transcript {
  readonly command: string;
  text: string;
}

export class Session {
  readonly scenario: Scenario;
  readonly document: ScenarioDocument;
  readonly machine: Machine;
  readonly #options: SessionOptions;
  readonly #transcripts: Transcript[] = [];
  readonly #world: World;

  constructor(
    scenario: Scenario,
    document: ScenarioDocument,
    machine: Machine,
    files: ScenarioFiles,
    options: SessionOptions,
  ) {
    this.scenario = scenario;
    this.document = document;
    this.machine = machine;
    this.#options = options;
    const decoder = new TextDecoder();
    machine.console.onOutput((bytes) => {
      const transcript = this.#transcripts.at(-1);
      if (transcript) transcript.text += decoder.decode(bytes);
    });
    this.#world = { machine, files, output: (command) => this.#output(command) };
  }

  /** Until the shell waits for the first command. */
  async start(): Promise<void> {
    await this.#untilPrompt('the boot');
  }

  async runStep(index: number): Promise<readonly CheckReport[]> {
    const step = this.#step(index);
    this.#options.presenter.step(index, step);
    for (const action of step.actions) await this.#act(action);
    return this.check(index);
  }

  /** Every step in turn. True if all checks held. */
  async runAll(): Promise<boolean> {
    let good = true;
    for (let index = 0; index < this.document.steps.length; index++) {
      const reports = await this.runStep(index);
      good &&= reports.every((report) => report.holds);
    }
    return good;
  }

  check(index: number): readonly CheckReport[] {
    return this.#step(index).checks.map(({ id, sentence }) => {
      const report = { id, sentence, ...this.#evaluate(id) };
      this.#options.presenter.check(index, report);
      return report;
    });
  }

  async stimulate(name: string): Promise<void> {
    const stimulus = this.scenario.stimuli[name];
    if (!stimulus) throw new SessionError(`${this.scenario.name} has no stimulus '${name}'`);
    const untilNs = stimulus(this.#world);
    if (typeof untilNs === 'number') await this.#options.advance(untilNs);
  }

  async #act(action: Action): Promise<void> {
    switch (action.kind) {
      case 'prose':
        return this.#options.presenter.prose(action.markdown);
      case 'stimulus':
        this.#options.presenter.stimulus(action.name);
        return this.stimulate(action.name);
      case 'type': {
        this.#transcripts.push({ command: action.command, text: '' });
        this.#press(`${action.command}\r`);
        /** A command that a key must end does not come back by itself. */
        const next = this.#following(action);
        return next?.kind === 'key' ? undefined : this.#untilPrompt(`'${action.command}'`);
      }
      case 'key':
        await this.#options.advance(this.machine.now + action.afterNs);
        this.#press(action.bytes);
        return this.#untilPrompt(action.key);
    }
  }

  #following(action: Action): Action | undefined {
    const step = this.document.steps.find((candidate) => candidate.actions.includes(action));
    return step?.actions[step.actions.indexOf(action) + 1];
  }

  #press(text: string): void {
    this.machine.input({ kind: 'tty', data: new TextEncoder().encode(text) });
  }

  async #untilPrompt(what: string): Promise<void> {
    const deadline = this.machine.now + PATIENCE_NS;
    do {
      if (this.machine.now >= deadline) {
        throw new SessionError(
          `${what} did not come back to the prompt within ${PATIENCE_NS / 1e9} s of virtual time`,
        );
      }
      await this.#options.advance(this.machine.now + LOOK_NS);
    } while (!this.machine.console.awaitsInput);
  }

  #step(index: number): Step {
    const step = this.document.steps[index];
    if (!step) throw new SessionError(`${this.scenario.name} has no step ${index + 1}`);
    return step;
  }

  #evaluate(id: string): CheckResult {
    const check = this.scenario.checks[id];
    if (!check) throw new SessionError(`${this.scenario.name} does not define the check '${id}'`);
    try {
      return check(this.#world);
    } catch (error) {
      if (!(error instanceof NotYet)) throw error;
      return { holds: false, evidence: error.message };
    }
  }

  #output(command: string): string {
    const transcript = this.#transcripts.findLast((t) => t.command.startsWith(command));
    if (!transcript) throw new NotYet(`'${command}' was not run yet`);
    const lines = stripAnsi(transcript.text).split('\r\n');
    return lines.slice(1, -1).join('\n');
  }
}

/** A check looked for something that the user has not done yet. */
class NotYet extends Error {}

/** Control sequences of the line editor are no part of a command's output. */
function stripAnsi(text: string): string {
  return text.replace(/\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\x1b[=>]/g, '');
}
