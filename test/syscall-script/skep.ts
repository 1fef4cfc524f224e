/** Runs a script in skep: bpf(2) on a bare RAM. */
import { NO_CAPS, ALL_CAPS, type BpfCaps } from '../../bpf/syscall/caller.ts';
import type { BpfSyscalls } from '../support/bpf-syscalls.ts';
import { bufferOf, callOf, masked, type Answer, type Caps, type Script } from './script.ts';

const CAPS: Readonly<Record<Caps, BpfCaps>> = {
  none: NO_CAPS,
  bpf: { ...NO_CAPS, bpf: true },
  perfmon: { ...NO_CAPS, bpf: true, perfmon: true },
  net_admin: { ...NO_CAPS, bpf: true, netAdmin: true },
  all: ALL_CAPS,
};

export function runInSkep(m: BpfSyscalls, script: Script): Answer[] {
  const { caller } = m;
  const results: number[] = [];
  const buffers = new Map<string, { readonly address: bigint; readonly bytes: number }>();
  const answers: Answer[] = [];
  const fdOf = (text: string) => results[Number(text.slice(1))] ?? -1;
  const patch = (at: Uint8Array, offset: number, value: bigint, bytes: 4 | 8) => {
    const view = new DataView(at.buffer, at.byteOffset);
    if (bytes === 8) view.setBigUint64(offset, value, true);
    else view.setUint32(offset, Number(BigInt.asUintN(32, value)), true);
  };
  script.steps.forEach((step, index) => {
    answers[index] = {};
    if ('buf' in step) {
      const { bytes, fds } = bufferOf(step);
      for (const [at, fd] of fds) patch(bytes, at, BigInt(fdOf(fd)), 4);
      buffers.set(step.buf, { address: caller.place(bytes), bytes: bytes.length });
    } else if ('dump' in step) {
      const { address, bytes } = buffers.get(step.dump)!;
      answers[index] = { hex: masked(caller.bytesAt(address, bytes), step.mask) };
    } else if ('close' in step) {
      caller.close(fdOf(step.close));
    } else if ('caps' in step) {
      caller.caps = CAPS[step.caps];
    } else {
      const call = callOf(step);
      const attr = call.attr.slice();
      for (const { at, to } of call.references) {
        if (to.startsWith('$')) patch(attr, at, BigInt(fdOf(to)), 4);
        else patch(attr, at, buffers.get(to.slice(1))!.address, 8);
      }
      const { result, bytes } = m.raw(call.number, attr);
      results[index] = result;
      const changed: Record<number, number> = {};
      for (let at = 0; at + 4 <= attr.length; at += 4) {
        const word = (from: Uint8Array) =>
          new DataView(from.buffer, from.byteOffset).getUint32(at, true);
        if (word(attr) !== word(bytes)) changed[at] = word(bytes);
      }
      const r = call.givesFd && result >= 0 ? 'fd' : result;
      answers[index] = { r, ...(Object.keys(changed).length > 0 && { changed }) };
    }
  });
  return answers;
}
