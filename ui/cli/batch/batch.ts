/**
 * `skep batch < requests.jsonl > answers.jsonl`: one JSON object a line in, one out, in the same
 * order. A line that cannot be carried out is answered with its error, and the batch goes on.
 */
import { createInterface } from 'node:readline';
import { hostAssets } from '../assets.ts';
import { EXIT } from '../usage.ts';
import { BatchMachine } from './answer.ts';
import { parseRequest, RequestError } from './request.ts';

export async function batch(): Promise<number> {
  const machine = new BatchMachine(await hostAssets());
  const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
  for await (const line of lines) {
    if (line.trim() === '') continue;
    process.stdout.write(`${JSON.stringify(answerLine(machine, line))}\n`);
  }
  return EXIT.ok;
}

export function answerLine(machine: BatchMachine, line: string): unknown {
  let id: unknown = null;
  try {
    const json: unknown = JSON.parse(line);
    if (typeof json === 'object' && json !== null && 'id' in json) id = json.id;
    return machine.answer(parseRequest(json));
  } catch (error) {
    if (error instanceof RequestError || error instanceof SyntaxError) {
      return { id, error: error.message };
    }
    throw error;
  }
}
