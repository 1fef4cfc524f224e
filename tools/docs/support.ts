/**
 * The support page: what is there and what is not, made from the tables that the code itself runs
 * on – instructions, map types, helpers, kernel functions, program types, section names, system calls.
 */
import { helpers } from '../../bpf/helpers/table.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { ISA } from '../../bpf/isa/table.ts';
import { createWasmJit } from '../../bpf/jit/jit.ts';
import { kfuncs } from '../../bpf/kfuncs/table.ts';
import { mapTypes } from '../../bpf/maps/table.ts';
import { MAP_TYPES, PROG_TYPES } from '../../bpf/uapi.ts';
import { progTypeOps } from '../../hooks/prog-types.ts';
import { testRunOf } from '../../hooks/test-runs.ts';
import { syscallRows } from '../../kernel/syscall/rows.ts';

export function supportPage(): string {
  return [
    '# What is supported',
    'Made from the tables in the source by `npm run docs`.',
    section('Instructions', instructions()),
    section('Map types of Linux 6.1', maps()),
    section('Map types of skep', ownMaps()),
    section('Program types of Linux 6.1', programs()),
    section('Helpers of Linux 6.1', helperTable()),
    section('Kernel functions (kfuncs) of Linux 6.1', kfuncTable()),
    section('System calls', syscalls()),
    '',
  ].join('\n\n');
}

const section = (title: string, body: string) => `## ${title}\n\n${body}`;
const mark = (yes: boolean) => (yes ? 'yes' : '–');

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function instructions(): string {
  const engines = [createInterpreter(), createWasmJit()];
  const rows = ISA.map((row) => [
    `\`${row.name}\``,
    `0x${row.code.toString(16).padStart(2, '0')}`,
    row.version,
    row.group,
    ...engines.map((engine) => mark(engine.handles(row))),
  ]);
  return table(['instruction', 'opcode', 'since', 'group', 'interpreter', 'WASM JIT'], rows);
}

function maps(): string {
  const rows = MAP_TYPES.filter((type) => type !== 'unspec').map((type) => [
    `\`${type}\``,
    mark(mapTypes.has(type)),
  ]);
  return table(['map type', 'can be created'], rows);
}

function ownMaps(): string {
  return 'Machines of level `latest` also have `tcam`, number 1000: ternary match with priorities, described in bpf/maps/tcam.ts.';
}

function programs(): string {
  const rows = PROG_TYPES.filter((type) => type !== 'unspec').map((type) => [
    `\`${type}\``,
    mark(progTypeOps(type) !== undefined),
    mark(testRunOf(type, () => undefined) !== undefined),
  ]);
  return table(['program type', 'verified', 'test runs'], rows);
}

function helperTable(): string {
  const byId = new Map<number, { name: string; needs: Set<string>; whole: boolean }>();
  for (const { id, name, needs } of helpers) {
    const row = byId.get(id) ?? { name, needs: new Set(), whole: false };
    byId.set(id, row);
    if (needs === undefined) row.whole = true;
    else row.needs.add(needs);
  }
  const sorted = [...byId].sort(([a], [b]) => a - b);
  const rows = sorted.map(([id, { name, needs, whole }]) => [
    String(id),
    `\`bpf_${name}\``,
    mark(whole),
    [...needs].join(', '),
  ]);
  const count = rows.filter((row) => row[2] === 'yes').length;
  const told = `The verifier knows all ${rows.length}; ${count} are implemented. The others need a part of the kernel that is not there, which the table names: they answer as Linux does where there is nothing, or with -EOPNOTSUPP. A part named beside a "yes" is missing for some program types only.`;
  return `${told}\n\n${table(['id', 'helper', 'implemented', 'needs'], rows)}`;
}

function kfuncTable(): string {
  const rows = kfuncs.map(({ declaration, hooks, bind, needs }) => [
    `\`${declaration}\``,
    hooks.join(', '),
    mark(bind !== undefined && needs === undefined),
    needs ?? '',
  ]);
  const told = `What a Debian kernel without modules offers, by the sets that programs take them from: \`tc\` (sched_cls), \`tracing\` (LSM programs too), \`syscall\`, \`struct_ops\`. Those for congestion controls are verified, and the load then fails with -ENOTSUPP; others of which a part of the kernel is missing answer as Linux does where there is nothing.`;
  return `${told}\n\n${table(['function', 'programs', 'implemented', 'needs'], rows)}`;
}

function syscalls(): string {
  const rows = [...syscallRows].sort((a, b) => a.nr - b.nr);
  return `${rows.length}, with x86-64's numbers; any other gives -ENOSYS.\n\n${rows
    .map(({ name }) => `\`${name}\``)
    .join(' ')}`;
}
