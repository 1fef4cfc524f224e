/**
 * A pipeline as Verilog (IEEE 1364-2005), one module with what it needs:
 *
 *   in_*     frames of packets, one a clock, the first byte lowest; length and origin with the last
 *   out_*    the same frames behind the last stage, with the verdict; bytes from out_from to out_to are the
 *            packet, counted from the first frame's first; out_head are those in front of it
 *   host_*   the driver's port to the maps: memories are numbered, see `memories`
 */
import { outputStage, lastUses } from './lifetimes.ts';
import { instructionText, type PipelineImage } from './image.ts';
import { isConst, type Node } from './node.ts';
import { RING_FRAMES, RING_PACKETS, STAGES } from './params.ts';
import { unitStages } from './stages.ts';
import { PACKET_BASE } from './values.ts';
import { DIVIDER, PREFIXES, SEARCH } from './verilog-library.ts';
import { type HostMemory, isWire, mapsText } from './verilog-maps.ts';
import { literal, width, Wires } from './wires.ts';

export interface EmittedVerilog {
  readonly module: string;
  readonly text: string;
  readonly memories: readonly HostMemory[];
  /** Bytes in front of the packet that leave beside the first frame. */
  readonly headBytes: number;
  readonly hostBits: number;
}

const bitsFor = (count: number): number => Math.max(1, Math.ceil(Math.log2(count)));

export function emitVerilog(image: PipelineImage): EmittedVerilog {
  const wires = new Wires(image);
  const module = `${image.program.device.spec.name.replace(/\W/g, '_')}_pipeline`;
  const maps = mapsText(image, wires);
  const hostBits = Math.max(32, ...maps.memories.map(({ bits }) => bits));
  const { written, frameBytes } = image.design;
  const headBytes = Math.max(0, ...[...written.keys()].map((at) => -at));
  const ops = new Set(image.schedule.nodes.map(({ op }) => op));
  const has = (part: string): boolean => maps.text.includes(part);
  const library = [
    ops.has('div') || ops.has('mod') ? DIVIDER : '',
    has('skep_search') ? SEARCH : '',
    has('skep_prefixes') ? PREFIXES : '',
  ];
  const text = [
    headText(image, module, frameBytes * 8, headBytes, hostBits),
    declarations(image, frameBytes * 8),
    stagesText(image, wires),
    maps.text,
    frontText(image, frameBytes * 8),
    hostText(maps.memories),
    outputText(image, wires, frameBytes, headBytes),
    'endmodule\n',
    ...library,
  ].join('\n');
  return { module, text, memories: maps.memories, headBytes, hostBits };
}

function headText(
  image: PipelineImage,
  module: string,
  frameBits: number,
  headBytes: number,
  hostBits: number,
): string {
  const { schedule, hazards, program } = image;
  const { flush, interval } = hazards;
  const spacing = interval > 1 ? `a packet every ${interval} clocks` : 'a packet a clock';
  const hazard = flush ? `; map updates in stage ${flush.stage} flush what is behind them` : '';
  return `\
// ${program.device.spec.name}: ${schedule.stages} stages, ${spacing}${hazard}.
module ${module} (
  input clk,
  input reset,
  input in_valid,
  output in_ready,
  input in_last,
  input [${frameBits - 1}:0] in_data,
  input [15:0] in_bytes,
  input [31:0] in_ifindex,
  input [31:0] in_queue,
  input [63:0] time_ns,
  output out_valid,
  output out_first,
  output out_last,
  output [31:0] out_verdict,
  output [31:0] out_redirect,
  output [${frameBits - 1}:0] out_data,
  output signed [16:0] out_from,
  output signed [16:0] out_to,
${headBytes > 0 ? `  output [${headBytes * 8 - 1}:0] out_head,\n` : ''}\
  input host_write,
  input [15:0] host_bank,
  input [31:0] host_index,
  input [${hostBits - 1}:0] host_data,
  output reg [${hostBits - 1}:0] host_read
);
`;
}

