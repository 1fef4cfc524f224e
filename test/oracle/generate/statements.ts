/** The choice of statements: each with how often it comes. */
import {
  bpfLoop,
  callSubprogram,
  earlyExit,
  forEachElement,
  ifElse,
  loop,
  tailCall,
} from './control.ts';
import * as helpers from './helpers.ts';
import * as maps from './maps.ts';
import * as memory from './memory.ts';
import * as scalars from './scalars.ts';
import type { FunctionWriter } from './writer.ts';

type Statement = (w: FunctionWriter) => void;

const PLAIN: readonly (readonly [number, Statement])[] = [
  [16, scalars.arithmetic],
  [4, scalars.constant],
  [4, scalars.move],
  [7, memory.stackStore],
  [7, memory.stackLoad],
  [3, memory.stackPointer],
  [4, memory.spill],
  [4, memory.fill],
  [6, memory.contextAccess],
  [7, (w) => memory.packetCheck(w, () => body(w, w.random.below(3)))],
  [10, memory.pointerAccess],
  [2, memory.classicLoad],
  [2, memory.packetLength],
  [1, memory.copyContext],
  [8, (w) => maps.lookup(w, () => body(w, w.random.below(3)))],
  [4, maps.change],
  [2, maps.queue],
  [1, maps.bloom],
  [1, (w) => maps.mapInMap(w, () => body(w, w.random.below(2)))],
  [4, maps.globalData],
  [1, helpers.clock],
  [1, helpers.machineFacts],
  [1, helpers.checksumDifference],
  [1, helpers.parseNumber],
  [1, helpers.probeRead],
  [2, (w) => helpers.ringbuf(w, () => {})],
  [1, helpers.dynptr],
  [2, helpers.packetHelper],
  [7, (w) => ifElse(w, body)],
  [3, (w) => loop(w, body)],
  [1, earlyExit],
  [2, (w) => callSubprogram(w, body)],
  [1, (w) => bpfLoop(w, body)],
  [1, (w) => forEachElement(w, body)],
  [1, tailCall],
];

/** `count` statements, or as many as the function's budget has left. */
export function body(w: FunctionWriter, count: number): void {
  for (let i = 0; i < count && w.budget > 0; i++) {
    w.budget--;
    w.random.weighted(PLAIN)(w);
  }
}
