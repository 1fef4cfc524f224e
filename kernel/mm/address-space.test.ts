/** User memory: mapping, copy on write, faults, and that nothing is lost or freed twice. */
import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { runProgram } from '../../test/support/programs.ts';
import { PAGE_SIZE, Ram } from '../ram/ram.ts';
import { UserFault } from '../syscall/abi.ts';
import { errno } from '../types/errno.ts';
import type { UserAddress } from '../types/units.ts';
import { AddressSpace, anonymous } from './address-space.ts';
import { UserPages } from './user-pages.ts';
import { MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE } from './vma.ts';

const BASE = 0x1000_0000;
const at = (offset: number): UserAddress => (BASE + offset) as UserAddress;
const bytes = (text: string) => new TextEncoder().encode(text);

let ram: Ram;
let mm: AddressSpace;
let freeAtStart: number;

beforeEach(() => {
  ram = new Ram(16 * 2 ** 20, 0);
  const pages = new UserPages(ram);
  mm = new AddressSpace(pages);
  freeAtStart = ram.pages.freeBytes;
  mm.map(anonymous(BASE, BASE + 4 * PAGE_SIZE));
});

test('pages come when they are touched, zeroed, and go with the mapping', () => {
  expect(mm.residentPages).toBe(0);
  expect(mm.present(BASE)).toBe(0);
  expect(mm.readU64(at(8))).toBe(0n);
  mm.write(at(PAGE_SIZE - 3), bytes('across'));
  expect(mm.residentPages).toBe(2);
  expect(mm.readString(at(PAGE_SIZE - 3))).toBe('across');
  expect(mm.present(BASE + PAGE_SIZE)).not.toBe(0);
  mm.unmap(BASE, BASE + PAGE_SIZE);
  expect(mm.residentPages).toBe(1);
  expect(() => mm.readU32(at(0))).toThrow(UserFault);
  mm.release();
  expect(ram.pages.freeBytes).toBe(freeAtStart);
});

test('faults name the first byte that is not there; the kernel gets -EFAULT instead', () => {
  const end = 4 * PAGE_SIZE;
  try {
    mm.write(at(end - 2), bytes('xyz'));
    expect.unreachable();
  } catch (error) {
    expect((error as UserFault).address).toBe(BASE + end);
  }
  expect(mm.copyIn(BASE + end - 2, 3)).toBeNull();
  expect(mm.copyOut(BASE + end - 2, bytes('xyz'))).toBe(false);
  expect(mm.copyIn(-8, 8)).toBeNull();
  expect(mm.copyIn(0x7fff_ffff_f000 - 4, 8)).toBeNull();
  expect(mm.copyIn(2 ** 60, 8)).toBeNull();
  expect(mm.stringIn(BASE + end)).toBe(-errno.EFAULT);
  mm.write(at(0), new Uint8Array(5000).fill(97));
  expect(mm.stringIn(BASE)).toBe(-errno.ENAMETOOLONG);
});

test('protection', () => {
  mm.write(at(0), bytes('text'));
  expect(mm.protect(BASE, BASE + PAGE_SIZE, PROT_READ)).toBe(0);
  expect(mm.readString(at(0))).toBe('text');
  expect(() => mm.writeU32(at(0), 1)).toThrow(UserFault);
  expect(mm.protect(BASE, BASE + PAGE_SIZE, PROT_NONE)).toBe(0);
  expect(() => mm.readU32(at(0))).toThrow(UserFault);
  expect(mm.present(BASE)).toBe(0);
  expect(mm.protect(BASE, BASE + PAGE_SIZE, PROT_READ | PROT_WRITE)).toBe(0);
  mm.writeU32(at(0), 0x41414141);
  expect(mm.readString(at(0))).toBe('AAAA');
  expect(mm.protect(BASE, BASE + 8 * PAGE_SIZE, PROT_READ)).toBe(-errno.ENOMEM);
  expect(mm.areas.all.length).toBe(1);
});

