import { expect, test } from 'vitest';
import { coreModule } from '../../test/support/assets.ts';
import { bootSession } from '../testing/console.ts';

test('init runs /etc/rc, names the host, and mounts what is needed', async () => {
  const files = {
    '/etc/rc': 'echo from rc > /tmp/rc; mkdir /tmp/made\n',
    '/etc/hostname': 'beehive\n',
    '/etc/motd': 'welcome\n',
  };
  const session = await bootSession({ core: await coreModule() }, { files });
  expect(session.take()).toMatch(/^welcome\r\n.*root@beehive:~# /s);
  expect(await session.run('cat /tmp/rc; hostname')).toBe('from rc\nbeehive\n');
  const types = await session.run('mount | sed "s/ (.*//;s/.* type //" | sort -u | xargs');
  for (const type of ['bpf', 'debugfs', 'devpts', 'proc', 'sysfs', 'tracefs', 'tmpfs']) {
    expect(types).toContain(type);
  }
});

test('init reaps orphans and keeps a shell on the console', async () => {
  const session = await bootSession({ core: await coreModule() });
  await session.run('(sleep 0.05 &)');
  expect(await session.run('ps -o ppid,comm -C sleep --no-headers')).toBe('      1 sleep\n');
  await session.pass(1e9);
  expect(await session.run('ps -C sleep --no-headers; echo $?')).toBe('1\n');
  const before = await session.run('echo $$');
  await session.type('exit\r');
  expect(await session.run('echo $$')).not.toBe(before);
  expect(session.machine.halted).toBeUndefined();
});

test('poweroff ends the machine', async () => {
  const session = await bootSession({ core: await coreModule() });
  await session.type('poweroff\r');
  await session.pass(1e9);
  expect(session.machine.halted).toBe('poweroff');
});

test('a line is drawn anew when the window changes', async () => {
  const session = await bootSession({ core: await coreModule() });
  await session.type('echo 0123456789 0123456789');
  session.take();
  session.machine.input({ kind: 'tty-size', columns: 20, rows: 10 });
  await session.pass(5e6);
  expect(session.take()).toContain('root@skep:~# echo 0123456789 0123456789');
  await session.type('\x01\x1bf!\r');
  expect(session.take()).toContain('echo!: command not found');
});

test('two machines with the same keys give the same bytes', async () => {
  const outputs: string[] = [];
  for (let i = 0; i < 2; i++) {
    const session = await bootSession({ core: await coreModule() });
    await session.type('for i in 1 2 3; do echo $i | cat & done; wait; ps aux; dmesg | tail -3\r');
    outputs.push(session.take(), String(session.machine.now));
  }
  expect(outputs.slice(2)).toEqual(outputs.slice(0, 2));
});
