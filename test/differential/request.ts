/**
 * A program tree as a request line, for `skep batch`, for the real kernel, and to paste from a
 * failing test. Maps are those of engines.ts; the program array comes last.
 */
import { encodeInsns } from '../../bpf/isa/codec.ts';
import { MAP_ENTRIES, VALUE_BYTES, type CaseTree, type ProgramTree } from './ast.ts';
import { MAPS } from './engines.ts';
import { render, type Rendered } from './render.ts';

export interface RequestOptions {
  readonly id: string;
  /** Whether the trees use maps and tail calls: leave out what is not there. */
  readonly maps: boolean;
  readonly tails: boolean;
}

/** A plain object, ready for JSON.stringify. */
export function requestOf(tree: CaseTree, { id, maps, tails }: RequestOptions): object {
  const programs = maps ? MAPS.length : 0;
  const rendered = render(tree.program, { context: 'xdp_md' });
  const plainMaps = MAPS.map((type) => ({
    type,
    key_size: 4,
    value_size: VALUE_BYTES,
    max_entries: MAP_ENTRIES,
    map_flags: 0,
  }));
  const programArray = {
    type: 'prog_array',
    key_size: 4,
    value_size: 4,
    max_entries: tree.tails.length + 1,
    map_flags: 0,
    // A tail that calls on, or uses a map, would need fixups that the protocol has not.
    progs: tree.tails.map((tail, key) => ({
      key,
      insns: hex(render(leaf(tail), { context: 'xdp_md' })),
    })),
  };
  return {
    id,
    prog_type: 'xdp',
    license: 'GPL',
    insns: hex(rendered),
    maps: [...(maps ? plainMaps : []), ...(tails ? [programArray] : [])],
    fixups: rendered.fixups.map(({ insn, map }) => ({
      insn,
      map: map === 'programs' ? programs : map,
    })),
    run: [{ data_in: Buffer.from(tree.packet).toString('hex'), repeat: 1 }],
    dump_maps: maps,
  };
}

function hex({ insns }: Rendered): string {
  return Buffer.from(encodeInsns(insns)).toString('hex');
}

/** The program without its tail calls and map operations. */
function leaf(tree: ProgramTree): ProgramTree {
  const strip = (value: unknown): unknown => {
    if (Array.isArray(value)) {
      const kept = value.filter((each) => each?.kind !== 'tail-call' && each?.kind !== 'map');
      return kept.map(strip);
    }
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, strip(each)]));
  };
  return { ...tree, functions: strip(tree.functions) as ProgramTree['functions'] };
}
