import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluate } from './arithmetic.ts';
import type { Assignment, Command, Condition, Word } from './ast.ts';
import { expandBraces } from './brace.ts';
import { parseNext } from './parser.ts';
import { hasMagic, matchPattern, quotePattern, unquotePattern } from './pattern.ts';

/** A compact rendering that shows how a line was understood. */
function show(command: Command): string {
  const words = (list: readonly Word[]): string => list.map(word).join(' ');
  const redirects = (
    list: readonly { fd: number | undefined; op: string; target: Word }[],
  ): string => list.map((r) => ` ${r.fd ?? ''}${r.op}${word(r.target)}`).join('');
  switch (command.kind) {
    case 'simple': {
      const sets = command.assignments.map(assignment);
      const args = command.words.map((text, index) => {
        const declared = command.declarations?.get(index);
        return declared ? `{${assignment(declared)}}` : word(text);
      });
      return `[${[...sets, ...args].join(' ')}${redirects(command.redirects)}]`;
    }
    case 'pipeline': {
      const time = command.timed ? `time ${command.timed} ` : '';
      return `${time}${command.negated ? '!' : ''}(${command.commands.map(show).join(' | ')})`;
    }
    case 'and':
    case 'or':
      return `(${show(command.left)} ${command.kind} ${show(command.right)})`;
    case 'list':
      return command.items.map((i) => show(i.command) + (i.background ? '&' : ';')).join(' ');
    case 'subshell':
      return `sub{${show(command.body)}}`;
    case 'if': {
      const clauses = command.clauses.map((c) => `${show(c.test)} ? ${show(c.body)}`).join(' : ');
      return `if ${clauses}${command.otherwise ? ` : ${show(command.otherwise)}` : ''}`;
    }
    case 'loop':
      return `${command.until ? 'until' : 'while'} ${show(command.test)} {${show(command.body)}}`;
    case 'for':
      return `for ${command.name} in ${command.words ? words(command.words) : '"$@"'} {${show(command.body)}}`;
    case 'for-arithmetic':
      return `for ((${command.expressions.map(word).join(';')})) {${show(command.body)}}`;
    case 'case': {
      const items = command.items.map(
        (i) =>
          `${i.patterns.map(word).join('|')}) ${i.body ? show(i.body) : ''}${i.end === ';;' ? '' : i.end}`,
      );
      return `case ${word(command.subject)} {${items.join('; ')}}`;
    }
    case 'arithmetic':
      return `((${word(command.expression)}))`;
    case 'conditional':
      return `[[${condition(command.condition)}]]`;
    case 'function':
      return `fn ${command.name} {${show(command.body)}}`;
    case 'redirected':
      return `${show(command.command)}${redirects(command.redirects)}`;
  }
}

function assignment({ name, index, append, value, elements }: Assignment): string {
  const list = elements?.map(({ key, value: v }) => (key ? `[${word(key)}]` : '') + word(v));
  const text = list ? `(${list.join(' ')})` : word(value);
  return `${name}${index ? `[${word(index)}]` : ''}${append ? '+' : ''}=${text}`;
}

function condition(c: Condition): string {
  switch (c.kind) {
    case 'word':
      return word(c.word);
    case 'unary':
      return `${c.op} ${word(c.word)}`;
    case 'binary':
      return `${word(c.left)} ${c.op} ${word(c.right)}`;
    case 'not':
      return `!(${condition(c.inner)})`;
    default:
      return `(${condition(c.left)} ${c.kind} ${condition(c.right)})`;
  }
}

function word(parts: Word): string {
  return parts
    .map((part) => {
      const q = part.quoted ? "'" : '';
      switch (part.kind) {
        case 'literal':
          return q + part.text + q;
        case 'parameter': {
          const index = part.index ? `[${word(part.index)}]` : '';
          const second = part.second ? `,${word(part.second)}` : '';
          const name = `${part.indirect ? '!' : ''}${part.name}${index}`;
          return `${q}\${${name}${part.op}${part.word ? word(part.word) : ''}${second}}${q}`;
        }
        case 'command':
          return `${q}$(${part.source})${q}`;
        case 'arithmetic':
          return `${q}$((${word(part.expression)}))${q}`;
        case 'process':
          return `${part.direction}(${part.source})`;
      }
    })
    .join('');
}

