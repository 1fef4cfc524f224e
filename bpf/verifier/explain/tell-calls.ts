/** Helper calls: who may call what, and what the arguments must be. */
import { helperFor } from '../../helpers/allow.ts';
import type { ArgType, Helper } from '../../helpers/helper.ts';
import { PROG_TYPES } from '../../uapi.ts';
import { constStringAt } from '../args-special.ts';
import { callerOf } from '../helper-call.ts';
import { isSubprogCall } from '../opcode.ts';
import { isConst } from '../tnum.ts';
import { kindOfChange } from './changes.ts';
import {
  describe,
  functionName,
  helperName,
  mapName,
  objectText,
  placeName,
  plural,
} from './describe.ts';
import { capital, type Scene, type Teller } from './scene.ts';
import type { Event } from './story.ts';
import { merge } from './tell-memory.ts';
import { lost } from './tell-pointers.ts';
import { frameOfPlace } from './trace.ts';

const ALL_CAPS = { bpf: true, perfmon: true, sysAdmin: true };
const MAX_NAMED = 6;

export const helperNotAllowed: Teller = (scene) => {
  const { c, insn } = scene;
  const name = helperName(insn.imm);
  const withCaps = helperFor(callerOf(c), insn.imm, ALL_CAPS);
  if (withCaps && !helperFor(callerOf(c), insn.imm, c.env.caps)) {
    return {
      headline: `${name} needs a capability that the loader of the program does not have.`,
      fix: 'Load it with CAP_BPF and CAP_PERFMON.',
    };
  }
  if (withCaps) {
    return {
      headline: `${name} may not be called where this program is attached${attachText(scene)}.`,
      fix: 'Attach it to a function from which the helper is safe to call, or use another helper.',
    };
  }
  const types = typesWith(insn.imm);
  const more = types.length > MAX_NAMED ? `, and ${types.length - MAX_NAMED} more` : '';
  return {
    headline: `${name} may not be called from ${scene.programKind}.`,
    ...(types.length > 0 && {
      fix: `Program types that have it: ${types.slice(0, MAX_NAMED).join(', ')}${more}.`,
    }),
  };
};

const attachText = ({ c }: Scene): string => {
  const name = c.attach?.name ?? c.env.attachName;
  return name === undefined ? '' : ` (${name})`;
};

/** Program types that get the helper with all capabilities and their first attach type. */
const typesWith = (id: number): string[] =>
  PROG_TYPES.filter(
    (type) =>
      type !== 'unspec' &&
      helperFor({ type, expectedAttachType: 'cgroup_inet_ingress' }, id, ALL_CAPS) !== undefined,
  );

export const unknownHelper: Teller = ({ insn }) => ({
  headline: `No helper has the id ${insn.imm}.`,
});

export const gplOnly: Teller = (scene) => {
  const licence = scene.c.spec.license === '' ? 'has none' : `is '${scene.c.spec.license}'`;
  const what = scene.helper ? helperName(scene.insn.imm) : 'What the program uses';
  return {
    headline: `${what} is for GPL-compatible programs only, and this program’s licence ${licence}.`,
  };
};

export const mightSleep: Teller = (scene) => ({
  headline: `${helperName(scene.insn.imm)} may sleep, and this program is not loaded as sleepable.`,
});

/** What an argument must be, in words. */
function wantedText(type: ArgType | undefined, helper: Helper | undefined): string | undefined {
  switch (type?.base) {
    case 'const_map_ptr':
      return 'a map';
    case 'ptr_to_map_key':
      return 'memory that holds a key of the map';
    case 'ptr_to_map_value':
      return 'memory that holds a value of the map';
    case 'ptr_to_mem':
      return type.fixedBytes === undefined
        ? 'memory'
        : `memory of ${plural(type.fixedBytes, 'byte')}`;
    case 'ptr_to_alloc_mem':
      return 'a record from bpf_ringbuf_reserve';
    case 'const_size':
    case 'const_size_or_zero':
    case 'const_alloc_size_or_zero':
      return 'a size';
    case 'ptr_to_ctx':
      return 'the context';
    case 'ptr_to_sock_common':
    case 'ptr_to_btf_id_sock_common':
      return 'a socket';
    case 'ptr_to_socket':
      return 'a full socket';
    case 'ptr_to_btf_id':
      return type.btfStruct ? `a pointer to struct ${type.btfStruct}` : 'a kernel pointer';
    case 'ptr_to_percpu_btf_id':
      return 'a per-CPU kernel variable';
    case 'ptr_to_spin_lock':
      return 'a bpf_spin_lock in a map value';
    case 'ptr_to_timer':
      return 'a bpf_timer in a map value';
    case 'ptr_to_kptr':
      return 'a kernel pointer’s place in a map value';
    case 'ptr_to_func':
      return 'a function of the program';
    case 'ptr_to_stack':
      return 'stack memory (or NULL)';
    case 'ptr_to_const_str':
      return 'a constant string';
    case 'ptr_to_dynptr':
      return helper ? 'a dynptr on the stack' : undefined;
    default:
      return undefined;
  }
}

