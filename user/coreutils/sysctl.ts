/** sysctl(8): kernel settings below /proc/sys. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { isDirectory, listNames } from '../libc/directory.ts';
import { O_WRONLY, readTextFile, stat, writeFile } from '../libc/files.ts';
import { getopt, usageError } from '../libc/getopt.ts';
import type { Process, Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';

export const sysctl: Tool = function* (p, args) {
  const o = yield* getopt(p, args, {
    usage: '[OPTION]... [VARIABLE[=VALUE]]...',
    about: 'Show or change kernel settings.',
    options: [
      { short: 'a', long: 'all', help: 'display all variables' },
      { short: 'n', long: 'values', help: 'print only values of the given variable(s)' },
      { short: 'q', long: 'quiet', help: 'do not echo variable set' },
      { short: 'w', long: 'write', help: 'enable writing a value to variable (always so)' },
    ],
  });
  if (o.has('all')) {
    for (const name of yield* allNames(p, '/proc/sys', ''))
      yield* show(p, name, o.has('values'), true);
    return 0;
  }
  if (o.operands.length === 0) return yield* usageError(p, 'no variables specified');
  let status = 0;
  for (const operand of o.operands) {
    const at = operand.indexOf('=');
    const name = (at < 0 ? operand : operand.slice(0, at)).trim().replaceAll('/', '.');
    if (at < 0) {
      status = (yield* show(p, name, o.has('values'), false)) || status;
      continue;
    }
    const value = operand.slice(at + 1).trim();
    const failed = yield* writeFile(p, pathOf(name), `${value}\n`, O_WRONLY);
    if (failed < 0) {
      yield* complain(p, name, failed, 'setting');
      status = 1;
    } else if (!o.has('quiet')) yield* p.println(o.has('values') ? value : `${name} = ${value}`);
  }
  return status;
};

function pathOf(name: string): string {
  return `/proc/sys/${name.replaceAll('.', '/')}`;
}

function* complain(p: Process, name: string, error: number, verb: string): UserFlow<void> {
  if (error === -2) yield* p.error(`cannot stat ${pathOf(name)}: ${strerror(error)}`);
  else if (error === -13) yield* p.error(`permission denied on key '${name}'`);
  else yield* p.error(`${verb} key "${name}": ${strerror(error)}`);
}

function* show(p: Process, name: string, bare: boolean, lenient: boolean): UserFlow<number> {
  const text = yield* readTextFile(p, pathOf(name));
  if (typeof text === 'number') {
    if (!lenient) yield* complain(p, name, text, 'reading');
    return 1;
  }
  for (const line of text.replace(/\n$/, '').split('\n')) {
    yield* p.println(bare ? line : `${name} = ${line}`);
  }
  return 0;
}

function* allNames(p: Process, path: string, prefix: string): UserFlow<string[]> {
  const names = yield* listNames(p, path);
  const out: string[] = [];
  for (const name of typeof names === 'number' ? [] : names) {
    const status = yield* stat(p, `${path}/${name}`);
    if (typeof status === 'number') continue;
    if (isDirectory(status.mode))
      out.push(...(yield* allNames(p, `${path}/${name}`, `${prefix}${name}.`)));
    else out.push(prefix + name);
  }
  return out;
}
