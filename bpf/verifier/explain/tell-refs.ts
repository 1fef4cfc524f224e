/** References and locks: what is taken must be given back, once, on every path. */
import { EXIT, isHelperCall } from '../opcode.ts';
import { describe, helperName, objectText } from './describe.ts';
import { type Scene, type Teller } from './scene.ts';
import type { Event } from './story.ts';
import { branchEvents } from './tell-memory.ts';
import { regPlace } from './trace.ts';

/** What gives back what a helper acquired. */
const RELEASE: Readonly<Record<string, string>> = {
  bpf_sk_lookup_tcp: 'bpf_sk_release',
  bpf_sk_lookup_udp: 'bpf_sk_release',
  bpf_skc_lookup_tcp: 'bpf_sk_release',
  bpf_map_lookup_elem: 'bpf_sk_release',
  bpf_ringbuf_reserve: 'bpf_ringbuf_submit or bpf_ringbuf_discard',
  bpf_ringbuf_reserve_dynptr: 'bpf_ringbuf_submit_dynptr or bpf_ringbuf_discard_dynptr',
  bpf_kptr_xchg: 'the kptr’s release function, or another bpf_kptr_xchg',
};

export const referenceLeak: Teller = (scene) => {
  const { c, story, about } = scene;
  const ref = about.refs?.[0];
  if (!ref) return { headline: 'A reference is still held.' };
  const insn = c.insns[ref.insn]!;
  const helper = isHelperCall(insn) ? helperName(insn.imm) : 'an earlier instruction';
  const release = RELEASE[helper] ?? 'the function that releases it';
  let acquired = -1;
  for (let at = scene.at - 1; at >= 0 && acquired < 0; at--) {
    const held = story.steps[at]!.refs.indexOf(ref.id) >= 0;
    if (!held && story.steps[at]!.insn === ref.insn) acquired = at;
  }
  const events: Event[] = [];
  if (acquired >= 0) {
    const { frame } = story.steps[acquired]!;
    const reg = story.regAt(frame, 0, acquired + 1);
    const what = reg && reg.refId === ref.id ? objectText(c, reg) : 'a reference';
    events.push({
      at: acquired,
      role: 'acquired',
      place: regPlace(frame, 0),
      says: `${helper} gives ${what}, which must be given back`,
    });
  }
  events.push(...branchEvents(scene, Math.max(acquired, 0)));
  const where =
    scene.insn.code === EXIT ? 'when the program ends' : `when ${scene.callee} is called`;
  return {
    headline: `What ${helper} returned is not released ${where}.`,
    here: scene.insn.code === EXIT ? 'returns while it is still held' : 'may end the program here',
    events,
    fix: `Call ${release} on this path, too.`,
  };
};

export const releaseUnreferenced: Teller = (scene) => {
  const regno = scene.about.reg ?? 1;
  const reg = scene.reg(regno);
  const { events, root } = scene.follow(regno, 'number');
  const wasReleased = root?.kind === 'lost';
  return {
    headline: wasReleased
      ? `${scene.callee} releases what was already released.`
      : `${scene.callee} is given ${describe(scene.c, reg)}, which holds no reference.`,
    here: `R${regno} is ${describe(scene.c, reg)}`,
    events,
    fix: wasReleased
      ? 'Release it once.'
      : 'Release the pointer that was acquired, and only that: not a cast, a copy from memory or NULL.',
  };
};

/** Where the lock that is held was taken. */
function lockedAt(scene: Scene): Event[] {
  const { story } = scene;
  for (let at = scene.at - 1; at >= 0; at--) {
    if (story.steps[at]!.activeLock === 0 && story.steps[at + 1]!.activeLock !== 0) {
      return [{ at, role: 'acquired', says: 'the lock is taken' }];
    }
  }
  return [];
}

export const lockHeld: Teller = (scene) => {
  const events = lockedAt(scene);
  const isReturn = scene.insn.code === EXIT;
  const isLock = scene.isCall && scene.callee === 'bpf_spin_lock';
  return {
    headline: isReturn
      ? 'The program returns while it holds a lock.'
      : isLock
        ? 'A second lock is taken while one is held.'
        : `${scene.isCall ? scene.callee : 'A packet load'} is called while a lock is held.`,
    events: [...events, ...(isReturn ? branchEvents(scene, events[0]?.at ?? 0) : [])],
    fix: isReturn
      ? 'Call bpf_spin_unlock on this path, too.'
      : 'Call bpf_spin_unlock first; do what needs calls before or after.',
  };
};

export const lockNotHeld: Teller = (scene) => ({
  headline:
    (scene.step?.activeLock ?? 0) === 0
      ? 'bpf_spin_unlock is called, but no lock is held.'
      : 'bpf_spin_unlock is given another lock than the one that is held.',
  events: [...lockedAt(scene), ...scene.follow(scene.about.reg ?? 1, 'pointer').events],
});
