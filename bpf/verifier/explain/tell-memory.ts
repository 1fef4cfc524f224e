/** Accesses of objects and packets that are not, or not known to be, inside of them. */
import { conditionOf, classOf, cls } from '../opcode.ts';
import { isPointer, mayBeNull, type Reg } from '../reg.ts';
import { isConst } from '../tnum.ts';
import { isConditionalJump } from './changes.ts';
import { describe, mapName, objectText, plural, rangeText } from './describe.ts';
import { capital, type Scene, type Teller } from './scene.ts';
import type { Event, Root } from './story.ts';
import { regPlace } from './trace.ts';

/** The register that the access goes through. */
export function pointerRegno({ about, insn }: Scene): number {
  if (about.reg !== undefined) return about.reg;
  return classOf(insn.code) === cls.LDX ? insn.src : insn.dst;
}

export const verbOf = (scene: Scene): string => (scene.isWrite ? 'written' : 'read');
export const callNote = (scene: Scene): string => (scene.isCall ? ` by ${scene.callee}` : '');

export const missingNullCheck: Teller = (scene) => {
  const regno = scene.about.reg ?? scene.operands().pointer;
  const reg = scene.reg(regno);
  const { events, root } = scene.follow(regno, 'pointer');
  const what = scene.phrase(root, `R${regno}`);
  const use = scene.isCall
    ? `passed to ${scene.callee}`
    : isConditionalJump(scene.insn) || classOf(scene.insn.code) >= cls.ALU
      ? 'used in arithmetic'
      : scene.isWrite
        ? 'written through'
        : 'read through';
  return {
    headline: `${capital(what)} may be NULL, and is ${use} without a check.`,
    here: `${scene.accessText} ${scene.isCall ? 'with' : 'through'} R${regno}: ${describe(scene.c, reg)}`,
    events: merge(events, vainNullChecks(scene, reg, root)),
    fix: `Compare it with NULL first: if (!ptr) return …; then ${scene.isCall ? 'call' : 'access'}.`,
  };
};

/** Comparisons of the pointer that do not settle whether it is NULL. */
function vainNullChecks(scene: Scene, reg: Reg, root: Root | undefined): Event[] {
  const { story } = scene;
  const found: Event[] = [];
  for (let at = (root?.at ?? 0) + 1; at < scene.at; at++) {
    const insn = story.insnAt(at);
    if (!isConditionalJump(insn)) continue;
    const { frame } = story.steps[at]!;
    const other = story.regAt(frame, insn.dst, at);
    if (!other || !mayBeNull(other) || other.id !== reg.id) continue;
    const says =
      'this comparison does not tell NULL from a pointer: only == 0 and != 0 of all 64 bits do';
    found.push({ at, role: 'missed', place: regPlace(frame, insn.dst), says });
  }
  return found;
}

/** The object and its size: `a value of map 'm', which has 16 bytes`. */
function sizedObject(scene: Scene, reg: Reg, limit: number | undefined): string {
  const object = objectText(scene.c, reg);
  if (limit === undefined || reg.kind === 'mem') return object;
  return `${object}, which has ${plural(limit, 'byte')}`;
}

export const outOfBounds: Teller = (scene) => {
  const regno = pointerRegno(scene);
  const reg = scene.about.reg === undefined ? scene.reg(regno) : scene.reg(scene.about.reg);
  const { off = 0, bytes = 1, limit, end } = scene.about;
  const pointer = scene.follow(regno, 'pointer');
  const are = bytes === 1 ? 'is' : 'are';
  const done = `${are} ${verbOf(scene)}${callNote(scene)}`;
  const here = `${scene.accessText} through R${regno}: ${describe(scene.c, reg)}`;
  const object = sizedObject(scene, reg, limit);
  if (bytes === 0) return zeroSize(scene);
  if (isConst(reg.scalar.bits)) {
    const at = off + Number(BigInt.asIntN(32, reg.scalar.bits.value));
    const fix =
      limit === undefined
        ? undefined
        : limit < bytes
          ? `The object has only ${plural(limit, 'byte')}: access less, or make it larger.`
          : `The offset must be ${limit === bytes ? '0' : `0 to ${limit - bytes}`}: make it smaller, or the object larger.`;
    return {
      headline: `${plural(bytes, 'byte')} ${done} at offset ${at} of ${object}.`,
      here,
      events: pointer.events,
      ...(fix && { fix }),
    };
  }
  const number = scene.follow(regno, 'number');
  const name = scene.phrase(number.root, 'a number');
  const edge = end === 'max' ? reg.scalar.umax + BigInt(off) : reg.scalar.smin + BigInt(off);
  const largest = (limit ?? 0) - bytes - off;
  return {
    headline: `The offset, which comes from ${name}, may be as ${end === 'max' ? 'large' : 'small'} as ${edge}: ${plural(bytes, 'byte')} there ${are} outside of ${object}.`,
    here,
    events: merge(pointer.events, number.events, missed(scene, number.root, number.events)),
    fix:
      end === 'max' && largest >= 0
        ? `Bound it before it is added: at most ${largest} is inside${maskHint(largest)}.`
        : 'Compare it with 0 before it is added, or make it unsigned.',
  };
};

