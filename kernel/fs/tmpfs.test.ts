import { expect, it } from 'vitest';
import * as fc from 'fast-check';
import { newVfs } from '../../test/support/kernel-flows.ts';
import { linkAt, linkSource, mkdirAt, renameAt, rmdirAt, symlinkAt, unlinkAt } from './entries.ts';
import { O_CREAT, O_TRUNC, O_WRONLY } from './fcntl.ts';
import { File, vfsWrite } from './file.ts';
import { isDirectory } from './namei.ts';
import { openAt } from './open.ts';
import type { Inode } from './vfs-types.ts';

const name = fc.constantFrom(
  'a',
  'b',
  'c',
  'a/a',
  'a/b',
  'b/c',
  'a/b/c',
  './a',
  'a/../b',
  'l',
  'l/a',
);
const act = fc.oneof(
  fc.tuple(fc.constant('mkdir' as const), name, name),
  fc.tuple(fc.constant('rmdir' as const), name, name),
  fc.tuple(fc.constant('write' as const), name, name),
  fc.tuple(fc.constant('unlink' as const), name, name),
  fc.tuple(fc.constant('rename' as const), name, name),
  fc.tuple(fc.constant('link' as const), name, name),
  fc.tuple(fc.constant('symlink' as const), name, fc.constant('l')),
);

it('whatever is done to names, link counts, sizes and the tree stay true', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
      const { vfs, root } = newVfs();
      const at = root.fs!.cwd;
      for (const [what, one, two] of acts) {
        switch (what) {
          case 'mkdir':
            mkdirAt(vfs, root, at, one, 0o777);
            break;
          case 'rmdir':
            rmdirAt(vfs, root, at, one);
            break;
          case 'unlink':
            unlinkAt(vfs, root, at, one);
            break;
          case 'rename':
            renameAt(vfs, root, at, one, at, two);
            break;
          case 'link':
            linkAt(vfs, root, linkSource(vfs, root, at, one, false), at, two);
            break;
          case 'symlink':
            symlinkAt(vfs, root, one, at, two);
            break;
          case 'write': {
            const file = openAt(vfs, root, at, one, O_CREAT | O_WRONLY | O_TRUNC, 0o666);
            if (!(file instanceof File)) break;
            vfsWrite(file, new Uint8Array(one.length * 100));
            file.put();
          }
        }
      }
      const names = new Map<Inode, number>();
      let bytes = 0;
      const visit = (directory: Inode, depth: number): void => {
        expect(depth).toBeLessThan(70);
        const entries = directory.readdir!();
        const below = entries.filter(({ inode }) => isDirectory(inode));
        expect(directory.nlink).toBe(2 + below.length);
        for (const { name: entry, inode } of entries) {
          expect(directory.lookup!(entry)).toBe(inode);
          if (isDirectory(inode)) {
            // A directory has one name, so the tree has no cycle.
            expect(names.has(inode)).toBe(false);
            names.set(inode, 1);
            visit(inode, depth + 1);
            continue;
          }
          if (!names.has(inode) && !inode.readlink) bytes += inode.size;
          names.set(inode, (names.get(inode) ?? 0) + 1);
        }
      };
      visit(at.dentry.inode, 0);
      for (const [inode, count] of names) if (!isDirectory(inode)) expect(inode.nlink).toBe(count);
      const { totalBytes, freeBytes } = at.mount.fs.usage!();
      expect(totalBytes - freeBytes).toBe(bytes);
      expect(at.mount.users).toBe(2);
    }),
    { numRuns: 400 },
  );
});

it('an unlinked file keeps its bytes until it is closed', () => {
  const { vfs, root } = newVfs();
  const at = root.fs!.cwd;
  const used = () => {
    const { totalBytes, freeBytes } = at.mount.fs.usage!();
    return totalBytes - freeBytes;
  };
  const file = openAt(vfs, root, at, 'f', O_CREAT | O_WRONLY, 0o666) as File;
  vfsWrite(file, new Uint8Array(1000));
  unlinkAt(vfs, root, at, 'f');
  vfsWrite(file, new Uint8Array(500));
  expect([used(), file.inode.size]).toEqual([1500, 1500]);
  file.put();
  expect(used()).toBe(0);
});
