/** `skep run SCENARIO`: the scenario's text, what the terminal showed, and its checks. */
import { bootMachine } from '../../kernel/machine.ts';
import { withCompare } from '../../scenarios/compare/shell.ts';
import { parseDocument } from '../../scenarios/document.ts';
import { loadScenario } from '../../scenarios/index.ts';
import { scenarioNames } from '../../scenarios/names.ts';
import type { Scenario } from '../../scenarios/scenario.ts';
import {
  type CheckReport,
  type Presenter,
  Session,
  SessionError,
} from '../../scenarios/session.ts';
import { compareHost, hostAssets, scenarioFile, scenarioFiles } from './assets.ts';
import { EXIT, UsageError } from './usage.ts';

/** Wide enough that no command of a text wraps. */
const TERMINAL = { columns: 160, rows: 50 } as const;

export interface RunOptions {
  readonly list?: boolean;
  readonly json?: boolean;
}

export async function run(name: string | undefined, options: RunOptions): Promise<number> {
  if (options.list) {
    for (const each of scenarioNames) {
      console.log(`${each.padEnd(16)}${(await loadScenario[each]()).summary}`);
    }
    return EXIT.ok;
  }
  const scenario = await scenarioByName(name);
  const reports: CheckReport[] = [];
  const write = options.json ? () => {} : (text: string) => void process.stdout.write(text);
  let holds: boolean;
  try {
    holds = await runScenario(scenario, write, reports);
  } catch (error) {
    if (!(error instanceof SessionError)) throw error;
    console.error(`skep: ${scenario.name}: ${error.message}`);
    return EXIT.failed;
  }
  if (options.json)
    console.log(JSON.stringify({ scenario: scenario.name, holds, checks: reports }));
  return holds ? EXIT.ok : EXIT.failed;
}

async function scenarioByName(name: string | undefined): Promise<Scenario> {
  const known = scenarioNames.find((each) => each === name);
  if (known) return loadScenario[known]();
  const list = scenarioNames.join(', ');
  throw new UsageError(name ? `no scenario '${name}'; there are: ${list}` : `which one? ${list}`);
}

/**
 * Runs it all on a fresh machine.
 * @param write gets the text: headings, prose, the terminal's output, checks
 * @param reports collects the checks
 */
export async function runScenario(
  scenario: Scenario,
  write: (text: string) => void,
  reports: CheckReport[] = [],
): Promise<boolean> {
  const files = scenarioFiles(scenario);
  const text = new TextDecoder().decode(scenarioFile(scenario, scenario.document));
  const document = parseDocument(text, `${scenario.name}/${scenario.document}`);
  const assets = await hostAssets();
  const config = withCompare(scenario.configure(files), compareHost(assets));
  const machine = await bootMachine(config, assets);
  machine.input({ kind: 'tty-size', ...TERMINAL });
  const terminal = new PlainTerminal(write);
  machine.console.onOutput((bytes) => terminal.write(bytes));
  const presenter: Presenter = {
    step: (index, step) => terminal.prose(`\n## ${index + 1}. ${step.title}\n`),
    prose: (markdown) => terminal.prose(`\n${markdown}\n\n`),
    stimulus: (name) => terminal.prose(`\n[${name}]\n`),
    check: (_index, report) => {
      reports.push(report);
      const mark = report.holds ? '✓' : '✗';
      terminal.prose(`${mark} ${report.sentence}\n    ${report.evidence}\n`);
    },
  };
  const session = new Session(scenario, document, machine, files, {
    advance: (untilNs) => machine.runAsync({ untilNs }),
    presenter,
  });
  terminal.prose(`# ${document.title}\n\n${document.introduction}\n\n`);
  await session.start();
  const holds = await session.runAll();
  const held = reports.filter((report) => report.holds).length;
  terminal.prose(`\n${held} of ${reports.length} checks hold.\n`);
  return holds;
}

/**
 * The terminal's output as plain text between paragraphs, without control sequences. A line that
 * is not at its end – the prompt – waits for what comes after the paragraph.
 */
class PlainTerminal {
  readonly #write: (text: string) => void;
  readonly #decoder = new TextDecoder();
  #unfinished = '';

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  write(bytes: Uint8Array): void {
    const text = this.#decoder
      .decode(bytes)
      .replace(/\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\x1b[=>]|\r|\x07/g, '');
    const lines = (this.#unfinished + text).split('\n');
    this.#unfinished = lines.pop()!;
    for (const line of lines) this.#write(`${line}\n`);
  }

  prose(text: string): void {
    this.#write(text);
  }
}
