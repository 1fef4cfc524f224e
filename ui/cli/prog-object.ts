/** What the `skep prog` commands share: an object file, its programs, a load of one of them. */
import { readFileSync } from 'node:fs';
import { ObjectError } from '../../bpf/elf/error.ts';
import type { ObjectSpec } from '../../bpf/elf/object-spec.ts';
import { readObject } from '../../bpf/elf/object.ts';
import type { LoadFailure } from '../../bpf/loader/failure.ts';
import { type LoadedObject, loadObject } from '../../bpf/loader/load.ts';
import type { KernelKnowledge } from '../../bpf/loader/resolve.ts';
import { type BpfUser, runDirect } from '../../bpf/loader/user.ts';
import type { BareMachine } from '../../hooks/bare-machine.ts';
import { UsageError } from './usage.ts';

export interface ProgOptions {
  readonly program?: string;
  readonly logLevel?: string;
  readonly json?: boolean;
  readonly jited?: boolean;
  readonly pcap?: string;
  readonly level?: string;
}

export function levelOf({ level = 'latest' }: ProgOptions): '6.1' | 'latest' {
  if (level === '6.1' || level === 'latest') return level;
  throw new UsageError(`--level is 6.1 or latest, not '${level}'`);
}

/** Loads one program of an object, and the maps that it needs. */
export function load(
  machine: BareMachine,
  spec: ObjectSpec,
  name: string,
  logLevel: number,
  kernel: KernelKnowledge = {},
  user: BpfUser<never> = machine.loaderUser(),
): LoadedObject | LoadFailure {
  const wanted = (program: { readonly name: string }) => program.name === name;
  return runDirect(loadObject(user, spec, { wanted, logLevel, kernel }));
}

/** Programs asked for; all of them where none is named. */
export function chosen(spec: ObjectSpec, file: string, { program }: ProgOptions): string[] {
  const names = spec.programs.map(({ name }) => name);
  if (names.length === 0) throw new UsageError(`${file} holds no programs`);
  if (program !== undefined && !names.includes(program)) {
    throw new UsageError(`${file} has no program '${program}'; there are: ${names.join(', ')}`);
  }
  const wanted = spec.programs.filter(({ name }) => program === undefined || name === program);
  const unknown = wanted.find(({ type }) => type === 'unspec');
  if (unknown) {
    throw new UsageError(
      `${file}: program '${unknown.name}' is in section '${unknown.section}', ` +
        'a name that stands for no program type',
    );
  }
  return wanted.map(({ name }) => name);
}

export function readSpec(file: string): ObjectSpec {
  try {
    return readObject(readHost(file), file);
  } catch (error) {
    if (error instanceof ObjectError) throw new UsageError(error.message);
    throw error;
  }
}

export function readHost(file: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(file));
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${(error as Error).message}`);
  }
}
