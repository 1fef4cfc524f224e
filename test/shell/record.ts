/**
 * Holds the table against this host's tools, and records what they say:
 *
 *   npx tsx test/shell/record.ts [--write] [--sh dash] [FILE]
 *
 * Prints every row where host and machine differ. With --write, FILE (scripts.txt) gets the host's
 * output. The recorded rows were taken on Debian 12: bash 5.2, coreutils 9.1, grep 3.8, sed 4.9.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostAssets } from '../../ui/cli/assets.ts';
import { runScripts } from './machine.ts';
import type { Row } from './table.ts';
import { formatTable, parseTable } from './table.ts';

const args = process.argv.slice(2);
const write = args.includes('--write');
const shellAt = args.indexOf('--sh');
const hostShell = shellAt < 0 ? 'bash' : args[shellAt + 1]!;
const file =
  args.find((arg, index) => !arg.startsWith('-') && (shellAt < 0 || index !== shellAt + 1)) ??
  join(import.meta.dirname, 'scripts.txt');

/** Debian's sh is dash, skep's is like bash: `sh` in a script means bash here too. */
const bin = mkdtempSync(join(tmpdir(), 'skep-bin-'));
writeFileSync(join(bin, 'sh'), '#!/bin/bash\nexec /bin/bash "$@"\n');
chmodSync(join(bin, 'sh'), 0o755);

function onHost(row: Row): Row {
  const directory = mkdtempSync(join(tmpdir(), 'skep-shell-'));
  const script = join(directory, '..', `${directory.split('/').at(-1)}.sh`);
  writeFileSync(script, row.script);
  try {
    const { stdout, status, signal } = spawnSync(hostShell, [script], {
      cwd: directory,
      input: '',
      timeout: 10_000,
      env: { HOME: directory, PATH: `${bin}:/usr/sbin:/usr/bin:/sbin:/bin`, LC_ALL: 'C.UTF-8' },
    });
    const ended = status ?? 128 + constants.signals[signal!];
    return { ...row, status: ended, stdout: stdout.toString('utf8') };
  } finally {
    rmSync(directory, { recursive: true, force: true });
    rmSync(script, { force: true });
  }
}

const rows = parseTable(readFileSync(file, 'utf8')).map(onHost);
rmSync(bin, { recursive: true });
if (write) writeFileSync(file, formatTable(rows));
const outcomes = await runScripts(
  await hostAssets(),
  rows.map((row) => row.script),
);
let differences = 0;
for (const [index, row] of rows.entries()) {
  const outcome = outcomes[index] ?? { status: -1, stdout: '(never ended)\n', stderr: '' };
  if (outcome.status === row.status && outcome.stdout === row.stdout) continue;
  differences++;
  console.log(`=== ${row.name}\n${row.script}--- host ${row.status}\n${row.stdout}`);
  console.log(`--- skep ${outcome.status}\n${outcome.stdout}`);
  if (outcome.stderr !== '') console.log(`--- skep's stderr\n${outcome.stderr}`);
}
console.log(`${rows.length} rows, ${differences} differ`);
process.exitCode = differences === 0 ? 0 : 1;
