/** The state embedding check, a quick round of it; main.ts does long ones. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { HostAssets } from '../../../kernel/config.ts';
import { flag, withId, withReg, withScalar, type Reg } from '../../../bpf/verifier/reg.ts';
import { constScalar, draftOf, type Draft } from '../../../bpf/verifier/scalar.ts';
import { allBytes, byteKind } from '../../../bpf/verifier/state.ts';
import { tnum } from '../../../bpf/verifier/tnum.ts';
import { coreModule } from '../../support/assets.ts';
import {
  claimsOf,
  type Claims,
  type FrameClaim,
  type SlotClaim,
  type StateClaim,
} from './claims.ts';
import { EmbeddingCheck } from './embedding.ts';
import { programsOf, SOURCES } from './programs.ts';

const PROGRAMS = 30;
const SEED = Number(process.env.SKEP_FUZZ_SEED ?? 1);

interface Change {
  /** Of registers of the innermost frame, where absent: unchanged. */
  readonly reg?: (reg: Reg) => Reg;
  readonly callersReg?: (reg: Reg) => Reg;
  readonly slot?: (slot: SlotClaim) => SlotClaim;
}

/** Claims with something changed in each state: as if the verifier were wrong in that. */
function tampered(change: Change): typeof claimsOf {
  const frame = (claim: FrameClaim, isInnermost: boolean): FrameClaim => {
    const reg = isInnermost ? change.reg : change.callersReg;
    return {
      ...claim,
      regs: reg ? claim.regs.map(reg) : claim.regs,
      stack: change.slot ? claim.stack.map(change.slot) : claim.stack,
    };
  };
  const state = (claim: StateClaim): StateClaim => ({
    ...claim,
    frames: claim.frames.map((each, i) => frame(each, i === claim.frames.length - 1)),
  });
  return (spec, env, pruning) => {
    const claims = claimsOf(spec, env, pruning);
    return (
      claims &&
      Object.assign(Object.create(claims) as Claims, {
        functionOf: (slot: number) => claims.functionOf(slot),
        states: claims.states.map(state),
        before: (slot: number) => claims.before(slot).map(state),
      })
    );
  };
}

/** Half of what a scalar may be is left out, on one side of one kind of bound; or one unknown bit. */
const NARROWED: Readonly<Record<string, (draft: Draft) => void>> = {
  smin: (d) => (d.smin = d.smax - (d.smax - d.smin) / 2n),
  smax: (d) => (d.smax = d.smin + (d.smax - d.smin) / 2n),
  umin: (d) => (d.umin = d.umax - (d.umax - d.umin) / 2n),
  umax: (d) => (d.umax = d.umin + (d.umax - d.umin) / 2n),
  smin32: (d) => (d.smin32 = d.smax32 - Math.floor((d.smax32 - d.smin32) / 2)),
  smax32: (d) => (d.smax32 = d.smin32 + Math.floor((d.smax32 - d.smin32) / 2)),
  umin32: (d) => (d.uminLow = (d.umax32 - Math.floor((d.umax32 - d.umin32) / 2)) | 0),
  umax32: (d) => (d.umaxLow = (d.umin32 + Math.floor((d.umax32 - d.umin32) / 2)) | 0),
  'bits taken for 0': (d) => (d.bits = tnum(d.bits.value, d.bits.mask & (d.bits.mask - 1n))),
  'bits taken for 1': (d) => {
    const { value, mask } = d.bits;
    d.bits = tnum(value | (mask & -mask), mask & (mask - 1n));
  },
};

function narrowed(how: (draft: Draft) => void): (reg: Reg) => Reg {
  return (reg) => {
    if (reg.kind !== 'scalar') return reg;
    const draft = draftOf(reg.scalar);
    how(draft);
    return withScalar(reg, draft);
  };
}

const misplaced = (kind: Reg['kind'], change: Partial<Reg>) => (reg: Reg) =>
  reg.kind === kind ? withReg(reg, change) : reg;
const wrongNumber = (reg: Reg): Reg =>
  reg.kind === 'scalar' ? withScalar(reg, constScalar(4711n)) : reg;
const ALL_ZERO = allBytes(byteKind.ZERO);

const WRONG: readonly (readonly [string, Change])[] = [
  ...Object.entries(NARROWED).map(([name, how]) => [name, { reg: narrowed(how) }] as const),
  [
    'frame pointers',
    { reg: (reg) => (reg.kind === 'fp' ? withReg(reg, { off: reg.off - 8 }) : reg) },
  ],
  [
    'packets',
    { reg: (reg) => (reg.kind === 'pkt' ? withReg(reg, { range: reg.range + 1000 }) : reg) },
  ],
  ['contexts', { reg: misplaced('ctx', { off: 8 }) }],
  ['map values', { reg: misplaced('map_value', { off: 1_000_000 }) }],
  ['null checks', { reg: (reg) => withReg(reg, { flags: reg.flags & ~flag.NULLABLE }) }],
  ['numbers that are the same', { reg: (reg) => (reg.kind === 'scalar' ? withId(reg, 1) : reg) }],
  ['registers of callers', { callersReg: wrongNumber }],
  ['spilled numbers', { slot: ({ reg, bytes }) => ({ reg: wrongNumber(reg), bytes }) }],
  ['zero bytes', { slot: ({ reg, bytes }) => ({ reg, bytes: bytes && ALL_ZERO }) }],
];

describe('states of runs lie in those that the verifier claimed', () => {
  let assets: HostAssets;
  beforeAll(async () => {
    assets = { core: await coreModule() };
  });

  it.each(SOURCES)('%s programs', (source) => {
    const check = new EmbeddingCheck(assets);
    let compared = 0;
    for (const request of programsOf(source, PROGRAMS, SEED)) {
      const outcome = check.run(request);
      compared += outcome.compared['all-paths'];
      // The request is for pasting into a file for `skep batch`.
      const shown = outcome.violations.length > 0 ? JSON.stringify(request) : '';
      expect(outcome.violations, shown).toEqual([]);
    }
    expect(compared).toBeGreaterThan(500);
  });

  /** Programs until one shows it. */
  const MOST_PROGRAMS = 300;

  it.each(WRONG)('notices wrong %s', (_, change) => {
    const check = new EmbeddingCheck(assets, tampered(change));
    let seed = SEED;
    let found = 0;
    while (found === 0 && (seed - SEED) * 10 < MOST_PROGRAMS) {
      for (const request of programsOf('structured', 10, seed++)) {
        found += check.run(request).violations.length;
      }
    }
    expect(found).toBeGreaterThan(0);
  });
});
