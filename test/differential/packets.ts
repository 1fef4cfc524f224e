/**
 * Random programs on a hundred packets each: result and packet bytes are the interpreter's. More of
 * them: SKEP_FUZZ_RUNS=20000 SKEP_FUZZ_SEED=7 npx vitest run hw/x86/packets (or hw/arm/packets)
 */
import fc from 'fast-check';
import type { Engine, Executable } from '../../bpf/engine.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { encodeInsns } from '../../bpf/isa/codec.ts';
import { BpfOops } from '../../bpf/program.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { programs } from './generator.ts';
import { render } from './render.ts';
import { bareMachine, type BareMachine } from '../support/assets.ts';
import { unverifiedProgram } from '../support/unverified.ts';

export const numRuns = Number(process.env.SKEP_FUZZ_RUNS ?? 40);
const seed = Number(process.env.SKEP_FUZZ_SEED ?? 1);
const PACKETS = 100;
const ROOM = 256;
const [MIN_BYTES, MAX_BYTES] = [14, 94];

interface Bench {
  readonly machine: BareMachine;
  readonly ctx: RamOffset;
  readonly packet: RamOffset;
}

/** What a run leaves. */
function outcome(
  { machine, ctx, packet }: Bench,
  executable: Executable,
  bytes: Uint8Array,
): string {
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

/** Throws with the program and the packet that the engine treats differently. */
export async function agreeOnPackets(engine: Engine): Promise<void> {
  const machine = await bareMachine({ ramMiB: 4 });
  const ctx = machine.ram.kzalloc(16);
  const bench: Bench = { machine, ctx, packet: machine.ram.kzalloc(ROOM) };
  const interpreter = createInterpreter();
  const property = fc.property(programs({ packets: true, subprogs: 3 }), fc.nat(), (tree, from) => {
    const { insns } = render(tree.program, { context: 'pointers' });
    const program = unverifiedProgram(insns);
    const [a, b] = [interpreter, engine].map((each) => each.compile(program, machine.runtime));
    for (const bytes of packets(from)) {
      if (outcome(bench, a!, bytes) === outcome(bench, b!, bytes)) continue;
      const hex = Buffer.from(encodeInsns(insns)).toString('hex');
      throw new Error(`insns ${hex}\npacket ${Buffer.from(bytes).toString('hex')}`);
    }
    a!.free();
    b!.free();
  });
  fc.assert(property, { seed, numRuns });
  if (machine.runtime.running !== undefined) throw new Error('a run is left open');
}
