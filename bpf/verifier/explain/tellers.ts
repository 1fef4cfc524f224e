/** Who tells what: one row a reason code that has more to say than its title. */
import type { ReasonCode } from '../reasons.ts';
import type { Teller } from './scene.ts';
import * as calls from './tell-calls.ts';
import * as flow from './tell-flow.ts';
import * as memory from './tell-memory.ts';
import { invalidPacketAccess } from './tell-packet.ts';
import * as pointers from './tell-pointers.ts';
import * as refs from './tell-refs.ts';
import * as values from './tell-values.ts';

export const tellers: Partial<Record<ReasonCode, Teller>> = {
  'missing-null-check': memory.missingNullCheck,
  'invalid-packet-access': invalidPacketAccess,
  'out-of-bounds': memory.outOfBounds,
  'unbounded-offset': memory.unboundedOffset,
  'negative-offset': memory.negativeOffset,
  'offset-too-large': memory.offsetTooLarge,
  'misaligned-access': memory.misaligned,
  'read-only-memory': memory.readOnly,
  'packet-write': memory.packetWrite,
  'zero-sized-access': memory.zeroSize,
  'negative-size': memory.negativeSize,
  'unbounded-size': memory.unboundedSize,
  'size-not-constant': memory.sizeNotConstant,
  'kernel-field-access': memory.kernelField,
  'map-permission': memory.mapPermission,

  'invalid-pointer': pointers.invalidPointer,
  'modified-pointer': pointers.modifiedPointer,
  'pointer-arithmetic': pointers.pointerArithmetic,
  'unprivileged-pointer-arithmetic': pointers.unprivilegedArithmetic,
  'pointer-comparison': pointers.pointerComparison,
  'pointer-leak': pointers.pointerLeak,
  'different-pointers': pointers.differentPointers,
  'stack-pointer-escape': pointers.stackEscape,
  'context-store': pointers.contextStore,
  'atomic-target': pointers.atomicTarget,
  'invalid-context-access': pointers.contextAccess,
  'btf-access': pointers.kernelStruct,
  'btf-write': pointers.btfWrite,
  'map-struct-access': pointers.kernelStruct,
  'invalid-socket-access': pointers.kernelStruct,

  'uninitialised-register': values.uninitialisedRegister,
  'uninitialised-stack': values.uninitialisedStack,
  'stack-out-of-bounds': values.stackOutOfBounds,
  'variable-stack-offset': values.variableStackOffset,
  'partial-pointer-spill': values.partialPointer(
    'A part of a pointer is saved on the stack, which takes it whole or not at all.',
  ),
  'partial-pointer-fill': values.partialPointer(
    'A part of a pointer is read from the stack, which gives it whole or not at all.',
  ),
  'spilled-pointer-overwrite': values.partialPointer(
    'A pointer on the stack is overwritten in part, without CAP_PERFMON.',
    'A number that was saved whole on the stack is overwritten in part, without CAP_PERFMON.',
  ),
  'return-value': values.returnValue,

  'helper-not-allowed': calls.helperNotAllowed,
  'unknown-helper': calls.unknownHelper,
  'gpl-only': calls.gplOnly,
  'helper-might-sleep': calls.mightSleep,
  'argument-type': calls.argumentType,
  'helper-packet-access': calls.helperPacketAccess,
  'helper-flags': calls.helperFlags,
  'map-helper': calls.mapHelper,
  'constant-string': calls.constantString,
  'format-string': calls.formatString,
  dynptr: calls.dynptr,
  callback: calls.callbackFunction,
  'callback-changes-caller': calls.callbackChanges,
  'kernel-field': calls.kernelFieldArgument,
  'timer-map': calls.timerMap,

  'reference-leak': refs.referenceLeak,
  'release-unreferenced': refs.releaseUnreferenced,
  'lock-held': refs.lockHeld,
  'lock-not-held': refs.lockNotHeld,

  'infinite-loop': flow.infiniteLoop,
  'too-complex': flow.tooComplex,
  'stack-too-large': flow.stackTooLarge,
  'call-depth': flow.callDepth,
  'unreachable-insn': flow.unreachable,
  'jump-out-of-range': flow.jumpOutOfRange,
  'jump-into-ldimm64': flow.jumpIntoLdimm64,
  'falls-through': flow.fallsThrough,
  'bad-map-value': flow.mapValueAddress,
};
