/** What the survey found, as lines for a terminal and as the page docs/objects.md. */
import type { LoadAnswer } from './kernel.ts';
import type { SurveyedObject, SurveyedProgram } from './survey.ts';

export interface About {
  /** Packages with their versions. */
  readonly versions: readonly string[];
  /** Objects as found, copies included. */
  readonly imageCount: number;
  /** Version of LLVM; absent where its objdump is not there. */
  readonly objdump: string | undefined;
  /** Of the real kernel, if one was asked. */
  readonly release: string | undefined;
}

/** Everything in which skep differs from LLVM, libbpf or Linux, a line each. */
export function differencesIn(objects: readonly SurveyedObject[]): string[] {
  return objects.flatMap((object) => {
    const { paths, unreadable, text, calls, programs, linuxSetup, skepSetup } = object;
    const path = paths[0]!;
    const setup = linuxSetup.join(', ') === skepSetup.join(', ') ? [] : ['maps'];
    return [
      ...(unreadable === undefined ? [] : [`${path}: ${unreadable}`]),
      ...(text?.differences ?? []).map((line) => `${path}: ${line}`),
      ...(calls?.differences ?? []).map((line) => `${path}: ${line}`),
      ...setup.map(() => `${path}: Linux ${linuxSetup.join()}, skep ${skepSetup.join()}`),
      ...programs
        .filter((program) => !agree(program))
        .map(
          ({ name, linux, skep }) => `${path} ${name}: Linux ${said(linux)}, skep ${said(skep)}`,
        ),
    ];
  });
}

/** Verdict, errno, last message and instructions processed. */
const agree = ({ linux, skep }: SurveyedProgram) => said(linux) === said(skep);

function said(answer: LoadAnswer | undefined): string {
  if (answer === undefined) return 'was not asked';
  const { accepted, errno, message, processed } = answer;
  const counted = processed === undefined ? '' : ` (${processed} processed)`;
  return `${accepted ? 'accepts' : `refuses (${errno}) '${message}'`}${counted}`;
}

export function summaryOf(objects: readonly SurveyedObject[], about: About): string[] {
  const programs = objects.flatMap((object) => object.programs);
  const texts = objects.flatMap(({ text }) => text ?? []);
  const calls = objects.flatMap((object) => object.calls ?? []);
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const count = (test: (program: SurveyedProgram) => boolean) => programs.filter(test).length;
  const instructions = sum(texts.map((text) => text.instructions));
  const different = sum(texts.map((text) => text.differences.length));
  const asked = count(({ linux }) => linux !== undefined);
  const accepted = count(({ linux }) => linux?.accepted === true);
  const loads = count(({ machine }) => machine?.accepted === true);
  return [
    `${about.versions.join(', ')}: ${about.imageCount} objects, ${objects.length} of them different, ` +
      `with ${programs.length} programs and ${sum(objects.map((one) => one.mapCount))} maps`,
    `read by skep: ${objects.filter(({ unreadable }) => unreadable === undefined).length}`,
    ...(about.objdump === undefined
      ? []
      : [
          `${instructions} instructions disassembled, compared with llvm-objdump ${about.objdump} ` +
            `without options and with --mcpu=v4: ${different} differences`,
        ]),
    ...(calls.length === 0
      ? []
      : [
          `loader's calls of bpf(2) for Linux ${about.release}, compared with libbpf's: ` +
            `${sum(calls.map((one) => one.calls))}, ` +
            `${sum(calls.map((one) => one.differences.length))} differences`,
        ]),
    ...(about.release === undefined
      ? []
      : [
          `loaded into Linux ${about.release}: ${asked} programs; it accepts ${accepted}`,
          `same verdict by skep's verifier with that kernel's types: ` +
            `${count(({ linux, skep }) => linux !== undefined && linux.accepted === skep?.accepted)}; ` +
            `also the same errno, last message and count of instructions processed: ` +
            `${count((program) => program.linux !== undefined && agree(program))}`,
        ]),
    `on skep's machine, with its own types: ${loads} of ${programs.length} programs load`,
  ];
}

