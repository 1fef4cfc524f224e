/**
 * What a change on the path was: an instruction's result, something that a comparison told, the
 * loss of a value at a call. The recorded facts are the place, what it held before and after, and
 * the instruction.
 */
import type { Insn } from '../../isa/insn.ts';
import type { Checker } from '../checker.ts';
import {
  alu,
  classOf,
  cls,
  conditionOf,
  isHelperCall,
  isJumpClass,
  isKfuncCall,
  isSubprogCall,
  jmp,
  mode,
  modeOf,
  opOf,
} from '../opcode.ts';
import { frameOfPlace, regnoOf, type Place, type TraceStep } from './trace.ts';

/**
 * - `entry`: there from the start; `argument`, `callback-argument`, `returned`: passed by a call
 * - `constant`, `map`, `copy`, `arithmetic`, `unary`, `load`, `atomic`, `packet-load`: a result
 * - `helper`, `call`: the result of a helper, of a global function
 * - `store`, `helper-write`: stack memory written
 * - `check`: a comparison told something; `clobber`: registers that a call does not keep
 * - `lost`: what a helper made invalid; `restore`: a callback that may not have run
 * - `note`: nothing that matters to the value
 */
export type ChangeKind =
  | 'entry'
  | 'argument'
  | 'callback-argument'
  | 'returned'
  | 'constant'
  | 'map'
  | 'copy'
  | 'arithmetic'
  | 'unary'
  | 'load'
  | 'atomic'
  | 'packet-load'
  | 'helper'
  | 'call'
  | 'store'
  | 'helper-write'
  | 'check'
  | 'clobber'
  | 'lost'
  | 'restore'
  | 'note';

export const isConditionalJump = (insn: Insn): boolean =>
  isJumpClass(insn.code) && conditionOf(insn.code) !== undefined && opOf(insn.code) <= jmp.LAST;

export const isMoveReg = (insn: Insn): boolean =>
  (classOf(insn.code) === cls.ALU || classOf(insn.code) === cls.ALU64) &&
  opOf(insn.code) === alu.MOV &&
  (insn.code & 8) !== 0;

export function kindOfChange(c: Checker, step: TraceStep, place: Place): ChangeKind {
  if (step.kind === 'entry') return 'entry';
  if (step.resumed === 'async') return 'callback-argument';
  const insn = c.insns[step.insn]!;
  const frame = frameOfPlace(place);
  const regno = regnoOf(place);
  const isDst = frame === step.frame && regno === insn.dst;
  switch (classOf(insn.code)) {
    case cls.ALU:
    case cls.ALU64:
      return isDst ? aluKind(insn) : 'note';
    case cls.LDX:
      return isDst ? 'load' : 'note';
    case cls.LD:
      if (modeOf(insn.code) !== mode.IMM) return regno === 0 ? 'packet-load' : 'clobber';
      if (!isDst) return 'note';
      return insn.src === 0 ? 'constant' : 'map';
    case cls.ST:
    case cls.STX:
      return regno === undefined ? 'store' : 'atomic';
    default:
      return controlKind(insn, step, frame, regno);
  }
}

function aluKind(insn: Insn): ChangeKind {
  switch (opOf(insn.code)) {
    case alu.MOV:
      return (insn.code & 8) !== 0 ? 'copy' : 'constant';
    case alu.NEG:
    case alu.END:
      return 'unary';
    default:
      return 'arithmetic';
  }
}

function controlKind(
  insn: Insn,
  step: TraceStep,
  frame: number,
  regno: number | undefined,
): ChangeKind {
  switch (opOf(insn.code)) {
    case jmp.JA:
      return 'note';
    case jmp.EXIT:
      return regno === 0 && frame < step.frame ? 'returned' : 'restore';
    case jmp.CALL:
      break;
    default:
      return 'check';
  }
  if (frame > step.frame) {
    if (regno === 10) return 'entry';
    return isSubprogCall(insn) ? 'argument' : 'callback-argument';
  }
  if (frame < step.frame) return regno === 0 ? 'returned' : 'lost';
  if (regno === undefined) return 'helper-write';
  if (regno >= 1 && regno <= 5) return 'clobber';
  if (regno > 5) return 'lost';
  return isHelperCall(insn) || isKfuncCall(insn) ? 'helper' : 'call';
}
