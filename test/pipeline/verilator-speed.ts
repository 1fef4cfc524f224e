/**
 * How fast verilator simulates an emitted pipeline: packets of one frame, one a clock, driven from C++ so
 * that nothing but the hardware is simulated.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PipelineImage } from '../../hw/fpga/pipeline/image.ts';
import type { OfferedPacket } from '../../scenarios/workloads/workloads.ts';

/** @returns packets a second of host time, of which it has simulated so many */
export function verilatorSpeed(
  image: PipelineImage,
  packets: readonly OfferedPacket[],
  count: number,
): number {
  const { module, text } = image.verilog();
  const directory = mkdtempSync(join(tmpdir(), 'skep-verilator-'));
  try {
    writeFileSync(join(directory, 'pipeline.v'), text);
    writeFileSync(join(directory, 'main.cpp'), harness(module, packets, count));
    run(directory, 'verilator', [
      '--cc', '--exe', '--build', '-O3', '--x-assign', 'fast', '--x-initial', 'fast',
      '--noassert', '-Wno-fatal', '-Wno-lint', '-Wno-style', '-CFLAGS', '-O3',
      '--top-module', module, '--prefix', 'Vdut', '--Mdir', 'obj', 'pipeline.v', 'main.cpp',
    ]); // prettier-ignore
    return Number(run(directory, join(directory, 'obj', 'Vdut'), []).trim());
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function run(directory: string, name: string, args: readonly string[]): string {
  const result = spawnSync(name, args, { cwd: directory, encoding: 'utf8' });
  if (result.status === 0) return result.stdout;
  throw new Error(`${name} failed: ${result.error ?? ''}\n${result.stderr}`.slice(0, 4000));
}

function harness(module: string, packets: readonly OfferedPacket[], count: number): string {
  const words = packets.map(({ data }) => {
    const frame = new Uint8Array(64);
    frame.set(data.subarray(0, 64));
    const view = new DataView(frame.buffer);
    const list = Array.from(
      { length: 16 },
      (_, i) => `0x${view.getUint32(4 * i, true).toString(16)}u`,
    );
    return `  {${list.join(', ')}},\n`;
  });
  return `\
// Offers packets to ${module} and prints how many a second went through.
#include "Vdut.h"
#include "verilated.h"
#include <cstdio>
#include <ctime>
static const unsigned packets[${packets.length}][16] = {
${words.join('')}};
static double cpu_seconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec + now.tv_nsec * 1e-9;
}
int main() {
  Vdut dut;
  auto clock = [&] { dut.clk = 1; dut.eval(); dut.clk = 0; dut.eval(); };
  dut.clk = 0; dut.in_valid = 0; dut.host_write = 0; dut.reset = 1; dut.eval();
  for (int i = 0; i < 4; i++) clock();
  dut.reset = 0; dut.in_valid = 1; dut.in_last = 1; dut.in_bytes = ${packets[0]!.data.length}; dut.in_ifindex = 1;
  long left = 0, offered = 0;
  const double begun = cpu_seconds();
  while (left < ${count}) {
    for (int i = 0; i < 16; i++) dut.in_data[i] = packets[offered % ${packets.length}][i];
    if (dut.in_ready) offered++;
    clock();
    left += dut.out_valid;
  }
  std::printf("%.0f\\n", left / (cpu_seconds() - begun));
}
`;
}
