/** Who waits for data of a map (ring buffers): one wait queue a map, made when first asked for. */
import type { BpfMap } from '../../bpf/maps/map.ts';
import type { Sleeper } from '../sched/wait-queue.ts';
import { WaitQueue } from '../sched/wait-queue.ts';

export class MapReaders {
  readonly #sleeper: Sleeper;
  readonly #queues = new WeakMap<BpfMap, WaitQueue>();

  constructor(sleeper: Sleeper) {
    this.#sleeper = sleeper;
  }

  of(map: BpfMap): WaitQueue {
    let queue = this.#queues.get(map);
    if (!queue) {
      queue = new WaitQueue(this.#sleeper);
      this.#queues.set(map, queue);
    }
    return queue;
  }

  wake(map: BpfMap): void {
    this.#queues.get(map)?.wakeAll();
  }
}