test('after fork each side has its own bytes, and unshared pages are not copied', () => {
  mm.write(at(0), bytes('before'));
  const free = ram.pages.freeBytes;
  const child = mm.fork();
  const frame = ram.pages.freeBytes;
  expect(mm.translate(BASE, false)).toBe(child.translate(BASE, false));
  child.write(at(0), bytes('child!'));
  expect(ram.pages.freeBytes).toBe(frame - PAGE_SIZE);
  expect(mm.readString(at(0))).toBe('before');
  mm.write(at(0), bytes('parent'));
  expect(child.readString(at(0))).toBe('child!');
  // The last sharer writes in place.
  expect(ram.pages.freeBytes).toBe(frame - PAGE_SIZE);
  child.release();
  expect(ram.pages.freeBytes).toBeGreaterThanOrEqual(free - 4 * PAGE_SIZE);
  mm.release();
  expect(ram.pages.freeBytes).toBe(freeAtStart);
});

test('pages of the kernel are shared, counted by their owner, and survive fork', () => {
  const page = ram.pages.alloc();
  ram.u8.fill(0, page, page + PAGE_SIZE);
  let users = 1;
  const backing = {
    path: 'anon_inode:bpf-map',
    inode: 1,
    device: 1,
    sharedPage: (index: number) => (index === 0 ? page : undefined),
    open: () => void users++,
    close: () => void users--,
  };
  const start = BASE + 16 * PAGE_SIZE;
  const prot = PROT_READ | PROT_WRITE;
  const area = { start, end: start + 2 * PAGE_SIZE, prot, flags: 1, name: '', backing, page: 0 };
  mm.map(area);
  mm.writeU32(start as UserAddress, 77);
  expect(ram.view.getUint32(page, true)).toBe(77);
  const child = mm.fork();
  expect(users).toBe(2);
  child.writeU32(start as UserAddress, 78);
  expect(mm.readU32(start as UserAddress)).toBe(78);
  expect(() => mm.readU32((start + PAGE_SIZE) as UserAddress)).toThrow(UserFault);
  child.release();
  mm.protect(start, start + PAGE_SIZE, PROT_READ);
  expect(users).toBe(2);
  mm.release();
  expect(users).toBe(0);
  ram.pages.free(page);
  expect(ram.pages.freeBytes).toBe(freeAtStart);
});

test('brk grows and shrinks, and stops at what is mapped', () => {
  mm.startBrk = BASE + 0x100000;
  mm.brk = mm.startBrk;
  expect(mm.setBrk(0)).toBe(mm.startBrk);
  expect(mm.setBrk(mm.startBrk + 5000)).toBe(mm.startBrk + 5000);
  mm.writeU32((mm.startBrk + 8000) as UserAddress, 5);
  expect(mm.areas.find(mm.startBrk)!.name).toBe('[heap]');
  mm.map(anonymous(mm.startBrk + 0x10000, mm.startBrk + 0x11000));
  expect(mm.setBrk(mm.startBrk + 0x20000)).toBe(mm.startBrk + 5000);
  expect(mm.setBrk(mm.startBrk)).toBe(mm.startBrk);
  expect(() => mm.readU32(mm.startBrk as UserAddress)).toThrow(UserFault);
});

test('any sequence of maps, unmaps and protects agrees with a plain model', () => {
  const PAGES = 12;
  const step = fc.record({
    act: fc.constantFrom('map', 'unmap', 'protect', 'write'),
    page: fc.nat(PAGES - 1),
    count: fc.integer({ min: 1, max: 4 }),
    readOnly: fc.boolean(),
    value: fc.nat(255),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const memory = new Ram(4 * 2 ** 20, 0);
      const pages = new UserPages(memory);
      const space = new AddressSpace(pages);
      const free = memory.pages.freeBytes;
      /** Per page: undefined where nothing is mapped. */
      const model: ({ prot: number; value: number } | undefined)[] = new Array(PAGES).fill(
        undefined,
      );
      for (const { act, page, count, readOnly, value } of steps) {
        const end = Math.min(page + count, PAGES);
        const [from, to] = [BASE + page * PAGE_SIZE, BASE + end * PAGE_SIZE];
        const prot = readOnly ? PROT_READ : PROT_READ | PROT_WRITE;
        if (act === 'map') {
          space.unmap(from, to);
          space.map({ start: from, end: to, prot, flags: MAP_PRIVATE, name: '', page: 0 });
          for (let i = page; i < end; i++) model[i] = { prot, value: 0 };
        } else if (act === 'unmap') {
          space.unmap(from, to);
          model.fill(undefined, page, end);
        } else if (act === 'protect') {
          const all = model.slice(page, end).every((entry) => entry !== undefined);
          expect(space.protect(from, to, prot)).toBe(all ? 0 : -errno.ENOMEM);
          if (all) for (let i = page; i < end; i++) model[i]!.prot = prot;
        } else {
          const may = ((model[page]?.prot ?? 0) & PROT_WRITE) !== 0;
          expect(space.copyOut(from + 5, Uint8Array.of(value))).toBe(may);
          if (may) model[page]!.value = value;
        }
      }
      for (let i = 0; i < PAGES; i++) {
        const byte = space.copyIn(BASE + i * PAGE_SIZE + 5, 1);
        expect(byte === null ? undefined : byte[0]).toBe(model[i]?.value);
      }
      space.release();
      expect(memory.pages.freeBytes).toBe(free);
    }),
  );
});

