/**
 * The page in a real browser: it boots, its terminal answers, and first-light's every check holds
 * with the same text that the command line prints. Skipped, with the reason, where there is no
 * Chromium.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { build, preview, type PreviewServer } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gzipSync } from 'node:zlib';
import { CHROMIUM_FLAGS, chromiumPath } from './chromium.ts';

const root = join(import.meta.dirname, '../..');
/** What the first paint may load, compressed. */
const FIRST_PAINT_BYTES = 600_000;

describe.skipIf(!chromiumPath)('the page in Chromium', () => {
  let server: PreviewServer;
  let browser: Browser;
  let page: Page;
  let address: string;
  const loadedBeforePaint: { url: string; bytes: number }[] = [];
  const errors: string[] = [];

  beforeAll(async () => {
    const config = { root: join(root, 'ui/web'), configFile: join(root, 'ui/web/vite.config.ts') };
    await build({ ...config, logLevel: 'error' });
    server = await preview({ ...config, preview: { port: 0 }, logLevel: 'error' });
    address = server.resolvedUrls!.local[0]!;
    browser = await chromium.launch({ executablePath: chromiumPath!, args: CHROMIUM_FLAGS });
    page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
    page.on('pageerror', (error) => errors.push(error.message));
    let painted = false;
    page.on('response', async (response) => {
      if (painted) return;
      const entry = { url: response.url(), bytes: 0 };
      loadedBeforePaint.push(entry);
      entry.bytes = gzipSync(await response.body().catch(() => Buffer.alloc(0))).length;
    });
    await page.goto(address, { waitUntil: 'commit' });
    await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint').length);
    painted = true;
  });

  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  /** The terminal's rows as text; xterm draws them into the page. */
  const screen = () =>
    page.evaluate(() => document.querySelector('.xterm-rows')?.textContent ?? '');

  it('loads little before the first paint', () => {
    const bytes = loadedBeforePaint.reduce((sum, entry) => sum + entry.bytes, 0);
    expect(bytes).toBeGreaterThan(0);
    expect(bytes, JSON.stringify(loadedBeforePaint, null, 1)).toBeLessThan(FIRST_PAINT_BYTES);
  });

  it('boots a machine whose shell answers', async () => {
    await page.waitForFunction(() =>
      /# ?$/.test(document.querySelector('.xterm-rows')?.textContent?.trimEnd() ?? ''),
    );
    await page.click('#terminal');
    await page.keyboard.type('echo $((6 * 7)) bees\n');
    await expect.poll(screen).toContain('42 bees');
  });

  it('runs first-light: every check holds', async () => {
    await page.click('button:has-text("Run every step")');
    await page.waitForFunction(
      () => {
        const checks = [...document.querySelectorAll('.checks li')];
        return checks.length > 0 && checks.every((check) => check.className !== '');
      },
      undefined,
      { timeout: 120_000 },
    );
    const failed = await page.$$eval('.checks li.fails', (items) =>
      items.map((item) => item.textContent),
    );
    expect(failed).toEqual([]);
    mkdirSync(join(root, '.build'), { recursive: true });
    await page.screenshot({ path: join(root, '.build/page.png') });
  }, 180_000);

  it('compares a workload on models of hardware, from its dialog and from the shell', async () => {
    await page.click('#compare');
    await page.selectOption('#compare-dialog select', 'xdp1');
    await page.check('#compare-dialog input[value=size]');
    await page.click('#compare-dialog button[type=submit]');
    const result = page.locator('#compare-dialog .comparison');
    await result.waitFor({ timeout: 60_000 });
    expect(await result.locator('h2').textContent()).toBe('xdp1');
    expect(await result.locator('table').first().textContent()).toContain('hXDP');
    expect(await result.locator('canvas').count()).toBe(1);
    await page.screenshot({ path: join(root, '.build/compare.png') });
    await page.click('#compare-dialog button:has-text("Close")');
    await page.click('#terminal');
    await page.keyboard.type('compare -t hxdp -n 2000 tx\n');
    await expect.poll(() => result.locator('h2').textContent(), { timeout: 60_000 }).toBe('tx');
    await page.click('#compare-dialog button:has-text("Close")');
    await expect.poll(screen).toContain('64 flows of 60-byte frames');
  }, 150_000);

  it('threw no error', () => {
    expect(errors).toEqual([]);
  });
});
