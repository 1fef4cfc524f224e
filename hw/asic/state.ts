/** What a step knows: registers, the stack's bytes, the packet's bytes as they now are. */
import type { Lookup } from './graph.ts';
import { type Bits, bitsOf, constant, Field, type Value } from './value.ts';

export class State {
  readonly registers: (Value | undefined)[];
  /** By offset from the frame pointer (negative): bytes. */
  readonly stack: Map<number, Bits>;
  /** Spilled pointers, by the offset of their first byte. */
  readonly spilled: Map<number, Value>;
  /** Bytes that are no longer as they came in. */
  readonly packet: Map<number, Bits>;
  /** Lookups that are known to have found something. */
  readonly hits: Set<Lookup>;
  readonly fields: Fields;
  start: number;

  constructor(fields: Fields, from?: State) {
    this.fields = fields;
    this.registers = from ? [...from.registers] : [];
    this.stack = new Map(from?.stack);
    this.spilled = new Map(from?.spilled);
    this.packet = new Map(from?.packet);
    this.hits = new Set(from?.hits);
    this.start = from?.start ?? 0;
  }

  /** The packet may lie elsewhere now. */
  forgetPacketPointers(): void {
    const isOfPacket = (value: Value | undefined) =>
      value?.kind === 'packet' || value?.kind === 'packet end';
    this.registers.forEach((value, register) => {
      if (isOfPacket(value)) this.registers[register] = undefined;
    });
    for (const [at, value] of this.spilled) if (isOfPacket(value)) this.spilled.delete(at);
  }

  /** Nothing was found: pointers to it are NULL. */
  forgetEntry(lookup: Lookup): void {
    const isIts = (value: Value | undefined) => value?.kind === 'entry' && value.lookup === lookup;
    this.registers.forEach((value, register) => {
      if (isIts(value)) this.registers[register] = constant(0n);
    });
    for (const [at, value] of this.spilled) {
      if (!isIts(value)) continue;
      this.spilled.delete(at);
      for (let i = 0; i < 8; i++) this.stack.set(at + i, bitsOf(0n, 8));
    }
  }
}

/** What tells steps of one block apart: everything that is no plain data. */
export function signature(state: State, live: number): string {
  const held = new Set<Lookup>();
  state.registers.forEach((value, register) => {
    if ((live >> register) & 1 && value?.kind === 'entry') held.add(value.lookup);
  });
  for (const value of state.spilled.values()) if (value.kind === 'entry') held.add(value.lookup);
  const hits = [...state.hits]
    .filter((lookup) => held.has(lookup))
    .map(nameOf)
    .sort();
  const parts = [`start ${state.start}`, ...hits];
  state.registers.forEach((value, register) => {
    if ((live >> register) & 1 && value && value.kind !== 'bits') {
      parts.push(`r${register} ${pointerText(value)}`);
    }
  });
  const spilled = [...state.spilled].toSorted(([a], [b]) => a - b);
  for (const [at, value] of spilled) parts.push(`s${at} ${pointerText(value)}`);
  return parts.join(', ');
}

const nameOf = ({ step, slot }: Lookup): string => `${step.index}:${slot}`;

function pointerText(value: Value): string {
  switch (value.kind) {
    case 'bits':
      return 'bits';
    case 'packet':
    case 'length':
    case 'stack':
      return `${value.kind} ${value.at}`;
    case 'map':
      return `map ${value.map.offset}`;
    case 'entry':
      return `entry ${nameOf(value.lookup)} ${value.at}`;
    default:
      return value.kind;
  }
}

/** The fields of one program: each bit of the packet is one and the same wherever it is read. */
export class Fields {
  readonly #known = new Map<string, Field>();

  packetByte(at: number): Bits {
    return this.#field(`packet ${at}`, () => new Field({ kind: 'packet', at }, 8)).bits;
  }

  metadata(name: string, width: number): Bits {
    return this.#field(name, () => new Field({ kind: 'metadata', name }, width)).bits;
  }

  entryByte(lookup: Value & { kind: 'entry' }, at: number): Bits {
    const { lookup: of } = lookup;
    const source = { kind: 'entry', lookup: of, at } as const;
    return this.#field(`entry ${of.step.index}:${of.slot} ${at}`, () => new Field(source, 8)).bits;
  }

  #field(name: string, make: () => Field): Field {
    let field = this.#known.get(name);
    if (!field) this.#known.set(name, (field = make()));
    return field;
  }
}
