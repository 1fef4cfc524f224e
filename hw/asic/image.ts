/** A program as the configuration of a pipe. */
import type { DeviceImage, OffloadProgram, ResourceUse } from '../target.ts';
import type { Allocation } from './allocate.ts';
import type { Graph } from './graph.ts';
import {
  DEPENDENT_CYCLES,
  PARSER_ENTRIES,
  PHV_BITS,
  STAGE,
  STAGE_CYCLES,
  STAGES,
} from './params.ts';

export class AsicImage implements DeviceImage {
  readonly program: OffloadProgram;
  readonly graph: Graph;
  readonly allocation: Allocation;
  /** From the first bit in the parser to the last stage's end. */
  readonly latencyCycles: number;

  constructor(program: OffloadProgram, graph: Graph, allocation: Allocation) {
    this.program = program;
    this.graph = graph;
    this.allocation = allocation;
    this.latencyCycles = allocation.parserDepth + stageCycles(allocation);
  }

  get stagesUsed(): number {
    return 1 + Math.max(-1, ...this.allocation.actions.map(({ stage }) => stage));
  }

  /** The listing is the configuration, as the assembler's input is for the real one. */
  get bytes(): Uint8Array {
    return new TextEncoder().encode(this.text());
  }

  get resources(): readonly ResourceUse[] {
    const { stages, parserEntries, phvBits } = this.allocation;
    const total = (what: keyof typeof STAGE) => stages.used.reduce((sum, used) => sum + used[what], 0);
    return [
      { name: 'stages', used: this.stagesUsed, available: STAGES },
      { name: 'parser transitions', used: parserEntries, available: PARSER_ENTRIES },
      { name: 'header vector bits', used: phvBits, available: PHV_BITS },
      { name: 'logical tables', used: total('tables'), available: STAGE.tables * STAGES },
      { name: 'SRAM blocks', used: total('sram'), available: STAGE.sram * STAGES },
      { name: 'TCAM blocks', used: total('tcam'), available: STAGE.tcam * STAGES },
      { name: 'stateful ALUs', used: total('statefulAlus'), available: STAGE.statefulAlus * STAGES },
      { name: 'statistics ALUs', used: total('statisticsAlus'), available: STAGE.statisticsAlus * STAGES },
    ];
  }

  text(): string {
    const { actions, parserEntries, parserDepth } = this.allocation;
    const lines = [`parser: ${parserEntries} transitions, ${parserDepth} deep\n`];
    for (let stage = 0; stage < this.stagesUsed; stage++) {
      lines.push(`stage ${stage}:\n`);
      for (const { stage: at, slot, text } of actions) {
        if (at === stage) lines.push(`  ${String(slot).padStart(4)}: ${text}\n`);
      }
    }
    return lines.join('');
  }
} // prettier-ignore

/** A stage starts when the one before has what it waits for. */
function stageCycles({ actions, ternary, stateful }: Allocation): number {
  const cycles = (stage: number): number =>
    STAGE_CYCLES.base +
    (ternary[stage] ? STAGE_CYCLES.ternary : 0) +
    (stateful[stage] ? STAGE_CYCLES.stateful : 0);
  let start = 0;
  /** The first stage whose results have not been waited for. */
  let open = 0;
  for (let stage = 1; stage < STAGES; stage++) {
    const waits = actions
      .filter((action) => action.stage === stage)
      .flatMap(({ waits: all }) => all);
    const recent = waits.filter((wait) => wait.stage >= open);
    if (recent.some(({ to }) => to === 'match')) {
      start += cycles(stage - 1);
      open = stage;
    } else start += recent.length > 0 ? DEPENDENT_CYCLES.action : DEPENDENT_CYCLES.none;
  }
  return start + cycles(STAGES - 1);
}
