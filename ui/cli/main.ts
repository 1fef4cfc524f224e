/**
 * The command line: the same machine as in the browser, headless. One file a command; each is
 * loaded only when it is called. Returns the exit status.
 */
import { Command, CommanderError } from 'commander';
import type { Bench } from './bench.ts';
import { EXIT, UsageError } from './usage.ts';

/**
 * @param loadBenches the measurements live beside the tests, above this layer
 * @param loadChartScript charts/standalone.ts as one script for a page
 */
export async function main(
  argv: readonly string[],
  loadBenches: () => Promise<readonly Bench[]>,
  loadChartScript: () => Promise<string>,
): Promise<number> {
  let status: number = EXIT.ok;
  const program = new Command('skep')
    .description('A miniature Linux-like kernel that runs real eBPF programs.')
    .exitOverride()
    .showHelpAfterError('(skep --help lists the commands, skep COMMAND --help explains one)');

  program
    .command('boot')
    .description('boot a machine and connect its shell to the terminal (or to piped input)')
    .option('--cpus <n>', 'number of CPUs', '2')
    .option('--ram <MiB>', 'size of the memory', '256')
    .option('--seed <n>', 'seed of everything random', '1')
    .option('--cmdline <text>', 'kernel command line; without "quiet" the boot log is shown')
    .option('--file <file...>', 'copy files of this host into /root')
    .action(async (options) => {
      status = await (await import('./boot.ts')).boot(options);
    });

  program
    .command('run')
    .description('run a scenario: type what its text says and check what happens')
    .argument('[scenario]', 'name, as in --list')
    .option('--list', 'list the scenarios')
    .option('--json', 'results as one JSON object, without the text')
    .action(async (scenario, options) => {
      status = await (await import('./run.ts')).run(scenario, options);
    });

  const prog = program.command('prog').description('an object file against skep’s BPF');
  const onFile = (name: string, description: string) =>
    prog
      .command(name)
      .description(description)
      .argument('<file>', 'object file, as clang -target bpf makes it')
      .option('--program <name>', 'only this one')
      .option('--level <level>', 'what the kernel knows: 6.1 or latest', 'latest');
  onFile('verify', 'say whether the verifier accepts its programs')
    .option('--explain', 'show why: source lines, the steps that led there, the fix')
    .option('--log-level <n>', 'show the log: 1 state, 2 every step, 4 statistics', '0')
    .option('--record <file>', 'write the whole exploration as JSON')
    .option('--caps <list>', 'loaded with all, none, or some of bpf,perfmon,net_admin', 'all')
    .option('--json', 'one JSON object, explanations included')
    .action(async (file, options) => {
      status = await (await import('./prog-verify.ts')).verifyCommand(file, options);
    });
  onFile('dump', 'print its programs as the kernel has them after loading')
    .option('--jited', 'the WebAssembly that the JIT makes of them')
    .action(async (file, options) => {
      status = await (await import('./prog.ts')).dumpCommand(file, options);
    });
  onFile('run', 'run a program on each packet of a capture')
    .option('--pcap <file>', 'a pcap or pcapng file')
    .option('--json', 'one JSON object')
    .action(async (file, options) => {
      status = await (await import('./prog.ts')).runCommand(file, options);
    });

  program
    .command('compare')
    .description('run one XDP program on every target: does it fit, how fast, where the time goes')
    .argument('[program]', 'object file, or name of a workload')
    .option('--list', 'list targets and workloads')
    .option('--targets <list>', 'only these, separated by commas')
    .option('--program <name>', 'of an object that has several')
    .option('--pcap <file>', 'packets of a capture')
    .option('--gen <spec>', 'packets made to flows=N,bytes=N,proto=udp|tcp|icmp,ip=4|6')
    .option('--rate <Mpps>', 'offered for the latencies; else half of what the target can do')
    .option('--cores <n>', 'of the targets that have cores')
    .option('--sweep <axis...>', 'curves: size, flows, rate, cores, lanes; or size=60,1514', [])
    .option('--html <file>', 'the same with charts, in one file that needs nothing else')
    .option('--packets <n>', 'of each run', '100000')
    .option('--validate', 'published figures beside simulated ones')
    .option('--json', 'one JSON object, or one a row')
    .action(async (what, options) => {
      status = await (await import('./compare.ts')).compare(what, options, loadChartScript);
    });

  program
    .command('verilog')
    .description('print the hardware pipeline that an XDP program becomes, as Verilog')
    .argument('<program>', 'object file, or name of a workload')
    .option('--program <name>', 'of an object that has several')
    .option('--frame-bytes <n>', 'words that packets come in: 32 or 64', '64')
    .option('--stages', 'its stages with their instructions instead')
    .action(async (what, options) => {
      status = await (await import('./verilog.ts')).verilog(what, options);
    });

  program
    .command('batch')
    .description(
      'answer requests, one JSON object a line on stdin, with skep’s BPF (see docs/batch.md)',
    )
    .action(async () => {
      status = await (await import('./batch/batch.ts')).batch();
    });

  program
    .command('bench')
    .description('measure: rows of name, value, unit and, for ratios, against what')
    .argument('[filter]', 'only rows whose name contains this')
    .option('--json', 'one JSON object a row')
    .action(async (filter, options) => {
      status = await (await import('./bench.ts')).bench(await loadBenches(), filter, options);
    });

  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (!(error instanceof UsageError)) throw error;
    console.error(`skep: ${error.message}`);
    return EXIT.usage;
  }
  return status;
}
