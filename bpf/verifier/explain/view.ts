/** Registers and stack as plain values, in the log's words, for people and for interfaces. */
import { regText } from '../print.ts';
import { byteAt, byteKind, bytesText } from '../state.ts';
import { placeName } from './describe.ts';
import { frameOfPlace, regnoOf, type Content, type Place, type TraceStep } from './trace.ts';

export interface FrameView {
  /** `R1` → `ctx(off=0,imm=0)`; registers that hold nothing are left out. */
  readonly registers: Readonly<Record<string, string>>;
  /** `fp-8` → `mmmm0000` (kinds of its bytes) or the register spilled there. */
  readonly stack: Readonly<Record<string, string>>;
}

export interface StateView {
  /** Outermost first. */
  readonly frames: readonly FrameView[];
  /** Ids of references held. */
  readonly refs: readonly number[];
  readonly lockHeld?: true;
}

/** Empty where the place holds nothing. */
export function contentText(place: Place, { reg, bytes }: Content): string {
  if (regnoOf(place) !== undefined) return reg.kind === '?' ? '' : regText(reg, false);
  if (bytes === 0) return '';
  return byteAt(bytes, 7) === byteKind.SPILL ? regText(reg, false) : bytesText(bytes);
}

export function stateView(contents: ReadonlyMap<Place, Content>, step: TraceStep): StateView {
  const frames: { registers: Record<string, string>; stack: Record<string, string> }[] = [];
  const places = [...contents.keys()].sort((a, b) => a - b);
  for (const place of places) {
    const text = contentText(place, contents.get(place)!);
    const index = frameOfPlace(place);
    while (frames.length <= index) frames.push({ registers: {}, stack: {} });
    if (text === '') continue;
    const frame = frames[index]!;
    (regnoOf(place) === undefined ? frame.stack : frame.registers)[placeName(place)] = text;
  }
  return {
    frames,
    refs: Array.from(step.refs, ({ id }) => id),
    ...(step.activeLock !== 0 && { lockHeld: true }),
  };
}

/** By place, with its frame where that is not the outermost; null: gone. */
export function changedText(changes: TraceStep['changes']): Record<string, string | null> {
  const changed: Record<string, string | null> = {};
  for (const { place, after } of changes) {
    const frame = frameOfPlace(place);
    const name = `${frame === 0 ? '' : `${frame}:`}${placeName(place)}`;
    changed[name] = after ? contentText(place, after) : null;
  }
  return changed;
}
