/**
 * Random programs on a hundred packets each: result and packet bytes are the interpreter's. More of
 * them: SKEP_FUZZ_RUNS=20000 SKEP_FUZZ_SEED=7 npx vitest run hw/x86/packets
 */
import fc from 'fast-check';
import { beforeAll, expect, it } from 'vitest';
import type { Executable } from '../../bpf/engine.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { encodeInsns } from '../../bpf/isa/codec.ts';
import { BpfOops } from '../../bpf/program.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { programs } from '../../test/differential/generator.ts';
import { render } from '../../test/differential/render.ts';
import { bareMachine, type BareMachine } from '../../test/support/assets.ts';
import { unverifiedProgram } from '../../test/support/unverified.ts';
import { createX86Engine } from './engine.ts';

const numRuns = Number(process.env.SKEP_FUZZ_RUNS ?? 40);
const seed = Number(process.env.SKEP_FUZZ_SEED ?? 1);
const PACKETS = 100;
const ROOM = 256;
const [MIN_BYTES, MAX_BYTES] = [14, 94];

let machine: BareMachine;
let ctx: RamOffset;
let packet: RamOffset;
beforeAll(async () => {
  machine = await bareMachine({ ramMiB: 4 });
  ctx = machine.ram.kzalloc(16);
  packet = machine.ram.kzalloc(ROOM);
});

/** What a run leaves. */
function outcome(executable: Executable, bytes: Uint8Array): string {
  const { ram } = machine;
  ram.u8.fill(0, packet, packet + ROOM);
  ram.u8.set(bytes, packet);
  ram.writePointer(ctx, packet);
  ram.writePointer((ctx + 8) as RamOffset, (packet + bytes.length) as RamOffset);
  let r0: string;
  try {
    r0 = executable.run64(ctx).toString();
  } catch (error) {
    if (!(error instanceof BpfOops)) throw error;
    r0 = 'oops';
  }
  return `${r0} ${Buffer.from(ram.u8.subarray(packet, packet + ROOM)).toString('latin1')}`;
}

/** Packets from xorshift32 (Marsaglia 2003). */
function* packets(from: number): Generator<Uint8Array> {
  let state = from | 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  for (let i = 0; i < PACKETS; i++) {
    const length = MIN_BYTES + (next() % (MAX_BYTES - MIN_BYTES));
    yield Uint8Array.from({ length }, () => next());
  }
}

it('programs do the same to a hundred packets', { timeout: 60_000 + 100 * numRuns }, () => {
  const interpreter = createInterpreter();
  const x86 = createX86Engine({ poison: true });
  const property = fc.property(programs({ packets: true, subprogs: 3 }), fc.nat(), (tree, from) => {
    const { insns } = render(tree.program, { context: 'pointers' });
    const program = unverifiedProgram(insns);
    const [a, b] = [interpreter, x86].map((engine) => engine.compile(program, machine.runtime));
    for (const bytes of packets(from)) {
      const same = outcome(a!, bytes) === outcome(b!, bytes);
      if (!same) {
        const hex = Buffer.from(encodeInsns(insns)).toString('hex');
        throw new Error(`insns ${hex}\npacket ${Buffer.from(bytes).toString('hex')}`);
      }
    }
    a!.free();
    b!.free();
  });
  fc.assert(property, { seed, numRuns });
  expect(machine.runtime.running).toBeUndefined();
});
