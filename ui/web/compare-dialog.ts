/**
 * The dialog that compares a workload on every target, and shows what the shell's `compare` found.
 * Loaded when it is first needed.
 */
import { drawComparison } from '../charts/comparison.ts';
import { element } from '../charts/element.ts';
import type { Comparison } from '../../scenarios/compare/comparison.ts';
import { AXIS_NAMES } from '../../scenarios/compare/sweep.ts';
import { WORKLOADS } from '../../scenarios/workloads/workloads.ts';
import type { CompareAnswer, CompareRequest } from './protocol.ts';

export class CompareDialog {
  readonly #dialog: HTMLDialogElement;
  readonly #result = element('div', { class: 'result' });
  readonly #progress = element('output');
  readonly #workload = element('select', { name: 'workload' });
  readonly #run = element('button', { type: 'submit' }, 'Compare');
  readonly #sweeps: readonly HTMLInputElement[];
  #worker: Worker | undefined;

  constructor(dialog: HTMLDialogElement) {
    this.#dialog = dialog;
    for (const { name, title } of WORKLOADS) {
      this.#workload.append(new Option(`${name}: ${title}`, name));
    }
    this.#sweeps = AXIS_NAMES.map((name) => element('input', { type: 'checkbox', value: name }));
    const close = element('button', { type: 'button' }, 'Close');
    close.addEventListener('click', () => dialog.close());
    const form = element(
      'form',
      {},
      element('label', {}, 'Program ', this.#workload),
      element('span', {}, 'Curves over'),
      ...this.#sweeps.map((box) => element('label', {}, box, ` ${box.value}`)),
      this.#run,
      close,
      this.#progress,
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#start();
    });
    dialog.append(form, this.#result);
  }

  open(): void {
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  show(comparison: Comparison): void {
    this.open();
    drawComparison(this.#result, comparison);
  }

  #start(): void {
    const request: CompareRequest = {
      workload: this.#workload.value,
      sweeps: this.#sweeps.filter(({ checked }) => checked).map(({ value }) => value),
    };
    this.#busy(true);
    this.#worker ??= this.#newWorker();
    this.#worker.postMessage(request);
  }

  #newWorker(): Worker {
    const worker = new Worker(new URL('./compare-worker.ts', import.meta.url), { type: 'module' });
    worker.addEventListener('message', ({ data }: MessageEvent<CompareAnswer>) => {
      if (data.kind === 'progress') {
        this.#progress.textContent = `${data.text} …`;
        return;
      }
      this.#busy(false);
      if (data.kind === 'comparison') this.show(data.comparison);
      else this.#progress.textContent = data.message;
    });
    worker.addEventListener('error', ({ message }) => {
      this.#busy(false);
      this.#progress.textContent = message;
      this.#worker = undefined;
    });
    return worker;
  }

  #busy(is: boolean): void {
    this.#run.disabled = is;
    this.#progress.textContent = is ? 'loading …' : '';
  }
}