/** A mask does where the bound is one less than a power of 2. */
function maskHint(largest: number): string {
  const isMask = largest > 0 && (largest & (largest + 1)) === 0;
  return isMask ? ` (or a mask: & ${largest})` : '';
}

export const unboundedOffset: Teller = (scene) => {
  const inArithmetic = scene.about.reg === undefined;
  const { pointer, number } = inArithmetic
    ? scene.operands()
    : { pointer: scene.about.reg!, number: scene.about.reg! };
  const from = scene.follow(number ?? pointer, 'number');
  const name = scene.phrase(from.root, number === undefined ? 'the offset' : `R${number}`);
  const reg = scene.reg(number ?? pointer);
  const target = scene.reg(pointer);
  const missing = inArithmetic ? lowerText(reg) : 'an upper bound';
  const { off = 0, bytes = 1, limit } = scene.about;
  const size = target.map?.spec.valueBytes ?? (target.memBytes || undefined);
  const fix =
    limit === undefined
      ? size === undefined
        ? undefined
        : `Bound it before it is added, as an unsigned number: if (x >= ${size}) return …;`
      : `Bound it before it is added: if (x > ${limit - bytes - off}) return …; as an unsigned number${maskHint(limit - bytes - off)}.`;
  return {
    headline: `${capital(name)} is added to a pointer to ${objectText(scene.c, target)} without ${missing}.`,
    here: inArithmetic
      ? `adds R${number ?? pointer}: ${rangeText(reg.scalar)}`
      : `${scene.accessText} through R${pointer}, whose offset is ${rangeText(reg.scalar)}`,
    events: merge(
      scene.follow(pointer, 'pointer').events,
      from.events,
      missed(scene, from.root, from.events),
      branchEvents(scene, from.root?.at ?? 0, 3),
    ),
    ...(fix && { fix }),
  };
};

function lowerText(reg: Reg): string {
  return reg.scalar.smax < 1n << 40n ? 'a lower bound: it may be negative' : 'any bound';
}

export const negativeOffset: Teller = (scene) => {
  const regno = pointerRegno(scene);
  const reg = scene.reg(regno);
  const from = scene.follow(regno, 'number');
  const name = scene.phrase(from.root, 'the offset');
  return {
    headline: `${capital(name)} is used as an offset into ${objectText(scene.c, reg)} and may be negative.`,
    here: `${scene.accessText} through R${regno}, whose offset is ${rangeText(reg.scalar)}`,
    events: merge(
      scene.follow(regno, 'pointer').events,
      from.events,
      missed(scene, from.root, from.events),
    ),
  };
};

const SIGNED = new Set(['sgt', 'sge', 'slt', 'sle']);

function isUnknownComparison({ story }: Scene, at: number): boolean {
  const insn = story.insnAt(at);
  if ((insn.code & 8) === 0) return false;
  const { frame } = story.steps[at]!;
  return [insn.dst, insn.src].every((regno) => {
    const reg = story.regAt(frame, regno, at);
    return reg !== undefined && !isConst(reg.scalar.bits);
  });
}

/** Comparisons of the same number that did not bound what is used. */
export function missed(
  scene: Scene,
  root: Root | undefined,
  known: readonly Event[],
): readonly Event[] {
  if (!root) return [];
  const { story } = scene;
  const told = new Set(known.filter(({ role }) => role === 'check').map(({ at }) => at));
  return story
    .comparisons(root, scene.at)
    .filter((at) => !told.has(at))
    .map((at) => {
      const insn = story.insnAt(at);
      const why = SIGNED.has(conditionOf(insn.code) ?? '')
        ? 'a signed comparison, which leaves negative numbers'
        : classOf(insn.code) === cls.JMP32
          ? 'a comparison of the lower 32 bits only'
          : isUnknownComparison(scene, at)
            ? 'a comparison of two numbers of which neither is known'
            : 'a comparison of another copy of it';
      const { frame } = story.steps[at]!;
      return {
        at,
        role: 'missed' as const,
        place: regPlace(frame, insn.dst),
        says: `${why}: it tells nothing of what is used below`,
      };
    });
}

/** The last conditional jumps of the path that could have gone the other way. */
export function branchEvents(scene: Scene, after = 0, count = 4): readonly Event[] {
  const { story } = scene;
  const found: Event[] = [];
  const seen = new Set<number>();
  for (let at = scene.at - 1; at > after && found.length < count; at--) {
    const { insn, forks, resumed } = story.steps[at]!;
    if ((forks === 0 && resumed === 'no') || seen.has(insn)) continue;
    if (!isConditionalJump(story.insnAt(at))) continue;
    seen.add(insn);
    found.unshift({ at, role: 'branch', says: story.branchText(at) });
  }
  return found;
}

