/** Maps of an emitted pipeline: block RAM with its ports, units that modify, tables that are searched. */
import type { BpfMap } from '../../../bpf/maps/map.ts';
import { indexBits, isArray, setsOf } from './accesses.ts';
import { type Bank, banksOf, rowsOf } from './banks.ts';
import { type Node } from './node.ts';
import type { PipelineImage } from './image.ts';
import { WAYS } from './params.ts';
import { isStructural } from './stages.ts';
import { literal, width, type Wires } from './wires.ts';

/** Results that are wires of a map's memory; others are registers. */
export const isWire = ({ op, access }: Node): boolean =>
  op === 'load' || (op === 'lookup' && access!.map.spec.type === 'lpm_trie');

/** What the host can write and read, in order of its number on the host's port. */
export interface HostMemory {
  readonly name: string;
  readonly map: BpfMap;
  /** Values of some bytes; keys; how many elements there are. */
  readonly kind: 'bank' | 'keys' | 'count' | 'ports';
  readonly bytes: readonly number[];
  readonly bits: number;
}

export interface MapText {
  readonly text: string;
  readonly memories: readonly HostMemory[];
}

export function mapsText(image: PipelineImage, wires: Wires): MapText {
  const memories: HostMemory[] = [];
  const texts = image.program.device.usedMaps.map((map, i) => {
    const { name, type, maxEntries } = map.spec;
    const head = `  // Map ${name}: ${type}, ${maxEntries} entries\n`;
    return head + mapText(image, wires, map, `m${i}`, memories);
  });
  return { text: texts.join('\n'), memories };
}

function mapText(
  image: PipelineImage,
  wires: Wires,
  map: BpfMap,
  name: string,
  memories: HostMemory[],
): string {
  if (map.spec.type === 'devmap') return portsText(image, wires, map, name, memories);
  let text = '';
  if (!isArray(map)) text += tableText(image, wires, map, name, memories);
  banksOf(image.design, map).forEach((bank, i) => {
    text += bankText(image, wires, bank, `${name}_b${i}`, name, memories);
  });
  return text;
}

const searchesOf = (image: PipelineImage, map: BpfMap, op: Node['op']): readonly Node[] =>
  image.design.accesses.filter((node) => node.access!.map === map && node.op === op);

const conditionOf = (wires: Wires, node: Node, stage: number): string =>
  `(valid_s${stage} & ${wires.at(node.args.at(-1)!, stage)})`;

/** Who may write a memory: one of them in a clock, the host if nobody else does. */
interface Writer {
  readonly when: string;
  readonly index: string;
  /** Lowest bit and number of bits of the word. */
  readonly low: number;
  readonly bits: number;
  readonly data: string;
}

/**
 * A memory with one port to write, as block RAM has it; each that reads gets a copy of the memory when it
 * is synthesized.
 */
function memoryText(
  memory: HostMemory,
  rows: number,
  indexWidth: number,
  memories: HostMemory[],
  writers: readonly Writer[],
): string {
  const number = memories.push(memory) - 1;
  const { name, bits } = memory;
  const whole = writers.every((writer) => writer.bits === bits);
  const lanes = whole ? 1 : bits / 8;
  const laneBits = bits / lanes;
  const mask = (low: number, count: number): string =>
    `{${count / laneBits}{1'b1}} << ${low / laneBits}`;
  const chosen = writers.map(
    ({ when, index, low, bits: wide, data }) => `\
    if (${when}) begin
      ${name}_windex = ${index};
      ${name}_wdata${wide === bits ? '' : `[${low + wide - 1}:${low}]`} = ${data};
      ${name}_write = ${whole ? "1'b1" : `${name}_write | (${mask(low, wide)})`};
    end
`,
  );
  const writes = Array.from({ length: lanes }, (_, lane) => {
    const part = whole ? '' : `[${(lane + 1) * laneBits - 1}:${lane * laneBits}]`;
    const on = whole ? `${name}_write` : `${name}_write[${lane}]`;
    return `    if (${on}) ${name}[${name}_windex]${part} <= ${name}_wdata${part};\n`;
  });
  return `\
  reg ${width(bits)}${name} [0:${rows - 1}];
  integer ${name}_i;
  initial for (${name}_i = 0; ${name}_i < ${rows}; ${name}_i = ${name}_i + 1) ${name}[${name}_i] = 0;
  reg ${width(bits)}${name}_host, ${name}_wdata;
  reg ${width(lanes)}${name}_write;
  reg ${width(indexWidth)}${name}_windex;
  always @* begin
    ${name}_windex = host_index;
    ${name}_wdata = host_data;
    ${name}_write = host_write && host_bank == ${number} ? {${lanes}{1'b1}} : 0;
${chosen.join('')}  end
  always @(posedge clk) begin
    ${name}_host <= ${name}[host_index${indexWidth < 32 ? `[${indexWidth - 1}:0]` : ''}];
${writes.join('')}  end
`;
}

