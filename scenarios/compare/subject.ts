/**
 * A program to be compared: loaded through bpf(2) and the verifier into a RAM of its own, so that
 * each target works on fresh maps.
 *
 *   const subject = loadSubject(assets, object, 'xdp1.bpf.o')
 *   subject.program           in the forms for host and device
 *   subject.put('table', key, value)
 */
import { readObject } from '../../bpf/elf/object.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { loadObject } from '../../bpf/loader/load.ts';
import { runDirect } from '../../bpf/loader/user.ts';
import type { BpfMap } from '../../bpf/maps/map.ts';
import type { BpfRuntime } from '../../bpf/runtime.ts';
import type { ProgObject } from '../../bpf/syscall/objects.ts';
import { BareMachine } from '../../hooks/bare-machine.ts';
import { offloadProgram } from '../../hw/offload.ts';
import type { OffloadProgram } from '../../hw/target.ts';
import { elementsOf } from '../map-contents.ts';
import { errnoName } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';

export interface Subject {
  readonly name: string;
  readonly program: OffloadProgram;
  readonly runtime: BpfRuntime;
  readonly maps: ReadonlyMap<string, BpfMap>;
  /** Throws SubjectError if the map is missing or refuses the element. */
  put(map: string, key: Uint8Array, value: Uint8Array): void;
  /** Every element of every map, to compare what programs left behind. */
  contents(): ReadonlyMap<string, readonly (readonly [key: Uint8Array, value: Uint8Array])[]>;
}

/** What was given cannot be compared; the message says why. */
export class SubjectError extends Error {
  override name = 'SubjectError';
}

/** Interfaces that redirects may lead to. */
const DEVICES = [1, 2];

/** @param programName where the object has several programs; else its XDP program */
export function loadSubject(
  assets: { readonly core: WebAssembly.Module },
  object: Uint8Array,
  file: string,
  programName?: string,
): Subject {
  const offloads: OffloadProgram[] = [];
  const machine = new BareMachine(assets, {
    level: 'latest',
    engine: createInterpreter(),
    devices: DEVICES,
    verified(spec, env, verdict) {
      if (verdict.kind !== 'accepted' || spec.type !== 'xdp') return;
      offloads.push(offloadProgram(spec, env, verdict.program));
    },
  });
  const spec = readObject(object, file);
  const outcome = runDirect(loadObject(machine.loaderUser(), spec, { logLevel: 1 }));
  if (outcome.kind === 'failed') {
    throw new SubjectError(`${file} does not load:\n${outcome.messages.join('\n')}`);
  }
  const named = offloads.filter(
    ({ host }) => programName === undefined || host.spec.name === programName,
  );
  const [program, another] = named;
  if (program === undefined) {
    const what = programName === undefined ? 'no XDP program' : `no XDP program ${programName}`;
    throw new SubjectError(`${file} has ${what}`);
  }
  if (another !== undefined) {
    const names = named.map(({ host }) => host.spec.name).join(', ');
    throw new SubjectError(`${file} has several XDP programs (${names}): name one`);
  }
  const { runtime } = machine.bpf.host;
  const maps = new Map<string, BpfMap>();
  for (const { fd } of outcome.programs) {
    const { prog } = machine.caller.handleOfFd(fd)!.object as ProgObject;
    for (const map of prog.verified.usedMaps) maps.set(map.spec.name, map);
  }
  return {
    name: program.host.spec.name,
    program,
    runtime,
    maps,
    put(name, key, value) {
      const map = maps.get(name);
      if (map === undefined) throw new SubjectError(`${file} has no map ${name}`);
      const result = withBytes(runtime, key, value, (keyAt, valueAt) =>
        map.updateFromUser(keyAt, valueAt, 0),
      );
      if (result < 0) throw new SubjectError(`filling ${name}: ${errnoName(-result)}`);
    },
    contents: () => new Map([...maps].map(([name, map]) => [name, elementsOf(runtime.ram, map)])),
  };
}

/** `use` with key and value in RAM, the value in room for one of each CPU. */
function withBytes<T>(
  { ram, kernel }: BpfRuntime,
  key: Uint8Array,
  value: Uint8Array,
  use: (key: RamOffset, value: RamOffset) => T,
): T {
  const keyAt = ram.kzalloc(Math.max(8, key.length));
  const eachBytes = (value.length + 7) & ~7;
  const valueAt = ram.kzalloc(Math.max(8, eachBytes * kernel.cpuCount));
  ram.u8.set(key, keyAt);
  ram.u8.set(value, valueAt);
  const result = use(keyAt, valueAt);
  ram.kfree(keyAt);
  ram.kfree(valueAt);
  return result;
}
