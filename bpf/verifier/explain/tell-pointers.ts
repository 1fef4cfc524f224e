/** Pointers that are none (any more), or that are used for what they are not made for. */
import { alu, classOf, cls, isRegSource, opOf } from '../opcode.ts';
import { isAnyPacketPointer, isNull, isPointer, isScalar, mayBeNull, typeText } from '../reg.ts';
import { calledFunction } from './calls.ts';
import { contextMember, describe, objectText, plural, rangeText, structName } from './describe.ts';
import { memberAt } from './members.ts';
import { capital, type Scene, type Teller, type Told } from './scene.ts';
import type { Event, Root } from './story.ts';
import { branchEvents, merge, pointerRegno } from './tell-memory.ts';
import { regPlace } from './trace.ts';
import { isConst } from '../tnum.ts';
import { signOf } from '../alu.ts';

export const invalidPointer: Teller = (scene) => {
  const regno = pointerRegno(scene);
  const reg = scene.reg(regno);
  const { events, root } = scene.follow(regno, 'number');
  const here = `${scene.accessText} through R${regno}: ${describe(scene.c, reg)}`;
  if (root?.kind === 'lost') return { ...lost(scene, root), here, events };
  if (becameNull(scene, regno)) {
    return {
      headline: `${capital(scene.phrase(root, `R${regno}`))} is used on the path where it is NULL.`,
      here,
      events,
      fix: 'Use it on the other side of the NULL check: the check is the wrong way round.',
    };
  }
  if (!isScalar(reg)) {
    return {
      headline: `R${regno} is ${describe(scene.c, reg)}, through which nothing can be accessed.`,
      here,
      events,
    };
  }
  const name = scene.phrase(root, `R${regno}`, reg);
  if (isConst(reg.scalar.bits)) return constantPointer(scene, regno, events, here);
  const moved = events.some(({ at }) => isPointerArithmetic(scene, at));
  return {
    headline: `${capital(name)} is a number to the verifier, and is used as a pointer.`,
    here,
    events,
    fix: moved
      ? 'Keep the pointer itself: arithmetic between pointers gives a number.'
      : 'Read what it points at with bpf_probe_read_kernel (or _user), or use a typed pointer.',
  };
};

/** Compilers know a NULL where it was compared, and write what is read through it as a constant. */
function constantPointer(
  scene: Scene,
  regno: number,
  events: readonly Event[],
  here: string,
): Told {
  const reg = scene.reg(regno);
  const value = reg.scalar.bits.value;
  const told = (what: string, fix: string): Told => ({
    headline: `R${regno} is ${what}, and is used as a pointer.`,
    here,
    events: merge(events, branchEvents(scene, 0, 3)),
    fix,
  });
  if (value >= NULL_PAGE) {
    return told(
      `the number ${rangeText(reg.scalar)}`,
      'Use a pointer that the kernel gave: an address written as a number is none.',
    );
  }
  return told(
    isNull(reg) ? 'NULL' : `NULL with an offset of ${value}`,
    'Use the pointer on the side of the NULL check where it is not NULL.',
  );
}

/** Members of a struct at NULL lie below this. */
const NULL_PAGE = 4096n;

const isPointerArithmetic = (scene: Scene, at: number): boolean => {
  const insn = scene.story.insnAt(at);
  if (classOf(insn.code) !== cls.ALU64 && classOf(insn.code) !== cls.ALU) return false;
  if (opOf(insn.code) === alu.MOV) return false;
  const reg = scene.story.regAt(scene.story.steps[at]!.frame, insn.dst, at);
  return reg !== undefined && isPointer(reg);
};

/** A helper made it invalid: moved the packet, or released what it points at. */
export function lost(scene: Scene, root: Root): Told {
  const { story } = scene;
  const change = story.lastChange(root.place, root.at + 1)!.change;
  const helper = calledFunction(scene.c, story.insnAt(root.at), story.steps[root.at]!.insn);
  const before = change.before?.reg;
  if (before && isAnyPacketPointer(before)) {
    return {
      headline: `A packet pointer is used after ${helper}, which may have moved the packet.`,
      fix: 'Load data and data_end again from the context after the call, and check again.',
    };
  }
  const object = before ? objectText(scene.c, before) : 'the object';
  return {
    headline: `${capital(object)} is used after ${helper} released it.`,
    fix: 'Do everything that needs it before it is released.',
  };
}

