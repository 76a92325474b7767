import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import type { Hello } from '../../protocol/agent-frames.ts';
import { json } from '../store/row-values.ts';

type DiskName = NonNullable<Hello['root_disk']>;

const factsSchema = z.object({
  facts: z.object({ disk_serial: z.string().nullable(), disk_wwn: z.string().nullable() }),
});

/**
 * Whether a system's root is on another disk than the one that the run installed: a copy of that disk has the run's
 * UUID, too. False where one of the two is not known.
 */
export function isOnAnotherDisk(db: DatabaseSync, provisionUuid: string, rootDisk: Hello['root_disk']): boolean {
  const target = targetDiskOf(db, provisionUuid);
  return rootDisk !== null && target !== null && areDifferent(target, rootDisk);
}

/**
 * True when serial number or WWN tell the disks apart and neither of them says that they are one: two kernels do not
 * read all of a disk's names alike.
 */
export function areDifferent(one: DiskName, other: DiskName): boolean {
  const names = (['serial', 'wwn'] as const).filter((name) => one[name] !== null && other[name] !== null);
  return names.length > 0 && names.every((name) => one[name] !== other[name]);
}

/** As the installer named it at the end of its last installation. */
function targetDiskOf(db: DatabaseSync, provisionUuid: string): DiskName | null {
  const row = db
    .prepare(
      `SELECT event FROM provision_events WHERE provision_uuid = ? AND kind = 'provision_event'
       AND json_extract(event, '$.step') IS NULL AND json_extract(event, '$.state') = 'succeeded'
       ORDER BY id DESC LIMIT 1`,
    )
    .get(provisionUuid);
  const known = row === undefined ? null : factsSchema.safeParse(json(row, 'event'));
  // Installers of older versions do not say it.
  if (known === null || !known.success) return null;
  return { serial: known.data.facts.disk_serial, wwn: known.data.facts.disk_wwn };
}
