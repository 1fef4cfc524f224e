/**
 * State lines of the log, in 6.1's format:
 *
 *   5: (85) call bpf_map_lookup_elem#1    ; R0_w=map_value_or_null(id=1,off=0,ks=8,vs=48,imm=0)
 *   from 6 to 9: R0=0 R6=ctx(off=0,imm=0) R10=fp0 fp-8=mmmm????
 */
import { s64 } from './int.ts';
import type { Checker } from './checker.ts';
import { isPacketPointer, isPlain, isScalar, typeText, type Reg } from './reg.ts';
import { scalarAttributes } from './scalar.ts';
import { FP, bytesText, isSpill, live, type AnyFrame, type Frame, type Slot } from './state.ts';
import { isConst } from './tnum.ts';

/** include/linux/bpf_verifier.h */
const LOG_ALIGNMENT = 40;
const LOG_MIN_ALIGNMENT = 8;

const ALL_SLOTS = (1n << 64n) - 1n;

export function markAllScratched(c: Checker): void {
  c.scratchedRegs = -1;
  c.scratchedSlots = ALL_SLOTS;
}

function markClean(c: Checker): void {
  c.scratchedRegs = 0;
  c.scratchedSlots = 0n;
}

function livenessText(marks: number): string {
  if ((marks & (live.READ | live.WRITTEN | live.DONE)) === 0) return '';
  return (
    '_' +
    ((marks & live.READ) !== 0 ? 'r' : '') +
    ((marks & live.WRITTEN) !== 0 ? 'w' : '') +
    ((marks & live.DONE) !== 0 ? 'D' : '')
  );
}

const REFCOUNTED = new Set(['sock', 'tcp_sock', 'mem', 'ptr_']);

export function regText(reg: Reg, precise: boolean): string {
  const mark = isPlain(reg, 'scalar') && precise ? 'P' : '';
  const { scalar } = reg;
  if ((isPlain(reg, 'scalar') || isPlain(reg, 'fp')) && isConst(scalar.bits)) {
    const value = s64(scalar.bits.value + BigInt(reg.off));
    return `${mark}${isScalar(reg) ? '' : typeText(reg)}${value}`;
  }
  let text = mark + typeText(reg);
  if (reg.kind === 'ptr_') text += reg.btf?.type(reg.btfId)?.name ?? '';
  const attributes: string[] = [];
  if (reg.id !== 0) attributes.push(`id=${reg.id}`);
  if (REFCOUNTED.has(reg.kind) && reg.refId !== 0) attributes.push(`ref_obj_id=${reg.refId}`);
  if (!isScalar(reg)) attributes.push(`off=${reg.off}`);
  if (isPacketPointer(reg)) attributes.push(`r=${reg.range}`);
  else if (
    reg.map &&
    (reg.kind === 'map_ptr' || reg.kind === 'map_key' || reg.kind === 'map_value')
  ) {
    attributes.push(`ks=${reg.map.spec.keyBytes},vs=${reg.map.spec.valueBytes}`);
  }
  attributes.push(...scalarAttributes(scalar));
  return `${text}(${attributes.join(',')})`;
}

/** A spilled register prints its type only, and its value where it is a constant. */
function spillText(slot: Slot): string {
  const { reg } = slot;
  if (!isPlain(reg, 'scalar')) return typeText(reg);
  const value = isConst(reg.scalar.bits) ? `${s64(reg.scalar.bits.value + BigInt(reg.off))}` : '';
  return (slot.precise ? 'P' : '') + value;
}

/** Registers and stack; only what changed since the last line, unless `all`. */
export function stateText(c: Checker, frame: AnyFrame, all: boolean): string {
  let text = frame.frameno > 0 ? ` frame${frame.frameno}:` : '';
  for (let regno = 0; regno <= FP; regno++) {
    const slot = frame.regs.at(regno)!;
    if (slot.reg.kind === '?' || !(all || (c.scratchedRegs & (1 << regno)) !== 0)) continue;
    text += ` R${regno}${livenessText(slot.live)}=${regText(slot.reg, slot.precise)}`;
  }
  for (let index = 0; index < frame.stack.length; index++) {
    const slot = frame.stack.at(index)!;
    if (slot.bytes === 0) continue;
    if (!all && (c.scratchedSlots & (1n << BigInt(index))) === 0n) continue;
    const content = isSpill(slot) ? spillText(slot) : bytesText(slot.bytes);
    text += ` fp${-8 * (index + 1)}${livenessText(slot.live)}=${content}`;
  }
  if (frame.refs.length > 0) text += ` refs=${Array.from(frame.refs, (ref) => ref.id).join(',')}`;
  if (frame.inCallback) text += ' cb';
  if (frame.inAsyncCallback) text += ' async_cb';
  if (!all) markClean(c);
  return text;
}

export function printState(c: Checker, frame: Frame, all: boolean): void {
  if (!c.log.on || c.log.full) {
    if (!all) markClean(c);
    return;
  }
  c.log.write(`${stateText(c, frame, all)}\n`);
}

/** What the last instruction changed: behind it, or on a line of its own. */
export function printInsnState(c: Checker): void {
  const { log } = c;
  if (c.prevLogLength > 0 && c.prevLogLength === log.length) {
    log.cut(c.prevLogLength - 1);
    const position = c.prevInsnPrintLength;
    const wanted = Math.max(position + LOG_MIN_ALIGNMENT / 2, LOG_ALIGNMENT);
    const column = Math.ceil(wanted / LOG_MIN_ALIGNMENT) * LOG_MIN_ALIGNMENT;
    log.write(`${' '.repeat(column - position - 1)};`);
  } else {
    log.write(`${c.insn}:`);
  }
  printState(c, c.frame, false);
}

/** The source line that an instruction belongs to, unless it was printed last. */
export function printSourceLine(c: Checker, insn: number, prefix: string): void {
  if (!c.log.on || c.lines.length === 0) return;
  // The last line that begins at the instruction or before it.
  let at = 0;
  for (let end = c.lines.length; at + 1 < end;) {
    const middle = (at + end) >> 1;
    if (c.lines[middle]!.insn <= insn) at = middle;
    else end = middle;
  }
  const line = c.lines[at]!;
  if (line === c.prevLine) return;
  c.log.write(`${prefix}${line.text.replace(/^\s+/, '')}\n`);
  c.prevLine = line;
}
