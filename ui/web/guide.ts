/**
 * The panel beside the terminal: a scenario's text, its commands as buttons that type themselves,
 * and its checks with their evidence. It shows what the worker says and asks for what is clicked.
 */
import MarkdownIt from 'markdown-it';
import type { Action, ScenarioDocument, Step } from '../../scenarios/document.ts';
import type { FromWorker, ToWorker } from './protocol.ts';

type CheckReport = Extract<FromWorker, { kind: 'check' }>;

/** `html: false`: scenario text may come from strangers and stays text. */
const markdown = new MarkdownIt({ html: false, linkify: false });

export class Guide {
  readonly #root: HTMLElement;
  readonly #send: (message: ToWorker) => void;
  #checks = new Map<string, HTMLLIElement>();
  #runButtons: HTMLButtonElement[] = [];

  constructor(root: HTMLElement, send: (message: ToWorker) => void) {
    this.#root = root;
    this.#send = send;
    this.clear();
  }

  clear(): void {
    this.#root.replaceChildren();
    this.#root.hidden = true;
    this.#checks = new Map();
    this.#runButtons = [];
  }

  show(document: ScenarioDocument): void {
    this.clear();
    this.#root.hidden = false;
    const title = element('h2', document.title);
    const introduction = prose(document.introduction);
    const runAll = button('Run every step', () => {
      document.steps.forEach((_, step) => this.#send({ kind: 'run-step', step }));
    });
    this.#runButtons.push(runAll);
    const steps = document.steps.map((step, index) => this.#step(step, index));
    this.#root.append(title, introduction, runAll, ...steps);
    this.#root.scrollTop = 0;
  }

  stepState(step: number, state: 'running' | 'done'): void {
    for (const runButton of this.#runButtons) runButton.disabled = state === 'running';
    const section = this.#root.querySelector(`[data-step="${step}"]`);
    if (state === 'running') section?.scrollIntoView({ block: 'start', behavior: 'smooth' });
  }

  report(check: CheckReport): void {
    const item = this.#checks.get(`${check.step}/${check.id}`);
    if (!item) return;
    item.className = check.holds ? 'holds' : 'fails';
    item.querySelector('small')!.textContent = check.evidence;
  }

  #step(step: Step, index: number): HTMLElement {
    const section = element('div');
    section.className = 'step';
    section.dataset['step'] = String(index);
    const head = element('div');
    head.className = 'step-head';
    const run = button('Run', () => this.#send({ kind: 'run-step', step: index }));
    this.#runButtons.push(run);
    head.append(element('h3', `${index + 1}. ${step.title}`), run);
    section.append(head, ...step.actions.map((action) => this.#action(action)));
    if (step.checks.length > 0) {
      const list = element('ul');
      list.className = 'checks';
      for (const check of step.checks) {
        const item = element('li');
        item.append(element('span', check.sentence), element('small'));
        this.#checks.set(`${index}/${check.id}`, item);
        list.append(item);
      }
      section.append(
        list,
        button('Check', () => this.#send({ kind: 'check', step: index })),
      );
    }
    return section;
  }

  #action(action: Action): HTMLElement {
    switch (action.kind) {
      case 'prose':
        return prose(action.markdown);
      case 'type':
        return this.#clickable(`# ${action.command}`, {
          kind: 'input',
          data: new TextEncoder().encode(`${action.command}\r`),
        });
      case 'key':
        return this.#clickable(`${action.key}  (press the key)`, {
          kind: 'input',
          data: new TextEncoder().encode(action.bytes),
        });
      case 'stimulus':
        return this.#clickable(`▶ ${action.name}`, { kind: 'stimulus', name: action.name });
    }
  }

  #clickable(text: string, message: ToWorker): HTMLElement {
    const command = button(text, () => this.#send(message));
    command.className = 'command';
    command.title = 'Click to do this';
    return command;
  }
}

function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  text?: string,
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  return node;
}

function button(text: string, act: () => void): HTMLButtonElement {
  const node = element('button', text);
  node.type = 'button';
  node.addEventListener('click', act);
  return node;
}

function prose(source: string): HTMLElement {
  const node = element('div');
  node.innerHTML = markdown.render(source);
  return node;
}
