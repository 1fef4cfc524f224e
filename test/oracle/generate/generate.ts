import type { RequestJson } from '../request.ts';
export const KINDS = ['structured', 'mutated'] as const;
export type Kind = (typeof KINDS)[number];
export function generate(_count: number, _seed: number, _kind: Kind | 'both', _from?: RequestJson[]): RequestJson[] { return []; }
