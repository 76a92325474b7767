import { readdirSync, readFileSync } from 'node:fs';
import { runCommand } from '../../../core/base/run-command.ts';
import { type Resources, waitFor } from '../../resources.ts';
import { diskBytes } from './faulty-install.ts';

/** A disk, and the folder below which the installer makes all that it makes: what is left is told from what others made. */
export interface Place {
  readonly file: string;
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
}

export function ownPlace(own: Resources): Place {
  const [file, dir] = [own.sparseFile(diskBytes), own.tempDir()];
  own.defer('what an installer left', () => release(dir, file));
  return { file, dir, env: { TMPDIR: dir } };
}

export function mountsBelow(dir: string): string[] {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '');
  return points.filter((point) => point.startsWith(`${dir}/`)).reverse();
}

async function loopsOn(file: string): Promise<string[]> {
  const { stdout } = await runCommand('losetup', ['--list', '--noheadings', '--output', 'NAME', '--associated', file]);
  return stdout
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
}

/** Programs that an installer of that place has started, or itself. */
function programsOf(dir: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`TMPDIR=${dir}`);
    } catch {
      return false;
    }
  });
}

/** What a killed installer cannot take away itself. Programs that it had started end by themselves, and may attach or mount until then. */
export async function release(dir: string, file: string): Promise<void> {
  await waitFor('the programs of the killed installer to end', () => programsOf(dir).length === 0);
  await releaseMounts(dir);
  for (const device of await loopsOn(file)) {
    await waitFor(`${device} to be free`, async () => {
      await runCommand('partx', ['-d', device], { okExitCodes: [0, 1] });
      await runCommand('losetup', ['-d', device], { okExitCodes: [0, 1] });
      return (await loopsOn(file)).length === 0;
    });
  }
}

async function releaseMounts(dir: string): Promise<void> {
  for (const point of mountsBelow(dir)) {
    await waitFor(`${point} to be free`, async () => {
      return (
        (await runCommand('umount', [point], { okExitCodes: [0, 32] })).exitCode === 0 ||
        !mountsBelow(dir).includes(point)
      );
    });
  }
}