/** The ring that frames wait in, and what begins packets. */
function frontText(image: PipelineImage, frameBits: number): string {
  const { stages } = image.schedule;
  const { flush, interval } = image.hazards;
  const frame = bitsFor(RING_FRAMES);
  const packet = bitsFor(RING_PACKETS);
  const valids = Array.from({ length: stages }, (_, i) => `valid_s${i}`);
  const moves = valids.map((name, i) => {
    const before = i === 0 ? 'begin_packet' : valids[i - 1]!;
    const goes = flush && i <= flush.stage ? `${before} && !flush` : before;
    return `    ${name} <= !reset && ${goes};\n`;
  });
  const numbers = flush ? Array.from({ length: flush.stage + 1 }, (_, i) => `number_s${i}`) : [];
  const numbered = numbers.map(
    (name, i) => `    ${name} <= ${i === 0 ? 'next' : numbers[i - 1]};\n`,
  );
  const flushText = flush
    ? `\
  // A packet in stage ${flush.stage} changes a map: those that began behind it begin again.
  wire flush = valid_s${flush.stage} && (${flush.writers.map((node) => new Wires(image).at(node.args.at(-1)!, flush.stage)).join(' || ')});
  reg [${packet}:0] ${numbers.join(', ')};
  wire [${packet}:0] after = number_s${flush.stage} + 1;
  wire again = flush && next != after;
  always @(posedge clk) begin
${numbered.join('')}  end
`
    : '';
  return `\
  // Frames wait in a ring, in one copy for the stages and one for the output, until their packet has left.
  reg [${frameBits - 1}:0] ring_stages [0:${RING_FRAMES - 1}];
  reg [${frameBits - 1}:0] ring_output [0:${RING_FRAMES - 1}];
  // Packets that are whole: where they begin, their bytes, where they came in.
  reg [${frame - 1}:0] start [0:${RING_PACKETS - 1}];
  reg [15:0] bytes [0:${RING_PACKETS - 1}];
  reg [31:0] ifindex [0:${RING_PACKETS - 1}];
  reg [31:0] queue [0:${RING_PACKETS - 1}];
  reg [${frame}:0] put, put_start, taken;
  // Numbers of packets: the next that comes whole, that begins, that leaves.
  reg [${packet}:0] whole, next, leaving;
  reg [15:0] hold;
  wire [${frame}:0] used_frames = put - taken;
  wire [${packet}:0] used_packets = whole - leaving;
  assign in_ready = used_frames < ${RING_FRAMES} && used_packets < ${RING_PACKETS};
  always @(posedge clk) begin
    if (in_valid && in_ready) begin
      ring_stages[put[${frame - 1}:0]] <= in_data;
      ring_output[put[${frame - 1}:0]] <= in_data;
      put <= put + 1;
      if (in_last) begin
        start[whole[${packet - 1}:0]] <= put_start[${frame - 1}:0];
        bytes[whole[${packet - 1}:0]] <= in_bytes;
        ifindex[whole[${packet - 1}:0]] <= in_ifindex;
        queue[whole[${packet - 1}:0]] <= in_queue;
        whole <= whole + 1;
        put_start <= put + 1;
      end
    end
    if (reset) begin
      put <= 0;
      put_start <= 0;
      whole <= 0;
    end
  end

${flushText}\
  // A packet begins once the frames of the one before it have been read.
  wire begin_packet = whole != next && hold == 0${flush ? ' && !flush' : ''};
  wire [15:0] next_bytes = bytes[next[${packet - 1}:0]];
  wire [15:0] next_frames = next_bytes == 0 ? 1 : (next_bytes + ${frameBits / 8 - 1}) / ${frameBits / 8};
  reg [${frame - 1}:0] reading;
  wire [${frame - 1}:0] read = begin_packet ? start[next[${packet - 1}:0]] : reading;
  always @(posedge clk) begin
    frame <= ring_stages[read];
    reading <= read + 1;
    packet_length <= next_bytes;
    packet_ifindex <= ifindex[next[${packet - 1}:0]];
    packet_queue <= queue[next[${packet - 1}:0]];
    if (begin_packet) begin
      next <= next + 1;
      hold <= (next_frames > ${interval} ? next_frames : ${interval}) - 1;
    end else if (hold != 0) hold <= hold - 1;
${flush ? '    if (again) begin\n      next <= after;\n      hold <= 0;\n    end\n' : ''}\
    if (reset) begin
      next <= 0;
      hold <= 0;
    end
${moves.join('')}  end
`;
}

