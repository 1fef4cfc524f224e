/** Builds the C core unless it is up to date; the path of core.wasm. */
export function buildNative(): Promise<string>;
