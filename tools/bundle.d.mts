export function bundled(entry: string): Promise<unknown>;
export function bundledFile(entry: string): Promise<string>;