function declarations({ schedule, design }: PipelineImage, frameBits: number): string {
  const valids = Array.from({ length: schedule.stages }, (_, i) => `valid_s${i}`);
  // Maps tell what they have found behind the stage that asked.
  const found = design.accesses
    .filter(({ op, access }) => op !== 'store' && (op !== 'rmw' || access!.fetch === true))
    .map((node) => `  ${isWire(node) ? 'wire' : 'reg'} ${width(node.bits)}n${node.id};\n`);
  return `\
  // Which stages hold a packet; the frame of a packet that is in stage n is its frame n.
  reg ${valids.join(', ')};
  reg [${frameBits - 1}:0] frame;
  reg [15:0] packet_length;
  reg [31:0] packet_ifindex, packet_queue;
${found.join('')}`;
}

function stagesText(image: PipelineImage, wires: Wires): string {
  const { schedule, design, program } = image;
  const last = lastUses(design, schedule);
  const lines: string[] = [];
  const lineAt = (slot: number): string => {
    const rows = program.device.lines.filter(({ insn }) => insn <= slot);
    const row = rows.at(-1);
    return row ? `   ${row.file.replace(/^.*\//, '')}:${row.line} ${row.text.trim()}` : '';
  };
  // Registers are declared before anything uses them.
  const declared: string[] = [];
  const moves = new Map<number, string[]>();
  for (const node of schedule.nodes) {
    if (isConst(node) || node.op === 'frame') continue;
    const ready = schedule.readyAt(node);
    for (let stage = ready + 1; stage <= (last.get(node) ?? ready); stage++) {
      const name = `n${node.id}_s${stage}`;
      declared.push(`  reg ${width(node.bits)}${name};`);
      const list = moves.get(stage) ?? [];
      list.push(`    ${name} <= ${wires.at(node, stage - 1)};`);
      moves.set(stage, list);
    }
  }
  for (let stage = 0; stage < schedule.stages; stage++) {
    lines.push(`  // ---- stage ${stage}`);
    const here = schedule.nodes.filter(
      (node) =>
        schedule.stageOf(node) === stage && !isConst(node) && node.op !== 'frame' && !node.access,
    );
    let slot = -1;
    for (const node of here.toSorted((a, b) => a.id - b.id)) {
      if (node.slot !== slot) {
        ({ slot } = node);
        lines.push(`  // ${slot}: ${instructionText(program.device, slot)}${lineAt(slot)}`);
      }
      lines.push(nodeText(node, wires, stage));
    }
  }
  const texts = [...moves].map(
    ([stage, list]) =>
      `  // Into stage ${stage}\n  always @(posedge clk) begin\n${list.join('\n')}\n  end`,
  );
  return `${[...declared, ...lines, ...texts].join('\n')}\n`;
}

function nodeText(node: Node, wires: Wires, stage: number): string {
  const { id, op, bits, args } = node;
  const [a, b] = args.map((arg) => wires.at(arg, stage));
  if (op === 'mul') {
    const parts = Array.from({ length: STAGES.multiply - 1 }, (_, i) => `n${id}_p${i}`);
    const moves = [...parts.slice(1), `n${id}`].map((to, i) => `${to} <= ${parts[i]};`);
    return `  reg ${width(bits)}${[...parts, `n${id}`].join(', ')};\n  always @(posedge clk) begin ${parts[0]} <= ${a} * ${b}; ${moves.join(' ')} end`;
  }
  if (op === 'div' || op === 'mod') {
    const wide = Math.max(args[0]!.bits, args[1]!.bits);
    const all = `n${id}_${op === 'div' ? 'quotient' : 'rest'}`;
    return `\
  wire [${wide - 1}:0] n${id}_quotient, n${id}_rest;
  skep_divide #(.WIDTH(${wide}), .BITS(${Math.ceil(wide / unitStages(node))}), .STAGES(${unitStages(node)})) n${id}_unit (
    .clk(clk), .dividend(${a}), .divisor(${b}), .quotient(n${id}_quotient), .rest(n${id}_rest));
  wire ${width(bits)}n${id} = ${all};`;
  }
  return `  wire ${width(bits)}n${id} = ${wires.expression(node, stage)};`;
}

