import { decodeIsoBlock } from '../../core/boot-block/iso-block.ts';
import { readIsoBlock } from '../../core/boot-block/read-iso-file.ts';
import type { IsoSettings } from '../../protocol/iso-settings.ts';
import type { DiskFacts } from '../disk/types.ts';
import { readDevice } from './read-device.ts';

/** Identity of a device by what the kernel says of it → whether it holds an installer ISO. */
const known = new Map<string, boolean>();
const mostKnown = 4096;

/**
 * The disks, those that hold an installer ISO marked as such (failure row F29): a stick that the machine was started
 * from is an ordinary disk otherwise. Each is looked at once, for as long as the kernel says the same of it.
 */
export async function markInstallerMedia(
  disks: readonly DiskFacts[],
  options: { readonly signal?: AbortSignal } = {},
): Promise<DiskFacts[]> {
  return await Promise.all(
    disks.map(async (disk) => {
      if (disk.kind !== 'disk' || disk.sizeBytes === 0) return disk;
      const key = [disk.devno, disk.sizeBytes, disk.serial, disk.wwn, disk.model].join(' ');
      let holdsIso = known.get(key);
      if (holdsIso === undefined) {
        const found = await readInstallerMedium(disk.path, options);
        holdsIso = found.kind === 'block';
        if (known.size >= mostKnown) known.clear();
        // One that did not answer is asked again.
        if (found.kind !== 'silent') known.set(key, holdsIso);
      }
      return holdsIso ? { ...disk, isInstallerMedium: true } : disk;
    }),
  );
}

/** What a device says to whoever looks for an installer ISO on it. */
export type MediumReading =
  | { readonly kind: 'block'; readonly settings: IsoSettings | null }
  | { readonly kind: 'none' }
  /** It gave no bytes, or not in time. */
  | { readonly kind: 'silent' };

/** Looks for an installer ISO on a device; `settings` is null where its block is damaged. */
export async function readInstallerMedium(
  device: string,
  options: { readonly signal?: AbortSignal; readonly timeoutMs?: number } = {},
): Promise<MediumReading> {
  let isSilent = false;
  const block = await readIsoBlock(async (offsetBytes, lengthBytes) => {
    const bytes = isSilent ? null : await readDevice({ device, offsetBytes, lengthBytes, ...options });
    isSilent ||= bytes === null;
    return bytes ?? Buffer.alloc(0);
  });
  if (block === null) return { kind: isSilent ? 'silent' : 'none' };
  try {
    return { kind: 'block', settings: decodeIsoBlock(block) };
  } catch {
    return { kind: 'block', settings: null };
  }
}
