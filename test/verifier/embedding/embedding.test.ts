/** The state embedding check, a quick round of it; main.ts does long ones. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { HostAssets } from '../../../kernel/config.ts';
import { withScalar, type Reg } from '../../../bpf/verifier/reg.ts';
import { constScalar } from '../../../bpf/verifier/scalar.ts';
import { coreModule } from '../../support/assets.ts';
import type { Claims } from './claims.ts';
import { claimsOf, type StateClaim } from './claims.ts';
import { EmbeddingCheck } from './embedding.ts';
import { programsOf, SOURCES } from './programs.ts';

const PROGRAMS = 30;
const SEED = Number(process.env.SKEP_FUZZ_SEED ?? 1);

/** Claims with something changed in each state. */
function tampered(change: (reg: Reg) => Reg): typeof claimsOf {
  return (spec, env, pruning) => {
    const claims = claimsOf(spec, env, pruning);
    return claims && changedClaims(claims, change);
  };
}

function changedClaims(claims: Claims, change: (reg: Reg) => Reg): Claims {
  const state = (claim: StateClaim): StateClaim => ({
    ...claim,
    frames: claim.frames.map((frame) => ({ ...frame, regs: frame.regs.map(change) })),
  });
  return Object.assign(Object.create(claims) as Claims, {
    functionOf: (slot: number) => claims.functionOf(slot),
    states: claims.states.map(state),
    before: (slot: number) => claims.before(slot).map(state),
  });
}

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

  it.each([
    ['numbers', (reg: Reg) => (reg.kind === 'scalar' ? withScalar(reg, constScalar(4711n)) : reg)],
    ['offsets', (reg: Reg) => (reg.kind === 'fp' ? { ...reg, off: reg.off - 8 } : reg)],
    ['packets', (reg: Reg) => (reg.kind === 'pkt' ? { ...reg, range: reg.range + 1000 } : reg)],
  ])('notices wrong %s', (_, change) => {
    const check = new EmbeddingCheck(assets, tampered(change));
    const found = programsOf('structured', 20, SEED).flatMap(
      (request) => check.run(request).violations,
    );
    expect(found.length).toBeGreaterThan(3);
  });
});
