import { beforeAll, describe, expect, it } from 'vitest';
import { coreModule } from '../../test/support/assets.ts';
import { bootSession, type ConsoleSession } from '../testing/console.ts';

let session: ConsoleSession;

beforeAll(async () => {
  const text = 'the quick brown fox\njumps over\nthe lazy dog\n';
  const files = {
    '/t/text': text,
    '/t/numbers': '10\n9\n2\n33\n1\n',
    '/t/fields': 'b:2:x\na:10:y\nc:1:z\n',
    '/t/bytes': Uint8Array.from({ length: 40 }, (_, i) => i),
    '/t/sub/deep/file.c': 'int main;\n',
    '/t/sub/.hidden': '',
  };
  session = await bootSession({ core: await coreModule() }, { files });
  await session.run('cd /t; ln -s text link');
});

/** Outputs as GNU's tools give them on the same files. */
const LINES: readonly [line: string, output: string][] = [
  ['cat -n text | tail -1', '     3\tthe lazy dog\n'],
  ['cat -A text | head -1', 'the quick brown fox$\n'],
  ['head -n 2 text; head -c 3 text; echo', 'the quick brown fox\njumps over\nthe\n'],
  ['tail -n 1 text; tail -n +3 text; tail -c 4 text', 'the lazy dog\nthe lazy dog\ndog\n'],
  ['head -n1 text numbers', '==> text <==\nthe quick brown fox\n\n==> numbers <==\n10\n'],
  [
    'wc text; wc -l < text; wc -lw text numbers',
    ' 3  9 44 text\n3\n 3  9 text\n 5  5 numbers\n 8 14 total\n',
  ],
  [
    'grep -n the text; grep -c the text; grep -v the text',
    '1:the quick brown fox\n3:the lazy dog\n2\njumps over\n',
  ],
  ['grep -o "[a-z]*o[a-z]*" text | tr "\\n" ,; echo', 'brown,fox,over,dog,\n'],
  ['grep -E "^(the|jumps) [lo]" text; grep -w fo text; echo $?', 'jumps over\nthe lazy dog\n1\n'],
  [
    'grep -i "THE\\>" text | wc -l; grep "q\\(ui\\)ck" text; grep nope nofile; echo $?',
    '2\nthe quick brown fox\ngrep: nofile: No such file or directory\n2\n',
  ],
  [
    'grep -rl main .; grep -A1 quick text; grep -F "a.b" text; echo $?',
    './sub/deep/file.c\nthe quick brown fox\njumps over\n1\n',
  ],
  [
    'sort numbers | tr "\\n" " "; sort -n numbers | tr "\\n" " "; sort -rn numbers | tr "\\n" " "; echo',
    '1 10 2 33 9 1 2 9 10 33 33 10 9 2 1 \n',
  ],
  ['sort -t: -k2n fields; sort -t: -k3r fields | head -1', 'c:1:z\nb:2:x\na:10:y\nc:1:z\n'],
  ['printf "a\\na\\nb\\n" | uniq -c; printf "a\\na\\nb\\n" | uniq -d', '      2 a\n      1 b\na\n'],
  ['cut -d: -f1,3 fields; cut -c2-4 text | head -1', 'b:x\na:y\nc:z\nhe \n'],
  [
    'echo hello | tr a-y b-z; echo "a  b" | tr -s " "; echo abc | tr -d b; echo aXb | tr "[:upper:]" .',
    'ifmmp\na b\nac\na.b\n',
  ],
  ['echo x | tee -a /tmp/tee; cat /tmp/tee', 'x\nx\n'],
  [
    'sed "s/o/0/g" text | head -1; sed -n 2p text; sed "/the/d" text',
    'the quick br0wn f0x\njumps over\njumps over\n',
  ],
  [
    'sed -E "s/(\\w+) (\\w+)/\\2 \\1/" text | head -1; sed "2,3d;s/^/> /" text',
    'quick the brown fox\n> the quick brown fox\n',
  ],
  [
    'sed -n "/quick/,/lazy/{=;p}" text | head -3; sed "1i top" text | head -1; sed "y/abc/xyz/" fields',
    '1\nthe quick brown fox\n2\ntop\ny:2:x\nx:10:y\nz:1:z\n',
  ],
  [
    'seq 3 | xargs; seq 4 | xargs -n 2 echo x; echo "a b" | xargs -I{} echo "[{}]"',
    '1 2 3\nx 1 2\nx 3 4\n[a b]\n',
  ],
  [
    'find sub -type f | sort; find . -name "*.c" -exec echo found {} \\;; find . -maxdepth 1 -type l',
    'sub/.hidden\nsub/deep/file.c\nfound ./sub/deep/file.c\n./link\n',
  ],
  [
    'ls; ls -A sub; ls -1 nofile; echo $?',
    "bytes  fields  link  numbers  sub  text\n.hidden  deep\nls: cannot access 'nofile': No such file or directory\n2\n",
  ],
  [
    'ls -ld sub | cut -c1-10; ls -l link | sed "s/.* link/link/"; ls -R sub',
    'drwxr-xr-x\nlink -> text\nsub:\ndeep\n\nsub/deep:\nfile.c\n',
  ],
  [
    'mkdir -p /tmp/d/e/f; rmdir /tmp/d; rm -r /tmp/d; ls /tmp/d 2>&1',
    "rmdir: failed to remove '/tmp/d': Directory not empty\nls: cannot access '/tmp/d': No such file or directory\n",
  ],
  [
    'cp -r sub /tmp/copy; find /tmp/copy -type f | wc -l; mv /tmp/copy /tmp/moved; ls /tmp/moved; rm -rf /tmp/moved',
    '2\ndeep\n',
  ],
  [
    'cp nofile x; cp sub x; cp text',
    "cp: cannot stat 'nofile': No such file or directory\ncp: -r not specified; omitting directory 'sub'\ncp: missing destination file operand after 'text'\nTry 'cp --help' for more information.\n",
  ],
  [
    'touch /tmp/n; chmod 600 /tmp/n; stat -c "%a %A %s" /tmp/n; chmod u+x,go+r /tmp/n; stat -c %a /tmp/n',
    '600 -rw------- 0\n744\n',
  ],
  ['ln /tmp/n /tmp/hard; stat -c %h /tmp/n; readlink link; readlink -f link', '2\ntext\n/t/text\n'],
  [
    'hexdump -C bytes | head -2',
    '00000000  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  |................|\n00000010  10 11 12 13 14 15 16 17  18 19 1a 1b 1c 1d 1e 1f  |................|\n',
  ],
  [
    'xxd bytes | tail -1; xxd -p bytes | head -c 8; echo; printf "6869" | xxd -r -p; echo',
    '00000020: 2021 2223 2425 2627                       !"#$%&\'\nhi'.replace(
      '\nhi',
      '\n00010203\nhi\n',
    ),
  ],
  [
    'od -A d -t x1 bytes | tail -2; printf "a\\n" | od -c',
    '0000032 20 21 22 23 24 25 26 27\n0000040\n0000000   a  \\n\n0000002\n',
  ],
  ['seq -s, 1 2 7; seq 2; seq -w 8 10; seq 1 0.5 2', '1,3,5,7\n1\n2\n08\n09\n10\n1.0\n1.5\n2.0\n'],
  [
    'tac numbers | head -1; rev fields | head -1; nl text | head -1',
    '1\nx:2:b\n     1\tthe quick brown fox\n',
  ],
  ['basename /a/b.c .c; dirname /a/b.c', 'b\n/a\n'],
  ['env -i A=1 env; env A=2 printenv A; printenv NOPE; echo $?', 'A=1\n2\n1\n'],
  ['id -un; whoami; tty; nproc; uname -sm', 'root\nroot\n/dev/console\n2\nLinux x86_64\n'],
  [
    'date -d @0 "+%F %T %a %j"; date -u -d "2024-02-29 12:00" +%s',
    '1970-01-01 00:00:00 Thu 001\n1709208000\n',
  ],
  ['timeout 0.05 sleep 1; echo $?; timeout 1 sh -c "exit 3"; echo $?', '124\n3\n'],
  ['sleep 60 & killall sleep; wait; echo ended; pidof sleep; echo $?', 'ended\n1\n'],
  [
    'sysctl -n kernel.ostype; sysctl no.such; echo $?',
    'Linux\nsysctl: cannot stat /proc/sys/no/such: No such file or directory\n1\n',
  ],
  [
    'cmp text text; cmp text fields; echo $?; chown nobody:0 /tmp/n; stat -c "%U:%G" /tmp/n',
    'text fields differ: byte 1, line 1\n1\nnobody:root\n',
  ],
  ['which ls nosuch; echo $?', '/bin/ls\n1\n'],
  [
    'mount | grep "on /proc " ; df /tmp | tail -1 | sed "s/ .*//"',
    'proc on /proc type proc (rw,nosuid,nodev,noexec,relatime)\nrootfs\n',
  ],
  [
    'mount -t tmpfs none /mnt; touch /mnt/x; ls /mnt; umount /mnt; ls /mnt; umount /mnt',
    'x\numount: /mnt: not mounted.\n',
  ],
  ['ps -o pid,comm -p 1; ps -e -o comm | grep -c .', '    PID COMMAND\n      1 init\n'],
  [
    'stty size; stty -echo; stty echo; stty -a | head -1',
    '50 200\nspeed 38400 baud; rows 50; columns 200; line = 0;\n',
  ],
  [
    'ls --nope; head -n x; sort -Q',
    "ls: unrecognized option '--nope'\nTry 'ls --help' for more information.\nhead: invalid number of lines: 'x'\nsort: invalid option -- 'Q'\nTry 'sort --help' for more information.\n",
  ],
];

