import { createInterface } from 'node:readline/promises';
import { parseArgs, stripVTControlCharacters } from 'node:util';
import { ConsoleLines } from '../installer/console/lines.ts';
import type { InstallerEvent } from '../installer/state/installer-events.ts';
import { initialInstallerState, reduceInstaller } from '../installer/state/installer-state.ts';
import { sceneClock, scenes, stateOf } from '../test/builders/installer-scenes.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    plain: { type: 'boolean', default: false },
    serial: { type: 'boolean', default: false },
    columns: { type: 'string', default: '80' },
    rows: { type: 'string', default: '24' },
  },
});

process.env['FORCE_COLOR'] = '1';
const { renderFrame } = await import('../installer/tui/frame.ts');

function screenText(events: readonly InstallerEvent[]): string {
  const view = {
    columns: Number(values.columns),
    rows: Number(values.rows),
    clock: sceneClock,
    typed: 'https://durantic.exam',
    isAnswered: false,
  };
  const text = renderFrame(stateOf(events), view).join('\n');
  return values.plain ? stripVTControlCharacters(text) : text;
}

function serialText(events: readonly InstallerEvent[]): string {
  const lines = new ConsoleLines();
  let state = initialInstallerState;
  return events
    .flatMap((event) => {
      state = reduceInstaller(state, event);
      lines.take(event);
      return lines.due(state, sceneClock.uptimeSeconds);
    })
    .join('\n');
}

const names = positionals.length === 0 ? Object.keys(scenes) : positionals;
const isPaged = positionals.length === 0 && process.stdin.isTTY === true && process.stdout.isTTY === true;
const reader = isPaged ? createInterface({ input: process.stdin, output: process.stdout }) : null;
for (const name of names) {
  const events = scenes[name];
  if (events === undefined) {
    process.stderr.write(`There is no screen ${name}; there are ${Object.keys(scenes).join(', ')}.\n`);
    process.exitCode = 2;
    break;
  }
  if (reader !== null) process.stdout.write('\x1b[H\x1b[2J');
  else if (names.length > 1) process.stdout.write(`== ${name}\n`);
  process.stdout.write(`${values.serial ? serialText(events) : screenText(events)}\n`);
  if (reader !== null) await reader.question(`-- ${name}: Enter for the next `);
}
reader?.close();