function bankText(
  image: PipelineImage,
  wires: Wires,
  bank: Bank,
  name: string,
  table: string,
  memories: HostMemory[],
): string {
  const { map, bytes, accesses } = bank;
  const bits = bytes.length * 8;
  const memory: HostMemory = { name, map, kind: 'bank', bytes, bits };
  const rows = rowsOf(map);
  const { schedule } = image;
  const writers: Writer[] = [];
  const place = ({ access }: Node) => ({
    low: bytes.indexOf(access!.from) * 8,
    bits: access!.bytes * 8,
  });
  let text = '';
  const range = ({ access }: Node): string => {
    const low = bytes.indexOf(access!.from) * 8;
    return `[${low + access!.bytes * 8 - 1}:${low}]`;
  };
  // Loads of one element in one stage share a port.
  const ports = new Map<string, Node[]>();
  for (const load of accesses.filter(({ op }) => op === 'load')) {
    const stage = schedule.stageOf(load);
    const address = wires.at(load.args[0]!, stage);
    ports.set(address, [...(ports.get(address) ?? []), load]);
  }
  [...ports].forEach(([address, loads], i) => {
    const port = `${name}_p${i}`;
    text += `  reg ${width(bits)}${port};\n  always @(posedge clk) ${port} <= ${name}[${address}];\n`;
    for (const load of loads) {
      text += `  assign n${load.id} = ${port}${range(load)};\n`;
    }
  });
  for (const store of accesses.filter(({ op }) => op === 'store')) {
    const stage = schedule.stageOf(store);
    const [index, value] = store.args.slice(0, 2).map((arg) => wires.at(arg, stage));
    const when = conditionOf(wires, store, stage);
    writers.push({ when, index: index!, data: value!, ...place(store) });
  }
  text += unitsText(image, wires, accesses, name, bits, indexBits(map), range, writers);
  for (const update of searchesOf(image, map, 'update')) {
    const unit = `${table}_u${update.id}`;
    const value = [...bytes].reverse().map((byte) => `${unit}_value[${byte * 8 + 7}:${byte * 8}]`);
    const data = `{${value.join(', ')}}`;
    writers.push({ when: `${unit}_commit`, index: `${unit}_slot`, low: 0, bits, data });
  }
  const port = memoryText(memory, rows, indexBits(map), memories, writers);
  return `  // Value bytes ${shown(bytes)}\n${port}${text}`;
}

const shown = (bytes: readonly number[]): string =>
  bytes.length === bytes.at(-1)! - bytes[0]! + 1
    ? `${bytes[0]} to ${bytes.at(-1)}`
    : bytes.join(', ');

/**
 * Modifications of one stage are one unit: the word is read, and written a clock later; what was
 * written just before is not in the memory's output yet and comes from the unit itself.
 */
function unitsText(
  image: PipelineImage,
  wires: Wires,
  accesses: readonly Node[],
  name: string,
  bits: number,
  addressBits: number,
  range: (node: Node) => string,
  writers: Writer[],
): string {
  const { schedule } = image;
  const all = accesses.filter(({ op }) => op === 'rmw');
  let text = '';
  for (const stage of new Set(all.map((node) => schedule.stageOf(node)))) {
    const mine = all.filter((node) => schedule.stageOf(node) === stage);
    const unit = `${name}_s${stage}`;
    const conditions = mine.map((node) => conditionOf(wires, node, stage));
    const index = mine
      .map(({ args }) => wires.at(args[0]!, stage))
      .reduceRight((rest, each, i) => `${conditions[i]} ? ${each} : ${rest}`);
    text += `\
  // Read, modify, write in stage ${stage}
  wire ${width(addressBits)}${unit}_index = ${index};
  reg ${unit}_write, ${unit}_wrote;
  reg ${width(addressBits)}${unit}_index_q, ${unit}_last_index;
  reg ${width(bits)}${unit}_read, ${unit}_last, ${unit}_new;
  wire ${width(bits)}${unit}_old = ${unit}_wrote && ${unit}_last_index == ${unit}_index_q ? ${unit}_last : ${unit}_read;
`;
    mine.forEach((node) => {
      const { id, args } = node;
      const operand = `${unit}_v${id}`;
      text += `\
  reg ${unit}_c${id};
  reg ${width(node.bits)}${operand};
  always @(posedge clk) begin
    ${unit}_c${id} <= ${conditionOf(wires, node, stage)};
    ${operand} <= ${wires.at(args[1]!, stage)};
  end
`;
    });
    const changes = mine.map((node) => {
      const part = range(node);
      return `    if (${unit}_c${node.id}) ${unit}_new${part} = ${modified(node, `${unit}_new${part}`, `${unit}_v${node.id}`)};\n`;
    });
    text += `\
  always @* begin
    ${unit}_new = ${unit}_old;
${changes.join('')}  end
  always @(posedge clk) begin
    ${unit}_read <= ${name}[${unit}_index];
    ${unit}_index_q <= ${unit}_index;
    ${unit}_write <= ${conditions.join(' | ')};
    ${unit}_wrote <= ${unit}_write;
    ${unit}_last_index <= ${unit}_index_q;
    ${unit}_last <= ${unit}_new;
  end
`;
    const [when, at, data] = [`${unit}_write`, `${unit}_index_q`, `${unit}_new`];
    writers.push({ when, index: at, low: 0, bits, data });
    for (const node of mine.filter(({ access }) => access!.fetch)) {
      text += `  always @(posedge clk) n${node.id} <= ${unit}_old${range(node)};\n`;
    }
  }
  return text;
}

