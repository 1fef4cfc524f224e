/** The page's side of determinism.test.ts: leaves the fingerprint, or why there is none, on window. */
import { type Fingerprint, fingerprint } from './fingerprint.ts';

export interface FingerprintWindow {
  fingerprint?: Fingerprint | { readonly error: string };
}

async function bytes(path: string): Promise<Uint8Array> {
  return new Uint8Array(await (await fetch(path)).arrayBuffer());
}

async function run(): Promise<Fingerprint> {
  const core = await (await fetch('/.build/native/core.wasm')).arrayBuffer();
  return fingerprint({
    core: await WebAssembly.compile(core),
    object: await bytes('/scenarios/first-light/xdp_count.bpf.o'),
    capture: await bytes('/scenarios/first-light/traffic.pcap'),
  });
}

const page = window as FingerprintWindow;
run().then(
  (result) => (page.fingerprint = result),
  (error: unknown) => (page.fingerprint = { error: String(error) }),
);
