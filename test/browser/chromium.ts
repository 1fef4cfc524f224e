/** Which Chromium the browser tests drive, or why none; `npm test` finds or installs one. */

export const chromiumPath = process.env['SKEP_CHROMIUM'] || undefined;
export const chromiumSkipped =
  process.env['SKEP_CHROMIUM_SKIPPED'] || 'no Chromium named; `npm test` looks for one';

/** Flags that keep a root-run Chromium quiet and off the network. */
export const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

if (!chromiumPath) console.log(`browser tests are SKIPPED: ${chromiumSkipped}`);