const LINES: readonly [source: string, understood: string][] = [
  ['echo a  b', '[echo a b]'],
  ['a=1 b+=2 cmd x=3', '[a=1 b+=2 cmd x=3]'],
  ['echo \'a b\'"c $d"e\\ f', "[echo 'a bc ''${d}'e' 'f]"],
  ['a | b |& c', '([a] | [b] 2>&1 | [c])'],
  ['! a && b || c; d & e', '((!([a]) and [b]) or [c]); [d]& [e];'],
  ['(a; b) > f', 'sub{[a]; [b];} >f'],
  ['{ a; b; } 2>&1', '[a]; [b]; 2>&1'],
  ['if a; then b; elif c; then d; else e; fi', 'if [a] ? [b] : [c] ? [d] : [e]'],
  ['while a; do b; done', 'while [a] {[b]}'],
  ['until a\ndo b\ndone', 'until [a] {[b]}'],
  ['for x in 1 2; do echo $x; done', 'for x in 1 2 {[echo ${x}]}'],
  ['for x do a; done', 'for x in "$@" {[a]}'],
  ['case $x in (a|b) c;; *) d;; esac', 'case ${x} {a|b) [c]; *) [d]}'],
  ['case x in a) ;; esac', 'case x {a) }'],
  ['f() { a; }', 'fn f {[a]}'],
  ['function g { a; }', 'fn g {[a]}'],
  ['echo $(a $(b) ")") `c \\`d\\``', '[echo $(a $(b) ")") $(c `d`)]'],
  [
    'echo $((1+(2*3))) ${x:-y z} ${#x} ${x##*/}',
    "[echo $(('1+(2*3)')) ${x:-y z} ${xlength} ${x##*/}]",
  ],
  ['echo ${x/a/b} ${x:1:2}', '[echo ${x/a,b} ${x:1,2}]'],
  ['cat <<E\na $b\nE\n', "[cat <<'a ''${b}''\n']"],
  ["cat <<-'E' | wc\n\ta $b\n\tE\n", "([cat <<'a $b\n'] | [wc])"],
  ['cat <<< "x"', "[cat <<<'x']"],
  ['a &> f; b >&2 3<g', '[a &>f]; [b >&2 3<g];'],
  ['[[ $a == b* && ! -f c ]]', '[[(${a} == b* and !(-f c))]]'],
  ['[[ a =~ ^(x|y)$ || (b < c) ]]', '[[(a =~ ^(x|y)$ or b < c)]]'],
  ['((a = 1 < 2))', "(('a = 1 < 2'))"],
  ['echo a#b # c', '[echo a#b]'],
  ['echo \\\nb', '[echo b]'],
  ["echo $'a\\tb'", "[echo 'a\tb']"],
  ['echo if then', '[echo if then]'],
  ['a=(1 "2 3" [5]=x) b[i+1]+=y', "[a=(1 '2 3' [5]x) b[i+1]+=y]"],
  ['declare -A m=([k]=v) n=$x y', '[declare -A {m=([k]v)} {n=${x}} y]'],
  [
    'echo ${a[@]} ${#a[1]} ${!a[@]} ${!x} ${x^^}',
    '[echo ${a[@]} ${a[1]length} ${a[@]keys} ${!x} ${x^^}]',
  ],
  ['for ((i=0; i<3; i++)); do a; done', "for (('i=0';' i<3';' i++')) {[a]}"],
  ['case x in a) b;& c) d;;& *) e; esac', 'case x {a) [b];&; c) [d];;&; *) [e]}'],
  ['time -p a | b', 'time posix ([a] | [b])'],
  ['diff <(a; b) > >(c)', '[diff <(a; b) >>(c)]'],
  ['x=$(case y in y) cat <<E\n)\nE\n;; esac)', '[x=$(case y in y) cat <<E\n)\nE\n;; esac)]'],
  ['echo @(a|b) !(c d)', '[echo @(a|b) !(c d)]'],
];

describe('parser', () => {
  it.each(LINES)('understands %j', (source, understood) => {
    const parsed = parseNext(source);
    expect(parsed.kind === 'command' ? show(parsed.command) : parsed).toBe(understood);
  });

  it.each([
    'echo "a',
    "echo 'a",
    'echo $(a',
    'if a; then',
    'while a; do b',
    'a |',
    'a &&',
    '{ a;',
    '(a',
    'cat <<E\nx\n',
    'case x in a) b',
    'f() {',
  ])('asks for more after %j', (source) => {
    expect(parseNext(source).kind).toBe('incomplete');
  });

  it.each([
    [')', "syntax error near unexpected token `)'"],
    ['a ;; b', "syntax error near unexpected token `;;'"],
    ['fi', "syntax error near unexpected token `fi'"],
    ['if a; done', "syntax error near unexpected token `done'"],
    ['| a', "syntax error near unexpected token `|'"],
    ['for 1 in a; do b; done', "`1': not a valid identifier"],
    ['a > ; b', "syntax error near unexpected token `;'"],
  ])('refuses %j', (source, message) => {
    expect(parseNext(source)).toMatchObject({ kind: 'error', message });
  });

  it('goes on after the line it read', () => {
    const source = 'a\nb; c\n\n# nothing\n';
    const first = parseNext(source);
    expect(first).toMatchObject({ kind: 'command', end: 2 });
    const second = parseNext(source, 2);
    expect(second).toMatchObject({ kind: 'command', end: 7 });
    expect(parseNext(source, 7)).toEqual({ kind: 'end' });
  });

  it('expands aliases at the start of a command, and only once each', () => {
    const aliases = new Map([
      ['ll', 'ls -l'],
      ['ls', 'ls --color'],
    ]);
    const parsed = parseNext('ll x | ll\nnext', 0, (name) => aliases.get(name));
    expect(parsed).toMatchObject({ kind: 'command', end: 10 });
    expect(parsed.kind === 'command' && show(parsed.command)).toBe(
      '([ls --color -l x] | [ls --color -l])',
    );
  });
});

