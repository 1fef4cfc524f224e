/** Programs in assembly and random ones, as subjects of a simulation. */
import { assemble } from '../../bpf/asm/assemble.ts';
import { encodeInsns } from '../../bpf/isa/codec.ts';
import type { Subjects } from './simulate.ts';
import { offloadProgram } from '../../hw/offload.ts';
import type { OffloadProgram } from '../../hw/target.ts';
import { elementsOf } from '../../scenarios/map-contents.ts';
import { BatchMachine } from '../../ui/cli/batch/answer.ts';
import { parseRequest } from '../../ui/cli/batch/request.ts';
import type { RequestJson } from '../oracle/request.ts';
import { coreModule } from '../support/assets.ts';

const assets = { core: await coreModule() };

/** Undefined where the verifier refuses it. */
export function ofRequest(request: RequestJson): Subjects | undefined {
  const load = () => {
    let program: OffloadProgram | undefined;
    const machine = new BatchMachine(assets, {
      devices: [1, 2],
      verified(spec, env, verdict) {
        if (verdict.kind !== 'accepted' || spec.type !== 'xdp') return;
        program ??= offloadProgram(spec, env, verdict.program);
      },
    });
    machine.answer(parseRequest({ ...request, run: [], dump_maps: false }));
    if (program === undefined) return undefined;
    const { runtime } = machine;
    const maps = new Map(program.device.usedMaps.map((map, i) => [`map ${i}`, map]));
    return {
      program,
      runtime,
      maps,
      contents: () => new Map([...maps].map(([name, map]) => [name, elementsOf(runtime.ram, map)])),
    };
  };
  if (load() === undefined) return undefined;
  return { load: () => load()! };
}

/** @param text with `r1 = map` (two slots, the value 0) where the map at that place is meant */
export function ofAssembly(
  text: string,
  maps: NonNullable<RequestJson['maps']> = [],
  fixups: NonNullable<RequestJson['fixups']> = [],
): Subjects {
  const isMap = (slot: number): boolean => fixups.some(({ insn }) => insn === slot);
  // BPF_PSEUDO_MAP_FD
  const code = assemble(text).map((insn, slot) => (isMap(slot) ? { ...insn, src: 1 } : insn));
  const insns = Buffer.from(encodeInsns(code)).toString('hex');
  const found = ofRequest({
    id: 'assembly',
    prog_type: 'xdp',
    insns,
    license: 'GPL',
    maps,
    fixups,
  });
  if (!found) throw new Error(`the verifier refuses\n${text}`);
  return found;
}
