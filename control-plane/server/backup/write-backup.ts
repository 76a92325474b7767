import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, linkSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { backup } from 'node:sqlite';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';
import { buildInfo } from '../../../core/base/build-info.ts';
import { errnoOf, ProvisionError } from '../../../core/base/errors.ts';
import { flushPath } from '../../store/flush-path.ts';
import { openServerDatabase } from '../open-server-database.ts';
import { type BackupManifest, knownNames, manifestName } from './backup-format.ts';
import { checkDatabase } from './check-database.ts';

export interface BackupOptions {
  readonly dataDir: string;
  /** The tar to write. */
  readonly file: string;
}

export interface WrittenBackup {
  readonly file: string;
  readonly sizeBytes: number;
}

/** All pages in one step: a copy in parts would begin anew with every write of the running server. */
const allPages = 2 ** 31 - 1;

/**
 * Writes database, keys and certificates of a server, which may go on running, into one tar of mode 0600. The file is
 * there when it is whole and flushed, or not at all.
 * @throws ProvisionError `backup_failed`, `backup_invalid` when the database itself is damaged; as `openServerDatabase`.
 */
export async function writeBackup({ dataDir, file }: BackupOptions): Promise<WrittenBackup> {
  const path = resolve(file);
  if (existsSync(path)) throw new ProvisionError('backup_failed', `${path} is there already`, { facts: { path } });
  const folder = makeFolder(dirname(path));
  try {
    const names = await copyData(dataDir, folder);
    const tar = join(folder, 'backup.tar');
    await pipeline(packed(folder, names), createWriteStream(tar, { flags: 'wx', mode: 0o600 }));
    await flushPath(tar);
    // Unlike rename(2) it replaces nothing that has come to be there meanwhile.
    linkSync(tar, path);
    await flushPath(dirname(path));
    return { file: path, sizeBytes: statSync(path).size };
  } catch (cause) {
    if (cause instanceof ProvisionError) throw cause;
    const why = errnoOf(cause) === 'EEXIST' ? 'is there already' : 'cannot be written';
    throw new ProvisionError('backup_failed', `${path} ${why}`, { cause, facts: { path } });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What to do with it, for a person. */
export function describeBackup({ file, sizeBytes }: WrittenBackup): string {
  return [
    `${file} (${sizeBytes} bytes) holds the server's database and its keys: who reads it owns every machine.`,
    'To restore it:',
    `  durantic server restore ${file} --data-dir NEW-DIR`,
    '  durantic server run --data-dir NEW-DIR …',
    '',
  ].join('\n');
}

function makeFolder(parent: string): string {
  try {
    return mkdtempSync(join(parent, '.durantic-backup-'));
  } catch (cause) {
    throw new ProvisionError('backup_failed', `nothing can be written to ${parent}`, { cause });
  }
}

/** The database first: what the keys files gain meanwhile does not harm, what they lack would. */
async function copyData(dataDir: string, folder: string): Promise<string[]> {
  using opened = openServerDatabase(dataDir);
  const database = join(folder, basename(opened.files.database));
  await backup(opened.db, database, { rate: allPages });
  checkDatabase(database);
  const present = knownNames.filter((name) => existsSync(join(dirname(opened.files.database), name)));
  for (const name of present) {
    if (name === basename(database)) continue;
    await copyFile(join(dirname(opened.files.database), name), join(folder, name));
  }
  return present;
}

function packed(folder: string, names: readonly string[]): Pack {
  const tar = pack();
  const fill = async (): Promise<void> => {
    const files: Record<string, string> = {};
    for (const name of names) files[name] = await sha256Of(join(folder, name));
    const manifest: BackupManifest = {
      format: 1,
      version: buildInfo().version,
      created_at: new Date().toISOString(),
      files,
    };
    tar.entry({ name: manifestName, mode: 0o600 }, `${JSON.stringify(manifest, null, 2)}\n`);
    for (const name of names) {
      const source = join(folder, name);
      await pipeline(createReadStream(source), tar.entry({ name, mode: 0o600, size: statSync(source).size }));
    }
    tar.finalize();
  };
  fill().catch((error: unknown) => tar.destroy(error instanceof Error ? error : new Error(String(error))));
  return tar;
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
