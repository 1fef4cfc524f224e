/** Packet bytes that no comparison with the end of the packet covers. */
import { conditionOf } from '../opcode.ts';
import { isPacketPointer, isPlain, type Reg } from '../reg.ts';
import { isConst } from '../tnum.ts';
import { isConditionalJump } from './changes.ts';
import { describe, plural } from './describe.ts';
import { capital, type Scene, type Teller, type Told } from './scene.ts';
import type { Event } from './story.ts';
import { branchEvents, callNote, merge, pointerRegno, verbOf } from './tell-memory.ts';
import { regPlace } from './trace.ts';

export const invalidPacketAccess: Teller = (scene) => {
  const regno = pointerRegno(scene);
  const reg = scene.reg(regno);
  const { off = 0, bytes = 1, limit = 0 } = scene.about;
  const end = off + bytes;
  const variable = !isConst(reg.scalar.bits);
  const last = bytes > 1 ? `bytes ${off} to ${end - 1}` : `byte ${off}`;
  const behind = variable ? ' behind a variable offset' : '';
  const done = `${bytes > 1 ? 'are' : 'is'} ${verbOf(scene)}${callNote(scene)}`;
  const access = `${capital(last)} of the packet${behind} ${done}`;
  const { outside, elsewhere, equality } = comparisons(scene, reg);
  const pointer = scene.follow(regno, 'pointer');
  const told = (headline: string, fix: string): Told => ({
    headline,
    here: `${scene.accessText} through R${regno}: ${describe(scene.c, reg)}`,
    events: merge(
      pointer.events,
      variable ? scene.follow(regno, 'number').events : [],
      limit === 0 ? [...outside, ...elsewhere, ...equality] : [],
      branchEvents(scene, pointer.root?.at ?? 0, 2),
    ),
    fix,
  });
  const check = `if (ptr + ${end} > data_end) return …;`;
  if (off < 0) {
    return told(
      `${access}: that lies before its start.`,
      'Use offsets from data on; metadata before it is reached through data_meta.',
    );
  }
  if (limit < 0 || outside.length > 0) {
    return told(
      'The packet is accessed on the side of the comparison where it is too short.',
      'Access it on the other side: the comparison is the wrong way round.',
    );
  }
  if (limit > 0) {
    const are = limit > 1 ? 'are' : 'is';
    return told(
      `${access}, but only ${plural(limit, 'byte')} ${are} checked.`,
      `Check for ${plural(end, 'byte')}: ${check}`,
    );
  }
  if (losesCheck(scene, regno)) {
    return told(
      'The packet was checked before a variable offset was added to the pointer, not after.',
      `Check again with the new pointer: ${check}`,
    );
  }
  if (equality.length > 0) {
    return told(
      `${access}, but a comparison for equality does not say that the packet is that long.`,
      `Compare with <, <=, > or >=: ${check}`,
    );
  }
  return told(
    `${access}, but nothing checks that the packet is that long.`,
    `Before the access: ${check} with the pointer that is accessed.`,
  );
};

/** An addition on the way made another base of the pointer, and its checked bytes went with that. */
function losesCheck(scene: Scene, regno: number): boolean {
  const { story } = scene;
  for (const { at, kind, change } of story.walk(
    regPlace(scene.frame, regno),
    scene.at,
    'pointer',
  )) {
    if (kind !== 'arithmetic') continue;
    const insn = story.insnAt(at);
    const { frame } = story.steps[at]!;
    const moved = [insn.dst, insn.src]
      .map((one) => story.regAt(frame, one, at))
      .find((one) => one !== undefined && isPacketPointer(one));
    if (moved && moved.range > 0 && moved.id !== change.after?.reg.id) return true;
  }
  return false;
}

/** Comparisons with the end of the packet: of this pointer, on the wrong side; and of others. */
function comparisons(
  scene: Scene,
  reg: Reg,
): Readonly<Record<'outside' | 'elsewhere' | 'equality', readonly Event[]>> {
  const { story } = scene;
  const outside: Event[] = [];
  const elsewhere: Event[] = [];
  const equality: Event[] = [];
  for (let at = 0; at < scene.at; at++) {
    const insn = story.insnAt(at);
    if (!isConditionalJump(insn) || (insn.code & 8) === 0) continue;
    const { frame } = story.steps[at]!;
    const [dst, src] = [story.regAt(frame, insn.dst, at), story.regAt(frame, insn.src, at)];
    if (!dst || !src) continue;
    const compared = isPlain(src, 'pkt_end') ? dst : isPlain(dst, 'pkt_end') ? src : undefined;
    if (!compared || !isPacketPointer(compared)) continue;
    const place = regPlace(frame, compared === dst ? insn.dst : insn.src);
    const after = story.contentAt(place, at + 1)?.reg.range ?? 0;
    if (compared.id !== reg.id) {
      const says =
        'this checks a pointer with another variable offset: it tells nothing of the one below';
      if (elsewhere.length < 4) elsewhere.push({ at, role: 'missed', place, says });
    } else if (after < 0) {
      const says = 'from here the packet is known to be too short';
      outside.push({ at, role: 'missed', place, says });
    } else if (conditionOf(insn.code) === 'eq' || conditionOf(insn.code) === 'ne') {
      const says = 'a comparison for equality: it tells nothing of the length';
      equality.push({ at, role: 'missed', place, says });
    }
  }
  return { outside, elsewhere, equality };
}