describe('tools', () => {
  it.each(LINES)('%s', async (line, output) => {
    const text = await session.run(line);
    // What a background job's start and end print does not belong to the tools.
    const plain = text.replace(/^\[\d+\].*\n/gm, '').replace(/\x1b\[[0-9;]*[mK]/g, '');
    if (line.startsWith('ps -o')) expect(plain.startsWith(output)).toBe(true);
    else expect(plain).toBe(output);
  });

  it('all answer to --help', async () => {
    const names = (await session.run('ls -1 /bin /sbin /usr/bin /usr/sbin | cat'))
      .split('\n')
      .filter((name) => name !== '' && !name.endsWith(':'));
    expect(names.length).toBeGreaterThan(70);
    const exempt = [
      '[',
      'echo',
      'test',
      'true',
      'false',
      'printf',
      'init',
      'poweroff',
      'halt',
      'reboot',
    ];
    for (const name of names.filter((n) => !exempt.includes(n))) {
      const text = await session.run(`${name} --help 2>&1 | head -1`);
      expect(text, name).toMatch(/^Usage: /);
    }
  });

  it('tail -f sees what is appended, until it is interrupted', async () => {
    await session.run('echo one > /tmp/log');
    session.take();
    const keys = (text: string) =>
      session.machine.input({ kind: 'tty', data: new TextEncoder().encode(text) });
    keys('(sleep 0.2; echo two >> /tmp/log) & tail -f /tmp/log\r');
    await session.pass(3e9);
    expect(session.take()).toMatch(/one\r\n(.*\r\n)*two\r\n/);
    await session.type('\x03');
    expect(await session.run('echo back')).toBe('back\n');
  });

  it('less pages, searches and quits', async () => {
    await session.run('seq 200 > /tmp/many');
    session.take();
    await session.type('less /tmp/many\r');
    expect(session.take()).toContain('\r\n49\r\n');
    await session.type(' ');
    expect(session.take()).toContain('\r\n98\r\n');
    await session.type('/^150\r');
    expect(session.take()).toContain('150');
    await session.type('G');
    expect(session.take()).toContain('(END)');
    await session.type('q');
    expect(await session.run('echo back')).toBe('back\n');
  });

  it('top shows the processes and quits', async () => {
    session.take();
    await session.type('top\r');
    await session.pass(10e6);
    expect(session.take()).toMatch(/Tasks: +\d+ total[\s\S]*PID USER[\s\S]*init/);
    await session.type('q');
    expect(await session.run('echo back')).toBe('back\n');
  });
});
