/**
 * Access rules of a context struct, one a member, and the function that a program type's row needs.
 *
 *   ctxAccess(UapiSkBuff, { data: packet, cb: anySize({ store: true }) }, { otherwise: narrow() })
 *
 * Loads are of the member's full size unless it may be narrowed (the verifier then loads the whole
 * and masks); stores are of the full size, and refused where no rule allows them.
 */
import type { AnyStruct, MemberType } from '../kernel/types/struct.ts';
import { Bug } from '../kernel/types/units.ts';
import type { CtxAccess, ProgContext } from './prog-type.ts';
import type { RegKind } from './verifier/reg.ts';

type When = boolean | ((ctx: ProgContext) => boolean);

export interface FieldRule {
  /** Size of a full access; the member's (an array's element's) where absent. */
  readonly bytes?: number;
  /** Smaller loads: at the member's start only, or of any part. */
  readonly narrow?: 'start' | 'anywhere';
  /** Any size inside the member, for loads and stores (an array of scratch words). */
  readonly anySize?: true;
  /** Two words of an array at once, at an 8-byte boundary. */
  readonly wide?: true;
  readonly load?: When;
  readonly store?: When;
  readonly kind?: RegKind;
  readonly nullable?: true;
  /** Instead of the rest: sizes (at the member's start) and whether they may be stored. */
  readonly custom?: (off: number, bytes: number, write: boolean) => CtxAccess | undefined;
}

export interface AccessOptions {
  /** Rule of members that have none; absent: they cannot be accessed. */
  readonly otherwise?: FieldRule;
  /** Bytes from the start that may be accessed; the struct's size where absent. */
  readonly limit?: number;
}

export const whole: FieldRule = {};
export const hidden: FieldRule = { load: false };
export const narrow = (rule: FieldRule = {}): FieldRule => ({ ...rule, narrow: 'anywhere' });
export const narrowAtStart: FieldRule = { narrow: 'start' };
export const stored = (rule: FieldRule = {}): FieldRule => ({ ...rule, store: true });
export const packet: FieldRule = { kind: 'pkt' };
export const packetEnd: FieldRule = { kind: 'pkt_end' };
export const packetMeta: FieldRule = { kind: 'pkt_meta' };
export const pointerTo = (kind: RegKind): FieldRule => ({ kind });
export const pointerOrNull = (kind: RegKind): FieldRule => ({ kind, nullable: true });

interface Member {
  readonly offset: number;
  readonly end: number;
  readonly unit: number;
  readonly rule: FieldRule;
}

const unitOf = (type: MemberType): number => (type.kind === 'array' ? type.of.size : type.size);
const holds = (when: When | undefined, fallback: boolean, ctx: ProgContext): boolean =>
  when === undefined ? fallback : typeof when === 'boolean' ? when : when(ctx);

export function ctxAccess<S extends AnyStruct>(
  struct: S,
  rules: { readonly [K in keyof S['members']]?: FieldRule },
  options: AccessOptions = {},
): (off: number, bytes: number, write: boolean, ctx: ProgContext) => CtxAccess | undefined {
  const members: Member[] = [];
  for (const [name, type] of Object.entries(struct.members)) {
    const rule = (rules as Record<string, FieldRule | undefined>)[name] ?? options.otherwise;
    if (!rule) continue;
    const offset = struct.offsets[name]!;
    members.push({ offset, end: offset + type.size, unit: rule.bytes ?? unitOf(type), rule });
  }
  const limit = options.limit ?? struct.size;
  return (off, bytes, write, ctx) => {
    if (off < 0 || off >= limit || off % bytes !== 0) return undefined;
    const member = members.find(({ offset, end }) => off >= offset && off < end);
    return member && accessMember(member, off, bytes, write, ctx);
  };
}

function accessMember(
  { offset, end, unit, rule }: Member,
  off: number,
  bytes: number,
  write: boolean,
  ctx: ProgContext,
): CtxAccess | undefined {
  if (!holds(rule.load, true, ctx) && !write) return undefined;
  if (write && !holds(rule.store, false, ctx)) return undefined;
  if (rule.custom) return rule.custom(off, bytes, write);
  const access: CtxAccess = {
    kind: rule.kind ?? 'scalar',
    ...(rule.nullable ? { nullable: true } : {}),
  };
  if (rule.anySize) return off + bytes <= end ? access : undefined;
  if (rule.wide && bytes === 8 && off + 8 <= end) return { ...access, fieldBytes: unit };
  if (!write && rule.narrow) {
    if (bytes > unit || (rule.narrow === 'start' && off !== offset)) return undefined;
    return { ...access, fieldBytes: unit };
  }
  return bytes === unit ? access : undefined;
}

/** Name of the member that holds the byte at `off`; the verifier has checked that there is one. */
export function ctxMemberAt<S extends AnyStruct>(
  struct: S,
  off: number,
): keyof S['members'] & string {
  for (const [name, type] of Object.entries(struct.members)) {
    const start = struct.offsets[name]!;
    if (off >= start && off < start + type.size) return name;
  }
  throw new Bug(`no member of ${struct.name} is at ${off}`);
}