test('mmap, munmap, mprotect and brk as system calls', async () => {
  const { output } = await runProgram(function* (u) {
    const [NONE, ANON_PRIVATE, FIXED] = [-1, 0x22, 0x10];
    const map = (hint: number, size: number, prot: number, flags: number, fd = NONE, offset = 0) =>
      u.call('mmap', hint, size, prot, flags, fd, offset);
    const area = yield* map(0, 10000, 3, ANON_PRIVATE);
    const second = yield* map(0, 4096, 3, ANON_PRIVATE);
    u.memory.writeU32((area + 12284) as UserAddress, 9);
    yield* u.say(`area ${area % 4096} ${u.memory.readU32((area + 12284) as UserAddress)}`);
    yield* u.say(`below ${second === area - 4096}`);
    yield* u.say(`fixed ${(yield* map(area, 4096, 3, ANON_PRIVATE | FIXED)) === area}`);
    yield* u.say(`odd ${yield* map(area + 1, 4096, 3, ANON_PRIVATE | FIXED)}`);
    yield* u.say(`noreplace ${yield* map(area, 4096, 3, ANON_PRIVATE | 0x100000)}`);
    yield* u.say(`nothing ${yield* map(0, 0, 3, ANON_PRIVATE)}`);
    yield* u.say(`neither ${yield* map(0, 4096, 3, 0x20)}`);
    yield* u.say(`bad fd ${yield* map(0, 4096, 1, 2, 99)}`);
    const fd = yield* u.call('open', '/etc/hostname', 0, 0);
    const file = yield* map(0, 4096, 1, 2, fd);
    yield* u.call('close', fd);
    yield* u.say(`file ${u.memory.readString(file as UserAddress).trim()}`);
    yield* u.say(`unmap ${yield* u.call('munmap', area, 12288)}`);
    yield* u.say(`unmap odd ${yield* u.call('munmap', area + 1, 4096)}`);
    const brk = yield* u.call('brk', 0);
    yield* u.say(`brk ${(yield* u.call('brk', brk + 100)) === brk + 100}`);
    u.memory.writeU32((brk + 4) as UserAddress, 1);
  });
  const { EINVAL, EEXIST, EBADF } = errno;
  expect(output).toBe(
    `area 0 9\nbelow true\nfixed true\nodd ${-EINVAL}\nnoreplace ${-EEXIST}\nnothing ${-EINVAL}\n` +
      `neither ${-EINVAL}\nbad fd ${-EBADF}\nfile skep\nunmap 0\nunmap odd ${-EINVAL}\nbrk true\n`,
  );
});

test('a process that wants more than there is gets killed, not the machine', async () => {
  const { machine, output } = await runProgram(
    function* (u) {
      const pid = yield* u.fork(function* (c) {
        const area = yield* c.call('mmap', 0, 64 * 2 ** 20, 3, 0x22, -1, 0);
        for (let i = 0; i < 64 * 256; i++) {
          c.memory.writeU32((area + i * PAGE_SIZE) as UserAddress, i);
        }
        return 0;
      });
      yield* u.say(`status ${(yield* u.wait(pid)).status}`);
    },
    { ramMiB: 32 },
  );
  expect(output).toContain('status 9\n');
  expect(machine.log.text()).toMatch(/Out of memory: Killed process \d+ \(init\)/);
});
