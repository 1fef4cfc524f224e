/** The stages of a pipe and what of them is taken. */
import { STAGE, STAGES } from './params.ts';
import { tooMuch } from './refusal.ts';

export type Resource = keyof typeof STAGE;
export type Need = Partial<Record<Resource, number>>;

export class Stages {
  readonly used: Record<Resource, number>[] = Array.from({ length: STAGES }, () => ({
    tables: 0,
    sram: 0,
    tcam: 0,
    statefulAlus: 0,
    statisticsAlus: 0,
    exactKeyBytes: 0,
    ternaryKeyBytes: 0,
  }));

  fits(stage: number, need: Need): boolean {
    return stage < STAGES && entries(need).every(([what, n]) => this.used[stage]![what] + n <= STAGE[what]);
  } // prettier-ignore

  take(stage: number, need: Need): void {
    for (const [what, n] of entries(need)) this.used[stage]![what] += n;
  }

  /** The first stage from `from` on with room, which is then taken. Throws Refusal. */
  place(from: number, need: Need, slot: number, what: string): number {
    for (let stage = from; stage < STAGES; stage++) {
      if (!this.fits(stage, need)) continue;
      this.take(stage, need);
      return stage;
    }
    return tooMany(from, slot, what);
  }

  /**
   * A table that may be spread over stages: the last of them, where its answer is known.
   * Throws Refusal.
   */
  spread(from: number, need: Need, slot: number, what: string): { first: number; last: number } {
    let { sram = 0, tcam = 0 } = need;
    const rest = { ...need, sram: 0, tcam: 0 };
    let first: number | undefined;
    for (let stage = from; stage < STAGES; stage++) {
      const room = this.used[stage]!;
      const part = {
        sram: Math.min(sram, STAGE.sram - room.sram),
        tcam: Math.min(tcam, STAGE.tcam - room.tcam),
      };
      if (part.sram + part.tcam === 0 || !this.fits(stage, rest)) continue;
      this.take(stage, { ...rest, ...part });
      first ??= stage;
      sram -= part.sram;
      tcam -= part.tcam;
      if (sram + tcam === 0) return { first, last: stage };
    }
    if (first === undefined) return tooMany(from, slot, what);
    return tooMuch(
      'table-too-large',
      `${what} does not fit the memory that is left from stage ${from} on`,
      `a stage has ${STAGE.sram} blocks of SRAM and ${STAGE.tcam} of TCAM`,
      slot,
    );
  }
}

function tooMany(from: number, slot: number, what: string): never {
  return tooMuch(
    'too-many-stages',
    `${what} has to wait for stage ${from} or later, and there is no room up to the last`,
    `a pipe has ${STAGES} stages: what depends on something computed comes a stage after it`,
    slot,
  );
}

const entries = (need: Need): [Resource, number][] => Object.entries(need) as [Resource, number][];