/** A comparison on the path told that the pointer is NULL. */
function becameNull(scene: Scene, regno: number): boolean {
  const walk = scene.story.walk(regPlace(scene.frame, regno), scene.at, 'pointer');
  for (const { kind, change } of walk) {
    const { before, after } = change;
    if (kind === 'check' && before && mayBeNull(before.reg) && isScalar(after!.reg)) return true;
  }
  return false;
}

export const modifiedPointer: Teller = (scene) => {
  const regno = pointerRegno(scene);
  const reg = scene.reg(regno);
  const { events } = scene.follow(regno, 'pointer');
  const moved = isConst(reg.scalar.bits)
    ? `by ${reg.off + Number(BigInt.asIntN(32, reg.scalar.bits.value))}`
    : 'by a number that varies';
  return {
    headline: `The pointer to ${objectText(scene.c, reg)} was moved ${moved}, but must be used as it was given.`,
    here: `${scene.accessText} ${scene.isCall ? 'with' : 'through'} R${regno}`,
    events: isConst(reg.scalar.bits) ? events : merge(events, scene.follow(regno, 'number').events),
    fix: scene.isCall
      ? 'Pass the pointer as it was given.'
      : 'Use the unmodified pointer and put the offset into the access itself.',
  };
};

export const pointerArithmetic: Teller = (scene) => {
  const { insn, c } = scene;
  const dst = scene.reg(insn.dst);
  const src = isRegSource(insn.code) ? scene.reg(insn.src) : undefined;
  const events = merge(
    scene.follow(insn.dst, 'pointer').events,
    src ? scene.follow(insn.src, 'pointer').events : [],
  );
  const pointer = isPointer(dst) ? dst : (src ?? dst);
  const object = objectText(c, pointer);
  const told = (headline: string, fix?: string): Told => ({
    headline,
    here: `R${insn.dst} is ${describe(c, dst)}${src ? `, R${insn.src} is ${describe(c, src)}` : ''}`,
    events,
    ...(fix && { fix }),
  });
  if (src && isPointer(dst) && isPointer(src)) {
    return told(
      `Two pointers are combined by ${signOf(insn.code)}, which gives nothing that is one.`,
    );
  }
  const op = opOf(insn.code);
  const isSum = op === 0x00 || op === 0x10;
  if (op === alu.NEG || op === alu.END) return told(`A pointer to ${object} is used as a number.`);
  if (!isSum) {
    return told(
      `A pointer to ${object} is changed by ${signOf(insn.code)}: only + and - keep it one.`,
    );
  }
  if (classOf(insn.code) === cls.ALU) {
    return told(
      `Pointer arithmetic on ${object} is done in 32 bits, which cuts the address off.`,
      'Use the 64-bit instruction: in C, an offset of a type that is not cast down.',
    );
  }
  if (!isPointer(dst)) {
    return told('A pointer is subtracted from a number, which gives no pointer.');
  }
  if (op === 0x10 && dst.kind === 'fp') {
    return told(
      'A variable number is subtracted from the stack pointer.',
      'Add a negative number instead.',
    );
  }
  return told(`A pointer to ${object} must not be moved.`);
};

export const unprivilegedArithmetic: Teller = (scene) => {
  const { pointer, number } = scene.operands();
  const reg = scene.reg(pointer);
  return {
    headline: `Arithmetic on a pointer to ${objectText(scene.c, reg)} may leave it while the CPU runs ahead.`,
    here: `R${pointer} is ${describe(scene.c, reg)}${number === undefined ? '' : `, R${number} is ${rangeText(scene.reg(number).scalar)}`}`,
    events: merge(
      scene.follow(pointer, 'pointer').events,
      number === undefined ? [] : scene.follow(number, 'number').events,
    ),
  };
};

const LEAK_TARGETS: Readonly<Record<string, string>> = {
  mem: 'memory',
  map: 'a map value',
  ctx: 'the context',
  packet: 'the packet',
  'flow keys': 'the flow keys',
};

export const pointerLeak: Teller = (scene) => {
  const { about, c } = scene;
  const regno = about.reg;
  if (regno === undefined) {
    return { headline: 'A pointer on the stack would be read as a number, without CAP_PERFMON.' };
  }
  const reg = scene.reg(regno);
  const { events } = scene.follow(regno, 'pointer');
  const object = objectText(c, reg);
  const how =
    about.what === 'return value'
      ? 'would be returned'
      : about.what === 'partial copy'
        ? 'would be copied in part'
        : about.what === undefined
          ? `would be passed to ${scene.callee} as a number`
          : `would be stored in ${LEAK_TARGETS[about.what] ?? about.what}`;
  return {
    headline: `The address of ${object} ${how}, without CAP_PERFMON.`,
    here: `R${regno} is ${describe(c, reg)}`,
    events,
  };
};

