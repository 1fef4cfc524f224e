/** What the host provides to a machine, for tests in Node: the C core, built once and compiled once. */
import { readFileSync } from 'node:fs';
import { buildNative } from '../../tools/build-native.mjs';

let core: Promise<WebAssembly.Module> | undefined;

/** The compiled C core; the first caller builds it where sources have changed. */
export function coreModule(): Promise<WebAssembly.Module> {
  core ??= buildNative().then((path) => new WebAssembly.Module(readFileSync(path)));
  return core;
}
