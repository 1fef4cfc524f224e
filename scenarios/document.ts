/**
 * A scenario's document: Markdown that can be executed.
 *
 *   parseDocument(text, name)   -> title, introduction, steps
 *
 * `#` is the title, each `##` a step. Inside a step, fenced blocks act, everything else is prose:
 *   ```console     lines `# command` are typed into the shell; `^C after 200 ms` waits, then
 *                  presses the key; other lines are an error
 *   ```stimulus    a name that the scenario's code defines (play a capture, for one)
 *   ```checks      lines `id: sentence`; the scenario's code defines what each id means
 */
import MarkdownIt from 'markdown-it';

export type Action =
  | { readonly kind: 'prose'; readonly markdown: string }
  | { readonly kind: 'type'; readonly command: string }
  /** A key pressed after some virtual time. */
  | { readonly kind: 'key'; readonly key: string; readonly bytes: string; readonly afterNs: number }
  | { readonly kind: 'stimulus'; readonly name: string };

export interface CheckLine {
  readonly id: string;
  readonly sentence: string;
}

export interface Step {
  readonly title: string;
  readonly actions: readonly Action[];
  readonly checks: readonly CheckLine[];
}

export interface ScenarioDocument {
  readonly title: string;
  readonly introduction: string;
  readonly steps: readonly Step[];
}

/** The document says something that cannot be executed; names document and line. */
export class DocumentError extends Error {
  override name = 'DocumentError';
}

const KEYS: Readonly<Record<string, string>> = { '^C': '\x03', '^D': '\x04', '^Z': '\x1a' };
const UNITS: Readonly<Record<string, number>> = { us: 1e3, ms: 1e6, s: 1e9 };

export function parseDocument(text: string, name: string): ScenarioDocument {
  const lines = text.split('\n');
  let title = '';
  let introduction = '';
  const steps: { title: string; actions: Action[]; checks: CheckLine[] }[] = [];
  const fail = (line: number, message: string): never => {
    throw new DocumentError(`${name}:${line + 1}: ${message}`);
  };

  const tokens = new MarkdownIt({ html: false }).parse(text, {});
  tokens.forEach((token, index) => {
    if (token.level !== 0 || token.map === null || token.nesting === -1) return;
    const [first, end] = token.map;
    const step = steps.at(-1);
    const source = lines.slice(first, end).join('\n').trimEnd();
    if (token.type === 'heading_open') {
      const heading = tokens[index + 1]?.content ?? '';
      if (token.tag === 'h1' && steps.length === 0) title = heading;
      else if (token.tag === 'h2') steps.push({ title: heading, actions: [], checks: [] });
      else fail(first, 'only one "#" title and "##" steps have a meaning here');
    } else if (token.type === 'fence' && step) {
      const block = token.content.split('\n').slice(0, -1);
      switch (token.info.trim()) {
        case 'console':
          block.forEach((line, i) => step.actions.push(consoleAction(line, first + 1 + i, fail)));
          return;
        case 'stimulus':
          block.forEach((line) => step.actions.push({ kind: 'stimulus', name: line.trim() }));
          return;
        case 'checks':
          block.forEach((line, i) => step.checks.push(checkLine(line, first + 1 + i, fail)));
          return;
        default:
          step.actions.push({ kind: 'prose', markdown: source });
      }
    } else if (step) {
      step.actions.push({ kind: 'prose', markdown: source });
    } else {
      introduction += (introduction ? '\n\n' : '') + source;
    }
  });
  if (!title) fail(0, 'the document has no "# title"');
  if (steps.length === 0) fail(0, 'the document has no "## step"');
  return { title, introduction, steps };
}

type Fail = (line: number, message: string) => never;

function consoleAction(line: string, number: number, fail: Fail): Action {
  const command = /^# (.+)$/.exec(line);
  if (command) return { kind: 'type', command: command[1]! };
  const key = /^(\^[A-Z])(?: after (\d+) (us|ms|s))?$/.exec(line);
  const bytes = key && KEYS[key[1]!];
  if (!bytes) return fail(number, `"${line}" is neither "# command" nor "^C after 200 ms"`);
  const afterNs = key[2] ? Number(key[2]) * UNITS[key[3]!]! : 0;
  return { kind: 'key', key: key[1]!, bytes, afterNs };
}

function checkLine(line: string, number: number, fail: Fail): CheckLine {
  const match = /^([a-z0-9-]+): (.+)$/.exec(line);
  return match
    ? { id: match[1]!, sentence: match[2]! }
    : fail(number, `"${line}" is not "check-id: sentence"`);
}
