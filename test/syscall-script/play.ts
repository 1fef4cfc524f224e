/**
 * Plays a script on something that has bpf(2): a bare RAM, or a process of a booted machine. What
 * it needs of either is `Player`; steps run as generators, since a process yields its calls.
 */
import { ATTR } from '../../bpf/attr.ts';
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import {
  bufferOf,
  callOf,
  capabilities,
  masked,
  sysOf,
  type Answer,
  type Script,
  type Step,
  type Value,
} from './script.ts';

/** Where a test run says how long it took. */
const DURATION = ATTR.prog_test_run.offsets.duration;

export interface Player {
  /** The address of a copy of these bytes, which stays until the script's end. */
  place(bytes: Uint8Array): UserFlow<bigint>;
  bytesAt(address: bigint, sizeBytes: number): Uint8Array;
  bpf(command: number, attr: bigint, sizeBytes: number): UserFlow<number>;
  sys(number: number, args: readonly number[]): UserFlow<number>;
  close(fd: number): UserFlow<void>;
  /** The effective set from now on. */
  setCaps(mask: bigint): UserFlow<void>;
  /** A user of that number without capabilities, or root with all. */
  setUid(uid: number): UserFlow<void>;
  sysctl(path: string, value: string): UserFlow<void>;
  /** '%func:name' and its kin. */
  kernelId(reference: string): number;
}

export function* play(player: Player, script: Script): UserFlow<Answer[]> {
  const results: number[] = [];
  const buffers = new Map<string, { readonly address: bigint; readonly bytes: number }>();
  const answers: Answer[] = [];

  const valueOf = (value: Value): bigint => {
    if (typeof value === 'number') return BigInt(value);
    const name = value.slice(1);
    switch (value[0]) {
      case '$':
        return BigInt(results[Number(name)] ?? -1);
      case '@':
        return buffers.get(name)!.address;
      case '^': {
        const [buffer, at] = name.split(':');
        return BigInt(wordAt(player.bytesAt(buffers.get(buffer!)!.address + BigInt(at!), 4), 0));
      }
      case '%':
        return BigInt(player.kernelId(value));
      default:
        return BigInt(value);
    }
  };
  const patch = (bytes: Uint8Array, at: number, to: string) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const value = valueOf(to);
    if (to.startsWith('@')) view.setBigUint64(at, value, true);
    else view.setUint32(at, Number(BigInt.asUintN(32, value)), true);
  };

  function* call(step: Extract<Step, { call: string } | { raw: number }>, index: number) {
    const { number, attr, references, givesFd } = callOf(step);
    for (const { at, to } of references) patch(attr, at, to);
    const address = yield* player.place(attr);
    const result = yield* player.bpf(number, address, attr.length);
    results[index] = result;
    const after = player.bytesAt(address, attr.length);
    const base = 'base' in step && step.base ? Number(valueOf(step.base)) : 0;
    const changed: Record<number, number> = {};
    for (let at = 0; at + 4 <= attr.length; at += 4) {
      const word = wordAt(after, at);
      if (word !== wordAt(attr, at)) changed[at] = (word - base) >>> 0;
    }
    if ('call' in step && step.call === 'prog_test_run') delete changed[DURATION];
    const r = givesFd && result >= 0 ? ('fd' as const) : result;
    return { r, ...(Object.keys(changed).length > 0 && { changed }) };
  }

  for (const [index, step] of script.steps.entries()) {
    answers[index] = {};
    if ('buf' in step) {
      const { bytes, fds } = bufferOf(step);
      for (const [at, value] of fds) patch(bytes, at, value);
      buffers.set(step.buf, { address: yield* player.place(bytes), bytes: bytes.length });
    } else if ('dump' in step) {
      const { address, bytes } = buffers.get(step.dump)!;
      answers[index] = { hex: masked(player.bytesAt(address, bytes), step.mask) };
    } else if ('text' in step) {
      const { address, bytes } = buffers.get(step.text)!;
      const text = new TextDecoder().decode(player.bytesAt(address, bytes));
      answers[index] = { text: text.slice(0, text.indexOf('\0')) };
    } else if ('close' in step) {
      yield* player.close(Number(valueOf(step.close)));
    } else if ('caps' in step) {
      yield* player.setCaps(capabilities(step.caps));
    } else if ('uid' in step) {
      yield* player.setUid(step.uid);
    } else if ('sysctl' in step) {
      yield* player.sysctl(step.sysctl, step.value);
    } else if ('sys' in step) {
      const { number, givesFd } = sysOf(step);
      const result = yield* player.sys(
        number,
        step.args.map((arg) => Number(valueOf(arg))),
      );
      results[index] = result;
      answers[index] = { r: givesFd && result >= 0 ? 'fd' : result };
    } else {
      answers[index] = yield* call(step, index);
    }
  }
  return answers;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}
