import { describe, expect, it } from 'vitest';
import { assemble } from '../../bpf/asm/assemble.ts';
import { encodeInsns } from '../../bpf/isa/codec.ts';
import { isLdImm64 } from '../../bpf/verifier/opcode.ts';
import { ATTACH_TYPES, mapTypeNumber, PROG_TYPES } from '../../bpf/uapi.ts';
import type { BatchRequest } from '../../ui/cli/batch/request.ts';
import { findJudge } from '../oracle/judge.ts';
import type { Case } from './case.ts';
import { allCases } from './cases.ts';

/** Needs QEMU and a downloaded kernel: only where it is asked for. */
const isWanted = process.env['SKEP_JUDGE'] === '1';

/** Maps by descriptor in the text, by fixup in a request. */
function request({ name, text, options = {} }: Case): BatchRequest {
  const insns = assemble(text);
  const fixups = insns.flatMap((insn, slot) =>
    isLdImm64(insn) && (insn.src === 1 || insn.src === 2) ? [{ insn: slot, map: insn.imm }] : [],
  );
  return {
    id: name,
    progType: PROG_TYPES.indexOf(options.type ?? 'socket_filter'),
    expectedAttachType: ATTACH_TYPES.indexOf(options.attach ?? 'cgroup_inet_ingress'),
    progFlags: options.flags ?? 0,
    attachBtfId: 0,
    insns: encodeInsns(insns),
    license: options.license ?? 'GPL',
    unpriv: options.unpriv === true,
    maps: (options.maps ?? []).map((map) => ({
      type: mapTypeNumber(map.type ?? 'array'),
      keySize: map.keyBytes ?? 4,
      valueSize: map.valueBytes ?? 8,
      maxEntries: map.maxEntries ?? 1,
      flags: map.flags ?? 0,
      btfKeyTypeId: 0,
      btfValueTypeId: 0,
      init: [],
      progs: [],
    })),
    fixups,
    logLevel: options.logLevel ?? 1,
    run: [],
    dumpMaps: false,
  };
}

describe.skipIf(!isWanted)('a real Linux 6.1 says the same', () => {
  const judge = isWanted ? findJudge() : { missing: '' };
  const cases = allCases
    .flatMap(([, list]) => list)
    // The judge has all capabilities or none.
    .filter(({ options }) => options?.bpfOnly !== true);

  it('of every case but those that are marked', async () => {
    if ('missing' in judge) throw new Error(judge.missing);
    const answers = await judge.ask(cases.map(request));
    cases.forEach((one, index) => {
      const answer = answers[index]!;
      if (!('ok' in answer)) throw new Error(`${one.name}: no answer`);
      const sameVerdict = answer.ok === (one.refused === undefined);
      expect(sameVerdict, `${one.name}\n${answer.log}`).toBe(one.differs === undefined);
      if (!sameVerdict || !one.refused || one.options?.logLevel === 0) return;
      const lines = answer.log.trimEnd().split('\n');
      if (lines[lines.length - 1]?.startsWith('processed ')) lines.pop();
      expect(lines[lines.length - 1], one.name).toBe(one.refused.line);
    });
  });
});