export const argumentType: Teller = (scene) => {
  const { about, helper, c } = scene;
  const regno = about.reg;
  if (regno === undefined || isSubprogCall(scene.insn)) {
    return {
      headline: `An argument of ${scene.callee} does not fit what the function declares.`,
      events: callArguments(scene),
    };
  }
  const reg = scene.reg(regno);
  const { events, root } = scene.follow(regno, 'pointer');
  if (root?.kind === 'lost') {
    return { ...lost(scene, root), here: `R${regno} is ${describe(c, reg)}`, events };
  }
  const wanted = wantedText(helper?.args[regno - 1], helper) ?? about.wanted ?? 'something else';
  return {
    headline: `Argument ${regno} of ${scene.callee} must be ${wanted}, but is ${argumentText(scene, regno)}.`,
    here: `R${regno} is ${describe(c, reg)}`,
    events,
  };
};

function argumentText(scene: Scene, regno: number): string {
  const reg = scene.reg(regno);
  if (reg.kind !== 'scalar') return describe(scene.c, reg);
  return isConst(reg.scalar.bits) ? `the number ${describe(scene.c, reg)}` : 'a number';
}

function callArguments(scene: Scene) {
  const lists = [1, 2, 3, 4, 5].map((regno) =>
    scene.reg(regno).kind === '?' ? [] : scene.follow(regno, 'pointer').events.slice(-1),
  );
  return merge(...lists);
}

export const helperPacketAccess: Teller = (scene) => {
  const regno = scene.about.reg ?? 0;
  return {
    headline: `Argument ${regno} of ${scene.callee} points into the packet, which the helper does not take.`,
    events: scene.follow(regno, 'pointer').events,
  };
};

export const mapHelper: Teller = (scene) => {
  const { what, wanted } = scene.about;
  const { map } = scene.reg(scene.about.reg ?? 1);
  const name = map ? mapName(map) : 'this map';
  const type = what ?? map?.spec.type ?? 'its type';
  return {
    headline: `${scene.callee} does not work on ${name}${name.endsWith(type) ? '' : ` (type ${type})`}.`,
    events: scene.follow(scene.about.reg ?? 1, 'pointer').events,
    ...(wanted && { fix: `What fits: ${wanted}.` }),
  };
};

/** A register's value in a call that is refused for a rule of that helper. */
export const argumentRule =
  (tell: (scene: Scene, regno: number) => string): Teller =>
  (scene) => {
    const regno = scene.about.reg ?? 1;
    return {
      headline: capital(tell(scene, regno)),
      here: `R${regno} is ${describe(scene.c, scene.reg(regno))}`,
      events: scene.follow(regno, 'pointer').events,
    };
  };

export const kernelFieldArgument = argumentRule((scene, regno) => {
  const reg = scene.reg(regno);
  const field = scene.about.what ?? 'bpf_spin_lock';
  return `there is no ${field.replace('bpf_', '')} where argument ${regno} of ${scene.callee} points: ${describe(scene.c, reg)}.`;
});

export const dynptr = argumentRule(
  (scene, regno) =>
    `argument ${regno} of ${scene.callee} is not a dynptr in the state that the helper needs.`,
);

export const constantString = argumentRule(
  (scene, regno) =>
    `argument ${regno} of ${scene.callee} must be a constant string, and is in ${objectText(scene.c, scene.reg(regno))}.`,
);

export const formatString: Teller = (scene) => {
  const format = constStringAt(scene.c, scene.reg(3));
  const bytes = scene.reg(5).scalar.bits.value;
  const events = merge(scene.follow(3, 'pointer').events, scene.follow(5, 'number').events);
  if (bytes % 8n !== 0n) {
    return { headline: `The arguments of the format take ${bytes} bytes, not 8 each.`, events };
  }
  return {
    headline: `The format ${JSON.stringify(format ?? '')} does not fit its ${plural(bytes / 8n, 'argument')}.`,
    events,
  };
};

export const helperFlags = argumentRule(
  (scene, regno) => `${scene.callee} knows no flags, but argument ${regno} is not 0.`,
);

export const timerMap = argumentRule(
  (scene) => `${scene.callee} is given a timer and a map that is not the timer’s.`,
);

export const callbackFunction: Teller = (scene) => {
  const target = scene.c.subprogAt(scene.slot + scene.insn.imm + 1);
  const name = target < 0 ? '' : functionName(scene.c, target);
  return { headline: `Function ${name} cannot be a callback: it must be static and have BTF.` };
};

/** What the callback changed in the frames of its callers. */
export const callbackChanges: Teller = (scene) => {
  const { story } = scene;
  const events: Event[] = [];
  const frame = scene.frame;
  for (let at = scene.at - 1; at >= 0 && story.steps[at]!.frame >= frame; at--) {
    for (const change of story.steps[at]!.changes) {
      if (frameOfPlace(change.place) >= frame || !change.after) continue;
      const kind = kindOfChange(scene.c, story.steps[at]!, change.place);
      if (kind === 'note' || kind === 'check') continue;
      const [was, is] = [change.before, change.after].map((content) =>
        content ? describe(scene.c, content.reg) : 'not set',
      );
      const says = `${placeName(change.place)} of its caller, which was ${was}, becomes ${is}`;
      events.unshift({ at, role: 'value', place: change.place, says });
    }
  }
  const name = functionName(scene.c, scene.step?.subprog ?? 0);
  return {
    headline: `The callback ${name} may not run again on what it leaves behind in its caller.`,
    here: 'returns to a caller in another state',
    events,
  };
};
