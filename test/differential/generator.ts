/**
 * Random program trees for fast-check.
 *
 *   fc.assert(fc.property(programs({maps: 2}), (tree) => …), {seed, numRuns})
 *
 * Every failing tree shrinks: bodies get shorter, branches become straight, constants small.
 */
import fc from 'fast-check';
import type { OpName } from '../../bpf/isa/table.ts';
import {
  branchRows,
  DATA_BYTES,
  MAP_ENTRIES,
  SCALARS,
  straightRows,
  type Body,
  type CaseTree,
  type MapAction,
  type Operands,
  type ProgramTree,
  type Statement,
  type Test,
} from './ast.ts';

export interface GeneratorOptions {
  readonly level?: '6.1' | 'latest';
  /** How many maps the programs may use; 0 by default. */
  readonly maps?: number;
  /** Helper ids without arguments that may be called. */
  readonly helpers?: readonly number[];
  /** Subprograms at most. */
  readonly subprogs?: number;
  /** Programs that tail calls may reach; 0 by default. */
  readonly tails?: number;
  readonly packets?: boolean;
  /** Loops with two entries, which need the JIT's fallback. */
  readonly irreducible?: boolean;
}

/** Numbers at the edges of what instructions tell apart. */
const EDGES = [
  0n, 1n, 2n, 7n, 31n, 32n, 63n, 64n, 127n, 128n, 255n, 0x7fffn, 0x8000n, 0xffffn, 0x7fff_ffffn,
  0x8000_0000n, 0xffff_ffffn, 0x1_0000_0000n, 0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n,
  0xffff_ffff_8000_0000n, 0xffff_ffff_ffff_fffen, 0xffff_ffff_ffff_ffffn,
]; // prettier-ignore

const value = fc.oneof(
  fc.constantFrom(...EDGES),
  fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
);
const imm = fc.oneof(
  fc.constantFrom(0, 1, -1, 2, 8, 31, 32, 63, 255, 0x7fff, 0x7fff_ffff, -0x8000_0000),
  fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }),
);
const register = fc.constantFrom(...SCALARS);
const operands: fc.Arbitrary<Operands> = fc.record({
  dst: register,
  src: register,
  imm,
  at: fc.nat(DATA_BYTES - 1),
});
const branchNames = branchRows().map(({ name }) => name as OpName);
const test: fc.Arbitrary<Test> = fc
  .tuple(fc.constantFrom(...branchNames), operands)
  .map(([op, fields]) => ({ op, ...fields }));

function statements(options: GeneratorOptions): fc.Arbitrary<Body> {
  const rows = straightRows(options.level ?? 'latest').map(({ name }) => name as OpName);
  const straight: fc.Arbitrary<Statement> = fc
    .tuple(fc.constantFrom(...rows), operands)
    .map(([op, fields]) => ({ kind: 'insn', op, ...fields }));
  const constant: fc.Arbitrary<Statement> = fc.record({
    kind: fc.constant('constant' as const),
    dst: register,
    value,
  });
  const skip: fc.Arbitrary<Statement> = fc.record({
    kind: fc.constant('skip' as const),
    test,
    count: fc.integer({ min: 1, max: 4 }),
  });
  const simple: { arbitrary: fc.Arbitrary<Statement>; weight: number }[] = [
    { arbitrary: straight, weight: 30 },
    { arbitrary: constant, weight: 3 },
    { arbitrary: skip, weight: 2 },
    { arbitrary: fc.record({ kind: fc.constant('exit' as const), test }), weight: 1 },
  ];
  const add = (weight: number, arbitrary: fc.Arbitrary<Statement>): void => {
    simple.push({ weight, arbitrary });
  };
  if ((options.subprogs ?? 0) > 0) {
    const subprog = fc.integer({ min: 1, max: options.subprogs! });
    add(2, fc.record({ kind: fc.constant('call' as const), subprog }));
  }
  if (options.packets) add(3, packetAccess);
  if ((options.maps ?? 0) > 0) add(4, mapAccess(options.maps!));
  if (options.helpers?.length) {
    const id = fc.constantFrom(...options.helpers);
    add(2, fc.record({ kind: fc.constant('helper' as const), id }));
  }
  if ((options.tails ?? 0) > 0) {
    const index = fc.integer({ min: 0, max: options.tails! });
    add(1, fc.record({ kind: fc.constant('tail-call' as const), index }));
  }
  const { body } = fc.letrec<{ body: Body; statement: Statement }>((tie) => {
    const inner = tie('body');
    const rounds = fc.integer({ min: 1, max: 5 });
    const structures = [
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant('if' as const),
          test,
          then: inner,
          otherwise: inner,
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant('loop' as const), rounds, body: inner }),
      },
      {
        weight: options.irreducible ? 1 : 0,
        arbitrary: fc.record({
          kind: fc.constant('two-entry-loop' as const),
          test,
          rounds,
          first: inner,
          second: inner,
        }),
      },
    ];
    return {
      statement: fc.oneof(
        { maxDepth: 3, depthSize: 'small', withCrossShrink: true },
        ...simple,
        ...structures,
      ),
      body: fc.array(tie('statement'), { maxLength: 8, size: 'max' }),
    };
  });
  // The outermost body is longer than those inside.
  return fc.array(body, { minLength: 1, maxLength: 4, size: 'max' }).map((parts) => parts.flat());
}

const packetAccess: fc.Arbitrary<Statement> = fc.record({
  kind: fc.constant('packet' as const),
  offset: fc.nat(70),
  bytes: fc.constantFrom(1, 2, 4, 8),
  write: fc.boolean(),
  register,
});

function mapAccess(maps: number): fc.Arbitrary<Statement> {
  return fc.record({
    kind: fc.constant('map' as const),
    map: fc.nat(maps - 1),
    // One key beyond the last, for arrays.
    key: fc.nat(MAP_ENTRIES),
    action: fc.constantFrom<MapAction>('read', 'write', 'add', 'update', 'delete'),
    register,
  });
}

function programTree(options: GeneratorOptions): fc.Arbitrary<ProgramTree> {
  const body = statements(options);
  return fc.record({
    functions: fc
      .tuple(body, fc.array(body, { maxLength: options.subprogs ?? 0 }))
      .map(([entry, rest]) => [entry, ...rest]),
    initial: fc.array(value, { minLength: SCALARS.length, maxLength: SCALARS.length }),
  });
}

export function programs(options: GeneratorOptions = {}): fc.Arbitrary<CaseTree> {
  const program = programTree(options);
  const tails = options.tails ?? 0;
  return fc.record({
    program,
    tails: fc.array(program, { minLength: tails, maxLength: tails }),
    packet: fc.uint8Array({ minLength: 14, maxLength: 80 }),
    cpu: fc.nat(1),
  });
}
