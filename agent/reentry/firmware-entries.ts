import { runCommand } from '../../core/base/run-command.ts';
import { bootEntryLabel, type FirmwareBoot, type FirmwareEntry, parseFirmwareBoot } from '../boot/firmware-boot.ts';

export interface NewFirmwareEntry {
  readonly disk: string;
  readonly partition: number;
  /** With backslashes, from the root of the partition. */
  readonly loader: string;
  /** Load options, which Linux' EFI stub takes as its command line (UCS-2). */
  readonly options: string;
}

const timeoutMs = 30_000;

/** @throws ProvisionError `tool_missing`, `tool_failed`. */
export async function readFirmwareBoot(signal: AbortSignal): Promise<FirmwareBoot> {
  return parseFirmwareBoot(await run(['--verbose'], signal));
}

/**
 * Makes an entry that is in no order, so that only BootNext starts it; gives its number, or null when the firmware does
 * not list it afterwards. Earlier entries of ours go first.
 * @throws ProvisionError `tool_missing`, `tool_failed`.
 */
export async function createOnceEntry(entry: NewFirmwareEntry, signal: AbortSignal): Promise<string | null> {
  await removeOnceEntries(signal);
  const place = ['--disk', entry.disk, '--part', String(entry.partition), '--loader', entry.loader];
  await run(['--create-only', ...place, '--label', bootEntryLabel, '--unicode', entry.options], signal);
  const { entries } = await readFirmwareBoot(signal);
  return entries.find(({ label }) => label === bootEntryLabel)?.number ?? null;
}

/** Removes every entry of ours. @throws ProvisionError `tool_missing`, `tool_failed`. */
export async function removeOnceEntries(signal: AbortSignal): Promise<void> {
  const { entries, bootNext } = await readFirmwareBoot(signal);
  for (const { number } of entries.filter(({ label }) => label === bootEntryLabel)) {
    // Some firmware keeps BootNext, and then waits for somebody who tells it what that was.
    if (number === bootNext) await run(['--delete-bootnext'], signal);
    await run(['--bootnum', number, '--delete-bootnum'], signal);
  }
}

/** Sets BootNext and reads it back: false when the firmware has not kept it. */
export async function setBootNext(number: string, signal: AbortSignal): Promise<boolean> {
  await run(['--bootnext', number], signal);
  return (await readFirmwareBoot(signal)).bootNext?.toUpperCase() === number.toUpperCase();
}

/** Takes BootNext back. @throws ProvisionError `tool_missing`, `tool_failed`. */
export async function forgetBootNext(signal: AbortSignal): Promise<void> {
  if ((await readFirmwareBoot(signal)).bootNext !== null) await run(['--delete-bootnext'], signal);
}

/**
 * The firmware's entry that boots from network: that of the given card where there is one, else the first of the boot
 * order. IPv4 goes before IPv6, PXE and HTTP are the same to us (the server's script is what counts).
 */
export function networkEntry(boot: FirmwareBoot, mac: string | null): FirmwareEntry | null {
  const order = (number: string): number => {
    const at = boot.bootOrder.indexOf(number);
    return at === -1 ? boot.bootOrder.length : at;
  };
  const wanted = mac?.replaceAll(':', '').toLowerCase() ?? null;
  const isOfCard = (devicePath: string): boolean =>
    wanted !== null && devicePath.toLowerCase().includes(`mac(${wanted}`);
  const candidates = boot.entries
    .filter(({ devicePath }) => /\bMAC\([0-9a-f]+/i.test(devicePath))
    .sort((a, b) => {
      const card = Number(isOfCard(b.devicePath)) - Number(isOfCard(a.devicePath));
      const family = Number(/\/IPv6\(/i.test(a.devicePath)) - Number(/\/IPv6\(/i.test(b.devicePath));
      return card || family || order(a.number) - order(b.number);
    });
  return candidates[0] ?? null;
}

async function run(args: readonly string[], signal: AbortSignal): Promise<string> {
  return (await runCommand('efibootmgr', args, { signal, timeoutMs })).stdout;
}
