/**
 * A testbench for an emitted pipeline: frames from a file at their clocks, maps filled before, what leaves
 * and what maps hold in the end printed. One line of `stimulus` a frame, as the file holds them.
 */
import type { EmittedVerilog } from './verilog.ts';

export interface Frame {
  /** Clock at which it is offered, at least; counted from the end of reset. */
  readonly cycle: number;
  readonly last: boolean;
  /** Of the whole packet. */
  readonly bytes: number;
  readonly ifindex: number;
  readonly queue: number;
  readonly data: Uint8Array;
}

/** What leaves: one line a frame. */
export interface Beat {
  readonly cycle: number;
  readonly first: boolean;
  readonly last: boolean;
  readonly verdict: number;
  readonly redirect: number;
  readonly from: number;
  readonly to: number;
  readonly data: Uint8Array;
  readonly head: Uint8Array;
}

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'))
    .reverse()
    .join('');

export const stimulus = (frames: readonly Frame[]): string =>
  frames
    .map(
      ({ cycle, last, bytes, ifindex, queue, data }) =>
        `${cycle} ${last ? 1 : 0} ${bytes} ${ifindex} ${queue} ${hex(data)}\n`,
    )
    .join('');

export interface TestbenchOptions {
  readonly frameBytes: number;
  readonly timeNs: bigint;
  /** Packets that must leave before it ends, and clocks after which it gives up. */
  readonly packets: number;
  readonly maxCycles: number;
  /** Rows printed of each memory. */
  readonly rows: readonly number[];
}

const MANY_ROWS = 16;

