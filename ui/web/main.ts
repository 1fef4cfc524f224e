/**
 * The page: a terminal connected to a machine that lives in a worker, and a scenario's text beside
 * it. Everything that is simulated is in the worker; this side only presents.
 */
import '@xterm/xterm/css/xterm.css';
import './style.css';
import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import { scenarioNames } from '../../scenarios/names.ts';
import type { CompareDialog } from './compare-dialog.ts';
import { Guide } from './guide.ts';
import type { FromWorker, MachineStatus, ToWorker } from './protocol.ts';

const worker = new Worker(new URL('./sim-worker.ts', import.meta.url), { type: 'module' });
const send = (message: ToWorker) => worker.postMessage(message);

const terminal = new Terminal({
  fontFamily: "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace",
  fontSize: 14,
  /** Below 1.1 the underscores of some fonts are cut off. */
  lineHeight: 1.15,
  scrollback: 10_000,
  theme: { background: '#0d0f12', foreground: '#d7dce2', cursor: '#e0a526' },
});
const fit = new FitAddon();
terminal.loadAddon(fit);
terminal.open(document.querySelector<HTMLElement>('#terminal')!);
fit.fit();

const guide = new Guide(document.querySelector<HTMLElement>('#guide')!, (message) => {
  send(message);
  terminal.focus();
});
const chooser = document.querySelector<HTMLSelectElement>('#scenario')!;
const status = document.querySelector<HTMLOutputElement>('#status')!;

const encoder = new TextEncoder();
terminal.onData((text) => send({ kind: 'input', data: encoder.encode(text) }));
/** Mouse reports and other bytes that are no text arrive as a binary string. */
terminal.onBinary((text) => {
  send({ kind: 'input', data: Uint8Array.from(text, (c) => c.charCodeAt(0)) });
});
terminal.onResize(({ cols, rows }) => send({ kind: 'resize', columns: cols, rows }));
new ResizeObserver(() => fit.fit()).observe(document.querySelector('#terminal')!);

worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
  switch (data.kind) {
    case 'output':
      terminal.write(data.data);
      break;
    case 'document':
      guide.show(data.document);
      break;
    case 'step':
      guide.stepState(data.step, data.state);
      break;
    case 'check':
      guide.report(data);
      break;
    case 'status':
      status.textContent = statusText(data.status);
      break;
    case 'booted':
      document.body.dataset['booted'] = String(data.bootMs);
      break;
    case 'comparison':
      void compareDialog().then((dialog) => dialog.show(data.comparison));
      break;
    case 'notice':
      terminal.write(`\r\n\x1b[33m${data.text}\x1b[0m\r\n`);
      break;
    case 'failed':
      terminal.write(`\r\n\x1b[31mskep: ${data.message.replaceAll('\n', '\r\n')}\x1b[0m\r\n`);
      break;
  }
});
worker.addEventListener('error', (event) => {
  terminal.write(`\r\n\x1b[31mskep: the simulator stopped: ${event.message}\x1b[0m\r\n`);
});

/** Charts and models of hardware are only loaded for those who compare. */
let dialogLoaded: Promise<CompareDialog> | undefined;
function compareDialog(): Promise<CompareDialog> {
  dialogLoaded ??= import('./compare-dialog.ts').then(
    (module) => new module.CompareDialog(document.querySelector('#compare-dialog')!),
  );
  return dialogLoaded;
}

function statusText({ nowNs, speed }: MachineStatus): string {
  return `${(nowNs / 1e9).toFixed(1)} s of virtual time · ${speed.toFixed(1)}× real time`;
}

function boot(): void {
  terminal.reset();
  guide.clear();
  const scenario = chooser.value || undefined;
  location.hash = scenario ?? '';
  send({
    kind: 'boot',
    ...(scenario && { scenario }),
    columns: terminal.cols,
    rows: terminal.rows,
  });
  terminal.focus();
}

chooser.append(new Option('none: just a machine', ''));
for (const name of scenarioNames) chooser.append(new Option(name, name));
const wanted = location.hash.slice(1);
chooser.value = (scenarioNames as readonly string[]).includes(wanted) ? wanted : scenarioNames[0];
chooser.addEventListener('change', boot);
document.querySelector('#reboot')!.addEventListener('click', boot);
document.querySelector('#compare')!.addEventListener('click', async () => {
  (await compareDialog()).open();
});

/** Files dropped onto the terminal land in /root of the machine. */
document.body.addEventListener('dragover', (event) => event.preventDefault());
document.body.addEventListener('drop', async (event) => {
  event.preventDefault();
  for (const file of event.dataTransfer?.files ?? []) {
    const data = new Uint8Array(await file.arrayBuffer());
    send({ kind: 'file', path: `/root/${file.name}`, data });
  }
});

boot();