/** Events of several values in the order of the path, each once. */
export function merge(...lists: readonly (readonly Event[])[]): readonly Event[] {
  const all = new Map<string, Event>();
  for (const event of lists.flat()) all.set(`${event.at} ${event.place} ${event.says}`, event);
  const events = [...all.values()].sort((a, b) => a.at - b.at);
  // What a comparison told says more than which way it went.
  const told = new Set(events.filter(({ role }) => role !== 'branch').map(({ at }) => at));
  return events.filter(({ role, at }) => role !== 'branch' || !told.has(at));
}

export const offsetTooLarge: Teller = (scene) => {
  const { pointer, number } = scene.operands();
  const reg = scene.reg(pointer);
  const offset = number === undefined ? `${scene.insn.imm}` : rangeText(scene.reg(number).scalar);
  return {
    headline: `A pointer to ${objectText(scene.c, reg)} is moved further than the verifier follows it.`,
    here: `moves R${pointer} (${describe(scene.c, reg)}) by ${offset}`,
    events: merge(
      scene.follow(pointer, 'pointer').events,
      number === undefined ? [] : scene.follow(number, 'number').events,
    ),
  };
};

export const misaligned: Teller = (scene) => {
  const regno = pointerRegno(scene);
  const reg = scene.reg(regno);
  const { off = 0, bytes = 1 } = scene.about;
  const where = isPointer(reg) ? objectText(scene.c, reg) : 'memory';
  const at = isConst(reg.scalar.bits)
    ? `offset ${off + Number(BigInt.asIntN(32, reg.scalar.bits.value))}`
    : `an offset that is ${rangeText(reg.scalar)}`;
  return {
    headline: `${bytes} bytes of ${where} are accessed at ${at}, which is not a multiple of ${bytes}.`,
    events: scene.follow(regno, 'pointer').events,
    fix: `Use an offset that is a multiple of ${bytes}, or smaller accesses.`,
  };
};

export const readOnly: Teller = (scene) => {
  const regno = pointerRegno(scene);
  const { events } = scene.follow(regno, 'pointer');
  const object = objectText(scene.c, scene.reg(regno));
  return { headline: `${capital(object)} is written, but may only be read.`, events };
};

export const packetWrite: Teller = (scene) => ({
  headline: `The packet is written, which ${scene.programKind} may not.`,
  events: scene.follow(pointerRegno(scene), 'pointer').events,
});

export const kernelField: Teller = (scene) => {
  const regno = pointerRegno(scene);
  const { map } = scene.reg(regno);
  return {
    headline: `The access touches the ${scene.about.what ?? 'kernel’s field'} in a value of ${map ? mapName(map) : 'the map'}, which only its helpers may use.`,
    here: `${scene.accessText} at offset ${scene.about.off ?? 0} of the value`,
    events: scene.follow(regno, 'pointer').events,
  };
};

const sizeTeller =
  (missing: string, wrong: string, fix: string): Teller =>
  (scene) => {
    const regno = scene.about.reg ?? 0;
    const from = scene.follow(regno, 'number');
    const reg = scene.reg(regno);
    const name = scene.phrase(from.root, `R${regno}`, reg);
    const what = isConst(reg.scalar.bits) ? wrong : missing;
    return {
      headline: `${capital(name)} is passed to ${scene.callee} as a size and ${what}.`,
      here: `R${regno} is ${describe(scene.c, reg)}`,
      events: merge(from.events, missed(scene, from.root, from.events)),
      fix,
    };
  };

export const negativeSize = sizeTeller(
  'may be negative',
  'is negative',
  'Bound it on both sides: if (size < 0 || size > sizeof(buf)) return …; or make it unsigned and mask it.',
);
export const unboundedSize = sizeTeller(
  'has no upper bound',
  'is too large',
  'Bound it by the size of the memory: if (size > sizeof(buf)) return …; or size &= sizeof(buf) - 1.',
);
export const sizeNotConstant = sizeTeller(
  'is not a constant',
  'is not a constant',
  'Pass a constant; bpf_ringbuf_output and bpf_ringbuf_reserve_dynptr take sizes that vary.',
);

export const zeroSize: Teller = (scene) => {
  // The register at fault is the memory's; its size is in the next one.
  const regno = Math.min((scene.about.reg ?? 0) + 1, 5);
  const from = scene.follow(regno, 'number');
  const reg = scene.reg(regno);
  const certain = isConst(reg.scalar.bits);
  return {
    headline: certain
      ? `${capital(scene.callee)} is called with a size of 0.`
      : `${capital(scene.phrase(from.root, `R${regno}`))} is passed to ${scene.callee} as a size and may be 0.`,
    here: `R${regno} is ${describe(scene.c, reg)}`,
    events: from.events,
    fix: 'Make sure that it is at least 1: if (size == 0) return …;',
  };
};

export const mapPermission: Teller = (scene) => {
  const regno = pointerRegno(scene);
  const { map } = scene.reg(regno);
  const name = map ? mapName(map) : 'the map';
  return {
    headline: scene.isWrite
      ? `${capital(name)} is written, but programs may only read it.`
      : `${capital(name)} is read, but programs may only write it.`,
    events: scene.follow(regno, 'pointer').events,
  };
};