export function pageOf(objects: readonly SurveyedObject[], about: About): string {
  const [first, ...rest] = summaryOf(objects, about);
  const differences = differencesIn(objects);
  return `${[
    '# Objects of Debian’s packages',
    '',
    'Made by `npm run -s oracle -- survey --linux --libbpf --write` (see [test/survey](../test/survey/README.md)); not by hand.',
    '',
    ...[first!, ...rest].map((line) => `- ${line}`),
    '',
    '## Where skep differs',
    '',
    ...(differences.length === 0 ? ['Nowhere.'] : differences.map((line) => `- ${line}`)),
    '',
    ...missingInLinux(objects, about),
    '## On skep’s machine',
    '',
    'What keeps programs from loading, and how many it keeps: types and fields that the kernel’s BTF lacks',
    '(a program may reach one only on some paths), functions and tracepoints to attach to.',
    '',
    '| missing | programs |',
    '| --- | ---: |',
    ...reasons(objects).map(([reason, n]) => `| ${code(reason)} | ${n} |`),
    '',
    '| object | program | section | on skep’s machine |',
    '| --- | --- | --- | --- |',
    ...objects.flatMap(({ paths, programs }) =>
      programs.map(
        (program) =>
          `| ${paths[0]} | ${program.name} | ${code(program.section)} | ${fate(program)} |`,
      ),
    ),
    '',
    '## Objects',
    '',
    '| object | package | bytes | programs | maps | instructions | left out |',
    '| --- | --- | ---: | ---: | ---: | ---: | --- |',
    ...objects.map(
      ({ paths, package: name, sizeBytes, programs, mapCount, text, notes }) =>
        `| ${paths.join(', ')} | ${name} | ${sizeBytes} | ${programs.length} | ${mapCount} | ` +
        `${text?.instructions ?? ''} | ${notes.map(sectionOf).join(', ')} |`,
    ),
  ].join('\n')}\n`;
}

function missingInLinux(objects: readonly SurveyedObject[], about: About): string[] {
  if (about.release === undefined) return [];
  const rows = objects.flatMap(({ paths, programs }) =>
    programs.flatMap(({ name, section, missingInLinux: missing, linux }) => {
      const why = missing ?? (linux?.accepted === false ? said(linux) : undefined);
      return why === undefined ? [] : [`| ${paths[0]} | ${name} | ${code(section)} | ${why} |`];
    }),
  );
  return [
    `## What Linux ${about.release} does not load`,
    '',
    'Tools choose among their programs by what the kernel has; these are the ones that this kernel is not for.',
    '',
    '| object | program | section | why |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ];
}

/** Names of what is missing, most wanted first. */
function reasons(objects: readonly SurveyedObject[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { programs } of objects) {
    for (const program of programs) {
      for (const one of lacks(program)) counts.set(one, (counts.get(one) ?? 0) + 1);
    }
  }
  return [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
}

function lacks(program: SurveyedProgram): string[] {
  const { missingInMachine, machine, missingTypes, missingTarget } = program;
  const types = machine?.accepted === true ? [] : missingTypes;
  const target = missingTarget === undefined ? [] : [missingTarget];
  const unknown = missingInMachine === undefined ? [] : [plain(missingInMachine)];
  return [...unknown, ...types, ...target];
}

/** The loader's words for what is most often missing, made short. */
const plain = (message: string) =>
  message.replace(/^failed to find kernel BTF type ID of '(.*)': -\d+$/, 'BTF of $1');

function fate(program: SurveyedProgram): string {
  const { machine, missingInMachine } = program;
  const lacking = lacks(program).map(code).join(', ');
  if (machine?.accepted) return lacking === '' ? 'loads' : `loads; lacks ${lacking}`;
  if (lacking !== '') return `lacks ${lacking}`;
  return missingInMachine ?? said(machine);
}

const code = (text: string) => `\`${text.replaceAll('|', '\\|')}\``;
const sectionOf = (note: string) => code(/^section (\S+):/.exec(note)?.[1] ?? note);