/** Memory n is filled from `memory<n>.hex`, frames are in `frames.txt`. */
export function testbench(emitted: EmittedVerilog, options: TestbenchOptions): string {
  const { module, memories, headBytes, hostBits } = emitted;
  const { frameBytes, timeNs, packets, maxCycles, rows } = options;
  const bits = frameBytes * 8;
  const fill = memories.map(
    ({ bits: wide, kind }, i) => `\
    begin : fill${i}
      reg [${wide - 1}:0] row;
      integer at, file, got;
      file = $fopen("memory${i}.hex", "r");
      if (file != 0) begin
        got = $fscanf(file, "%d %h\\n", at, row);
        while (got == 2) begin
          host_bank = ${i}; host_index = at; host_data = row; host_write = 1;
          @(negedge clk);
          got = $fscanf(file, "%d %h\\n", at, row);
        end
        $fclose(file);
      end
      host_write = 0;
    end // ${kind}
`,
  );
  // Small memories by the host's port, large ones faster.
  const dump = memories.map(({ name, kind }, i) =>
    rows[i]! > MANY_ROWS || kind === 'keys'
      ? `\
    for (row = 0; row < ${rows[i]}; row = row + 1)
      if (dut.${name}[row] != 0) $display("memory ${i} %0d %h", row, dut.${name}[row]);
`
      : `\
    for (row = 0; row < ${rows[i]}; row = row + 1) begin
      host_bank = ${i}; host_index = row;
      @(negedge clk); @(negedge clk);
      if (host_read != 0) $display("memory ${i} %0d %h", row, host_read);
    end
`,
  );
  return `\
\`timescale 1ns / 1ps
module testbench;
  reg clk = 0, reset = 1;
  always #2 clk = ~clk;
  reg in_valid = 0, in_last = 0;
  wire in_ready;
  reg [${bits - 1}:0] in_data = 0;
  reg [15:0] in_bytes = 0;
  reg [31:0] in_ifindex = 0, in_queue = 0;
  wire out_valid, out_first, out_last;
  wire [31:0] out_verdict, out_redirect;
  wire [${bits - 1}:0] out_data;
  wire signed [16:0] out_from, out_to;
  ${headBytes > 0 ? `wire [${headBytes * 8 - 1}:0] out_head;` : `wire out_head = 0;`}
  reg host_write = 0;
  reg [15:0] host_bank = 0;
  reg [31:0] host_index = 0;
  reg [${hostBits - 1}:0] host_data = 0;
  wire [${hostBits - 1}:0] host_read;
  ${module} dut (
    .clk(clk), .reset(reset), .in_valid(in_valid), .in_ready(in_ready), .in_last(in_last),
    .in_data(in_data), .in_bytes(in_bytes), .in_ifindex(in_ifindex), .in_queue(in_queue),
    .time_ns(64'd${timeNs}), .out_valid(out_valid), .out_first(out_first), .out_last(out_last),
    .out_verdict(out_verdict), .out_redirect(out_redirect), .out_data(out_data),
    .out_from(out_from), .out_to(out_to),${headBytes > 0 ? ' .out_head(out_head),' : ''}
    .host_write(host_write), .host_bank(host_bank), .host_index(host_index),
    .host_data(host_data), .host_read(host_read));

  integer cycle = 0, done = 0;
  reg running = 0;
  always @(posedge clk) begin
    if (running) cycle <= cycle + 1;
    if (running && out_valid) begin
      $display("out %0d %b %b %0d %0d %0d %0d %h %h", cycle, out_first, out_last, out_verdict,
        out_redirect, out_from, out_to, out_data, out_head);
      if (out_last) done <= done + 1;
    end
  end

  integer frames, got, at, row;
  reg last;
  reg [15:0] bytes;
  reg [31:0] ifindex, queue;
  reg [${bits - 1}:0] data;
  initial begin
    repeat (4) @(negedge clk);
${fill.join('')}\
    @(negedge clk);
    reset = 0;
    running = 1;
    frames = $fopen("frames.txt", "r");
    got = $fscanf(frames, "%d %b %d %d %d %h\\n", at, last, bytes, ifindex, queue, data);
    while (got == 6) begin
      while (cycle < at) begin
        in_valid = 0;
        @(negedge clk);
      end
      in_valid = 1; in_last = last; in_bytes = bytes; in_ifindex = ifindex; in_queue = queue;
      in_data = data;
      while (!in_ready) @(negedge clk);
      @(negedge clk);
      got = $fscanf(frames, "%d %b %d %d %d %h\\n", at, last, bytes, ifindex, queue, data);
    end
    in_valid = 0;
    while (done < ${packets} && cycle < ${maxCycles}) @(negedge clk);
    $display("cycles %0d", cycle);
    running = 0;
    repeat (8) @(negedge clk);
${dump.join('')}\
    $finish;
  end
endmodule
`;
}

/** @returns what left, and the rows of memories that are not zero */
export function readOutput(text: string): {
  readonly beats: readonly Beat[];
  readonly rows: ReadonlyMap<number, ReadonlyMap<number, bigint>>;
} {
  const beats: Beat[] = [];
  const rows = new Map<number, Map<number, bigint>>();
  for (const line of text.split('\n')) {
    const [kind, ...fields] = line.trim().split(/\s+/);
    if (kind === 'memory') {
      const [memory, row, value] = fields;
      const of = rows.get(Number(memory)) ?? new Map<number, bigint>();
      rows.set(Number(memory), of.set(Number(row), BigInt(`0x${value}`)));
    } else if (kind === 'out') {
      const [cycle, first, last, verdict, redirect, from, to] = fields.map(Number);
      beats.push({
        cycle: cycle!,
        first: first === 1,
        last: last === 1,
        verdict: verdict!,
        redirect: redirect!,
        from: from!,
        to: to!,
        data: bytesOf(fields[7]!),
        head: bytesOf(fields[8]!),
      });
    }
  }
  return { beats, rows };
}

/** Digits that are not known are bytes that nobody looks at. */
function bytesOf(digits: string): Uint8Array {
  const pairs = digits.replace(/[xz]/gi, '0').match(/../g) ?? [];
  return Uint8Array.from(pairs, (pair) => parseInt(pair, 16)).reverse();
}
