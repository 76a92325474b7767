import { existsSync } from 'node:fs';
import { describeError } from '../../core/base/describe-error.ts';
import { runCommand } from '../../core/base/run-command.ts';
import type { RootfsContext } from '../rootfs/types.ts';
import { type FirmwareEntry, parseEfibootmgr, parseFirmwareBoot, partUuidOf, systemEntry } from './firmware-boot.ts';

export interface UefiEntryTarget {
  /** Whole disk, `/dev/nvme0n1`. */
  readonly disk: string;
  readonly espNumber: number;
  /** Unique GUID of the ESP as committed. */
  readonly espPartUuid: string;
  /** GUIDs of partitions that the installation replaced: entries that name them are dead. */
  readonly replacedPartUuids: readonly string[];
  /** What the firmware's menu shows, without the prefix. */
  readonly name: string;
  /** Injectable for tests; default `/sys/firmware/efi`. */
  readonly firmwareDir?: string;
}

export interface UefiEntryResult {
  /** Number of the entry, `0003`; null when none was made. */
  readonly bootNumber: string | null;
  /** Stale and duplicate entries that were removed. */
  readonly removed: readonly string[];
  readonly warnings: readonly string[];
}

const loaderPath = '\\EFI\\BOOT\\BOOTX64.EFI';
/** Entries with it were made by durantic and may be removed when their partition is gone. */
const labelPrefix = 'Durantic: ';
const timeoutMs = 30_000;

/**
 * Makes the firmware's boot entry for the installed disk, once (entries with the same device path, and dead ones of
 * earlier installations, are removed), first in the order and next to boot. Best effort (failure rows F52, F53): the
 * removable path boots without it, so a full or locked NVRAM is a warning.
 */
export async function createUefiEntry(target: UefiEntryTarget, ctx: RootfsContext): Promise<UefiEntryResult> {
  if (!existsSync(target.firmwareDir ?? '/sys/firmware/efi')) {
    return { bootNumber: null, removed: [], warnings: [] };
  }
  const removed: string[] = [];
  const warnings: string[] = [];
  try {
    const entries = await listEntries(ctx);
    for (const entry of entries.filter((one) => isObsolete(one, target))) {
      await run(['--bootnum', entry.number, '--delete-bootnum'], ctx);
      removed.push(entry.number);
    }
    const before = new Set((await listEntries(ctx)).map(({ number }) => number));
    const label = `${labelPrefix}${target.name}`;
    const part = ['--disk', target.disk, '--part', String(target.espNumber)];
    await run(['--create', ...part, '--label', label, '--loader', loaderPath], ctx);
    const made = (await listEntries(ctx)).find(({ number }) => !before.has(number));
    if (made === undefined) return { bootNumber: null, removed, warnings: [missing] };
    await run(['--bootnext', made.number], ctx);
    return { bootNumber: made.number, removed, warnings };
  } catch (error) {
    if (ctx.signal.aborted) throw error;
    const why = describeError(error);
    return { bootNumber: null, removed, warnings: [`the firmware's boot entry was not made (${why}); ${fallback}`] };
  }
}

const fallback = 'the disk boots by the removable path';
const missing = `the firmware took the boot entry but does not list it; ${fallback}`;

async function listEntries(ctx: RootfsContext): Promise<FirmwareEntry[]> {
  return parseEfibootmgr(await run(['--verbose'], ctx));
}

/**
 * Makes the firmware start next from the partition with this GUID, by an entry that it has already; a sentence on what
 * was done. Best effort: what the firmware does otherwise is its order.
 */
export async function bootNextFrom(espPartUuid: string | null, ctx: RootfsContext): Promise<string> {
  const left = 'the firmware boots in its usual order';
  if (espPartUuid === null) return `the disk has no EFI system partition, and ${left}`;
  try {
    const entry = systemEntry(parseFirmwareBoot(await run(['--verbose'], ctx)), espPartUuid);
    if (entry === null) return `the firmware has no entry for it, and boots in its usual order`;
    await run(['--bootnext', entry.number], ctx);
    return `the firmware's next start is its entry "${entry.label}"`;
  } catch (error) {
    if (ctx.signal.aborted) throw error;
    return `the firmware could not be told of it (${describeError(error)}), and ${left}`;
  }
}

function isObsolete(entry: FirmwareEntry, target: UefiEntryTarget): boolean {
  const partUuid = partUuidOf(entry);
  if (partUuid === null) return false;
  if (target.replacedPartUuids.some((replaced) => replaced.toLowerCase() === partUuid)) return true;
  if (partUuid !== target.espPartUuid.toLowerCase()) return false;
  const isSamePath = entry.devicePath.toLowerCase().includes(loaderPath.toLowerCase());
  return isSamePath || entry.label.startsWith(labelPrefix);
}

async function run(args: readonly string[], ctx: RootfsContext): Promise<string> {
  const { stdout } = await runCommand('efibootmgr', args, { signal: ctx.signal, timeoutMs });
  return stdout;
}
