/** Which programs use a map. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { allIds, type ProgInfo, withId } from './objects.ts';
import { progDetails } from './prog-details.ts';
import type { ProcessBpf } from './user.ts';

export function* progsUsing(user: ProcessBpf, mapId: number): UserFlow<ProgInfo[]> {
  const out: ProgInfo[] = [];
  const ids = yield* allIds(user, 'prog');
  for (const id of typeof ids === 'number' ? [] : ids) {
    const details = yield* withId(user, 'prog', id, (fd) =>
      progDetails(user, fd, { mapIds: true }),
    );
    if (typeof details !== 'number' && details.mapIds.includes(mapId)) out.push(details.info);
  }
  return out;
}