export const pointerComparison: Teller = (scene) => {
  const regno = scene.about.reg ?? scene.insn.dst;
  const object = objectText(scene.c, scene.reg(regno));
  return {
    headline: `The address of ${object} is compared with something else than NULL, without CAP_PERFMON.`,
    events: scene.follow(regno, 'pointer').events,
  };
};

export const differentPointers: Teller = (scene) => {
  const regno = pointerRegno(scene);
  const reg = scene.reg(regno);
  return {
    headline: `On this path the instruction accesses ${objectText(scene.c, reg)}, on another path a pointer of kind ${scene.about.wanted}.`,
    events: scene.follow(regno, 'pointer').events,
  };
};

export const stackEscape: Teller = (scene) => {
  const regno = scene.about.reg ?? scene.insn.src;
  return {
    headline: 'A pointer to this function’s stack would outlive the function.',
    here: `R${regno} is ${describe(scene.c, scene.reg(regno))}`,
    events: scene.follow(regno, 'pointer').events,
  };
};

export const contextAccess: Teller = (scene) => {
  const { off = 0, bytes = 1, write } = scene.about;
  const member = contextMember(scene.c, off);
  if (scene.c.ops.access === 'btf') {
    const target = scene.c.attach?.name ?? 'the function';
    return {
      headline: `${target} has no argument ${Math.floor(off / 8) + 1} that ${scene.programKind} may ${write ? 'write' : 'read'} like this.`,
      events: scene.follow(pointerRegno(scene), 'pointer').events,
    };
  }
  const name = scene.c.ops.ctxStruct ? `struct ${scene.c.ops.ctxStruct}` : 'the context';
  const where = member ? `${member} (offset ${off})` : `offset ${off}`;
  return {
    headline: `${capital(scene.programKind)} may not ${write ? 'write' : 'read'} ${plural(bytes, 'byte')} of ${name} at ${where}.`,
    events: scene.follow(pointerRegno(scene), 'pointer').events,
  };
};

export const contextStore: Teller = (scene) => ({
  headline: 'A constant is stored in the context, which takes only stores from a register.',
  events: scene.follow(scene.insn.dst, 'pointer').events,
  fix: 'Put the constant into a register first: r2 = 1; *(u32 *)(r1 + off) = r2.',
});

export const atomicTarget: Teller = (scene) => {
  const reg = scene.reg(scene.insn.dst);
  return {
    headline: `An atomic operation on ${objectText(scene.c, reg)}, which has none.`,
    events: scene.follow(scene.insn.dst, 'pointer').events,
  };
};

export const btfWrite: Teller = (scene) => {
  const regno = pointerRegno(scene);
  const reg = scene.reg(regno);
  const member = reg.btf && memberAt(reg.btf, reg.btfId, reg.off + scene.insn.off);
  return {
    headline: `struct ${structName(reg)}${member ? ` (${member})` : ''} is written, but kernel structs may only be read.`,
    events: scene.follow(regno, 'pointer').events,
  };
};

/** Reads through BTF pointers, sockets and map structs that do not fit. */
export const kernelStruct: Teller = (scene) => {
  const regno = pointerRegno(scene);
  const reg = scene.reg(regno);
  const { off, bytes } = scene.about;
  if (reg.kind === 'map_ptr') {
    return {
      headline: `${capital(objectText(scene.c, reg))} itself is ${scene.isWrite ? 'written' : 'read'}, not one of its values.`,
      events: scene.follow(regno, 'pointer').events,
    };
  }
  const name = reg.kind === 'ptr_' ? `struct ${structName(reg)}` : objectText(scene.c, reg);
  const what = reg.flags === 0 ? '' : ` (${typeText(reg)})`;
  const where = off === undefined ? '' : ` at offset ${off}`;
  const size = bytes === undefined ? '' : `${plural(bytes, 'byte')} of `;
  return {
    headline: `${capital(`${size}${name}${what}${where}`)} cannot be ${scene.isWrite ? 'written' : 'read'} like this.`,
    events: scene.follow(regno, 'pointer').events,
  };
};
