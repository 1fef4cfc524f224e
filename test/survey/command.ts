/**
 * `npm run -s oracle -- survey [--linux [--libbpf]] [--write | --json]`: Debian's BPF objects through skep, and
 * with --linux beside it through a real Linux 6.1. See README.md.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostAssets } from '../../ui/cli/assets.ts';
import { EXIT, UsageError } from '../../ui/cli/usage.ts';
import { findObjdump } from './disassembly.ts';
import { openJudge } from './judge.ts';
import { buildLibbpf } from './libbpf.ts';
import { SkepKernel } from './kernel.ts';
import { machineFacts } from './machine-facts.ts';
import { findSpecimens } from './packages.ts';
import { differencesIn, pageOf, summaryOf } from './page.ts';
import { survey } from './survey.ts';

export interface SurveyCommandOptions {
  readonly linux?: true;
  readonly libbpf?: true;
  readonly json?: true;
  readonly write?: true;
}

const PAGE = join(import.meta.dirname, '../../docs/objects.md');

/** Exit status: 1 where skep and LLVM or Linux differ. */
export async function surveyCommand(options: SurveyCommandOptions): Promise<number> {
  const found = findSpecimens();
  if ('missing' in found) throw new UsageError(found.missing);
  const judge = options.linux ? openJudge() : undefined;
  if (judge && 'missing' in judge) throw new UsageError(judge.missing);
  if (options.write && !judge) throw new UsageError('--write makes the page of --linux');
  if (options.libbpf && !judge) throw new UsageError('--libbpf needs the types of --linux');
  const libbpf = options.libbpf ? buildLibbpf() : undefined;
  if (typeof libbpf === 'object') throw new UsageError(libbpf.missing);
  const assets = await hostAssets();
  const objdump = findObjdump();
  if (!objdump) console.error('llvm-objdump is not installed: disassembly is not compared');
  const objects = survey(found.specimens, {
    objdump,
    judge,
    libbpf,
    machine: await machineFacts(assets),
    kernel: (btf, facts) => new SkepKernel(assets, btf, facts),
    progress: (text) => console.error(text),
  });
  const about = {
    versions: found.versions,
    imageCount: found.specimens.length,
    objdump: objdump?.version,
    release: judge?.facts.release,
  };
  const differences = differencesIn(objects);
  if (options.json) console.log(JSON.stringify({ ...about, objects }));
  else if (options.write) writeFileSync(PAGE, pageOf(objects, about));
  if (!options.json) console.log([...summaryOf(objects, about), ...differences].join('\n'));
  return differences.length > 0 ? EXIT.failed : EXIT.ok;
}
