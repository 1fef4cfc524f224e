/** Modules that emitted pipelines use: a divider, and what searches maps. */

export const DIVIDER = `\
// Restoring division, unsigned: BITS bits of the quotient a stage. By 0: quotient 0, rest the dividend.
module skep_divide #(parameter WIDTH = 32, parameter BITS = 2, parameter STAGES = WIDTH / BITS) (
  input clk,
  input [WIDTH-1:0] dividend,
  input [WIDTH-1:0] divisor,
  output [WIDTH-1:0] quotient,
  output [WIDTH-1:0] rest
);
  // Behind each stage: what is left, with the dividend's bits that are still to come below it.
  reg [2*WIDTH-1:0] left [0:STAGES-1];
  reg [WIDTH-1:0] by [0:STAGES-1];
  reg [2*WIDTH-1:0] next;
  reg [WIDTH:0] trial;
  integer stage, bitno;
  always @(posedge clk) begin
    for (stage = STAGES - 1; stage >= 0; stage = stage - 1) begin
      next = stage == 0 ? {{WIDTH{1'b0}}, dividend} : left[stage == 0 ? 0 : stage - 1];
      for (bitno = 0; bitno < BITS; bitno = bitno + 1) if (stage * BITS + bitno < WIDTH) begin
        trial = next[2*WIDTH-1:WIDTH-1] - {1'b0, stage == 0 ? divisor : by[stage == 0 ? 0 : stage - 1]};
        if (trial[WIDTH]) next = {next[2*WIDTH-2:0], 1'b0};
        else next = {trial[WIDTH-1:0], next[WIDTH-2:0], 1'b1};
      end
      left[stage] <= next;
      by[stage] <= stage == 0 ? divisor : by[stage == 0 ? 0 : stage - 1];
    end
  end
  assign quotient = by[STAGES-1] == 0 ? {WIDTH{1'b0}} : left[STAGES-1][WIDTH-1:0];
  assign rest = left[STAGES-1][2*WIDTH-1:WIDTH];
endmodule
`;

export const SEARCH = `\
// One search a clock in a table of sets: the set is read, then its slots are compared with the key.
// Everything of a map that searches has a copy of the keys; all copies are written at once.
module skep_search #(parameter KEY = 32, parameter SET_BITS = 4, parameter WAYS = 8) (
  input clk,
  input [KEY-1:0] key,
  // A clock later:
  output reg [KEY-1:0] key_q,
  output [SET_BITS+2:0] set_q,
  output hit,
  output [2:0] hit_way,
  output room,
  output [2:0] free_way,
  // What is written, to all copies.
  input write,
  input [SET_BITS+2:0] write_slot,
  input write_valid,
  input [KEY-1:0] write_key
);
  // CRC-32 of the key: neighbours in any few bits come into different sets.
  function [31:0] hash(input [KEY-1:0] of);
    integer i;
    begin
      hash = 32'hffffffff;
      for (i = 0; i < KEY; i = i + 1)
        hash = (hash >> 1) ^ (hash[0] ^ of[i] ? 32'hedb88320 : 32'h0);
    end
  endfunction

  wire [31:0] hashed = hash(key);
  wire [SET_BITS:0] set = SET_BITS == 0 ? 0 : hashed & ((1 << SET_BITS) - 1);
  reg [SET_BITS:0] set_r;
  always @(posedge clk) begin
    set_r <= set;
    key_q <= key;
  end
  assign set_q = set_r << 3;

  wire [WAYS-1:0] valids, equals;
  genvar way;
  generate for (way = 0; way < WAYS; way = way + 1) begin : ways
    reg [KEY:0] slots [0:(1 << SET_BITS) - 1];
    reg [KEY:0] slot;
    integer i;
    initial for (i = 0; i < (1 << SET_BITS); i = i + 1) slots[i] = 0;
    always @(posedge clk) begin
      slot <= slots[set];
      if (write && write_slot[2:0] == way) slots[write_slot >> 3] <= {write_valid, write_key};
    end
    assign valids[way] = slot[KEY];
    assign equals[way] = slot[KEY] && slot[KEY-1:0] == key_q;
  end endgenerate

  function [2:0] first(input [7:0] among);
    integer i;
    begin
      first = 0;
      for (i = 7; i >= 0; i = i - 1) if (among[i]) first = i;
    end
  endfunction
  assign hit = |equals;
  assign hit_way = first(equals);
  assign room = ~&valids;
  assign free_way = first(~valids);
endmodule
`;

export const PREFIXES = `\
// The longest prefix that a key has: all are compared at once. A key is a length in bits, then bytes in
// network order.
module skep_prefixes #(parameter KEY = 64, parameter ENTRIES = 16, parameter SLOT_BITS = 4) (
  input clk,
  input [KEY-1:0] key,
  // Two clocks later:
  output reg hit,
  output reg [SLOT_BITS-1:0] slot,
  input write,
  input [SLOT_BITS-1:0] write_slot,
  input write_valid,
  input [KEY-1:0] write_key
);
  localparam DATA = KEY - 32;
  reg [KEY:0] entries [0:ENTRIES-1];
  integer i, byteno;
  initial for (i = 0; i < ENTRIES; i = i + 1) entries[i] = 0;

  // The first byte on top, as prefixes count.
  function [DATA-1:0] network(input [DATA-1:0] of);
    for (byteno = 0; byteno < DATA / 8; byteno = byteno + 1)
      network[8*(DATA/8-1-byteno) +: 8] = of[8*byteno +: 8];
  endfunction

  reg [KEY-1:0] key_q;
  reg [KEY:0] entry;
  reg found;
  reg [SLOT_BITS-1:0] best;
  reg [31:0] longest;
  reg [DATA-1:0] different;
  always @* begin
    found = 0;
    best = 0;
    longest = 0;
    for (i = 0; i < ENTRIES; i = i + 1) begin
      entry = entries[i];
      different = (network(entry[KEY-1:32]) ^ network(key_q[KEY-1:32])) >> (DATA - entry[31:0]);
      if (entry[KEY] && entry[31:0] <= key_q[31:0] && (different == 0 || entry[31:0] == 0)
          && (!found || entry[31:0] > longest)) begin
        found = 1;
        best = i;
        longest = entry[31:0];
      end
    end
  end
  always @(posedge clk) begin
    key_q <= key;
    hit <= found;
    slot <= best;
    if (write) entries[write_slot] <= {write_valid, write_key};
  end
endmodule
`;

/** What skep_search makes of a key's bytes: the driver puts elements where packets find them. */
export function setOf(key: Uint8Array, sets: number): number {
  let hash = 0xffff_ffff;
  for (let i = 0; i < key.length * 8; i++) {
    const bit = (key[i >> 3]! >> (i & 7)) & 1;
    hash = (hash >>> 1) ^ ((hash & 1) ^ bit ? 0xedb8_8320 : 0);
  }
  return (hash >>> 0) & (sets - 1);
}
