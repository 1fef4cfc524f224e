import type { VerifiedProgram } from '../../bpf/program.ts';
import type { CodeImage } from './codegen.ts';

export function listing(
  program: VerifiedProgram,
  code: CodeImage,
  symbolAt: (address: bigint) => string | undefined,
): string {
  return '';
}
