/**
 * Walking kernel structs by BTF: what a load at an offset of a struct finds, and whether a pointer
 * to one struct is also a pointer to another (its first member, or one inside it).
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from '../btf/btf.ts';
import type { BtfComposite, BtfMember } from '../btf/types.ts';
import { typeName } from './btf-names.ts';
import { reject, type Checker } from './checker.ts';
import { flag, type Reg } from './reg.ts';

export type Found =
  | { readonly kind: 'scalar' }
  | { readonly kind: 'pointer'; readonly struct: number; readonly flags: number }
  | { readonly kind: 'struct'; readonly struct: number };

/** Why a walk ended without finding anything: the log's line and the errno. */
class Nothing {
  readonly errno: number;
  readonly line: string;
  constructor(number: number, line: string) {
    this.errno = number;
    this.line = line;
  }
}

const SCALAR: Found = { kind: 'scalar' };

/** Load of `bytes` at `off` in the struct; ends in a number or a pointer. */
export function structAccess(
  c: Checker,
  btf: Btf,
  struct: number,
  off: number,
  bytes: number,
): Exclude<Found, { kind: 'struct' }> {
  let id = struct;
  let at = off;
  for (;;) {
    const found = walk(btf, id, at, bytes);
    if (found instanceof Nothing) return reject(c, found.errno, 'btf-access', found.line);
    if (found.kind !== 'struct') return found;
    id = found.struct;
    at = 0;
  }
}

/** The pointer may be used as a pointer to kernel struct `wanted`; `strict`: only as itself. */
export function structMatches(c: Checker, reg: Reg, wanted: string, strict: boolean): boolean {
  const id = c.env.kernelBtf?.find(wanted, 'struct');
  return id !== undefined && structIdMatches(c, reg, id, strict);
}

export function structIdMatches(c: Checker, reg: Reg, wanted: number, strict: boolean): boolean {
  const btf = reg.btf;
  if (!btf || btf !== c.env.kernelBtf) return false;
  if (reg.off === 0 && reg.btfId === wanted) return true;
  if (strict) return false;
  let id = reg.btfId;
  let off = reg.off;
  for (;;) {
    const found = walk(btf, id, off, 1);
    if (found instanceof Nothing) {
      c.log.write(`${found.line}\n`);
      return false;
    }
    if (found.kind !== 'struct') return false;
    if (found.struct === wanted) return true;
    id = found.struct;
    off = 0;
  }
}

const isComposite = (type: { kind: string } | undefined): type is BtfComposite =>
  type?.kind === 'struct' || type?.kind === 'union';

/** One step down: to the member at `off`, through structs that start before it. */
function walk(btf: Btf, struct: number, offset: number, bytes: number): Found | Nothing {
  let type = btf.type(struct);
  let off = offset;
  for (;;) {
    if (!isComposite(type)) {
      return new Nothing(errno.EINVAL, `Type '${typeName(type)}' is not a struct`);
    }
    if (off + bytes > type.size) {
      const beyond = flexibleArray(btf, type, off, bytes);
      if (beyond instanceof Nothing || 'kind' in beyond) return beyond;
      type = beyond.type;
      off = beyond.off;
      continue;
    }
    const step = findMember(btf, type, off, bytes);
    if (!('down' in step)) return step;
    type = step.down;
    off = step.off;
  }
}

interface Inner {
  readonly type: BtfComposite;
  readonly off: number;
}

/** An access past the struct's end is one to its last member, if that is an array of no length. */
function flexibleArray(
  btf: Btf,
  type: BtfComposite,
  off: number,
  bytes: number,
): Found | Nothing | Inner {
  const beyond = new Nothing(
    errno.EACCES,
    `access beyond struct ${typeName(type)} at off ${off} size ${bytes}`,
  );
  const last = type.members[type.members.length - 1];
  const array = last && btf.resolved(last.type);
  if (!last || array?.kind !== 'array' || array.count !== 0) return beyond;
  const start = Math.floor(last.bitOffset / 8);
  if (off < start) return beyond;
  const element = btf.resolved(array.elementType);
  if (element.kind === 'int') return SCALAR;
  if (!isComposite(element) || element.size === 0) return beyond;
  return { type: element, off: (off - start) % element.size };
}

interface Shape {
  readonly isArray: boolean;
  readonly count: number;
  readonly element: number;
  readonly elementBytes: number;
}

/** Arrays of arrays count as one array. */
function shapeOf(btf: Btf, id: number): Shape | undefined {
  let count = 1;
  let isArray = false;
  let element = btf.resolve(id);
  for (let type = btf.type(element)!; type.kind === 'array'; type = btf.type(element)!) {
    isArray = true;
    count *= type.count;
    element = btf.resolve(type.elementType);
  }
  const elementBytes = btf.sizeOf(element);
  return elementBytes === undefined ? undefined : { isArray, count, element, elementBytes };
}

function findMember(
  btf: Btf,
  type: BtfComposite,
  off: number,
  bytes: number,
): Found | Nothing | { readonly down: BtfComposite; readonly off: number } {
  for (const member of type.members) {
    const start = Math.floor(member.bitOffset / 8);
    if (off + bytes <= start) break;
    if (member.bitSize !== 0) {
      const end = Math.ceil((member.bitOffset + member.bitSize) / 8);
      if (off <= start && end <= off + bytes) return SCALAR;
      continue;
    }
    if (off < start) break;
    const shape = shapeOf(btf, member.type);
    if (!shape) {
      return new Nothing(errno.EFAULT, `field ${typeName(member)} doesn't have size`);
    }
    const end = start + shape.elementBytes * shape.count;
    if (off >= end) continue;
    const index = shape.isArray ? Math.floor((off - start) / shape.elementBytes) : 0;
    const elementStart = start + index * shape.elementBytes;
    const inner = btf.type(shape.element)!;
    if (isComposite(inner)) {
      if (off === elementStart) return { kind: 'struct', struct: shape.element };
      return { down: inner, off: off - elementStart };
    }
    if (inner.kind === 'ptr') {
      const found = pointerMember(btf, type, member, inner.type, off, bytes, elementStart);
      if (found) return found;
    }
    if (off + bytes > end) {
      return new Nothing(
        errno.EACCES,
        `access beyond the end of member ${typeName(member)} (mend:${end}) ` +
          `in struct ${typeName(type)} with off ${off} size ${bytes}`,
      );
    }
    return SCALAR;
  }
  return new Nothing(errno.EINVAL, `struct ${typeName(type)} doesn't have field at offset ${off}`);
}

/** A pointer to a struct must be loaded whole; a pointer to anything else is a number. */
function pointerMember(
  btf: Btf,
  type: BtfComposite,
  member: BtfMember,
  target: number,
  off: number,
  bytes: number,
  start: number,
): Found | Nothing | undefined {
  if (bytes !== 8 || off !== start) {
    return new Nothing(
      errno.EACCES,
      `cannot access ptr member ${typeName(member)} with moff ${start} ` +
        `in struct ${typeName(type)} with off ${off} size ${bytes}`,
    );
  }
  const struct = btf.resolve(target);
  if (!isComposite(btf.type(struct))) return undefined;
  return { kind: 'pointer', struct, flags: tagFlags(btf, target) };
}

/** `__user` and `__percpu` tags on what a pointer points at. */
export function tagFlags(btf: Btf, target: number): number {
  const tag = btf.type(target);
  if (tag?.kind !== 'type_tag') return 0;
  if (tag.name === 'user') return flag.USER;
  return tag.name === 'percpu' ? flag.PERCPU : 0;
}
