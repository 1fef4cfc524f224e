import { describe, expect, it } from 'vitest';
import { lastLine, verifyText } from '../support/verify-text.ts';
import { allCases } from './cases.ts';

for (const [topic, cases] of allCases) {
  describe(`the verifier on ${topic}`, () => {
    it.each(cases.map((one) => [one.name, one] as const))('%s', (_, { text, options, refused }) => {
      const verdict = verifyText(text, options);
      if (!refused) {
        expect(verdict.kind, verdict.log).toBe('accepted');
        return;
      }
      expect(verdict.kind, verdict.log).toBe('rejected');
      if (verdict.kind !== 'rejected') return;
      // Without a log there is only the reason.
      if (options?.logLevel !== 0) expect(lastLine(verdict)).toBe(refused.line);
      expect(verdict.reason).toBe(refused.reason);
    });
  });
}
