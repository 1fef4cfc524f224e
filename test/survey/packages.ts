/**
 * BPF objects as Debian ships them: files below /usr/lib, and the images that skeletons keep inside
 * executables. Fetched with apt-get, unpacked and never installed, kept in .build/survey; nothing of
 * them enters the repository.
 *
 *   findSpecimens()     all of them, or what is missing and what to do about it
 */
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { imagesIn } from './images.ts';

export const HOME = join(import.meta.dirname, '../../.build/survey');
export const PACKAGES = ['libxdp1', 'xdp-tools', 'libbpf-tools'] as const;
export type Package = (typeof PACKAGES)[number];

export interface Specimen {
  readonly package: Package;
  /** Path within the package, with `#N` for the Nth image of an executable with several. */
  readonly path: string;
  /** What a loader would call it: the file's base name with `.o`. */
  readonly file: string;
  readonly bytes: Uint8Array;
}

export interface Specimens {
  readonly specimens: readonly Specimen[];
  /** Package and version, as fetched. */
  readonly versions: readonly string[];
}

export function findSpecimens(): Specimens | { readonly missing: string } {
  mkdirSync(HOME, { recursive: true });
  const specimens: Specimen[] = [];
  const versions: string[] = [];
  for (const name of PACKAGES) {
    const root = unpacked(name);
    if (typeof root !== 'string') return root;
    specimens.push(...specimensOf(name, root));
    const deb = debOf(name)!;
    versions.push(`${name} ${decodeURIComponent(deb.split('_')[1]!)}`);
  }
  return { specimens, versions };
}

const run = (command: string, args: readonly string[]) =>
  spawnSync(command, args, { cwd: HOME, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

const debOf = (name: Package) =>
  readdirSync(HOME).find((file) => file.startsWith(`${name}_`) && file.endsWith('.deb'));

/** The folder that holds the package's files. */
function unpacked(name: Package): string | { readonly missing: string } {
  const root = join(HOME, name);
  if (debOf(name) === undefined) {
    const got = run('apt-get', ['download', name]);
    if (debOf(name) === undefined) {
      const why = got.error ? 'there is no apt-get' : got.stderr.trim();
      const todo = `put the .deb of Debian's package ${name} into ${HOME}`;
      return { missing: `cannot download ${name}: ${why}; ${todo}` };
    }
  }
  if (!existsSync(root)) {
    const got = run('dpkg-deb', ['-x', debOf(name)!, name]);
    if (got.status !== 0) return { missing: `cannot unpack ${debOf(name)}: ${got.stderr.trim()}` };
  }
  return root;
}

function specimensOf(name: Package, root: string): Specimen[] {
  return filesBelow(root).flatMap((path) => {
    const inside = `/${relative(root, path)}`;
    if (/\/lib\/.*\/bpf\/.*\.o$/.test(inside)) {
      const bytes = new Uint8Array(readFileSync(path));
      return [{ package: name, path: inside, file: basename(path), bytes }];
    }
    if (!/\/s?bin\//.test(inside)) return [];
    const images = imagesIn(new Uint8Array(readFileSync(path)));
    return images.map((bytes, number) => ({
      package: name,
      path: images.length > 1 ? `${inside}#${number + 1}` : inside,
      file: `${basename(path)}${images.length > 1 ? number + 1 : ''}.o`,
      bytes,
    }));
  });
}

/** Plain files; a second name of a tool that is a symbolic link is no tool of its own. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder)
    .sort()
    .map((name) => join(folder, name))
    .flatMap((path) => {
      const status = lstatSync(path);
      if (status.isDirectory()) return filesBelow(path);
      return status.isFile() ? [path] : [];
    });
}
