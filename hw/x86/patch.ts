/** Direct tail calls: their jumps are patched when their slots hold other programs than before. */
import type { Ram } from '../../kernel/ram/ram.ts';
import type { Patcher } from '../cpu/jit/architecture.ts';
import { programEntry } from '../cpu/jit/text-space.ts';
import { LONG_JUMP_BYTES } from './assembler.ts';
import type { CodeImage } from './codegen.ts';

export class DirectTailCalls implements Patcher {
  readonly #image: CodeImage;
  readonly #ram: Ram;
  /** Ids that they are patched for. */
  readonly #poked: number[];

  constructor(image: CodeImage, ram: Ram) {
    this.#image = image;
    this.#ram = ram;
    this.#poked = image.pokes.map(() => 0);
  }

  update(): boolean {
    const { pokes, bytes, address } = this.#image;
    const { u32 } = this.#ram;
    let changed = false;
    pokes.forEach(({ bypassAt, jumpAt, slotAt: slot }, i) => {
      const id = u32[slot >>> 2]!;
      if (id === this.#poked[i]) return;
      this.#poked[i] = id;
      changed = true;
      const next = jumpAt + LONG_JUMP_BYTES;
      const from = address + BigInt(next);
      writeJump(bytes, bypassAt, id === 0 ? next - bypassAt - LONG_JUMP_BYTES : undefined);
      writeJump(bytes, jumpAt, id === 0 ? undefined : Number(programEntry(id) - from));
    });
    return changed;
  }
}

const NOP5 = [0x0f, 0x1f, 0x44, 0x00, 0x00];
const JMP = 0xe9;

/** A jump over that distance, or a nop of the same size. */
function writeJump(bytes: Uint8Array, at: number, distance: number | undefined): void {
  if (distance === undefined) {
    bytes.set(NOP5, at);
    return;
  }
  bytes[at] = JMP;
  for (let i = 0; i < 4; i++) bytes[at + 1 + i] = (distance >> (8 * i)) & 0xff;
}
