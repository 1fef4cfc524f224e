/**
 * The table of shell scripts (`scripts.txt`) that the machine's user space is held against:
 * what a script prints and its exit status, as recorded from GNU tools on Debian 12.
 *
 *   parseTable(text)     rows; `formatTable` gives the text back
 *
 * A row is a line `=== NAME`, the script, a line `--- STATUS`, and what it prints. `--- STATUS -`
 * says that the output does not end with a newline. A row still to be recorded has no such line.
 */
export interface Row {
  readonly name: string;
  readonly script: string;
  readonly status: number;
  readonly stdout: string;
}

export function parseTable(text: string): Row[] {
  return text
    .split(/^=== /m)
    .slice(1)
    .map((block) => {
      const lines = block.split('\n');
      const divider = lines.findIndex((line) => /^--- \d+( -)?$/.test(line));
      const [, status, bare] = /^--- (\d+)( -)?$/.exec(lines[divider] ?? '--- 0')!;
      const body = divider < 0 ? [] : lines.slice(divider + 1, -1);
      const stdout = body.map((line) => `${line}\n`).join('');
      return {
        name: lines[0]!,
        script: `${lines.slice(1, divider).join('\n')}\n`,
        status: Number(status),
        stdout: bare === undefined ? stdout : stdout.slice(0, -1),
      };
    });
}

export function formatTable(rows: readonly Row[]): string {
  return rows
    .map(({ name, script, status, stdout }) => {
      const bare = stdout !== '' && !stdout.endsWith('\n');
      return `=== ${name}\n${script}--- ${status}${bare ? ' -' : ''}\n${stdout}${bare ? '\n' : ''}`;
    })
    .join('');
}
