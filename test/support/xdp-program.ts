/** An attached program whose verdict a test computes itself: enough of a ProgObject for a hook. */
import type { ProgObject } from '../../bpf/syscall/objects.ts';
import type { AttachType } from '../../bpf/uapi.ts';
import type { Ram } from '../../kernel/ram/ram.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { XdpBuff } from '../../kernel/types/xdp.ts';
import type { XdpBuffView } from '../../kernel/types/xdp.ts';

export interface FakeProgram extends ProgObject {
  runs: number;
  references: number;
}

export function fakeXdp(
  ram: Ram,
  verdict: (xdp: XdpBuffView) => number,
  { id = 7, attachType = 'xdp' as AttachType, ifindex = undefined as number | undefined } = {},
): FakeProgram {
  const view = XdpBuff.at(ram, 0 as RamOffset);
  const fake = {
    kind: 'prog',
    id,
    attachType,
    runs: 0,
    references: 1,
    prog: {
      name: 'fake',
      verified: { spec: { type: 'xdp', ifindex } },
      run(ctx: RamOffset): number {
        fake.runs++;
        view.offset = ctx;
        return verdict(view);
      },
    },
    get() {
      fake.references++;
      return fake;
    },
    put() {
      fake.references--;
    },
  };
  return fake as unknown as FakeProgram;
}
