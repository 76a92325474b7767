import { copyFile, open } from 'node:fs/promises';
import { findIsoBlock } from '../../core/boot-block/find-iso-block.ts';
import { encodeIsoBlock } from '../../core/boot-block/iso-block.ts';
import type { IsoSettings } from '../../protocol/iso-settings.ts';

/** Copies an installer ISO and tells the copy what a server would tell it. */
export async function writeIso(source: string, target: string, settings: IsoSettings): Promise<void> {
  await copyFile(source, target);
  await using iso = await open(target, 'r+');
  const block = encodeIsoBlock(settings);
  await iso.write(block, 0, block.length, await findIsoBlock(iso));
}
