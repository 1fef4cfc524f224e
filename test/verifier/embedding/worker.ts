/** A thread of main.ts: gets rounds, answers with their results. */
import { parentPort, workerData } from 'node:worker_threads';
import type { HostAssets } from '../../../kernel/config.ts';
import { EmbeddingCheck } from './embedding.ts';
import { checkRound, type Round } from './round.ts';

const check = new EmbeddingCheck(workerData as HostAssets);
parentPort!.on('message', (round: Round) => parentPort!.postMessage(checkRound(check, round)));
