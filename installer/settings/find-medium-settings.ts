import type { DiskFacts } from '../../agent/disk/types.ts';
import { type MediumReading, readInstallerMedium } from '../../agent/hardware/installer-media.ts';
import { sleep } from '../../core/base/abort.ts';
import type { IsoSettings } from '../../protocol/iso-settings.ts';

export interface FindMediumOptions {
  readonly listDisks: () => Promise<readonly DiskFacts[]>;
  /** Only settings for this server are of use: pin and token are a server's own. Null: those for any. */
  readonly server: string | null;
  /** How long a medium that is not there yet is waited for, milliseconds: USB and virtual CDs come late. */
  readonly waitMs: number;
  readonly onProblem: (sentence: string) => void;
  readonly signal: AbortSignal;
  /** Injectable for tests. */
  readonly read?: (device: string, options: { signal: AbortSignal }) => Promise<MediumReading>;
}

/** The settings on an installer ISO and the device that holds it. */
export interface MediumSettings {
  readonly device: string;
  readonly settings: IsoSettings;
}

/** Null: no medium. One that names no server is what was booted from all the same: nothing better will come. */
type Seen = MediumSettings | 'foreign' | null;

const pollMs = 500;
/** A drive whose medium was not ready, or is changed, has another size then. */
const mostLooks = 3;

/**
 * Looks for an installer ISO on every CD and disk, those that come later included, and gives the first with settings for
 * the server that is wanted. Null when there was none in time, or only ones that say nothing. A medium of another server
 * is named and passed over. Each device is read once, one that does not answer three times.
 * @throws ProvisionError `aborted`.
 */
export async function findMediumSettings(options: FindMediumOptions): Promise<MediumSettings | null> {
  const { signal } = options;
  const looks = new Map<string, number>();
  const endMs = performance.now() + options.waitMs;
  for (;;) {
    const media = (await options.listDisks()).filter(({ kind, sizeBytes }) => isMedium(kind) && sizeBytes > 0);
    const found = await Promise.all(media.map(async (disk) => await look(disk, looks, options)));
    const own = found.filter((medium) => medium !== null && medium !== 'foreign');
    const usable = own.find(({ settings }) => settings.server !== undefined);
    if (usable !== undefined) return usable;
    if (own.length > 0 || performance.now() >= endMs) return null;
    await sleep(Math.min(pollMs, options.waitMs), signal);
  }
}

function isMedium(kind: DiskFacts['kind']): boolean {
  return kind === 'cdrom' || kind === 'disk' || kind === 'loop';
}

async function look(
  disk: DiskFacts,
  looks: Map<string, number>,
  { read = readInstallerMedium, server: wanted, signal, onProblem }: FindMediumOptions,
): Promise<Seen> {
  const key = `${disk.path} ${disk.sizeBytes}`;
  const count = looks.get(key) ?? 0;
  if (count >= mostLooks) return null;
  looks.set(key, count + 1);
  const reading = await read(disk.path, { signal });
  if (reading.kind === 'silent') return null;
  looks.set(key, mostLooks);
  if (reading.kind === 'none') return null;
  if (reading.settings === null) {
    onProblem(`the settings on the installation medium ${disk.path} are damaged and not used`);
    return { device: disk.path, settings: {} };
  }
  const { server } = reading.settings;
  if (wanted !== null && server !== undefined && server !== wanted) {
    onProblem(`the installation medium ${disk.path} belongs to ${server}: its settings are not used for ${wanted}`);
    return 'foreign';
  }
  return { device: disk.path, settings: reading.settings };
}
