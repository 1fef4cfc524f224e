import type { PipelineImage } from './image.ts';

export function emitVerilog(image: PipelineImage): string {
  return `// ${image.schedule.stages}\n`;
}