function modified({ access }: Node, old: string, operand: string): string {
  const OPERATORS = { add: '+', or: '|', and: '&', xor: '^' } as const;
  const { operation } = access!;
  return operation === 'xchg' ? operand : `${old} ${OPERATORS[operation!]} ${operand}`;
}

function portsText(
  image: PipelineImage,
  wires: Wires,
  map: BpfMap,
  name: string,
  memories: HostMemory[],
): string {
  const { maxEntries } = map.spec;
  const memory: HostMemory = { name: `${name}_ports`, map, kind: 'ports', bytes: [], bits: 33 };
  const indexWidth = Math.max(1, Math.ceil(Math.log2(maxEntries)));
  let text = memoryText(memory, maxEntries, indexWidth, memories, []);
  for (const node of searchesOf(image, map, 'devmap')) {
    const key = wires.at(node.args[0]!, image.schedule.stageOf(node));
    text += `  always @(posedge clk) n${node.id} <= ${key} < ${maxEntries} ? ${name}_ports[${key}] : 33'h0;\n`;
  }
  return text;
}

function tableText(
  image: PipelineImage,
  wires: Wires,
  map: BpfMap,
  name: string,
  memories: HostMemory[],
): string {
  const { keyBytes, maxEntries, type } = map.spec;
  const keyBits = keyBytes * 8;
  const slotBits = indexBits(map);
  const isPrefixes = type === 'lpm_trie';
  const keys = memories.push({
    name: `${name}_keys`, map, kind: 'keys', bytes: [], bits: keyBits + 1,
  }) - 1; // prettier-ignore
  const counted = memories.push({
    name: `${name}_count`, map, kind: 'count', bytes: [], bits: 32,
  }) - 1; // prettier-ignore
  const writers = image.design.accesses.filter(
    (node) => node.access!.map === map && isStructural(node),
  );
  const units = writers.map(({ id }) => `${name}_u${id}`);
  const chosen = (what: string, host: string): string =>
    units.reduceRight((rest, unit) => `${unit}_write ? ${unit}_${what} : ${rest}`, host);
  const sets = setsOf(map);
  let text = `\
  reg [31:0] ${name}_count = 0;
  wire ${name}_host_write = host_write && host_bank == ${keys};
  wire ${name}_write = ${[`${name}_host_write`, ...units.map((unit) => `${unit}_write`)].join(' | ')};
  wire ${width(slotBits)}${name}_slot = ${chosen('slot', `host_index[${slotBits - 1}:0]`)};
  wire ${name}_valid = ${chosen('valid', `host_data[${keyBits}]`)};
  wire ${width(keyBits)}${name}_key = ${chosen('key', `host_data[${keyBits - 1}:0]`)};
  reg ${width(keyBits + 1)}${name}_keys [0:${2 ** slotBits - 1}];
  reg ${width(keyBits + 1)}${name}_keys_host;
  integer ${name}_i;
  initial for (${name}_i = 0; ${name}_i < ${2 ** slotBits}; ${name}_i = ${name}_i + 1) ${name}_keys[${name}_i] = 0;
  always @(posedge clk) begin
    ${name}_keys_host <= ${name}_keys[host_index];
    if (${name}_write) ${name}_keys[${name}_slot] <= {${name}_valid, ${name}_key};
    if (host_write && host_bank == ${counted}) ${name}_count <= host_data;
${units.map((unit) => `    else if (${unit}_write) ${name}_count <= ${name}_count + ${unit}_more - ${unit}_less;\n`).join('')}  end
  wire [31:0] ${name}_count_host = ${name}_count;
`;
  const written = `.write(${name}_write), .write_slot(${name}_slot), .write_valid(${name}_valid), .write_key(${name}_key)`;
  for (const node of searchesOf(image, map, 'lookup')) {
    const key = wires.at(node.args[0]!, image.schedule.stageOf(node));
    const unit = `${name}_l${node.id}`;
    if (isPrefixes) {
      text += `\
  wire ${unit}_hit;
  wire ${width(slotBits)}${unit}_slot;
  skep_prefixes #(.KEY(${keyBits}), .ENTRIES(${maxEntries}), .SLOT_BITS(${slotBits})) ${unit} (
    .clk(clk), .key(${key}), .hit(${unit}_hit), .slot(${unit}_slot),
    ${written});
  assign n${node.id} = {${unit}_hit, ${unit}_slot};
`;
      continue;
    }
    text += `${searchText(unit, keyBits, sets, slotBits, key, written)}\
  always @(posedge clk) n${node.id} <= {${unit}_hit, ${unit}_set | ${unit}_hit_way};
`;
  }
  for (const node of writers) {
    const stage = image.schedule.stageOf(node);
    const key = wires.at(node.args[0]!, stage);
    const unit = `${name}_u${node.id}`;
    text += searchText(unit, keyBits, sets, slotBits, key, written);
    text += `  reg ${unit}_on;\n  always @(posedge clk) ${unit}_on <= ${conditionOf(wires, node, stage)};\n`;
    text +=
      node.op === 'update'
        ? updateText(wires, map, name, unit, node, stage)
        : deleteText(unit, node);
  }
  return text;
}

