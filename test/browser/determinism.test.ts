/** The same machine in Node and in Chromium: the same console, bit for bit, and the same RAM. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { createServer } from 'vite';
import { describe, expect, it } from 'vitest';
import { CHROMIUM_FLAGS, chromiumPath } from './chromium.ts';
import { fingerprint, type Fingerprint } from './fingerprint.ts';
import type { FingerprintWindow } from './fingerprint-page.ts';

const root = join(import.meta.dirname, '../..');
const CORE = '.build/native/core.wasm';
const OBJECT = 'scenarios/first-light/xdp_count.bpf.o';
const CAPTURE = 'scenarios/first-light/traffic.pcap';

const PAGE = `<!doctype html><title>fingerprint</title>
  <script type="module" src="/test/browser/fingerprint-page.ts"></script>`;

async function inNode(): Promise<Fingerprint> {
  return fingerprint({
    core: await WebAssembly.compile(readFileSync(join(root, CORE))),
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
    optimizeDeps: { noDiscovery: true },
    appType: 'mpa',
    plugins: [
      {
        name: 'blank-page',
        configureServer: ({ middlewares }) => {
          middlewares.use('/blank', (_request, response) => {
            response.setHeader('content-type', 'text/html');
            response.end(PAGE);
          });
        },
      },
    ],
  });
  await server.listen();
  const browser = await chromium.launch({ executablePath, args: CHROMIUM_FLAGS });
  try {
    const page = await browser.newPage();
    await page.goto(`${server.resolvedUrls!.local[0]!}blank`);
    await page.waitForFunction(() => 'fingerprint' in window, undefined, { timeout: 120_000 });
    const result = await page.evaluate(() => (window as FingerprintWindow).fingerprint!);
    if ('error' in result) throw new Error(result.error);
    return result;
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
