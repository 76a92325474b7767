import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep } from '../core/base/abort.ts';
import { describeError } from '../core/base/describe-error.ts';
import { runCommand } from '../core/base/run-command.ts';
import { isOtherProcessOfOurs, ownerOfWorkFolder } from '../core/base/work-folder.ts';

export interface LeftoverPlaces {
  /** Folders in which installations make folders of their own. */
  readonly folders: readonly string[];
  /** Default 20 s. */
  readonly patienceMs?: number;
}

export const leftoverPlaces: LeftoverPlaces = { folders: [tmpdir(), '/dev/shm', '/run'] };

const retryMs = 200;

/**
 * Takes away what an installer that was killed has left (failure row F61): file systems mounted on folders of an
 * installation, for which the disk would be refused as busy, and files in memory. They are looked for before the call
 * returns: what is made later is not touched, nor is what belongs to another process of this program that is alive, such as
 * a `durantic provision` that somebody runs in the installer's shell.
 * @param say Told what was removed, or what cannot be and what to do then.
 */
export async function removeLeftovers(
  say: (text: string) => void,
  signal: AbortSignal,
  places = leftoverPlaces,
): Promise<void> {
  const folders = places.folders.flatMap((folder) => namesIn(folder).map((name) => join(folder, name)));
  if (folders.length === 0) return;
  try {
    await unmountBelow(folders, performance.now() + (places.patienceMs ?? 20_000), signal);
    await detachLoopsOf(folders, signal);
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    say(`an installation was interrupted; what it had left was removed (${folders.join(', ')})`);
  } catch (error) {
    if (signal.aborted) throw error;
    const why = describeError(error);
    say(
      `an interrupted installation has left something that cannot be removed: ${why}. Restart the machine to install it`,
    );
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => {
      const owner = ownerOfWorkFolder(name);
      return owner !== null && !isOtherProcessOfOurs(owner);
    });
  } catch {
    return [];
  }
}

/** The last mount first. A program that was killed with the installer may still hold one for a moment. */
async function unmountBelow(folders: readonly string[], deadlineMs: number, signal: AbortSignal): Promise<void> {
  for (;;) {
    const last = mountPoints().findLast((path) => folders.some((each) => path === each || path.startsWith(`${each}/`)));
    if (last === undefined) return;
    try {
      await runCommand('umount', ['--', last], { signal, timeoutMs: 120_000 });
    } catch (error) {
      if (signal.aborted || performance.now() > deadlineMs) throw error;
      await sleep(retryMs, signal);
    }
  }
}

/** In the order of their mounting (proc_pid_mountinfo(5): octal escapes). */
function mountPoints(): string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return lines.flatMap((line) => {
    const path = line.split(' ')[4];
    if (path === undefined) return [];
    return [path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))];
  });
}

async function detachLoopsOf(folders: readonly string[], signal: AbortSignal): Promise<void> {
  const { stdout } = await runCommand('losetup', ['--list', '--noheadings', '--raw', '--output', 'NAME,BACK-FILE'], {
    signal,
    timeoutMs: 30_000,
  });
  for (const line of stdout.split('\n')) {
    const [device = '', ...file] = line.split(' ');
    if (!folders.some((folder) => file.join(' ').startsWith(`${folder}/`))) continue;
    await runCommand('losetup', ['--detach', device], { signal, timeoutMs: 30_000 });
  }
}
