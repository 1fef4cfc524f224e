import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { EventPriority } from '../machine-types.ts';
import { EVENT_PRIORITY } from '../machine-types.ts';
import type { Ns } from '../types/units.ts';
import { EventQueue } from './event-queue.ts';

const priorities = Object.keys(EVENT_PRIORITY) as EventPriority[];

test('events run by time, then priority, then order of scheduling, whatever is cancelled', () => {
  const plan = fc.array(
    fc.record({
      time: fc.integer({ min: 0, max: 20 }),
      priority: fc.constantFrom(...priorities),
      cancelled: fc.boolean(),
    }),
    { maxLength: 400 },
  );
  fc.assert(
    fc.property(plan, (events) => {
      const queue = new EventQueue();
      const ran: number[] = [];
      const handles = events.map(({ time, priority }, i) =>
        queue.at(time as Ns, priority, () => {
          expect(queue.now).toBe(time);
          ran.push(i);
        }),
      );
      events.forEach((event, i) => event.cancelled && handles[i]!.cancel());
      const expected = events
        .map((event, i) => ({ ...event, i }))
        .filter((event) => !event.cancelled)
        .sort(
          (a, b) =>
            a.time - b.time || EVENT_PRIORITY[a.priority] - EVENT_PRIORITY[b.priority] || a.i - b.i,
        )
        .map((event) => event.i);
      expect(queue.size).toBe(expected.length);
      while (queue.runNext(Infinity));
      expect(ran).toEqual(expected);
      expect(queue.nextTime).toBe(Infinity);
    }),
  );
});

test('a deadline leaves later events alone, and the past is closed', () => {
  const queue = new EventQueue();
  const ran: string[] = [];
  queue.at(10 as Ns, 'task', () => ran.push('ten'));
  queue.at(20 as Ns, 'task', () => ran.push('twenty'));
  expect(queue.runNext(10)).toBe(true);
  expect(queue.runNext(19)).toBe(false);
  expect(ran).toEqual(['ten']);
  expect(queue.now).toBe(10);
  expect(() => queue.at(9 as Ns, 'task', () => {})).toThrow('before now');
  queue.advanceTo(15 as Ns);
  expect(queue.now).toBe(15);
  expect(() => queue.advanceTo(21 as Ns)).toThrow();
});

test('an event may cancel another of the same instant', () => {
  const queue = new EventQueue();
  const ran: string[] = [];
  const second = queue.at(5 as Ns, 'task', () => ran.push('second'));
  queue.at(5 as Ns, 'timer', () => {
    ran.push('first');
    second.cancel();
  });
  while (queue.runNext(Infinity));
  expect(ran).toEqual(['first']);
});
