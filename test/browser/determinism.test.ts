/** The same machine in Node and in Chromium: the same console, bit for bit, and the same RAM. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { createServer } from 'vite';
import { describe, expect, it } from 'vitest';
import { CHROMIUM_FLAGS, chromiumPath } from './chromium.ts';
import { fingerprint, type Fingerprint } from './fingerprint.ts';

const root = join(import.meta.dirname, '../..');
const CORE = '.build/native/core.wasm';
const OBJECT = 'scenarios/first-light/xdp_count.bpf.o';
const CAPTURE = 'scenarios/first-light/traffic.pcap';

async function inNode(): Promise<Fingerprint> {
  return fingerprint({
    core: await WebAssembly.compile(readFileSync(join(root, CORE))),
    loadBinaryen: async () => (await import('binaryen')).default,
    object: new Uint8Array(readFileSync(join(root, OBJECT))),
    capture: new Uint8Array(readFileSync(join(root, CAPTURE))),
  });
}

/** The sources themselves, served by vite's development server. */
async function inChromium(executablePath: string): Promise<Fingerprint> {
  const server = await createServer({
    root,
    configFile: false,
    logLevel: 'error',
    server: { port: 0, hmr: false },
    optimizeDeps: { noDiscovery: true, include: ['binaryen'] },
    appType: 'mpa',
    plugins: [
      {
        name: 'blank-page',
        configureServer: ({ middlewares }) => {
          middlewares.use('/blank', (_request, response) => {
            response.setHeader('content-type', 'text/html');
            response.end('<!doctype html><title>blank</title>');
          });
        },
      },
    ],
  });
  await server.listen();
  const browser = await chromium.launch({ executablePath, args: CHROMIUM_FLAGS });
  try {
    const page = await browser.newPage();
    const address = server.resolvedUrls!.local[0]!;
    await page.goto(`${address}blank`);
    return await page.evaluate(
      async ([core, object, capture]) => {
        const bytes = async (path: string) =>
          new Uint8Array(await (await fetch(`/${path}`)).arrayBuffer());
        const load = (path: string) => import(/* @vite-ignore */ path);
        const module = (await load('/test/browser/fingerprint.ts')) as {
          fingerprint: typeof fingerprint;
        };
        return module.fingerprint({
          core: await WebAssembly.compile(await bytes(core)),
          loadBinaryen: async () => (await load('/test/browser/binaryen.ts')).default,
          object: await bytes(object),
          capture: await bytes(capture),
        });
      },
      [CORE, OBJECT, CAPTURE] as const,
    );
  } finally {
    await browser.close();
    await server.close();
  }
}

describe.skipIf(!chromiumPath)('one machine in two hosts', () => {
  it('shows the same console and leaves the same RAM', async () => {
    const node = await inNode();
    const again = await inNode();
    const browser = await inChromium(chromiumPath!);
    expect(node.consoleText).toContain('"packets"');
    expect(again).toEqual(node);
    expect(browser.consoleText).toBe(node.consoleText);
    expect(browser).toEqual(node);
  }, 180_000);
});
