import { describe, expect, it } from 'vitest';
import { DocumentError, parseDocument } from './document.ts';

const document = `# A title

Some *introduction*.

- with a list

## First

Do this:

\`\`\`console
# ls -l /etc | head
^C after 20 ms
\`\`\`

Then packets come.

\`\`\`stimulus
play
\`\`\`

\`\`\`checks
listed: Files were listed: all of them
\`\`\`

## Second

\`\`\`c
int x;
\`\`\`
`;

describe('parseDocument', () => {
  it('reads title, introduction, steps, actions and checks in order', () => {
    const parsed = parseDocument(document, 'x.md');
    expect(parsed.title).toBe('A title');
    expect(parsed.introduction).toBe('Some *introduction*.\n\n- with a list');
    expect(parsed.steps).toEqual([
      {
        title: 'First',
        actions: [
          { kind: 'prose', markdown: 'Do this:' },
          { kind: 'type', command: 'ls -l /etc | head' },
          { kind: 'key', key: '^C', bytes: '\x03', afterNs: 20e6 },
          { kind: 'prose', markdown: 'Then packets come.' },
          { kind: 'stimulus', name: 'play' },
        ],
        checks: [{ id: 'listed', sentence: 'Files were listed: all of them' }],
      },
      {
        title: 'Second',
        actions: [{ kind: 'prose', markdown: '```c\nint x;\n```' }],
        checks: [],
      },
    ]);
  });

  it.each([
    ['no title', '## Step\n', 'x.md:1: the document has no "# title"'],
    ['no step', '# Title\n', 'x.md:1: the document has no "## step"'],
    [
      'a console line that is no command',
      '# T\n\n## S\n\n```console\nls\n```\n',
      'x.md:6: "ls" is neither "# command" nor "^C after 200 ms"',
    ],
    ['a nameless check', '# T\n\n## S\n\n```checks\nyes\n```\n', 'x.md:6: "yes" is not'],
  ])('names document and line: %s', (_what, text, message) => {
    expect(() => parseDocument(text, 'x.md')).toThrow(DocumentError);
    expect(() => parseDocument(text, 'x.md')).toThrow(message);
  });
});
