/**
 * `skep verilog FILE.o|NAME`: the pipeline that a program becomes, as synthesizable Verilog.
 *
 *   --frame-bytes 32   words that packets come in, 64 otherwise
 *   --stages           its stages with their instructions instead
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { ObjectError } from '../../bpf/elf/error.ts';
import { createPipeline } from '../../hw/fpga/pipeline/target.ts';
import { loadSubject, SubjectError } from '../../scenarios/compare/subject.ts';
import { workloadNamed, WORKLOADS } from '../../scenarios/workloads/workloads.ts';
import { hostAssets, workloadObject } from './assets.ts';
import { EXIT, UsageError } from './usage.ts';

export interface VerilogOptions {
  readonly program?: string;
  readonly frameBytes: string;
  readonly stages?: boolean;
}

export async function verilog(what: string, options: VerilogOptions): Promise<number> {
  const workload = existsSync(what) ? undefined : workloadNamed(what);
  if (workload === undefined && !existsSync(what)) {
    const names = WORKLOADS.map(({ name }) => name).join(', ');
    throw new UsageError(`${what} is neither a file nor a workload (${names})`);
  }
  const object = workload ? workloadObject(workload.name) : readFileSync(what);
  const name = workload?.name ?? basename(what);
  const frameBytes = Number(options.frameBytes);
  if (frameBytes !== 32 && frameBytes !== 64) throw new UsageError('--frame-bytes is 32 or 64');
  try {
    const { program } = loadSubject(await hostAssets(), object, name, options.program);
    const result = createPipeline({ frameBytes }).compile(program);
    if (result.kind === 'refused') {
      for (const { insn, message, hint } of result.diagnostics) {
        const where = insn === undefined ? '' : ` (instruction ${insn})`;
        console.error(`${message}${where}${hint === undefined ? '' : `: ${hint}`}`);
      }
      return EXIT.failed;
    }
    const { image } = result;
    process.stdout.write(options.stages ? image.text() : image.verilog().text);
    return EXIT.ok;
  } catch (error) {
    const isInput = [SubjectError, ObjectError].some((kind) => error instanceof kind);
    if (isInput) throw new UsageError((error as Error).message);
    throw error;
  }
}
