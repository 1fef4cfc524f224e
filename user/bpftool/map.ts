/** bpftool map: its commands, in the order in which a prefix finds them. */
import { mapCreate } from './map-create.ts';
import { mapDump } from './map-dump.ts';
import { elementCommands } from './map-element.ts';
import { mapEventPipe } from './map-event-pipe.ts';
import { mapShow } from './map-show.ts';
import { mapFd } from './object-words.ts';
import { pinCommand } from './pin.ts';
import type { Command } from './tool.ts';
import { help } from './usage.ts';

const { update, lookup, getnext, delete: remove, peek, push, pop, ...others } = elementCommands;

export const mapCommands: Readonly<Record<string, Command>> = {
  show: mapShow,
  list: mapShow,
  help: (t) => help(t, 'map'),
  dump: mapDump,
  update: update!,
  lookup: lookup!,
  getnext: getnext!,
  delete: remove!,
  pin: (t) => pinCommand(t, mapFd),
  event_pipe: mapEventPipe,
  create: mapCreate,
  peek: peek!,
  push: push!,
  ...others,
  pop: pop!,
};
