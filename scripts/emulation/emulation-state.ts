import { existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { freePort } from '../../test/resources.ts';
import { newIdentity } from '../../test/vm/guest-identity.ts';
import type { VmDisk } from '../../test/vm/vm-disk.ts';
import type { DiskRequest } from './parse-disks.ts';

/** As many addresses as there can be cards, so that a card that is added later is the machine's too. */
const cardCount = 16;

const stateSchema = z.object({
  identity: z.object({
    smbiosUuid: z.string(),
    serial: z.string(),
    boardSerial: z.string(),
    macs: z.array(z.string()).length(cardCount).readonly(),
  }),
  /** Of the server, so that what it has installed finds it again. */
  port: z.int(),
  bootPort: z.int(),
  /** Of the registry, whose images the server knows by it. */
  registryPort: z.int(),
  apiToken: z.string().nullable(),
});

export type EmulationState = z.infer<typeof stateSchema>;

/** What makes the machine and its server the same at the next start. Holds an API token, so it is private. */
export async function openState(
  dir: string,
  options: { readonly isFresh: boolean; readonly pickPort?: () => Promise<number> },
): Promise<EmulationState> {
  const { pickPort = freePort } = options;
  // A folder that is not ours is not emptied, whatever `--state` says.
  if (options.isFresh && existsSync(stateFile(dir))) rmSync(dir, { recursive: true });
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  if (existsSync(stateFile(dir))) {
    const saved: unknown = JSON.parse(readFileSync(stateFile(dir), 'utf8'));
    // Of a folder from before there was a registry.
    const state = stateSchema.parse({ registryPort: await pickPort(), ...(saved as object) });
    saveState(dir, state);
    return state;
  }
  const [port, bootPort, registryPort] = [await pickPort(), await pickPort(), await pickPort()];
  const state = { identity: newIdentity(cardCount), port, bootPort, registryPort, apiToken: null };
  saveState(dir, state);
  return state;
}

export function saveState(dir: string, state: EmulationState): void {
  writeFileSync(stateFile(dir), `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
}

/** The files of the machine's disks, made (sparse) where they are not there yet. */
export function openDisks(dir: string, requests: readonly DiskRequest[]): VmDisk[] {
  return requests.map(({ bus, sectorBytes, sizeBytes }, index) => {
    // The size is part of the name: a disk that is asked for with another one is another disk.
    const file = join(dir, `disk${index}-${sizeBytes / 1024 ** 2}M.raw`);
    if (!existsSync(file)) {
      writeFileSync(file, '');
      truncateSync(file, sizeBytes);
    }
    return { file, bus, sectorBytes, serial: `DISK${index}`, cache: 'writeback' };
  });
}

function stateFile(dir: string): string {
  return join(dir, 'state.json');
}
