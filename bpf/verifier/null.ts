/**
 * Pointers that may be NULL, and what a comparison with 0 makes of them and of their copies.
 */
import { isPlain, mayBeNull, flag, withId, withReg, type Reg } from './reg.ts';
import { isZeroScalar } from './scalar.ts';
import { hasSpinLock, hasTimer } from './map-fields.ts';
import { forEachReg, topFrame, type State } from './state.ts';
import { releaseState } from './refs.ts';

/** What a nullable pointer is when it is not NULL. */
export function notNull(reg: Reg): Reg {
  if (reg.kind !== 'map_value') return withReg(reg, { flags: reg.flags & ~flag.NULLABLE });
  const { spec } = reg.map!;
  if (spec.innerMap) {
    // The lookup's id tells inner maps apart where timers must stay with their map.
    const mapUid = hasTimer(spec.innerMap) ? reg.id : reg.mapUid;
    return withReg(reg, { kind: 'map_ptr', flags: 0, map: spec.innerMap, mapUid });
  }
  switch (spec.type) {
    case 'xskmap':
      return withReg(reg, { kind: 'xdp_sock', flags: 0 });
    case 'sockmap':
    case 'sockhash':
      return withReg(reg, { kind: 'sock', flags: 0 });
    default:
      return withReg(reg, { flags: 0 });
  }
}

/** The register was compared with 0: settles it and every copy of it. */
export function settleNull(state: State, regno: number, isNull: boolean): void {
  const { id, refId } = topFrame(state).regs[regno]!.reg;
  // Nothing was acquired, so nothing has to be released.
  if (refId !== 0 && refId === id && isNull) releaseState(topFrame(state), id);
  forEachReg(state, (slot) => {
    const { reg } = slot;
    if (!mayBeNull(reg) || reg.id !== id || id === 0) return;
    // No arithmetic was allowed on it, so it has no offset.
    if (reg.off !== 0 || !isZeroScalar(reg.scalar)) return;
    if (isNull) {
      slot.reg = withReg(reg, { kind: 'scalar', flags: 0, id: 0, refId: 0 });
      return;
    }
    const settled = notNull(reg);
    // A lock is identified by the lookup that found it: its pointers keep their id.
    const keepsId = isPlain(settled, 'map_value') && hasSpinLock(settled.map!);
    slot.reg = keepsId ? settled : withId(settled, 0);
  });
}