describe('any input', () => {
  const pieces = [
    'a',
    'x=1',
    '$x',
    '${',
    '}',
    '$(',
    ')',
    '((',
    '))',
    '`',
    '"',
    "'",
    '\\',
    '\n',
    ' ',
    ';',
    '&',
    '|',
    '<',
    '>',
    '<<E',
    'E',
    'if',
    'then',
    'fi',
    'for',
    'in',
    'do',
    'done',
    'case',
    'esac',
    ';;',
    '{',
    '[[',
    ']]',
    '!',
    '#',
    '*',
    '1',
    '+',
    '{1..3}',
    '~',
    'é',
  ];

  it('is understood, refused or waited for, and always gets on', () => {
    const text = fc
      .array(fc.constantFrom(...pieces), { maxLength: 25 })
      .map((list) => list.join(''));
    fc.assert(
      fc.property(text, (source) => {
        for (let at = 0; at < source.length;) {
          const parsed = parseNext(source, at);
          if (parsed.kind === 'end' || parsed.kind === 'incomplete') return;
          expect(parsed.end).toBeGreaterThan(at);
          at = parsed.end;
          if (parsed.kind === 'error') return;
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('arithmetic', () => {
  const variables = new Map([
    ['x', '5'],
    ['y', 'x+1'],
  ]);
  const on = {
    get: (name: string) => variables.get(name),
    set: (name: string, value: string) => void variables.set(name, value),
  };
  it.each([
    ['1+2*3', 7n],
    ['(1+2)*3', 9n],
    ['-7/2', -3n],
    ['-7%3', -1n],
    ['2**10', 1024n],
    ['2**3**2', 512n],
    ['1<<62', 4611686018427387904n],
    ['9223372036854775807+1', -9223372036854775808n],
    ['0x10+010+2#101', 29n],
    ['y*2', 12n],
    ['x>3&&x<9', 1n],
    ['x==5?10:20', 10n],
    ['0&&(x=9)', 0n],
    ['x', 5n],
    ['a=b=3,a+b', 6n],
    ['a+=4', 7n],
    ['a++', 7n],
    ['++a', 9n],
    ['!a', 0n],
    ['~0', -1n],
    ['1|2^3&2', 1n],
    ['', 0n],
    ['10-3-2', 5n],
  ])('%s is %s', (text, value) => {
    expect(evaluate(text, on)).toBe(value);
  });

  it.each(['1/0', '1+', '(1', '08', '3 4', 'x y'])('refuses %j', (text) => {
    expect(() => evaluate(text, on)).toThrow();
  });
});

describe('braces', () => {
  it.each([
    ['a{b,c}d', ['abd', 'acd']],
    ['{1..4}', ['1', '2', '3', '4']],
    ['{08..10}', ['08', '09', '10']],
    ['{3..1}', ['3', '2', '1']],
    ['{a..c}{1,2}', ['a1', 'a2', 'b1', 'b2', 'c1', 'c2']],
    ['x{a,{b,c}}y', ['xay', 'xby', 'xcy']],
    ['{a}', ['{a}']],
    ['{}', ['{}']],
    ['a{,b}', ['a', 'ab']],
    ['{1..9..3}', ['1', '4', '7']],
  ])('%s', (text, expanded) => {
    const parts: Word = [{ kind: 'literal', text, quoted: false }];
    expect(expandBraces(parts).map(word)).toEqual(expanded);
  });

  it('does not run away', () => {
    const text = '{1..99999}{1..99999}{a,b}';
    expect(expandBraces([{ kind: 'literal', text, quoted: false }]).length).toBeLessThan(300_000);
  });

  it('leaves quoted braces alone', () => {
    const parts: Word = [{ kind: 'literal', text: '{a,b}', quoted: true }];
    expect(expandBraces(parts)).toEqual([parts]);
  });
});

describe('patterns', () => {
  it.each([
    ['*', '', true],
    ['a*c', 'abbc', true],
    ['a*c', 'abbd', false],
    ['?', 'ä', true],
    ['[a-c]x', 'bx', true],
    ['[!a-c]x', 'bx', false],
    ['[]x]', ']', true],
    ['[[:digit:]]*', '7up', true],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['a.b', 'axb', false],
    ['[', '[', true],
    ['[a-]', '-', true],
  ])('%s on %s is %s', (pattern, text, matches) => {
    expect(matchPattern(pattern, text)).toBe(matches);
  });

  it('quotes what it must, and takes it off again', () => {
    const text = 'a*b?[c]\\d';
    expect(hasMagic(quotePattern(text))).toBe(false);
    expect(unquotePattern(quotePattern(text))).toBe(text);
    expect(matchPattern(quotePattern(text), text)).toBe(true);
  });
});
