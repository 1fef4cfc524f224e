/** The regular expressions of the tools, against what glibc's `sed -E` answered on Debian 12. */
import { describe, expect, it } from 'vitest';
import { compileRegex, RegexError } from './regex.ts';

/** Expression, text, whole matches and groups as `<whole|1|2…>`. */
const EXTENDED: readonly [source: string, text: string, marked: string][] = [
  ['ab|abcd', 'xabcd', 'x<abcd>'],
  ['(foo|foobar)(bar)?', 'foobar', '<foobar|foo|bar>'],
  ['(a|ab)(c|bcd)?(ab)?', 'abab', '<abab|ab||ab>'],
  ['(a|ab)(bc|c)?', 'abc', '<abc|a|bc>'],
  ['a(b?){1,2}', 'ab', '<ab|b>'],
  ['(a*)(a*)', 'aaa', '<aaa|aaa|>'],
  ['a*', 'baaac', '<>b<aaa>c<>'],
  ['x*', 'abc', '<>a<>b<>c<>'],
  ['(a|b)*', 'xab', '<|>x<ab|b>'],
  ['((a)|(b))*', 'ab', '<ab|b|a|b>'],
  ['(a+)+b', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac'],
  ['^(a|^b)', 'bb', '<b|b>b'],
  ['b$|a', 'ab', '<a><b>'],
  ['a{2}', 'aaaaa', '<aa><aa>a'],
  ['(ab){1,2}c?', 'abababc', '<abab|ab><abc|ab>'],
  ['a{,2}', 'aaa', '<aa><a>'],
  ['[^]a]', ']ab', ']a<b>'],
  ['[]a]+', '][a]', '<]>[<a]>'],
  ['[a\\]+', 'b\\a', 'b<\\a>'],
  ['[[:digit:]x-z]+', '12y-z', '<12y>-<z>'],
  ['[a-]+', 'b-a', 'b<-a>'],
  ['\\<o|o\\>', 'oxo ox', '<o>x<o> <o>x'],
  ['\\bb\\B', 'bb b', '<b>b b'],
  ['\\w+', 'a_1-é', '<a_1>-<é>'],
  ['(.)\\1', 'abba', 'a<bb|b>a'],
  ['.', '😀é', '<😀><é>'],
  ['(😀|é)+', 'x😀éy', 'x<😀é|é>y'],
  ['a||b', 'ab', '<a><b>'],
  ['a{1', 'a{1', '<a{1>'],
];

const BASIC: readonly [source: string, text: string, marked: string][] = [
  ['*a', '*a', '<*a>'],
  ['\\(*a\\)', '*a', '<*a|*a>'],
  ['^*a', '*a', '<*a>'],
  ['a^b$c', 'a^b$c', '<a^b$c>'],
  ['a\\+\\|b\\?c', 'aabc', '<aa><bc>'],
  ['a\\{2,\\}', 'aaab', '<aaa>b'],
  ['a+(b)', 'a+(b)', '<a+(b)>'],
  ['\\(a\\)\\(b\\)*', 'abb', '<abb|a|b>'],
];

function mark(source: string, text: string, extended: boolean): string {
  const regex = compileRegex(source, { extended });
  let out = '';
  let end = 0;
  for (const match of regex.matches(text)) {
    const groups = match.groups.map((group) => group ?? '').join('|');
    out += `${text.slice(end, match.start)}<${groups}>`;
    end = match.end;
  }
  return out + text.slice(end);
}

describe('regular expressions', () => {
  it.each(EXTENDED)('extended %s on %s', (source, text, marked) => {
    expect(mark(source, text, true)).toBe(marked);
  });

  it.each(BASIC)('basic %s on %s', (source, text, marked) => {
    expect(mark(source, text, false)).toBe(marked);
  });

  it.each([
    ['(', true, 'Unmatched ( or \\('],
    ['a)', true, 'Unmatched ) or \\)'],
    ['[a', true, 'Unmatched [, [^, [:, [., or [='],
    ['[[:foo:]]', true, 'Invalid character class name'],
    ['[b-a]', true, 'Invalid range end'],
    ['a\\', true, 'Trailing backslash'],
    ['\\1', true, 'Invalid back reference'],
    ['a{2,1}', true, 'Invalid content of \\{\\}'],
    ['a\\{1', false, 'Unmatched \\{'],
    ['a{40000}', true, 'Regular expression too big'],
    ['((a{1000}){1000}){1000}', true, 'Regular expression too big'],
  ])('refuses %s', (source, extended, message) => {
    expect(() => compileRegex(source, { extended })).toThrow(new RegexError(message));
  });

  it('matches words, lines, fixed strings and without case', () => {
    const words = compileRegex('a.', { word: true });
    expect([...words.matches('ab abc ac')].map((match) => match.start)).toEqual([0, 7]);
    expect(compileRegex('a', { line: true }).test('ab')).toBe(false);
    expect(compileRegex('a.c*', { fixed: true }).test('xa.c*')).toBe(true);
    expect(compileRegex('a.c', { fixed: true }).test('abc')).toBe(false);
    expect(compileRegex('[b-d]É(x|y)', { extended: true, ignoreCase: true }).test('CéY')).toBe(
      true,
    );
  });

  it('takes time that the text bounds', () => {
    const text = 'a'.repeat(20_000);
    const found = compileRegex('((a|aa)+)$|(a*)*b', { extended: true }).find(text)!;
    expect([found.end, found.groups[1]?.length, found.groups[2]]).toEqual([20_000, 20_000, 'a']);
    expect(compileRegex('.*.*.*.*.*=', { extended: true }).test(text.slice(0, 4000))).toBe(false);
  });
});
