import { type Driver, type DriverGroup, driversOf } from './drivers.ts';
import { absentFirmware } from './firmware-choice.ts';

/** The table of a group as docs/hardware.md holds it; a test compares the two. */
export function hardwareTable(group: DriverGroup): string {
  const rows = driversOf(group).map(
    (driver) =>
      `| \`${driver.module}\` | \`${driver.option}\` | ${driver.hardware} | ${firmwareCell(driver)} | ${provenCell(driver)} |`,
  );
  return ['| driver | option | for | firmware | shown |', '|---|---|---|---|---|', ...rows, ''].join('\n');
}

function firmwareCell(driver: Driver): string {
  const parts = absentFirmware
    .filter(({ module }) => module === driver.module)
    .map(({ kind, reason }) => `${kind}: ${reason}`);
  if (driver.firmware !== undefined) parts.unshift(`included: ${driver.firmware}`);
  return parts.length === 0 ? 'none needed' : parts.join('; ');
}

function provenCell({ qemu }: Driver): string {
  return qemu === undefined ? 'built in, never run' : `run in QEMU (${qemu})`;
}

/**
 * The document with the group's table made anew: it stands between a comment that names the group and the next empty
 * line.
 * @throws Error when the document has no place for it.
 */
export function replaceTable(document: string, group: DriverGroup): string {
  const mark = `<!-- ${group} -->\n`;
  const start = document.indexOf(mark);
  if (start < 0) throw new Error(`docs/hardware.md has no place for the drivers of ${group}`);
  const rest = document.slice(start + mark.length);
  const end = rest.startsWith('|') ? `${rest}\n\n`.indexOf('\n\n') + 1 : 0;
  return `${document.slice(0, start)}${mark}${hardwareTable(group)}${rest.slice(end)}`;
}
