import { beforeAll, describe, expect, it } from 'vitest';
import { coreModule } from '../../test/support/assets.ts';
import { bootSession, type ConsoleSession } from '../testing/console.ts';

let session: ConsoleSession;

beforeAll(async () => {
  session = await bootSession({ core: await coreModule() });
});

/** Command lines and what they print, as bash prints it too. */
const LINES: readonly [line: string, output: string][] = [
  ['echo one  two "three  four"', 'one two three  four\n'],
  ["echo 'a\"b' \"c'd\" e\\ f $'g\\th'", 'a"b c\'d e f g\th\n'],
  ['x=5; echo $x ${x} "$x$x" \'$x\'', '5 5 55 $x\n'],
  ['unset u; echo ${u:-d} ${u-e} "${u:+f}" ${x:+g} ${#x}', 'd e  g 1\n'],
  [
    'p=/usr/lib/x.tar.gz; echo ${p##*/} ${p%/*} ${p%.*} ${p%%.*}',
    'x.tar.gz /usr/lib /usr/lib/x.tar /usr/lib/x\n',
  ],
  ['s=hello; echo ${s:1:3} ${s: -2} ${s/l/L} ${s//l/L}', 'ell lo heLlo heLLo\n'],
  [
    'set -- a "b c" d; echo $# "$2"; for i in "$@"; do echo "[$i]"; done',
    '3 b c\n[a]\n[b c]\n[d]\n',
  ],
  ['set -- a b c; shift; echo "$*" $1; set --', 'b c b\n'],
  ['IFS=:; y="a:b::c"; for f in $y; do echo "<$f>"; done; unset IFS', '<a>\n<b>\n<>\n<c>\n'],
  ['y="  a   b "; for f in $y; do echo "<$f>"; done', '<a>\n<b>\n'],
  ['echo $(echo a; echo b) "$(echo a; echo b)"', 'a b a\nb\n'],
  ['echo `echo x` $(echo $(echo nested))', 'x nested\n'],
  ['echo $((2 * (3 + 4) ** 2 % 10)) $((1 << 4 | 1))', '8 17\n'],
  ['i=3; echo $((i++)) $i $((i += 10))', '3 4 14\n'],
  ['echo {a,b}{1..3}', 'a1 a2 a3 b1 b2 b3\n'],
  ['cd /etc; echo host* nothing*; cd', 'hostname hosts nothing*\n'],
  ['echo ~ ~/x ~root "~"', '/root /root/x /root ~\n'],
  ['true && echo yes || echo no; false && echo yes || echo no', 'yes\nno\n'],
  ['! true; echo $?; ! false; echo $?', '1\n0\n'],
  ['if false; then echo a; elif true; then echo b; else echo c; fi', 'b\n'],
  ['n=0; while [ $n -lt 3 ]; do n=$((n+1)); [ $n = 2 ] && continue; echo $n; done', '1\n3\n'],
  [
    'for a in 1 2 3; do for b in 1 2; do [ $a$b = 21 ] && break 2; echo $a$b; done; done',
    '11\n12\n',
  ],
  ['until [ ${n:=0} -ge 0 ]; do :; done; echo done', 'done\n'],
  ['case foo.c in *.h) echo h;; *.c|*.o) echo c;; esac', 'c\n'],
  ['f() { echo "f $1"; return 3; }; f x; echo $?', 'f x\n3\n'],
  ['g() { local v=in; v2=out; echo $v; }; v=outer; g; echo $v $v2', 'in\nouter out\n'],
  ['fact() { [ $1 -le 1 ] && echo 1 || echo $(($1 * $(fact $(($1 - 1))))); }; fact 6', '720\n'],
  ['(exit 7); echo $?; (cd /tmp; pwd); pwd', '7\n/tmp\n/root\n'],
  ['{ echo a; echo b; } | wc -l', '2\n'],
  ['echo a | cat | cat | tr a b', 'b\n'],
  ['set -o pipefail; false | true; echo $?; set +o pipefail; false | true; echo $?', '1\n0\n'],
  ['echo out > /tmp/o; echo more >> /tmp/o; cat < /tmp/o', 'out\nmore\n'],
  ['ls /nope 2>/dev/null; echo $?', '2\n'],
  ['ls /nope 2>&1 | tr a-z A-Z', "LS: CANNOT ACCESS '/NOPE': NO SUCH FILE OR DIRECTORY\n"],
  ['{ echo o; echo e >&2; } > /tmp/both 2>&1; cat /tmp/both', 'o\ne\n'],
  [
    'exec 3> /tmp/three; echo x >&3; exec 3>&-; cat /tmp/three; echo y >&3',
    'x\nsh: 3: Bad file descriptor\n',
  ],
  ['cat <<< "here $x"', 'here 5\n'],
  ['A=1 sh -c "echo \\$A"; echo "[$A]"', '1\n[]\n'],
  ["sh -c 'echo $0 $1 $#' name a b", 'name a 2\n'],
  ['sh -c "exit 300"; echo $?; sh -c \'kill -9 $$\'; echo $?', '44\nKilled\n137\n'],
  [
    'nosuch; echo $?; /etc/passwd; echo $?; /tmp; echo $?',
    'sh: nosuch: command not found\n127\nsh: /etc/passwd: Permission denied\n126\nsh: /tmp: Is a directory\n126\n',
  ],
  ['readonly R=1; R=2; echo $R', 'sh: R: readonly variable\n'],
  ['echo $R', '1\n'],
  ['echo "a b c" | while read x y; do echo "$y,$x"; done', 'b c,a\n'],
  ['printf "%s-%03d\\n" a 7 b 8', 'a-007\nb-008\n'],
  [
    '[[ abc == a* && ! -e /nope ]] && echo match; [[ x5 =~ ^x[0-9]$ ]] && echo regex',
    'match\nregex\n',
  ],
  ['[ 3 -gt 2 -a a != b ] && echo ok; test -n ""; echo $?', 'ok\n1\n'],
  ['((3 > 2)) && echo yes; let "k = 2 * 3"; echo $k', 'yes\n6\n'],
  ['trap "echo caught" USR1; kill -USR1 $$; echo after; trap - USR1', 'caught\nafter\n'],
  ['sh -c \'trap "echo bye" EXIT; echo hi; exit 2\'; echo $?', 'hi\nbye\n2\n'],
  ['sh -ec "false; echo never"; echo $?', '1\n'],
  ['sh -uc "echo \\$nope"; echo $?', 'sh: line 1: nope: unbound variable\n127\n'],
  ['sh -xc "echo a"', '+ echo a\na\n'],
  ['echo "echo from stdin; exit 4" | sh; echo $?', 'from stdin\n4\n'],
  [
    'eval "echo \\$x"; type cd ls f | head -3',
    '5\ncd is a shell builtin\nls is /bin/ls\nf is a function\n',
  ],
  ['alias hi="echo hello"; unalias hi; hi', 'sh: hi: command not found\n'],
  ['cd /tmp/..; pwd; cd - > /dev/null; pwd', '/\n/root\n'],
  ['echo )', "sh: syntax error near unexpected token `)'\n"],
  ['sh -c "echo a; )"; echo $?', "sh: line 1: syntax error near unexpected token `)'\n2\n"],
  ['umask 027; umask; > /tmp/um; stat -c %a /tmp/um; umask 022', '0027\n640\n'],
  [
    'printf "#!/bin/sh\\necho script \\$0 \\$1\\n" > /tmp/s; chmod +x /tmp/s; /tmp/s arg',
    'script /tmp/s arg\n',
  ],
  ['command -v cat cd; unset -f f; f', '/bin/cat\ncd\nsh: f: command not found\n'],
  [
    'set -- -ab -o val -c rest; while getopts abo:c n; do echo $n $OPTARG; done; shift $((OPTIND-1)); echo $1; set --',
    'a\nb\no val\nc\nrest\n',
  ],
  ['ulimit -n 64; ulimit -n; ulimit -a | grep -c .', '64\n15\n'],
  ['printf "%99999999999d" 1 | wc -c', '65536\n'],
  ['yes | head -2', 'y\ny\n'],
  // The child has what the shell had when it forked, whatever the shell does next.
  [
    'w=1; (sleep 0.01; echo "then $w") > /tmp/w & w=2; wait; cat /tmp/w; echo now $w',
    'then 1\nnow 2\n',
  ],
];

