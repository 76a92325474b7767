import { basename } from 'node:path';
import { z } from 'zod';
import { type DataFiles, dataFiles } from '../data-files.ts';

/** First entry of a backup. */
export const manifestName = 'durantic-backup.json';

export const manifestSchema = z.object({
  format: z.literal(1),
  /** Of the program that wrote it. */
  version: z.string(),
  created_at: z.iso.datetime(),
  /** Name and SHA-256 of every other entry. */
  files: z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/)),
});

export type BackupManifest = z.infer<typeof manifestSchema>;

/** Without these the data are worth nothing. */
export const neededNames: readonly string[] = namesOf(({ database, secretsKey, bootstrapKeys, caKey }) => [
  database,
  secretsKey,
  bootstrapKeys,
  caKey,
]);

/** Everything that a backup may hold. */
export const knownNames: readonly string[] = namesOf(({ lock, ...files }) =>
  Object.values(files).filter((file) => file !== lock),
);

function namesOf(choose: (files: DataFiles) => readonly string[]): string[] {
  return choose(dataFiles('/')).map((file) => basename(file));
}