function searchText(
  unit: string,
  keyBits: number,
  sets: number,
  slotBits: number,
  key: string,
  written: string,
): string {
  return `\
  wire ${unit}_hit, ${unit}_room;
  wire [2:0] ${unit}_hit_way, ${unit}_free_way;
  wire ${width(slotBits)}${unit}_set;
  wire ${width(keyBits)}${unit}_key;
  skep_search #(.KEY(${keyBits}), .SET_BITS(${Math.log2(sets)}), .WAYS(${WAYS})) ${unit} (
    .clk(clk), .key(${key}), .key_q(${unit}_key), .set_q(${unit}_set),
    .hit(${unit}_hit), .hit_way(${unit}_hit_way), .room(${unit}_room), .free_way(${unit}_free_way),
    ${written});
`;
}

/** UAPI errors of an update, as 32 bits. */
const E2BIG = literal(0xffff_fff9n, 32);
const ENOMEM = literal(0xffff_fff4n, 32);
const EEXIST = literal(0xffff_ffefn, 32);
const ENOENT = literal(0xffff_fffen, 32);

function updateText(
  wires: Wires,
  map: BpfMap,
  name: string,
  unit: string,
  node: Node,
  stage: number,
): string {
  const [, value, flags] = node.args;
  const { maxEntries, valueBytes, type } = map.spec;
  const isLru = type === 'lru_hash';
  const bits = valueBytes * 8;
  // differs: who goes from a full set of an LRU table goes in turn, not by age.
  const room = isLru ? '1' : `${name}_count < ${maxEntries}`;
  const wrong =
    flags!.value === 1n
      ? `${unit}_hit ? ${EEXIST} : `
      : flags!.value === 2n
        ? `!${unit}_hit ? ${ENOENT} : `
        : '';
  const full = isLru
    ? ''
    : `!${unit}_hit && !(${room}) ? ${E2BIG} : !${unit}_hit && !${unit}_room ? ${ENOMEM} : `;
  return `\
  reg ${width(bits)}${unit}_value;
  reg [2:0] ${unit}_victim = 0;
  wire [31:0] ${unit}_result = ${wrong}${full}32'h0;
  wire ${unit}_commit = ${unit}_on && ${unit}_result == 0;
  wire ${unit}_write = ${unit}_commit && !${unit}_hit;
  wire ${unit}_valid = 1'b1;
  wire ${unit}_more = ${isLru ? `${unit}_room` : `1'b1`}, ${unit}_less = 1'b0;
  wire ${width(indexBits(map))}${unit}_slot =
    ${unit}_set | (${unit}_hit ? ${unit}_hit_way : ${unit}_room ? ${unit}_free_way : ${unit}_victim);
  always @(posedge clk) begin
    ${unit}_value <= ${wires.at(value!, stage)};
    n${node.id} <= ${unit}_result;
    if (${unit}_write && !${unit}_room) ${unit}_victim <= ${unit}_victim + 1;
  end
`;
}

function deleteText(unit: string, { id, access }: Node): string {
  return `\
  wire ${unit}_write = ${unit}_on && ${unit}_hit;
  wire ${unit}_valid = 1'b0;
  wire ${unit}_more = 1'b0, ${unit}_less = 1'b1;
  wire ${width(indexBits(access!.map))}${unit}_slot = ${unit}_set | ${unit}_hit_way;
  always @(posedge clk) n${id} <= ${unit}_hit ? 32'h0 : ${ENOENT};
`;
}