describe('commands', () => {
  it.each(LINES)('%s', async (line, output) => {
    const text = await session.run(line);
    expect(text.replace(/^\[\d+\].*\n/gm, '')).toBe(output);
  });

  it('reads here-documents and compounds over several lines', async () => {
    await session.run('');
    session.take();
    await session.type('cat <<E\r');
    await session.type('x is $x\r');
    await session.type('E\r');
    await session.type('if true\rthen echo multi\rfi\r');
    const text = session.take();
    expect(text).toContain('\r\nx is 5\r\n');
    expect(text).toContain('\r\nmulti\r\n');
  });
});

describe('at the terminal', () => {
  it('edits the line, and keeps history', async () => {
    await session.run('echo first');
    session.take();
    await session.type('\x1b[A');
    await session.type('\x01\x1bf\x0b second\r');
    expect(session.take()).toContain('\r\nsecond\r\n');
    expect(await session.run('history 2')).toMatch(/\d+ {2}echo second\n +\d+ {2}history 2\n/);
  });

  it('completes commands, files and variables', async () => {
    await session.run('');
    session.take();
    await session.type('hostn\t');
    await session.type(' /etc/hostn\t');
    expect(session.take()).toMatch(/hostname .*\/etc\/hostname/s);
    await session.type('\x15echo $HOM\t\r');
    expect(session.take()).toContain('\r\n/root\r\n');
    await session.type('ls /etc/host\t');
    session.take();
    await session.type('\t');
    await session.type('\t');
    expect(session.take()).toContain('hostname  hosts');
    await session.type('\x15');
  });

  it('offers the words of known commands', async () => {
    await session.run('');
    session.take();
    await session.type('bpftool prog du\txl\t');
    expect(session.take()).toContain('bpftool prog dump xlated ');
    await session.type('\x15');
  });

  it('interrupts what runs, not itself', async () => {
    session.take();
    session.machine.input({ kind: 'tty', data: new TextEncoder().encode('sleep 100\r') });
    await session.pass(50e6);
    await session.type('\x03');
    expect(await session.run('echo $?')).toBe('130\n');
    session.machine.input({ kind: 'tty', data: new TextEncoder().encode('while :; do :; done\r') });
    await session.pass(20e6);
    await session.type('\x03');
    expect(await session.run('echo alive')).toBe('alive\n');
  });

  it('stops jobs and brings them back', async () => {
    session.machine.input({ kind: 'tty', data: new TextEncoder().encode('sleep 5\r') });
    await session.pass(50e6);
    session.take();
    await session.type('\x1a');
    expect(session.take()).toContain('[1]+  Stopped                 sleep 5');
    expect(await session.run('jobs')).toBe('[1]+  Stopped                 sleep 5\n');
    expect(await session.run('bg')).toBe('[1]+ sleep 5 &\n');
    expect(await session.run('jobs')).toBe('[1]+  Running                 sleep 5 &\n');
    expect(await session.run('fg; echo $?')).toBe('sleep 5\n0\n');
  });

  it('tells of background jobs that end', async () => {
    expect(await session.run('sleep 0.01 & wait; echo waited')).toMatch(/^\[1\] \d+\nwaited\n$/);
    expect(await session.run('false & sleep 0.1')).toMatch(
      /^\[1\] \d+\n\[1\]\+ {2}Exit 1 +false\n$/,
    );
    expect(await session.run('sleep 9 & kill %1; wait %1; echo $?')).toMatch(/143\n$/);
  });

  it('leaves on Ctrl-D, and init starts another', async () => {
    session.take();
    await session.type('\x04');
    await session.settle();
    expect(session.take()).toMatch(/exit\r\n(.|\s)*root@skep:~# /);
  });
});
