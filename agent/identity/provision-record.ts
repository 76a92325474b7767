import { z } from 'zod';
import { readJsonFile } from './read-json-file.ts';

/** `/var/lib/durantic/provision.json` (protocol.md, "Files"): which installation this system came from. */
export const provisionRecordSchema = z.object({
  provision_uuid: z.uuid(),
  image: z.string(),
  image_digest: z.string(),
  installed_at: z.iso.datetime(),
  disk: z.object({ serial: z.string().nullable(), wwn: z.string().nullable() }),
});

export type ProvisionRecord = z.infer<typeof provisionRecordSchema>;

/**
 * The record that agent injection wrote, or null on a system that durantic did not install.
 * @throws ProvisionError `document_invalid`, `permission`.
 */
export function readProvisionRecord(path: string): ProvisionRecord | null {
  return readJsonFile(path, provisionRecordSchema);
}