function hostText(memories: readonly HostMemory[]): string {
  const cases = memories.map(({ name }, i) => `      ${i}: host_read <= ${name}_host;\n`);
  return `\
  always @(posedge clk)
    case (host_bank)
${cases.join('')}      default: host_read <= 0;
    endcase
`;
}

/** Frames leave with what was written over them. */
function outputText(
  image: PipelineImage,
  wires: Wires,
  frameBytes: number,
  headBytes: number,
): string {
  const { design, schedule } = image;
  const end = schedule.stages - 1;
  const frame = bitsFor(RING_FRAMES);
  const packet = bitsFor(RING_PACKETS);
  const from = `${wires.at(design.data, end)} - ${literal(PACKET_BASE, 32)}`;
  const to = `${wires.at(design.end, end)} - ${literal(PACKET_BASE, 32)}`;
  const frames = new Map<number, string[]>();
  const head = Array.from({ length: headBytes }, () => "8'h0");
  for (const [at, node] of design.written) {
    const value = wires.at(node, outputStage(design, schedule, at));
    const byte = node.bits === 8 ? value : `{${8 - node.bits}'h0, ${value}}`;
    if (at < 0) head[headBytes + at] = byte;
    else {
      const which = Math.floor(at / frameBytes);
      const low = (at % frameBytes) * 8;
      const line = `      sent[${low + 7}:${low}] = ${byte};`;
      frames.set(which, [...(frames.get(which) ?? []), line]);
    }
  }
  const overlays = [...frames].map(
    ([which, lines]) => `    if (leaving_frame == ${which}) begin\n${lines.join('\n')}\n    end\n`,
  );
  return `\
  // ---- output: packets leave in the order in which they came
  reg leaves, first;
  reg [15:0] leaving_frame, left;
  reg [31:0] verdict, redirect;
  reg signed [16:0] from, to;
  reg [${frame - 1}:0] leaving_read;
  reg [${frameBytes * 8 - 1}:0] output_frame, sent;
  wire finish = valid_s${end};
  wire [31:0] finish_verdict = ${wires.at(design.verdict, end)};
  wire [31:0] finish_from = ${from};
  wire [31:0] finish_to = ${to};
  wire sends = finish_verdict >= 2 && finish_verdict <= 4;
  wire [15:0] finish_frames = sends && finish_to != 0 ? (finish_to + ${frameBytes - 1}) / ${frameBytes} : 1;
  wire [${frame - 1}:0] output_read = finish ? start[leaving[${packet - 1}:0]] : leaving_read;
  always @(posedge clk) begin
    output_frame <= ring_output[output_read];
    leaving_read <= output_read + 1;
    first <= finish;
    if (finish) begin
      leaves <= 1;
      left <= finish_frames - 1;
      leaving_frame <= 0;
      verdict <= finish_verdict;
      redirect <= ${wires.at(design.redirect, end)};
      from <= finish_from[16:0];
      to <= finish_to[16:0];
      // What is before it has left.
      taken <= taken + ((start[leaving[${packet - 1}:0]] - taken) & ${RING_FRAMES - 1});
      leaving <= leaving + 1;
    end else begin
      leaves <= left != 0;
      leaving_frame <= leaving_frame + 1;
      if (left != 0) left <= left - 1;
    end
    if (reset) begin
      leaves <= 0;
      left <= 0;
      taken <= 0;
      leaving <= 0;
    end
  end
  always @* begin
    sent = output_frame;
${overlays.join('')}  end
  assign out_valid = leaves;
  assign out_first = first;
  assign out_last = left == 0;
  assign out_verdict = verdict;
  assign out_redirect = verdict == 4 ? redirect : 0;
  assign out_data = sent;
  assign out_from = from;
  assign out_to = to;
${headBytes > 0 ? `  assign out_head = {${[...head].reverse().join(', ')}};\n` : ''}`;
}
