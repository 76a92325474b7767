import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import { ProvisionError } from '../../../core/base/errors.ts';
import { flushPath } from '../../store/flush-path.ts';
import { dataFiles } from '../data-files.ts';
import { type BackupManifest, knownNames, manifestName, manifestSchema, neededNames } from './backup-format.ts';
import { checkDatabase } from './check-database.ts';

export interface RestoreOptions {
  /** What `writeBackup` wrote. */
  readonly file: string;
  /** Must be empty or not be there. */
  readonly dataDir: string;
}

export interface RestoredBackup {
  readonly dataDir: string;
  readonly createdAt: string;
}

/** The manifest is small; anything larger is something else. */
const largestManifestBytes = 64 * 1024;

/**
 * Makes a data directory from a backup, all of it or nothing.
 * @throws ProvisionError `backup_invalid`; `data_dir_unusable` when the folder has contents or cannot be made.
 */
export async function restoreBackup({ file, dataDir }: RestoreOptions): Promise<RestoredBackup> {
  const path = resolve(dataDir);
  if (existsSync(path) && readdirSync(path).length > 0) {
    throw new ProvisionError('data_dir_unusable', `${path} is not empty; a backup is restored into a new folder`);
  }
  const folder = makeFolder(path);
  try {
    const manifest = await unpack(file, folder);
    checkDatabase(dataFiles(folder).database);
    await flushPath(folder);
    // rename(2) replaces an empty folder, and nothing else.
    await rename(folder, path);
    await flushPath(dirname(path));
    return { dataDir: path, createdAt: manifest.created_at };
  } catch (cause) {
    if (cause instanceof ProvisionError) throw cause;
    throw new ProvisionError('backup_invalid', `${file} cannot be restored to ${path}`, { cause });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What to do next, for a person. */
export function describeRestore({ dataDir, createdAt }: RestoredBackup): string {
  return [
    `${dataDir} holds the server as it was at ${createdAt}. Start it under the old addresses:`,
    `  durantic server run --data-dir ${dataDir} …`,
    '',
  ].join('\n');
}

function makeFolder(path: string): string {
  try {
    mkdirSync(dirname(path), { recursive: true });
    return mkdtempSync(join(dirname(path), `.${basename(path)}-`));
  } catch (cause) {
    throw new ProvisionError('data_dir_unusable', `${path} cannot be made`, { cause });
  }
}

/** The manifest comes first and says what follows; every byte is compared with it. */
async function unpack(file: string, folder: string): Promise<BackupManifest> {
  const tar = extract();
  const reading = pipeline(createReadStream(file), tar);
  // It is awaited below; until then a failure is no unhandled one.
  reading.catch(() => undefined);
  let manifest: BackupManifest | undefined;
  const found = new Set<string>();
  for await (const entry of tar) {
    const { name } = entry.header;
    // Its types have a bare `Source`; it is a stream that gives buffers.
    const contents = entry as unknown as AsyncIterable<Buffer>;
    if (manifest === undefined) {
      if (name !== manifestName) throw invalid(file, `it begins with ${name}`);
      manifest = await readManifest(file, contents);
      continue;
    }
    const sha256 = Object.hasOwn(manifest.files, name) ? manifest.files[name] : undefined;
    if (sha256 === undefined || !knownNames.includes(name) || found.has(name) || entry.header.type !== 'file') {
      throw invalid(file, `${name} does not belong into it`);
    }
    if ((await writeEntry(contents, join(folder, name))) !== sha256) throw invalid(file, `${name} is damaged`);
    found.add(name);
  }
  await reading;
  if (manifest === undefined) throw invalid(file, 'it is empty');
  const missing = [...neededNames, ...Object.keys(manifest.files)].filter((name) => !found.has(name));
  if (missing.length > 0) throw invalid(file, `${missing.join(', ')} is missing`);
  return manifest;
}

async function readManifest(file: string, entry: AsyncIterable<Buffer>): Promise<BackupManifest> {
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const part of entry) {
    sizeBytes += part.length;
    if (sizeBytes > largestManifestBytes) throw invalid(file, `${manifestName} is too large`);
    parts.push(part);
  }
  try {
    return manifestSchema.parse(JSON.parse(Buffer.concat(parts).toString()));
  } catch (cause) {
    throw new ProvisionError('backup_invalid', `${file} is no backup that this version can read`, { cause });
  }
}

/** @returns SHA-256 of what was written, hex. */
async function writeEntry(entry: AsyncIterable<Buffer>, file: string): Promise<string> {
  const hash = createHash('sha256');
  const digest = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(entry, digest, createWriteStream(file, { flags: 'wx', mode: 0o600 }));
  await flushPath(file);
  return hash.digest('hex');
}

function invalid(file: string, why: string): ProvisionError {
  return new ProvisionError('backup_invalid', `${file} is not a whole backup of a server: ${why}`, {
    facts: { path: file },
  });
}
