/** What the page and the simulator's worker say to each other. Plain data, posted as it is. */
import type { Comparison } from '../../scenarios/compare/comparison.ts';
import type { ScenarioDocument } from '../../scenarios/document.ts';

export type ToWorker =
  /** Boot a fresh machine; without a scenario, a plain one. */
  | {
      readonly kind: 'boot';
      readonly scenario?: string;
      readonly columns: number;
      readonly rows: number;
    }
  /** Bytes typed into the terminal. */
  | { readonly kind: 'input'; readonly data: Uint8Array }
  | { readonly kind: 'resize'; readonly columns: number; readonly rows: number }
  /** Do what the text of a step says, as if typed. */
  | { readonly kind: 'run-step'; readonly step: number }
  /** Only apply a step's stimulus (the user types the commands). */
  | { readonly kind: 'stimulus'; readonly name: string }
  /** Evaluate a step's checks now. */
  | { readonly kind: 'check'; readonly step: number }
  /** A file dropped onto the page. */
  | { readonly kind: 'file'; readonly path: string; readonly data: Uint8Array };

export interface MachineStatus {
  /** Virtual time since boot. */
  readonly nowNs: number;
  /** Virtual time gained per wall time since the last status; 1 is real time. */
  readonly speed: number;
}

export type FromWorker =
  | { readonly kind: 'booted'; readonly bootMs: number }
  | { readonly kind: 'document'; readonly document: ScenarioDocument }
  | { readonly kind: 'output'; readonly data: Uint8Array }
  | { readonly kind: 'status'; readonly status: MachineStatus }
  | { readonly kind: 'step'; readonly step: number; readonly state: 'running' | 'done' }
  | {
      readonly kind: 'check';
      readonly step: number;
      readonly id: string;
      readonly holds: boolean;
      readonly evidence: string;
    }
  /** The shell's `compare` is done. */
  | { readonly kind: 'comparison'; readonly comparison: Comparison }
  | { readonly kind: 'notice'; readonly text: string }
  | { readonly kind: 'failed'; readonly message: string };

/** To the worker that compares for the dialog, beside the machine. */
export interface CompareRequest {
  readonly workload: string;
  /** Names of axes. */
  readonly sweeps: readonly string[];
}

export type CompareAnswer =
  | { readonly kind: 'progress'; readonly text: string }
  | { readonly kind: 'comparison'; readonly comparison: Comparison }
  | { readonly kind: 'failed'; readonly message: string };
