/**
 * Builds the C core (bpf/native/*.c) into .build/native/core.wasm with clang from npm, so that no
 * system compiler is needed. A build is skipped when sources, flags and packages are unchanged.
 *
 *   node tools/build-native.mjs      builds, prints the path
 *   buildNative(): Promise<path>     the same for scripts and tests
 *
 * The module imports the machine's RAM as its memory. Its data and stack are linked into the fixed
 * region from DATA_BASE to RESERVED_BYTES (bpf/native/core.ts has the same numbers), checked here.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const SOURCES = join(ROOT, 'bpf/native');
const OUTPUT = join(ROOT, '.build/native');
const EMNAPI = join(ROOT, 'node_modules/emnapi');

/** Above the NULL guard (64 KiB) and the page of shared words. */
const DATA_BASE = 0x11000;
const STACK_BYTES = 64 * 1024;
/** CORE_RESERVED_BYTES of bpf/native/core.ts. */
const RESERVED_BYTES = 0x100000;

const COMPILE_FLAGS = [
  '--target=wasm32-wasip1',
  '-std=c17',
  '-O3',
  '-ffreestanding',
  '-fno-builtin-memcmp',
  // Map elements and packets are looked at as bytes, words and structs alike.
  '-fno-strict-aliasing',
  '-mbulk-memory',
  '-msign-ext',
  '-mmutable-globals',
  '-Wall',
  '-Wextra',
  '-Werror',
  // NODE_API headers only look at it to choose the import module ("napi").
  '-DBUILDING_NODE_EXTENSION',
  '-Iemnapi',
];
const LINK_FLAGS = [
  '-nostdlib',
  '-Wl,--no-entry',
  '-Wl,--import-memory',
  '-Wl,--import-undefined',
  '-Wl,--export-table',
  '-Wl,--growable-table',
  // Not below the data, which would be in the NULL guard.
  '-Wl,--no-stack-first',
  `-Wl,--global-base=${DATA_BASE}`,
  `-Wl,-z,stack-size=${STACK_BYTES}`,
  '-Wl,--export=__heap_base',
  '-Wl,--export=napi_register_wasm_v1',
  '-Wl,--export=node_api_module_get_api_version_v1',
  '-Wl,--strip-debug',
];

function readTree(directory, wanted) {
  const files = {};
  for (const name of readdirSync(directory).sort()) {
    if (wanted.test(name)) files[name] = readFileSync(join(directory, name), 'utf8');
  }
  return files;
}

function packageVersion(name) {
  return JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')).version;
}

function fingerprint(sources) {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([COMPILE_FLAGS, LINK_FLAGS, RESERVED_BYTES, sources]));
  hash.update(packageVersion('@yowasp/clang') + packageVersion('emnapi'));
  return hash.digest('hex');
}

function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Throws if data and stack do not fit the region that RAM keeps free for them. */
async function checkRegion(wasm) {
  const module = await WebAssembly.compile(wasm);
  const imports = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    imports[from] ??= {};
    imports[from][name] =
      kind === 'memory' ? new WebAssembly.Memory({ initial: RESERVED_BYTES / 65536 }) : () => 0;
  }
  const { exports } = await WebAssembly.instantiate(module, imports);
  const end = exports.__heap_base.value;
  if (end > RESERVED_BYTES) {
    throw new Error(`the C core ends at ${end}, beyond the ${RESERVED_BYTES} bytes kept for it`);
  }
}

async function compile(sources) {
  const { commands, runLLVM } = await import('@yowasp/clang');
  // Loads the compiler without the progress that it would print to standard output.
  await runLLVM(null, {}, { fetchProgress: () => {} });
  const cFiles = Object.keys(sources).filter((name) => name.endsWith('.c'));
  let messages = '';
  const stderr = (bytes) => {
    if (bytes) messages += new TextDecoder().decode(bytes);
  };
  const tree = { ...sources, emnapi: readTree(join(EMNAPI, 'include/node'), /\.h$/) };
  try {
    const result = await commands.clang(
      [...COMPILE_FLAGS, ...LINK_FLAGS, ...cFiles, '-o', 'core.wasm'],
      tree,
      { stdout: stderr, stderr },
    );
    return result['core.wasm'];
  } catch (error) {
    throw new Error(`the C core does not compile:\n${messages || error}`);
  }
}

/** Path of an up-to-date core.wasm. */
export async function buildNative() {
  const wasmPath = join(OUTPUT, 'core.wasm');
  const hashPath = join(OUTPUT, 'core.sha256');
  const sources = readTree(SOURCES, /\.[ch]$/);
  const hash = fingerprint(sources);
  if (readIfThere(hashPath) === hash && readIfThere(wasmPath) !== undefined) return wasmPath;
  const wasm = await compile(sources);
  await checkRegion(wasm);
  mkdirSync(OUTPUT, { recursive: true });
  // Renamed into place, so that a parallel build never leaves half a file.
  const partial = `${wasmPath}.${process.pid}`;
  writeFileSync(partial, wasm);
  renameSync(partial, wasmPath);
  writeFileSync(hashPath, hash);
  return wasmPath;
}

// In a bundle this file's address is the bundle's.
if (process.argv[1]?.endsWith('build-native.mjs')) {
  console.log(await buildNative());
}
